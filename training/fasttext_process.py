"""fastText in a process of its own: no signal interrupts its training, and some of its errors end the process.

usage: python -m training.fasttext_process FOLDER, which ends with its stdin, as when the job that started it was killed
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from threading import Thread
from typing import Any

import fasttext

_ROOT = Path(__file__).parents[1]
ROWS, MODEL, ARGUMENTS, _ERROR, _USED = "rows.txt", "model.bin", "arguments.json", "error.txt", "used.json"
USED = (
    "lr", "dim", "ws", "epoch", "minCount", "minCountLabel", "neg", "wordNgrams", "bucket", "minn", "maxn", "thread",
    "lrUpdateRate", "t", "seed", "pretrainedVectors",
)  # fmt: skip


class Failed(Exception):
    """What fastText said, or how its process ended."""


def train(folder: Path) -> None:
    """Trains on ROWS with ARGUMENTS of `train_supervised`, and writes MODEL and the arguments that it took."""
    arguments = json.loads((folder / ARGUMENTS).read_text())
    try:
        model = fasttext.train_supervised(input=str(folder / ROWS), **arguments)
    except (TypeError, ValueError, RuntimeError, MemoryError) as error:
        raise Failed(" ".join(str(error).split())) from error
    model.save_model(str(folder / MODEL))
    taken = model.f.getArgs()
    used = {"loss": taken.loss.name, **{name: getattr(taken, name) for name in USED}}
    (folder / _USED).write_text(json.dumps(used))


def train_apart(folder: Path) -> None:
    """The same in another process, which ends when this one is asked to. Raises Failed."""
    command = [sys.executable, "-P", "-m", "training.fasttext_process", str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(_ROOT)}
    # In a session of its own: Ctrl-C is for this process, which then ends that one.
    with subprocess.Popen(command, stdin=subprocess.PIPE, env=environment, start_new_session=True) as child:
        status = child.wait()
    if (folder / _ERROR).is_file():
        raise Failed((folder / _ERROR).read_text())
    if status == -signal.SIGKILL:
        raise Failed("something killed it, most likely the kernel for want of memory")
    if status != 0:
        ended = signal.Signals(-status).name if status < 0 else f"exit {status}"
        raise Failed(f"its process ended by {ended}")


def trained(folder: Path) -> Any:
    """The model, with the arguments that fastText took as attributes: its file has only some of them."""
    model = fasttext.load_model(str(folder / MODEL))
    for name, value in json.loads((folder / _USED).read_text()).items():
        setattr(model, name, value)
    return model


def _end_with_stdin() -> None:
    sys.stdin.buffer.read()
    os._exit(1)


def main(folder: Path) -> None:
    Thread(target=_end_with_stdin, daemon=True).start()
    try:
        train(folder)
    except Failed as failed:
        (folder / _ERROR).write_text(str(failed))
    # The thread waits for a stdin that ends later.
    os._exit(0)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
