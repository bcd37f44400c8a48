"""`benchmarks/gate-speed`: what paired intervals of 10,000 resamples take on as many rows as the largest hold-out."""

import argparse
import sys
import time
from collections.abc import Sequence

import numpy

from services.contract.prediction import Labelled, Prediction
from services.contract.task import MEASURED, Task
from services.delivery.statistics.intervals import Group, paired

_TASK: Task = "binary-classification"


def main(arguments: Sequence[str]) -> int:
    options = _options(arguments)
    actual, candidate, live = _answers(options.rows)
    everyone = [Group(None, numpy.ones(options.rows, dtype=bool))]
    sys.stdout.write(f"{'metrics of ' + format(options.rows, ',') + ' rows':32} {'seconds':>8} {'of CPU':>8}\n")
    for metrics in (*([name] for name in MEASURED[_TASK]), MEASURED[_TASK]):
        started, cpu = time.monotonic(), time.process_time()
        paired(metrics, _TASK, actual, candidate, live, everyone, 0.95)
        took, cpu = time.monotonic() - started, time.process_time() - cpu
        sys.stdout.write(f"{metrics[0] if len(metrics) == 1 else 'all of them':32} {took:8.1f} {cpu:8.1f}\n")
    return 0


def _answers(rows: int) -> tuple[list[int], list[Prediction], list[Prediction]]:
    """Targets, and the answers of two models that are somewhat alike."""
    random = numpy.random.default_rng(1)
    actual = random.random(rows) < 0.24
    one, other = random.normal(size=(2, rows))
    return actual.astype(int).tolist(), _labelled(one + actual), _labelled(one + 0.3 * other + actual)


def _labelled(scores: numpy.ndarray) -> list[Prediction]:
    return [Labelled(label=int(one > 0.5), probability=one) for one in (1 / (1 + numpy.exp(-scores))).tolist()]


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="benchmarks/gate-speed",
        description="Measures the paired bootstrap intervals of compare, by the clock and of CPU, for each metric of a"
        " binary classification and for all of them together.",
    )
    parser.add_argument("--rows", type=int, default=67_000, help="of the hold-out (%(default)s)")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
