"""Whether the model takes no more than model.yaml allows: on disk, in memory and of a processor."""

from pathlib import Path

from services.contract.gates import Budgets
from services.contract.verdict import CPU, MEMORY, SIZE, Check
from services.delivery.gates.checks import check
from services.delivery.scoring.messages import Footprint


def budget_checks(folder: Path, footprint: Footprint | None, budgets: Budgets) -> list[Check]:
    """`folder` is the model's; without a footprint the child has ended too early to tell more than its size."""
    checks = [_within(SIZE, size_of(folder) / 1e6, budgets.model_megabytes, "MB of files")]
    if footprint:
        memory, cpu = footprint.memory_bytes / 1e6, footprint.cpu_seconds
        checks.append(_within(MEMORY, memory, budgets.memory_megabytes, "MB of memory to answer the hold-out"))
        checks.append(_within(CPU, cpu, budgets.cpu_seconds, "s of CPU to load it and answer the hold-out"))
    return checks


def size_of(folder: Path) -> int:
    """Bytes of its files."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _within(name: str, value: float, most: float, unit: str) -> Check:
    return check("budgets", value <= most, f"≤ {most:g} {unit}", f"{value:.3g}", name)
