"""Checks of a gate, and what model.yaml says of those that do not count."""

from collections.abc import Iterable

from services.contract.gates import Gates
from services.contract.verdict import Check, Verdict


def check(gate: str, passed: bool, expected: str, found: str, name: str | None = None) -> Check:
    """Named as its gate where that has one check only."""
    verdict = Verdict.PASS if passed else Verdict.FAIL
    return Check(name=name or gate, gate=gate, verdict=verdict, expected=expected, found=found)


def undecided(gate: str, expected: str, found: str, name: str | None = None) -> Check:
    return Check(name=name or gate, gate=gate, verdict=Verdict.INCONCLUSIVE, expected=expected, found=found)


def switched(checks: Iterable[Check], gates: Gates) -> tuple[Check, ...]:
    """Those of gates that are switched off with the reason for it."""
    return tuple(one.model_copy(update={"off": gates.reason_off(one.gate)}) for one in checks)
