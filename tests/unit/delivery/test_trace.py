"""What `trackback trace --text` says of a release."""

from pathlib import Path

from services.contract.candidate import RunFacts
from services.contract.trace import Trace
from services.delivery.verbs.trace import NOT_RECORDED, lines
from tests.support.release_factory import ReleasePlan, build_release

NEVER_KNOWN = ("git_commit", "git_dirty", "libraries", "training", "sources", "environment", "machine")


def told(folder: Path, **changes: object) -> dict[str, str]:
    manifest = build_release(folder, ReleasePlan()).manifest
    run = RunFacts.model_validate({**dict(manifest.candidate.run), **changes})
    trace = Trace(
        model=manifest.model,
        revision=manifest.revision,
        release="a" * 64,
        deployments=(),
        candidate=manifest.candidate.model_copy(update={"run": run}),
        validation=manifest.validation,
        comparison=manifest.comparison,
        servable=manifest.servable,
        pipeline=None,
        links={},
    )
    return {line[:15].strip(): line[16:] for line in lines(trace).splitlines()}


def test_what_nobody_recorded_is_called_so(tmp_path: Path) -> None:
    found = told(tmp_path, **dict.fromkeys(NEVER_KNOWN))
    unknown = ("git commit", "libraries", "environment", "machine", "training data", "made from")
    assert [found[name] for name in unknown] == [NOT_RECORDED] * len(unknown)
    assert found["hold-out"] == f"{'2' * 64} (4 rows)"


def test_what_was_recorded_is_told(tmp_path: Path) -> None:
    found = told(tmp_path, libraries={"skops": "0.13", "python": "3.11.2"})
    assert found["git commit"] == "not in git"
    assert found["libraries"] == "python 3.11.2, skops 0.13"
    assert found["training data"] == f"{'1' * 64} (200 rows of made up)"
    assert found["machine"] == "a made-up one, 2 cores, Linux, 3.11.2"
    assert found["environment"] == f"{'4' * 64} (9 packages, as no lock file says)"
