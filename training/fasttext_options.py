"""Which arguments of fastText's `train_supervised` a plan may hold, because the library takes ones that make no model.

Measured on fastText 0.9.3: `bucket` 0 beside n-grams and `thread` 0 end the process by SIGFPE, a negative `bucket` by
SIGSEGV; `epoch` 0, `lr` 0 and minn > maxn train in silence what was not asked for; `epoch` 10^9 runs for weeks.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import psutil

from services.contract.errors import Refused

# Each thread fills one tenth of fastText's input matrix, an eleventh what the division leaves over. With fewer, some of
# it is whatever the memory held before.
THREADS = 11
_LARGEST = 2**31 - 1
_GIVEN_BY_US = ("input", "label", "label_prefix")
_FLOAT_BYTES = 4


@dataclass(frozen=True)
class _Whole:
    least: int
    most: int

    def __str__(self) -> str:
        return f"a whole number from {self.least} to {self.most}"

    def takes(self, value: Any) -> bool:
        return type(value) is int and self.least <= value <= self.most


@dataclass(frozen=True)
class _Number:
    most: float

    def __str__(self) -> str:
        return f"a number above 0 and at most {self.most:g}"

    def takes(self, value: Any) -> bool:
        return type(value) in (int, float) and 0 < value <= self.most


@dataclass(frozen=True)
class _OneOf:
    names: tuple[str, ...]

    def __str__(self) -> str:
        return f"one of {', '.join(self.names)}"

    def takes(self, value: Any) -> bool:
        return value in self.names


@dataclass(frozen=True)
class _File:
    def __str__(self) -> str:
        return "the path of a file"

    def takes(self, value: Any) -> bool:
        return isinstance(value, str) and Path(value).is_file()


@dataclass(frozen=True)
class _Text:
    def __str__(self) -> str:
        return "a text"

    def takes(self, value: Any) -> bool:
        return isinstance(value, str)


_OPTIONS: Mapping[str, _Whole | _Number | _OneOf | _File | _Text] = {
    "lr": _Number(100),
    "dim": _Whole(1, 10_000),
    "ws": _Whole(1, 1000),
    "epoch": _Whole(1, 10_000),
    "minCount": _Whole(1, _LARGEST),
    "minCountLabel": _Whole(0, _LARGEST),
    "minn": _Whole(0, 100),
    "maxn": _Whole(0, 100),
    "neg": _Whole(1, 1000),
    "wordNgrams": _Whole(1, 100),
    "loss": _OneOf(("softmax", "hs", "ns", "ova")),
    "bucket": _Whole(0, _LARGEST),
    "thread": _Whole(THREADS, 512),
    "lrUpdateRate": _Whole(1, _LARGEST),
    "t": _Number(1),
    "seed": _Whole(0, _LARGEST),
    "verbose": _Whole(0, 2),
    "pretrainedVectors": _File(),
    "autotuneValidationFile": _File(),
    "autotuneMetric": _Text(),
    "autotunePredictions": _Whole(1, 1000),
    "autotuneDuration": _Whole(1, 86_400),
}
_DEFAULTS = {"dim": 100, "bucket": 2_000_000, "minn": 0, "maxn": 0, "wordNgrams": 1}


def check_options(plan: Any) -> None:
    """Raises Refused for what is no dict of options, for the first that is out of its range or goes with no other."""
    if not isinstance(plan, dict):
        shown = f"{plan!r}"[:60]
        raise Refused(
            "expected `build` to return a dict of arguments of train_supervised, such as {'epoch': 25}, "
            f"found {shown}"
        )
    for name, value in plan.items():
        _check(name, value)
    _check_together({**_DEFAULTS, **plan})


def _check(name: Any, value: Any) -> None:
    if name in _GIVEN_BY_US:
        raise Refused(f"expected a plan without {name}, found it there: the flavor gives it to fastText")
    if name == "autotuneModelSize":
        raise Refused(
            "expected a plan without autotuneModelSize, found it there: a model that it shrinks is not served"
        )
    if name not in _OPTIONS:
        alike = get_close_matches(str(name), _OPTIONS, 1)
        raise Refused(
            f"expected arguments of fastText's train_supervised, found '{name}': "
            + (f"did you mean {alike[0]}?" if alike else f"it has {', '.join(_OPTIONS)}")
        )
    if not _OPTIONS[name].takes(value):
        why = "" if name != "thread" else ": with fewer, fastText leaves part of its matrix uninitialised"
        raise Refused(f"expected {name} to be {_OPTIONS[name]}, found {value!r}{why}")


def _check_together(options: Mapping[str, Any]) -> None:
    if options["minn"] > options["maxn"]:
        raise Refused(
            f"expected minn of at most maxn, found {options['minn']} and {options['maxn']}: fastText would make no "
            "n-grams of letters; for none, set both to 0"
        )
    hashed = options["maxn"] > 0 or options["wordNgrams"] > 1
    if hashed and options["bucket"] == 0:
        raise Refused("expected a bucket above 0 for n-grams, found 0: fastText would crash; 50000 is a small one")
    wanted, there = options["dim"] * options["bucket"] * hashed * _FLOAT_BYTES, psutil.virtual_memory().total
    if wanted > there:
        raise Refused(
            f"expected dim × bucket × {_FLOAT_BYTES} bytes to fit into the memory of {_gigabytes(there)}, found "
            f"{_gigabytes(wanted)}: lower bucket or dim"
        )


def _gigabytes(count: int) -> str:
    return f"{math.ceil(count / 1e9)} GB"
