"""A rehearsal reads what is live from the store, and leaves nothing there, however it ends; the journey takes one."""

import os
from pathlib import Path

import pytest

from services.contract.errors import Refused
from services.contract.verdict import Verdict
from services.delivery.settings import Settings
from services.delivery.store import Store
from services.delivery.verbs.rehearse import Rehearsal, _place, _store, _summary, rehearse
from tests.support.played_run import PlayedRun, playing
from tests.support.release_factory import ReleasePlan, build_release

RUN = "a" * 32


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The platform's store."""
    monkeypatch.setenv("TRACKBACK_STORE", str(tmp_path / "store"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path / "store"


def test_it_has_a_store_of_its_own_in_which_the_live_release_is_found_and_which_is_gone_when_it_is_ended(
    shared: Path, tmp_path: Path
) -> None:
    release = build_release(shared, ReleasePlan())
    before = sorted(shared.rglob("*"))
    with pytest.raises(KeyboardInterrupt), _place() as place, _store(place, shared):  # noqa: PT012
        store = Store(Settings().store)
        assert store.release(release.digest).is_dir()
        with store.staging() as staging:
            (staging / "model").mkdir()
            (staging / "model" / "MLmodel").write_text("flavors: {}\n")
            store.put_model(staging / "model")
            raise KeyboardInterrupt
    assert (sorted(shared.rglob("*")), Settings().store) == (before, shared)
    assert list(tmp_path.glob("trackback-rehearsal-*")) == []


def test_without_a_store_there_is_no_live_release_to_compare_with_and_that_is_said(shared: Path) -> None:
    with _place() as place, _store(place, shared), pytest.raises(Refused, match="expected the release ffffffffffff…"):
        Store(Settings().store).release("f" * 64)


def test_the_variable_is_as_it_was_where_there_was_none(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRACKBACK_STORE")
    with _place() as place, _store(place, shared):
        assert os.environ["TRACKBACK_STORE"] == str(place / "store")
    assert "TRACKBACK_STORE" not in os.environ


@pytest.mark.parametrize(
    ("run_id", "experiment", "words"),
    [
        ("abc", "diamond-price", "expected a run id of 32 hex digits, found 'abc'"),
        (RUN, "diamond-price", f"expected a run that logged a model, found none in {RUN}"),
    ],
)
@pytest.mark.usefixtures("shared")
def test_a_run_that_cannot_be_promoted_is_refused_as_promote_does(
    monkeypatch: pytest.MonkeyPatch, run_id: str, experiment: str, words: str
) -> None:
    with playing(PlayedRun(experiment=experiment)) as run:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", run.url)
        with pytest.raises(Refused) as refused:
            rehearse(run_id)
    assert words in str(refused.value)
    assert run.tags == {}


def test_the_last_line_says_what_a_promotion_would_come_to() -> None:
    begun = Rehearsal(model="toy", run_id=RUN, revision="0-aaaaaaaa", validation=Verdict.PASS)
    stopped = begun.model_copy(update={"comparison": Verdict.INCONCLUSIVE, "stopped_at": "compare"})
    assert _summary(stopped) == (
        "rehearsed toy with run aaaaaaaa: validate pass, compare inconclusive: a promotion would stop at compare"
    )
    whole = begun.model_copy(update={"comparison": Verdict.PASS, "packaged": True})
    assert _summary(whole).endswith("validate pass, compare pass, for batch only: nothing was kept or deployed")
    assert ", served by onnx: nothing" in _summary(whole.model_copy(update={"served_as": "onnx"}))
