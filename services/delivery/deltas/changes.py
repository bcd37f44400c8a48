"""What differs between the run of a candidate and that of the live model, as far as both have recorded it."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from services.contract.candidate import DataDigest, DataSchema, RunFacts
from services.contract.comparison import Change
from services.delivery.deltas.code_changes import code_changes
from services.delivery.deltas.column_changes import column_changes

_SHORT = 12


def changes(candidate: RunFacts, live: RunFacts, checkout: Path | None) -> tuple[Change, ...]:
    """`checkout` is a folder of the repository that may hold both commits."""
    return (
        *_of("parameter", candidate.parameters, live.parameters),
        *_of("data", _data(candidate), _data(live)),
        *column_changes(candidate, live),
        *_of("library", candidate.libraries or {}, live.libraries or {}),
        *_of("environment", _environment(candidate), _environment(live)),
        *code_changes(candidate, live, checkout),
    )


def _of(kind: str, candidate: Mapping[str, str], live: Mapping[str, str]) -> Iterator[Change]:
    for name in dict.fromkeys([*candidate, *live]):
        if candidate.get(name) != live.get(name):
            yield Change(kind=kind, name=name, candidate=candidate.get(name), live=live.get(name))


def _data(run: RunFacts) -> dict[str, str]:
    packages = run.sources.packages if run.sources else {}
    return {
        **({"training set": _digest(run.training)} if run.training else {}),
        "hold-out": _digest(run.holdout),
        "split": _split(run.data_schema),
        **{f"package {name}": version for name, version in packages.items()},
        **({"files": f"{run.sources.files}, {run.sources.sha256[:_SHORT]}"} if run.sources else {}),
    }


def _digest(data: DataDigest) -> str:
    return f"{data.rows} rows of {data.source}, {data.sha256[:_SHORT]}"


def _split(schema: DataSchema) -> str:
    by = schema.split_by_time or schema.split_by or "whole rows"
    return f"{schema.holdout_percent}% by {by}{' in time' if schema.split_by_time else ''}"


def _environment(run: RunFacts) -> dict[str, str]:
    found, machine = run.environment, run.machine
    packages = f"{found.packages}, {found.lock or 'no lock file'}, {found.sha256[:_SHORT]}" if found else ""
    told = f"{machine.processor}, {machine.cores} cores, {machine.system}, {machine.python}" if machine else ""
    return {name: text for name, text in {"packages": packages, "machine": told}.items() if text}
