"""KVM or TCG: that /dev/kvm can be opened does not tell that an ordinary kernel runs there, so one is tried."""

import os
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from services.delivery.machine_image.qemu import Accelerator, Kernel, Machine, command

KVM = Path("/dev/kvm")
# With working KVM it takes two. What is longer only means that TCG is taken, which is right everywhere.
PROBE_SECONDS = 10.0
# A kernel that has come so far has run on every processor, with its memory and its timers.
_REACHED = "Kernel panic - not syncing: VFS"
_COMMAND_LINE = "console=ttyS0 panic=-1 root=/dev/none"

Run = Callable[[Sequence[str], float], str]


def choose(kernel: Path, device: Path = KVM, run: "Run | None" = None) -> Accelerator:
    """KVM when this kernel, without a disk, comes to the point where it looks for one."""
    if not os.access(device, os.R_OK | os.W_OK):
        return Accelerator.TCG
    machine = Machine(None, memory=256, accelerator=Accelerator.KVM, kernel=Kernel(kernel, None, _COMMAND_LINE))
    said = (run or console_of)(command(machine), PROBE_SECONDS)
    return Accelerator.KVM if _REACHED in said else Accelerator.TCG


def console_of(words: Sequence[str], seconds: float) -> str:
    """All that a machine says until it ends or is ended."""
    try:
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=seconds)
    except subprocess.TimeoutExpired as late:
        return (late.stdout or b"").decode(errors="replace")
    return done.stdout.decode(errors="replace")
