"""Which columns of the training set are declared or distributed otherwise in another run."""

from collections.abc import Iterator
from datetime import UTC, datetime

from services.contract.candidate import ColumnSummary, RunFacts
from services.contract.comparison import Change
from services.contract.moments import MOMENTS

# A quantile has moved that is off by more than this share of how far most rows are apart, a share by so much.
_QUANTILE, _SHARE = 0.05, 0.01
# A word that is new is so frequent in one and so rare in the other.
_NEW, _NONE = 0.005, 0.001
_MOST_WORDS = 5
# Of the quantiles, without the extremes, which a single row moves.
_INNER = slice(1, -1)
_FIVE, _MEDIAN, _NINETY_FIVE = 1, 3, 5

Columns = dict[str, ColumnSummary]


def column_changes(candidate: RunFacts, live: RunFacts) -> Iterator[Change]:
    ours, theirs = _types(candidate), _types(live)
    for name in dict.fromkeys([*ours, *theirs]):
        if ours.get(name) != theirs.get(name):
            yield Change(kind="column", name=name, candidate=ours.get(name), live=theirs.get(name))
    if candidate.training != live.training:
        yield from _distributions(candidate, live)


def _types(run: RunFacts) -> dict[str, str]:
    schema = run.data_schema
    declared = {name: f"{kind}{'?' if name in schema.optional else ''}" for name, kind in schema.columns.items()}
    return {**declared, schema.target: f"{schema.target_type}, the target"}


def _distributions(candidate: RunFacts, live: RunFacts) -> Iterator[Change]:
    ours, theirs = candidate.columns, live.columns
    if ours is None or theirs is None:
        yield from _recorded_by_one(ours, theirs)
        return
    schema = candidate.data_schema
    kinds = {**schema.columns, schema.target: schema.target_type}
    for name in ours:
        if name in theirs and has_moved(ours[name], theirs[name]):
            told = f"{name}, the target" if name == schema.target else name
            mine, others = _words(ours[name], theirs[name], kinds[name]), _words(theirs[name], ours[name], kinds[name])
            yield Change(kind="distribution", name=told, candidate=mine, live=others)


def _recorded_by_one(ours: Columns | None, theirs: Columns | None) -> Iterator[Change]:
    mine, others = (None if one is None else f"of {len(one)} columns" for one in (ours, theirs))
    if mine != others:
        yield Change(kind="distribution", name="recorded", candidate=mine, live=others)


def has_moved(one: ColumnSummary, other: ColumnSummary) -> bool:
    """Whether a person would want to see it, not whether it is equal, which the digest says."""
    if abs(one.missing - other.missing) > _SHARE or bool(one.quantiles) != bool(other.quantiles):
        return True
    return _words_moved(one, other) or _numbers_moved(one, other)


def _words_moved(one: ColumnSummary, other: ColumnSummary) -> bool:
    pairs = ((_share(one, word), _share(other, word)) for word in _moved_words(one, other))
    return any(
        abs(mine - others) > _SHARE or (min(mine, others) <= _NONE and max(mine, others) >= _NEW)
        for mine, others in pairs
    )


def _moved_words(one: ColumnSummary, other: ColumnSummary) -> list[str]:
    """Those whose share moved furthest first."""
    words = sorted(one.shares.keys() | other.shares.keys())
    return sorted(words, key=lambda word: -abs(_share(one, word) - _share(other, word)))


def _share(summary: ColumnSummary, word: str) -> float:
    """Of a word that is not among the most frequent ones, what it has at most."""
    known = summary.shares
    return known.get(word, min(max(0.0, 1 - sum(known.values())), min(known.values(), default=0.0)))


def _numbers_moved(one: ColumnSummary, other: ColumnSummary) -> bool:
    if not one.quantiles:
        return False
    apart = max(some.quantiles[_NINETY_FIVE] - some.quantiles[_FIVE] for some in (one, other))
    pairs = zip(one.quantiles[_INNER], other.quantiles[_INNER], strict=True)
    return any(abs(mine - others) > _QUANTILE * apart for mine, others in pairs)


def _words(summary: ColumnSummary, other: ColumnSummary, kind: str) -> str:
    """Of words those that moved furthest; of numbers their middle and where nine of ten are."""
    missing = f", {summary.missing:.1%} missing" if summary.missing or other.missing else ""
    if summary.shares or other.shares:
        told = _moved_words(summary, other)[:_MOST_WORDS]
        return ", ".join(f"{word} {_share(summary, word):.1%}" for word in told) + missing
    if not summary.quantiles:
        return f"nothing{missing}"
    low, middle, high = (_number(summary.quantiles[place], kind) for place in (_FIVE, _MEDIAN, _NINETY_FIVE))
    return f"{'length ' if kind == 'string' else ''}median {middle}, 90% from {low} to {high}{missing}"


def _number(value: float, kind: str) -> str:
    return f"{datetime.fromtimestamp(value, UTC):%Y-%m-%d}" if kind in MOMENTS else f"{value:.4g}"
