"""Runs the tests in parts and says what each took; scripts/test is its command."""

import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, Self

from tests.support.outcome import Case, cases, summary
from tests.support.paths import ROOT

WORKERS = os.cpu_count() or 1
PYTEST = (sys.executable, "-m", "pytest")
PLUGIN = ("mvn", "--batch-mode", "--quiet", "-Dstyle.color=never", "--file", "plugin/pom.xml", "verify")
IMAGES = (sys.executable, "-m", "tests.support.compose_stack")
# The stack is a lane more, and with it the cores are never idle: a further one only makes all of them slower.
LANES = WORKERS
REST = ("tests/journey", "tests/integration")
# By what they took: one that is begun last is waited for alone.
LONGEST_FIRST = (
    "tests/journey/test_faults.py",
    "tests/integration/test_rollout_containers.py",
    "tests/integration/test_machine_boots.py",
    "tests/integration/test_parity.py",
    "tests/integration/test_drill.py",
    "tests/journey/test_journey.py",
    "tests/integration/test_rollout.py",
    "tests/integration/test_spark_cluster.py",
    "tests/integration/test_spark_batch.py",
    "tests/integration/test_spark_flavors.py",
    "tests/journey/test_platform.py",
    "tests/journey/test_readme.py",
    "tests/integration/test_bring_your_own_model.py",
)
STACK = ("tests/journey", "-m", "stack and not nightly", "--verbose")
NIGHTLY = ("tests/nightly", *REST, "-m", "nightly", "--verbose")
EVERYTHING = ("dev", "audit", "spark", "platform")
# Each worker of the units has a core, and a second thread costs more than it does for a fit of some hundred rows.
ONE_THREAD = {"OMP_NUM_THREADS": "1"}


@dataclass(frozen=True)
class Part:
    """What was run, what it took, and the command that runs what failed again; none where nothing did."""

    name: str
    seconds: float
    again: str | None = None


def main(arguments: Sequence[str]) -> int:
    signal.signal(signal.SIGTERM, _stop)
    if not arguments:
        return everything()
    if arguments[0] == "--quick":
        return quick(arguments[1:])
    if arguments[0] == "--nightly":
        return run(*PYTEST, *NIGHTLY, *arguments[1:])
    return run(*PYTEST, *arguments)


def quick(more: Sequence[str]) -> int:
    """The units that start no process and take no seconds of a core."""
    options = ("-q", "-n", str(WORKERS), "--dist", "worksteal", "-m", "not process and not thorough")
    return run(*PYTEST, *options, *(more or ("tests/unit",)), variables=ONE_THREAD)


def everything() -> int:
    """Units need neither jars nor images, so both are made beside them; all that waits much then runs side by side."""
    if run(ROOT / "scripts" / "python", ROOT / "scripts" / "environments.py", *EVERYTHING):
        return 1
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, Beside(Path(folder)) as beside:
        beside.start("plugin", PLUGIN, shlex.join(PLUGIN))
        if _has_engine():
            beside.start("images", IMAGES, f".venv/dev/bin/python {shlex.join(IMAGES[1:])}")
        units, unit_cases = tests(Path(folder), "units", WORKERS, "worksteal", ["tests/unit"], variables=ONE_THREAD)
        made = beside.finish()
        # The journeys on the stack wait for its containers most of their time, and share it in their order.
        report = Path(folder) / "stack.xml"
        beside.start("stack", (*PYTEST, *STACK, *reporting(report)), f"scripts/test {shlex.join(STACK)}")
        chosen = ("-m", "not stack and not nightly", "--no-loadscope-reorder", "--verbose")
        rest, rest_cases = tests(Path(folder), "rest", LANES, "loadfile", longest_first(), *chosen)
        parts = [units, *made, rest, *beside.finish()]
        found = [*unit_cases, *rest_cases, *cases(report)]
    say(summary(found, time.monotonic() - began))
    for part in parts:
        say(f"{part.name:12} {part.seconds:6.0f} s  {f'FAILED; again with: {part.again}' if part.again else 'passed'}")
    return int(any(part.again for part in parts))


def longest_first() -> list[str]:
    """The files beside the units, in the order in which they are begun."""
    found = [path.relative_to(ROOT).as_posix() for place in REST for path in sorted((ROOT / place).glob("test_*.py"))]
    return [*LONGEST_FIRST, *(file for file in found if file not in LONGEST_FIRST)]


def tests(
    folder: Path, name: str, workers: int, dist: str, places: Sequence[str], *words: str,
    variables: Mapping[str, str] | None = None,
) -> tuple[Part, list[Case]]:  # fmt: skip
    report, began = folder / f"{name}.xml", time.monotonic()
    options = ("-n", str(workers), "--dist", dist, *reporting(report))
    say(f"{name}: pytest on {counted(places)} {shlex.join(words)}, {workers} at a time")
    failed = run(*PYTEST, *options, *places, *words, variables=variables) != 0
    found = cases(report)
    files = sorted({case.file for case in found if case.failed}) or places
    again = f"scripts/test --last-failed {shlex.join(files)}" if failed else None
    return Part(name, time.monotonic() - began, again), found


def counted(places: Sequence[str]) -> str:
    return places[0] if len(places) == 1 else f"{len(places)} files"


def reporting(report: Path) -> tuple[str, ...]:
    return (f"--junit-xml={report}", "-o", "junit_family=xunit1")


class Beside:
    """Commands that run beside this one, each in a process group of its own, so that all of it can be ended."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._pool = folder, ThreadPoolExecutor()
        self._processes: list[subprocess.Popen[bytes]] = []
        self._parts: list[Future[Part]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
        self._pool.shutdown()

    def start(self, name: str, command: Sequence[str], again: str) -> None:
        say(f"{name}: {again}, beside the other tests")
        with (self._folder / name).open("wb") as said:
            process = subprocess.Popen(command, cwd=ROOT, stdout=said, stderr=said, process_group=0)
        self._processes.append(process)
        self._parts.append(self._pool.submit(self._part, name, again, process))

    def finish(self) -> list[Part]:
        """Each ended, with what it said."""
        parts = [part.result() for part in self._parts]
        self._parts.clear()
        for part in parts:
            sys.stdout.write((self._folder / part.name).read_text(errors="replace"))
        return parts

    def _part(self, name: str, again: str, process: "subprocess.Popen[bytes]") -> Part:
        began = time.monotonic()
        failed = process.wait() != 0
        return Part(name, time.monotonic() - began, again if failed else None)


def run(*command: str | Path, variables: Mapping[str, str] | None = None) -> int:
    return subprocess.run(command, cwd=ROOT, env={**os.environ, **(variables or {})}, check=False).returncode


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _has_engine() -> bool:
    return subprocess.run(["docker", "version"], capture_output=True, check=False).returncode == 0


def _stop(*_: object) -> NoReturn:
    raise SystemExit(143)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
