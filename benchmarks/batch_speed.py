"""`benchmarks/batch-speed`: rows a second of `trackback score`, beside Spark's own transform, spark_udf and pandas."""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.batch_records import VARIANTS, Subject, Took
from benchmarks.shipped_releases import preparing
from services.contract.checkout import ROOT
from services.contract.errors import Refused

MASTERS = ("local[1]", "local[2]")
# What the first one is held against. Only MLlib has a transform of its own.
SCORE, NATIVE, UDF, PANDAS = "score", "native", "spark_udf", "pandas"
GOALS = {NATIVE: 1.2, UDF: 20.0}
FASTER_ON_TWO = 1.7
MOST_BYTES = 400_000_000


@dataclass
class Measured:
    """Of one way at one master: the rates of its rounds in rows a second, and the peak memory of a Python process."""

    way: str
    master: str
    rates: list[float] = field(default_factory=list)
    peak_bytes: int = 0


@dataclass(frozen=True)
class Spread:
    """The median, and the least and the most, of what the rounds have found."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, found: Sequence[float]) -> "Spread":
        return cls(statistics.median(found), min(found), max(found))

    def __format__(self, spec: str) -> str:
        return f"{self.median:{spec}} ({self.least:{spec}} to {self.most:{spec}})"


def ratio(one: Measured, other: Measured) -> Spread:
    """Of rates of the same round, because what else the machine does changes from round to round."""
    return Spread.of([a / b for a, b in zip(one.rates, other.rates, strict=True)])


@dataclass(frozen=True)
class Asked:
    """A process that scores the rows whenever it is asked to."""

    measured: Measured
    process: "subprocess.Popen[str]"

    def once(self, rows: int, counts: bool) -> None:
        """Raises Refused when it has ended."""
        if self.process.stdin is None or self.process.stdout is None:
            raise Refused(f"{self.measured.way}: expected a process to ask, found none")
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise Refused(f"{self.measured.way} at {self.measured.master}: expected an answer, found its end")
        took = Took.from_json(line, self.measured.way)
        self.measured.peak_bytes = max(self.measured.peak_bytes, took.peak_bytes)
        if counts:
            self.measured.rates.append(rows / took.seconds)


def main(arguments: Sequence[str]) -> int:
    options = _options(arguments)
    with ExitStack() as stack:
        folder = options.state or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        subjects = _prepared(folder.absolute(), options.models, options.rows)
        for subject in subjects:
            sys.stdout.write(table(subject, measured(subject, options.rounds)))
            sys.stdout.flush()
    return 0


def _prepared(folder: Path, models: Sequence[str], rows: int) -> list[Subject]:
    with preparing(folder) as preparation:
        return [preparation.subject(model, rows) for model in models]


def measured(subject: Subject, rounds: int) -> list[Measured]:
    """One after the other in each round, so that all meet the same machine; the first round is not counted."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        file = Path(folder) / "subject.json"
        subject.write(file)
        asked = [stack.enter_context(_asked(way, master, file)) for way, master in ways(subject)]
        for number in range(rounds + 1):
            for one in asked:
                one.once(subject.rows, counts=number > 0)
    return [one.measured for one in asked]


def ways(subject: Subject) -> list[tuple[str, str]]:
    on_spark = (SCORE, NATIVE, UDF) if subject.library == "spark" else (SCORE, UDF)
    return [*((way, master) for way in on_spark for master in MASTERS), (PANDAS, "-")]


@contextmanager
def _asked(way: str, master: str, subject: Path) -> Iterator[Asked]:
    command = [sys.executable, "-P", "-m", "benchmarks.batch_ways", way, master, str(subject)]
    variables = {**os.environ, "PYTHONPATH": str(ROOT), "MLFLOW_DISABLE_TELEMETRY": "true", "OMP_NUM_THREADS": "1"}
    with (
        tempfile.TemporaryFile("w+") as log,
        subprocess.Popen(
            command, env=variables, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
        ) as process,
    ):
        try:
            yield Asked(Measured(way, master), process)
        except Refused as refused:
            log.seek(0)
            last = (log.read().strip().splitlines() or ["nothing"])[-1]
            raise Refused(f"{refused}; its last words: {last}") from refused
        finally:
            if process.stdin:
                process.stdin.close()


def table(subject: Subject, found: Sequence[Measured]) -> str:
    """For a person: rates, ratios with their spread, and memory."""
    by = {(one.way, one.master): one for one in found}
    lines = [f"{subject.model} ({subject.library}, served as {subject.runtime}), {subject.rows:,} rows"]
    lines += [f"  {one.way:10} {one.master:9} {_rate(one):>34} rows/s {_memory(one)}" for one in found]
    for master in MASTERS:
        ours = by[SCORE, master]
        beside = [by[way, master] for way in (NATIVE, UDF) if (way, master) in by] + [by[PANDAS, "-"]]
        lines += [_compared(f"score : {one.way}, {master}", ratio(ours, one), GOALS.get(one.way)) for one in beside]
    lines.append(
        _compared("score, local[2] : local[1]", ratio(*(by[SCORE, one] for one in MASTERS[::-1])), FASTER_ON_TWO)
    )
    return "\n".join(lines) + "\n\n"


def _rate(one: Measured) -> str:
    return f"{Spread.of(one.rates):,.0f}"


def _memory(one: Measured) -> str:
    if not one.peak_bytes:
        return ""
    limit = f" (goal ≤ {MOST_BYTES / 1e6:.0f})" if one.way == SCORE else ""
    return f"  Python process {one.peak_bytes / 1e6:.0f} MB{limit}"


def _compared(what: str, found: Spread, goal: float | None) -> str:
    wanted = f"  goal ≥ {goal:g}: {'met' if found.median >= goal else 'missed'}" if goal else ""
    return f"  {what:32} {found:.2f}{wanted}"


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="benchmarks/batch-speed",
        description="Trains the models that ship, builds their releases, and scores the rows of their hold-outs again"
        " and again in each way, by turns. Goals are for a machine that does nothing else.",
    )
    parser.add_argument("models", nargs="*", default=list(VARIANTS), metavar="model", help="which ones (all)")
    parser.add_argument("--rows", type=int, default=100_000, help="to score (%(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="of each way, after one to warm up (%(default)s)")
    parser.add_argument("--state", type=Path, help="folder that keeps what was trained for the next time")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except Refused as refused:
        sys.stderr.write(f"{refused}\n")
        sys.exit(1)
