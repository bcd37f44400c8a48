"""Whether a candidate's answer to a request is the live release's, as far as clients care."""

from collections.abc import Sequence
from typing import Any

import msgspec

# Numbers so close are the same: what is 0 in one release is a rounding error in another.
ZERO = 1e-9
# Of a tensor, which is compared in parts as rows are.
_PART = 100
# Most of them are what other classes leave over, so they are held against 1.
_OF_ALL_CLASSES = "probabilities"


class Agreement:
    """Of the answers to one request: `agrees` until something differs; `apart` is the sum of the absolute differences
    of the `numbers` that both have.

    Labels, nulls and whole numbers, which are labels, are to be equal; others may be `difference` of the live
    one apart.
    """

    def __init__(self, difference: float) -> None:
        self._difference = difference
        self.agrees, self.apart, self.numbers = True, 0.0, 0

    def see(self, live: Any, candidate: Any, against: float | None = None) -> None:
        """Anything in the two answers. Numbers are held `against` a fixed one where there is one."""
        match live, candidate:
            case float() | int(), float() | int() if float in (type(live), type(candidate)):
                self._see_numbers(live, candidate, abs(live) if against is None else against)
            case list(), list() if len(live) == len(candidate):
                for one, another in zip(live, candidate, strict=True):
                    self.see(one, another, against)
            case dict(), dict() if live.keys() == candidate.keys() and live.get("label") == candidate.get("label"):
                for name, one in live.items():
                    self.see(one, candidate[name], 1.0 if name == _OF_ALL_CLASSES else against)
            case _ if type(live) is not type(candidate) or live != candidate:
                self.agrees = False

    def see_all(self, pairs: Sequence[tuple[Any, Any]]) -> Sequence[tuple[Any, Any]]:
        """Some of the parts of both. Returns them, for who works on some at a time."""
        for live, candidate in pairs:
            self.see(live, candidate)
        return pairs

    def _see_numbers(self, live: float, candidate: float, against: float) -> None:
        apart = abs(live - candidate)
        self.apart, self.numbers = self.apart + apart, self.numbers + 1
        if apart > self._difference * against + ZERO:
            self.agrees = False


class _Tensor(msgspec.Struct):
    name: str
    data: list[Any]


class _Answer(msgspec.Struct):
    """Of either protocol; who answered stands in other fields."""

    predictions: list[Any] = []
    outputs: list[_Tensor] = []


_read = msgspec.json.Decoder(_Answer).decode


def compared_parts(body: bytes) -> list[Any]:
    """What is compared of an answer, in small parts: its predictions, or its tensors. Empty where there are none."""
    try:
        answer = _read(body)
    except msgspec.MsgspecError:
        return []
    return answer.predictions or [part for tensor in answer.outputs for part in _parts(tensor)]


def _parts(tensor: _Tensor) -> list[dict[str, Any]]:
    data = tensor.data
    return [{tensor.name: data[start : start + _PART]} for start in range(0, len(data), _PART)]
