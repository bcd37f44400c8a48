"""What a run of the tests says at its end, read from pytest's reports."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

SLOWEST = 10


@dataclass(frozen=True)
class Case:
    """One test: its file, its name, its seconds with set-up and teardown, and `passed`, `skipped` or `failed`."""

    file: str
    name: str
    seconds: float
    outcome: str

    @property
    def failed(self) -> bool:
        return self.outcome == "failed"


def cases(report: Path) -> list[Case]:
    """Of a report of --junit-xml, of the family xunit1, which names the files; none where pytest did not get so far."""
    if not report.is_file():
        return []
    return [_case(element) for element in ElementTree.parse(report).iter("testcase")]  # noqa: S314  pytest wrote it


def summary(found: Sequence[Case], seconds: float) -> str:
    """The slowest tests, and how many there were in how much time."""
    slowest = sorted(found, key=lambda case: -case.seconds)[:SLOWEST]
    lines = [f"{case.seconds:8.1f} s  {case.file}::{case.name}" for case in slowest]
    counts = Counter(case.outcome for case in found)
    said = ", ".join(f"{counts[outcome]} {outcome}" for outcome in ("passed", "failed", "skipped"))
    return "\n".join([f"the {len(slowest)} slowest tests:", *lines, f"{said} in {seconds / 60:.1f} min"])


def _case(element: ElementTree.Element) -> Case:
    children = {child.tag for child in element}
    outcome = "failed" if children & {"failure", "error"} else "skipped" if "skipped" in children else "passed"
    return Case(element.get("file", ""), element.get("name", ""), float(element.get("time", 0)), outcome)
