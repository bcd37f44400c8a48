"""What is previewed or rehearsed must not look like a promotion: not on the run's page, in the store or to deploy."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from services.contract import names
from services.contract.candidate import Candidate, Purpose
from services.contract.errors import Refused
from services.contract.promotion import promotion_number
from services.contract.release import Manifest, Release
from services.contract.verdict import Check, Verdict
from services.delivery.reports.places import reports_folder
from services.delivery.reports.run_page import tell_release, tell_verdict
from services.delivery.settings import Settings
from services.delivery.verbs.deploy import deployed
from services.delivery.verbs.fetch import _purpose
from tests.support.played_run import PlayedRun, playing
from tests.support.release_factory import ReleasePlan, build_release

OFF = Check(name="latency", gate="latency", verdict=Verdict.FAIL, expected="", found="", off="shared until March")


@pytest.fixture
def run() -> Iterator[PlayedRun]:
    with playing(PlayedRun()) as run:
        yield run


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    return build_release(tmp_path_factory.mktemp("release"), ReleasePlan())


def of_purpose(release: Release, purpose: Purpose, **promotion: str) -> Release:
    found = release.manifest.candidate
    told = found.promotion.model_copy(update=promotion)
    candidate = found.model_copy(update={"purpose": purpose, "promotion": told})
    return release.model_copy(update={"manifest": release.manifest.model_copy(update={"candidate": candidate})})


def tell_all(run: PlayedRun, release: Release) -> list[dict[str, str]]:
    """The tags of the run after each stage, without the note."""
    settings, manifest, seen = Settings(mlflow_tracking_uri=run.url), release.manifest, []
    for verdict in (manifest.validation.model_copy(update={"checks": (OFF,)}), manifest.comparison):
        tell_verdict(settings, manifest.candidate, verdict, {})
        seen.append({key: value for key, value in run.tags.items() if key != names.NOTE_TAG})
    tell_release(settings, release)
    return [*seen, {key: value for key, value in run.tags.items() if key != names.NOTE_TAG}]


def test_a_promotion_has_a_tag_for_each_stage_with_the_gates_that_are_off(run: PlayedRun, release: Release) -> None:
    assert tell_all(run, release)[-1] == {
        names.VALIDATION_TAG: "1-aaaaaaaa pass: switched off: latency (shared until March)",
        names.COMPARISON_TAG: "1-aaaaaaaa pass: the first one",
        names.RELEASE_TAG: f"1-aaaaaaaa {release.digest[:12]}",
    }


def test_a_preview_says_for_which_pull_request_and_how_far_it_came(run: PlayedRun, release: Release) -> None:
    assert tell_all(run, of_purpose(release, Purpose.PREVIEW, promotion="#42")) == [
        {names.PREVIEWED_TAG: "1-aaaaaaaa for #42: validate pass: switched off: latency (shared until March)"},
        {names.PREVIEWED_TAG: "1-aaaaaaaa for #42: compare pass: the first one"},
        {names.PREVIEWED_TAG: "1-aaaaaaaa for #42: package pass"},
    ]
    assert "| preview | 1-aaaaaaaa for #42: package pass |" in run.tags[names.NOTE_TAG]


def test_a_rehearsal_says_when_by_whom_and_how_far_it_came(run: PlayedRun, release: Release) -> None:
    told = {"label": "0-aaaaaaaa", "promotion": "2026-03-04T05:06:07Z", "promoted_by": "ada"}
    last = tell_all(run, of_purpose(release, Purpose.REHEARSAL, **told))[-1]
    assert last == {names.REHEARSED_TAG: "2026-03-04T05:06:07Z by ada: package pass"}
    assert promotion_number("0-aaaaaaaa") == 0


@pytest.mark.parametrize(
    ("purpose", "promotion", "folder"),
    [
        (Purpose.PROMOTION, "1 2026-01-02T03:04:05Z ada", "trackback/1-aaaaaaaa"),
        (Purpose.PREVIEW, "../#42", "trackback/preview/1-aaaaaaaa"),
        (Purpose.REHEARSAL, "2026-03-04T05:06:07Z", "trackback/rehearsal/2026-03-04T050607Z"),
    ],
)
def test_reports_of_equal_revisions_lie_apart(release: Release, purpose: Purpose, promotion: str, folder: str) -> None:
    assert reports_folder(of_purpose(release, purpose, promotion=promotion).manifest.candidate) == folder


@pytest.mark.parametrize("purpose", [Purpose.PREVIEW, Purpose.REHEARSAL])
def test_a_release_that_nobody_promoted_is_not_deployed(release: Release, tmp_path: Path, purpose: Purpose) -> None:
    with pytest.raises(Refused, match=f"expected a release of a promotion, found that of a {purpose}: promote the run"):
        deployed(Settings(store=tmp_path), of_purpose(release, purpose))


@pytest.mark.parametrize(
    ("tag", "purpose"),
    [("preview", Purpose.PREVIEW), ("promote", Purpose.PROMOTION), (None, Purpose.PROMOTION), ("", Purpose.PROMOTION)],
)
def test_the_tag_that_the_package_waits_for_says_what_it_is_for(
    monkeypatch: pytest.MonkeyPatch, tag: str | None, purpose: Purpose
) -> None:
    monkeypatch.delenv("GO_PACKAGE_MODEL_TAG", raising=False)
    if tag is not None:
        monkeypatch.setenv("GO_PACKAGE_MODEL_TAG", tag)
    assert _purpose() is purpose


def test_a_candidate_that_is_older_than_its_purpose_is_of_a_promotion(release: Release) -> None:
    text = release.manifest.candidate.to_json()
    older = Candidate.from_json(text.replace('  "purpose": "promotion",\n', ""))
    assert '"purpose"' in text
    assert (older.promoted, Manifest.from_json(release.manifest.to_json()).candidate) == (True, older)
