"""A person may overrule what could not be decided, never what failed; the stage that runs again then passes."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import typer

from services.contract import names
from services.contract.candidate import Candidate, Purpose
from services.contract.comparison import Comparison
from services.contract.errors import Refused
from services.contract.release import Manifest
from services.contract.validation import Validation
from services.contract.verdict import Acceptance, Check, Verdict
from services.delivery.output import stop_unless_passed
from services.delivery.promotions.acceptances import to_accept, with_acceptance
from services.delivery.promotions.trigger import ask_to_run_again
from services.delivery.reports.run_page import tell_verdict
from services.delivery.settings import Settings
from services.delivery.verbs import accept
from services.delivery.verbs.accept import accepted
from services.delivery.verbs.package import refuse_unless_passed
from tests.support.embedded_ci import CiWithFakePlugin, pipeline, python, running, stage
from tests.support.played_run import PlayedRun, playing
from tests.support.release_factory import ReleasePlan, build_release

NOWHERE = "http://127.0.0.1:9/go"
WHEN = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
WORD = Acceptance(stage="validate", revision="1-aaaaaaaa", by="Ada L", at=WHEN, reason="80 rows this month: fine")
TAG = "1-aaaaaaaa 2026-03-04T05:06:07Z Ada L: 80 rows this month: fine"
FEW = Check(name="r2_score", gate="thresholds", verdict=Verdict.INCONCLUSIVE, expected="≥ 0.8", found="0.79 to 0.83")
RUN = "a" * 32


@pytest.fixture
def run() -> Iterator[PlayedRun]:
    with playing(PlayedRun()) as run:
        yield run


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    return build_release(tmp_path_factory.mktemp("release"), ReleasePlan()).manifest


@pytest.fixture
def candidate(manifest: Manifest) -> Candidate:
    return manifest.candidate


@pytest.fixture
def undecided(manifest: Manifest) -> tuple[Validation, Comparison]:
    said = {"verdict": Verdict.INCONCLUSIVE, "checks": (FEW,)}
    return manifest.validation.model_copy(update=said), manifest.comparison.model_copy(update=said)


def settings(run: PlayedRun, gocd: str = NOWHERE) -> Settings:
    return Settings(mlflow_tracking_uri=run.url, gocd_url=gocd)


def said(validation: str = "", comparison: str = "", **accepted: str) -> dict[str, str]:
    told = {names.VALIDATION_TAG: validation, names.COMPARISON_TAG: comparison}
    return {key: value for key, value in told.items() if value} | {
        names.ACCEPTED_TAGS[stage]: value for stage, value in accepted.items()
    }


def test_an_acceptance_is_a_line_for_people_that_is_read_back() -> None:
    assert WORD.tag == TAG
    assert Acceptance.of_tag("validate", TAG) == WORD
    assert str(WORD) == "accepted by Ada L on 2026-03-04 05:06 UTC: 80 rows this month: fine"


@pytest.mark.parametrize(
    "text", ["", "yes", TAG.replace("T05", "T25"), TAG.replace("1-aaaaaaaa", "1-a"), TAG.partition(":")[0], "x" + TAG]
)
def test_what_somebody_typed_by_hand_is_no_acceptance(text: str) -> None:
    assert Acceptance.of_tag("validate", text) is None


@pytest.mark.parametrize(
    ("tags", "stage"),
    [
        (said("2-aaaaaaaa inconclusive: r2_score"), "validate"),
        (said("2-aaaaaaaa pass", "2-aaaaaaaa inconclusive: too few rows"), "compare"),
        (said("3-aaaaaaaa inconclusive", "2-aaaaaaaa fail: worse than live"), "validate"),
        (said("2-aaaaaaaa fail: r2_score", "10-aaaaaaaa inconclusive: as it may be after deploy"), "compare"),
        (said("1-aaaaaaaa inconclusive", "1-aaaaaaaa inconclusive", validate=TAG), "compare"),
        (said("1-aaaaaaaa inconclusive", validate=TAG), "validate"),
        (said("2-aaaaaaaa inconclusive", validate=TAG), "validate"),
    ],
)
def test_it_is_about_the_first_open_verdict_of_the_newest_promotion(tags: dict[str, str], stage: str) -> None:
    assert to_accept(RUN, tags).stage == stage


@pytest.mark.parametrize(
    ("tags", "words"),
    [
        ({}, f"expected a run that a promotion was judged of, found no verdict on {RUN}: promote it first"),
        ({names.PREVIEWED_TAG: "1-aaaaaaaa for #42: validate inconclusive"}, "found no verdict"),
        (said("looks good"), "found no verdict"),
        (said("2-aaaaaaaa fail: r2_score"), "on 2-aaaaaaaa, found that validate failed, which nobody can overrule"),
        (said("2-aaaaaaaa inconclusive", "2-aaaaaaaa fail: worse"), "found that compare failed, which nobody"),
        (said("2-aaaaaaaa pass"), "on 2-aaaaaaaa, found that validate passed: nothing is to accept"),
        (said("2-aaaaaaaa pass", "2-aaaaaaaa pass: better"), "found that validate and compare passed: nothing is"),
        (said("3-aaaaaaaa pass", "2-aaaaaaaa inconclusive"), "on 3-aaaaaaaa, found that validate passed"),
    ],
)
def test_what_failed_or_passed_or_was_never_judged_is_refused_in_words(tags: dict[str, str], words: str) -> None:
    with pytest.raises(Refused) as refused:
        to_accept(RUN, tags)
    assert words in str(refused.value)


def test_the_word_is_recorded_on_the_run_with_name_time_and_reason(
    run: PlayedRun, capsys: pytest.CaptureFixture[str]
) -> None:
    run.tags = said("1-aaaaaaaa inconclusive: r2_score")
    done = accepted(settings(run), RUN, " 80 rows\n this month: fine ", "Ada: L")
    assert (done.model, done.acceptance.by, done.acceptance.reason) == ("diamond-price", "Ada L", WORD.reason)
    assert Acceptance.of_tag("validate", run.tags["trackback.accepted.validate"]) == done.acceptance
    assert "| validate accepted | 1-aaaaaaaa 2" in run.tags[names.NOTE_TAG]
    assert done.triggered is False
    assert "run validate of 1-aaaaaaaa again yourself" in capsys.readouterr().err


def test_the_model_is_that_of_the_pipeline_which_judged_it(run: PlayedRun) -> None:
    run.tags = said("1-aaaaaaaa inconclusive: r2_score")
    run.tags[names.PIPELINE_TAG] = "http://gocd/go/pipelines/value_stream_map/gem-price/7"
    assert accepted(settings(run), RUN, "80 rows this month: fine", "Ada").model == "gem-price"


def test_what_was_accepted_before_stays_the_word_of_the_first_person(run: PlayedRun) -> None:
    run.tags = said("1-aaaaaaaa inconclusive: r2_score", validate=TAG)
    assert accepted(settings(run), RUN, "me too, I think", "Grace").acceptance == WORD
    assert run.tags["trackback.accepted.validate"] == TAG


@pytest.mark.parametrize(
    ("run_id", "reason", "by"), [("abc", "it is fine", "ada"), (RUN, " ", "ada"), (RUN, "ok", ":")]
)
def test_nothing_is_recorded_without_a_run_a_reason_and_a_name(
    run: PlayedRun, run_id: str, reason: str, by: str
) -> None:
    run.tags = said("1-aaaaaaaa inconclusive: r2_score")
    with pytest.raises(Refused, match="^expected a "):
        accepted(settings(run), run_id, reason, by)
    assert run.tags == said("1-aaaaaaaa inconclusive: r2_score")


@pytest.mark.process
def test_the_name_is_that_of_commits_else_that_of_the_login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOGNAME", "ada")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "none"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    assert accept._name() == "ada"
    subprocess.run(["git", "config", "--file", str(tmp_path / "none"), "user.name", "Ada Lovelace"], check=True)
    assert accept._name() == "Ada Lovelace"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert accept._name() == "ada"


def test_the_stage_that_runs_again_passes_and_its_verdict_stays(
    run: PlayedRun, candidate: Candidate, undecided: tuple[Validation, Comparison], capsys: pytest.CaptureFixture[str]
) -> None:
    run.tags = {names.ACCEPTED_TAGS["validate"]: TAG}
    validation = with_acceptance(settings(run), candidate, undecided[0])
    comparison = with_acceptance(settings(run), candidate, undecided[1])
    assert (validation.verdict, validation.accepted, validation.passes) == (Verdict.INCONCLUSIVE, WORD, True)
    assert (comparison.accepted, comparison.passes) == (None, False)
    assert f"1-aaaaaaaa validate inconclusive, {WORD}" in capsys.readouterr().err
    stop_unless_passed(validation)
    refuse_unless_passed(candidate, validation)
    with pytest.raises(typer.Exit):
        stop_unless_passed(comparison)
    with pytest.raises(Refused, match="expected a comparison that passed, found inconclusive"):
        refuse_unless_passed(candidate, comparison)
    tell_verdict(settings(run), candidate, validation, {})
    assert (
        run.tags[names.VALIDATION_TAG]
        == f"1-aaaaaaaa inconclusive: {WORD}; r2_score: expected ≥ 0.8, found 0.79 to 0.83"
    )


@pytest.mark.parametrize(
    "change",
    [{"verdict": Verdict.FAIL}, {"verdict": Verdict.PASS}, {"revision": "2-aaaaaaaa"}],
    ids=["failed", "passed", "another promotion"],
)
def test_a_word_counts_for_its_own_revision_and_for_what_is_inconclusive(
    run: PlayedRun, candidate: Candidate, undecided: tuple[Validation, Comparison], change: dict[str, object]
) -> None:
    run.tags = {names.ACCEPTED_TAGS["validate"]: TAG}
    assert with_acceptance(settings(run), candidate, undecided[0].model_copy(update=change)).accepted is None


def test_a_preview_of_the_same_number_is_not_accepted_by_it(
    run: PlayedRun, candidate: Candidate, undecided: tuple[Validation, Comparison]
) -> None:
    run.tags = {names.ACCEPTED_TAGS["validate"]: TAG}
    preview = candidate.model_copy(update={"purpose": Purpose.PREVIEW})
    assert with_acceptance(settings(run), preview, undecided[0]).accepted is None


def online(upstream: str, *stages: dict[str, Any]) -> dict[str, Any]:
    return pipeline(*stages, materials={"release": {"pipeline": upstream, "stage": "compare"}})


@contextmanager
def stopped_at(name: str, folder: Path) -> Iterator[tuple[CiWithFakePlugin, Path, str]]:
    """A CI server on which a delivery of 1-aaaaaaaa failed at a stage that passes once a file is there; its API."""
    word = folder / "word"
    waits = python(f"import pathlib, sys; sys.exit(not pathlib.Path({str(word)!r}).exists())")
    validate, compare, deploy = (
        stage(one, waits if one == name else python("")) for one in ("validate", "compare", "deploy")
    )
    pipelines = {"churn": pipeline(validate, compare), "churn-online": online("churn", deploy)}
    with running(folder, pipelines) as ci:
        ci.define()
        ci.promote("1-aaaaaaaa")
        ci.finished(f"churn{'-online' if name == 'deploy' else ''}/1/{name}/1")
        yield ci, word, f"{ci.http.base_url}/go"


@pytest.mark.process
@pytest.mark.parametrize(
    ("name", "accepted_stage", "again"),
    [
        ("validate", "validate", "churn/1/validate"),
        ("compare", "compare", "churn/1/compare"),
        ("deploy", "compare", "churn-online/1/deploy"),
    ],
)
def test_gocd_runs_the_stage_again_that_stopped_the_promotion_and_goes_on_from_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, accepted_stage: str, again: str
) -> None:
    with stopped_at(name, tmp_path) as (ci, word, url):
        word.touch()
        assert ask_to_run_again(Settings(gocd_url=url), "churn", "1-aaaaaaaa", accepted_stage)
        assert ci.finished(f"{again}/2")["result"] == "Passed"
        assert ci.finished("churn-online/1/deploy/1")
    assert f"GoCD runs {again} again" in capsys.readouterr().err


@pytest.mark.process
def test_a_stage_that_did_not_stop_the_promotion_is_not_run_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with stopped_at("compare", tmp_path) as (ci, _, url):
        for model, revision, accepted_stage in (
            ("churn", "1-aaaaaaaa", "validate"),
            ("churn", "2-bbbbbbbb", "compare"),
            ("nosuch", "1-aaaaaaaa", "compare"),
        ):
            assert not ask_to_run_again(Settings(gocd_url=url), model, revision, accepted_stage)
        assert ci.stage("churn/1/compare/2") is None
    notes = capsys.readouterr().err.splitlines()
    assert [line.endswith("again yourself") for line in notes] == [True] * 3
    assert "it has no pipeline 'churn' that 1-aaaaaaaa stopped at validate of" in notes[0]
    assert "expected the pipeline 'nosuch' in GoCD" in notes[2]
