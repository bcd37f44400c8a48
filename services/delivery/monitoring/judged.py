"""What the tests of all columns say together: Holm's correction, and a move that is as large as what matters."""

from collections.abc import Sequence
from itertools import islice

from services.contract.monitoring import ColumnDrift, Drift, DriftTest
from services.contract.monitoring_rules import MonitoringRules
from services.delivery.monitoring.columns import OF_INDEX, Look, Measured
from services.delivery.statistics.holm import holm


def judged(columns: Sequence[Measured], rules: MonitoringRules) -> tuple[ColumnDrift, ...]:
    """Those that count share the errors of 1 - confidence; those that are off have none of them."""
    counted, off = ([one for one in columns if (one.off is None) is counts] for counts in (True, False))
    found = {one.name: one for group in (counted, off) for one in _corrected(group, rules)}
    return tuple(found[one.name] for one in columns)


def _corrected(columns: Sequence[Measured], rules: MonitoringRules) -> list[ColumnDrift]:
    looks = [look for column in columns for look in column.looks]
    tests = iter([_test(look, adjusted, rules) for look, adjusted in zip(looks, _adjusted(looks), strict=True)])
    return [_column(one, tuple(islice(tests, len(one.looks)))) for one in columns]


def _adjusted(looks: Sequence[Look]) -> list[float]:
    return holm([look.found.p_value for look in looks]) if looks else []


def _test(look: Look, adjusted: float, rules: MonitoringRules) -> DriftTest:
    found = look.found
    return DriftTest(
        what=look.what,
        test=found.test,
        unit="index" if look.what in OF_INDEX else "share",
        statistic=found.statistic,
        p_value=found.p_value,
        adjusted_p_value=adjusted,
        size=found.size,
        matters=look.matters,
        drifted=adjusted <= 1 - rules.confidence and found.size >= look.matters,
    )


def _column(one: Measured, tests: tuple[DriftTest, ...]) -> ColumnDrift:
    return ColumnDrift(
        name=one.name,
        kind=one.kind,
        verdict=Drift.DRIFTED if any(test.drifted for test in tests) else Drift.TOO_FEW if one.few else Drift.STABLE,
        rows_before=one.rows_before,
        rows_now=one.rows_now,
        missing_before=one.missing_before,
        missing_now=one.missing_now,
        unseen=one.unseen,
        psi=one.index.value if one.index else None,
        psi_by_chance=one.index.by_chance if one.index else None,
        psi_limit=one.index.limit if one.index else None,
        tests=tests,
        bins=one.bins,
        off=one.off,
    )
