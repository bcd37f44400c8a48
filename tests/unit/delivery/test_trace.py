"""What `trackback trace --text` says of a release."""

from pathlib import Path

from services.contract.candidate import RunFacts
from services.contract.release import Manifest
from services.contract.trace import Trace
from services.contract.verdict import Acceptance, Check, Verdict
from services.delivery.verbs.trace import NOT_RECORDED, lines
from tests.support.release_factory import WHEN, ReleasePlan, build_release

NEVER_KNOWN = ("git_commit", "git_dirty", "libraries", "training", "sources", "environment", "machine")


def told(folder: Path, **changes: object) -> dict[str, str]:
    return of_release(build_release(folder, ReleasePlan()).manifest, **changes)


def of_release(manifest: Manifest, **changes: object) -> dict[str, str]:
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


def test_what_a_person_accepted_and_what_was_switched_off_stays_in_every_trace(tmp_path: Path) -> None:
    manifest = build_release(tmp_path, ReleasePlan()).manifest
    word = Acceptance(stage="compare", revision="1-aaaaaaaa", by="Ada", at=WHEN, reason="too few rows, but no worse")
    off = Check(name="latency", gate="latency", verdict=Verdict.FAIL, expected="", found="", off="shared until March")
    undecided = {"verdict": Verdict.INCONCLUSIVE, "accepted": word, "summary": "cannot be told from worse than live"}
    found = of_release(
        manifest.model_copy(
            update={
                "validation": manifest.validation.model_copy(update={"checks": (off,)}),
                "comparison": manifest.comparison.model_copy(update=undecided),
            }
        )
    )
    assert found["validation"] == "pass; switched off: latency (shared until March)"
    assert found["comparison"] == f"inconclusive; {word}; cannot be told from worse than live"
    assert "accepted by Ada on 2026-01-02 03:04 UTC: too few rows, but no worse" in found["comparison"]
