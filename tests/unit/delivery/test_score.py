"""`trackback score`: which release answers, and what its driver is asked to do."""

from pathlib import Path
from typing import Any

import pytest

from services.contract import names
from services.contract.errors import Refused
from services.contract.release import Manifest, Release
from services.delivery.scoring.messages import Scores
from services.delivery.settings import Settings
from services.delivery.store import Store
from services.delivery.verbs.score import ScoreOptions, job
from tests.support.receipts import receipt_of
from tests.support.release_factory import ReleasePlan, build_release


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, Release]:
    root = tmp_path_factory.mktemp("store")
    build_release(root, ReleasePlan(model="other-model"))
    return Store(root), build_release(root)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """With environments that are set up."""
    for name in ("spark", "prediction-sklearn"):
        python = tmp_path / name / "bin" / "python"
        python.parent.mkdir(parents=True)
        python.touch()
    return Settings(environments=tmp_path)


def options(**changes: Any) -> ScoreOptions:
    return ScoreOptions(**{"model": "diamond-price", "input": "rows.csv", "output": "s3a://bucket/out", **changes})


def test_a_release_is_found_by_the_start_of_its_digest_among_those_of_its_model(release: tuple[Store, Release]) -> None:
    store, ours = release
    assert store.find_release("diamond-price", ours.digest[:8]) == ours.digest
    with pytest.raises(Refused, match=f"expected a release of other-model in the store, found '{ours.digest[:8]}'"):
        store.find_release("other-model", ours.digest[:8])


def test_the_driver_gets_addresses_with_a_scheme_and_the_releases_own_python(
    release: tuple[Store, Release], settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    store, ours = release
    monkeypatch.chdir(tmp_path)
    asked = job(
        settings, store, ours.digest, options(input="in/*.csv", output="/out", keep="carat,cut,cut", part_mib=2)
    )
    assert asked.input == f"file://{tmp_path}/in/*.csv"
    assert asked.output == "file:///out"
    assert asked.python == str(tmp_path / "prediction-sklearn" / "bin" / "python")
    assert (asked.keep, asked.part_bytes, asked.jars) == (("carat", "cut"), 2 << 20, ())
    assert asked.compared_with == "nothing: the store has no answers to the hold-out"


def test_answers_are_compared_with_those_to_the_hold_out(
    release: tuple[Store, Release], settings: Settings, tmp_path: Path
) -> None:
    store, ours = release
    candidate = Manifest.read(store.release(ours.digest) / names.MANIFEST_FILE).candidate
    scores = Scores(classes=(), predictions=(1.0, None, 3.0), edges=())
    scores.write(store.scores_path(candidate.digest, candidate.run.holdout.sha256))
    asked = job(settings, store, ours.digest, options(output=str(tmp_path)))
    assert asked.compared_with == "2 answers to the hold-out"
    assert asked.expected is not None
    assert (asked.expected.rows, asked.expected.mean) == (2, 2.0)


def test_a_receipt_is_kept_once_by_its_release(release: tuple[Store, Release], tmp_path: Path) -> None:
    store, receipt = Store(tmp_path), receipt_of(release[1])
    path = store.put_receipt(receipt)
    assert store.put_receipt(receipt) == path
    assert path.parent == tmp_path / "receipts" / receipt.release
    assert path.read_text() == receipt.to_json()
