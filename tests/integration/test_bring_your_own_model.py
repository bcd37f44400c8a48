"""docs/bring-your-own-model.md, followed to the letter up to a release that could be deployed."""

import re
from pathlib import Path

import mlflow
import pytest

from services.contract.model_config import load_model_config
from services.contract.promotion import Promotion
from services.contract.verdict import Verdict
from services.delivery.compare import compared
from services.delivery.fetch import fetched
from services.delivery.package import packaged
from services.delivery.settings import Settings
from services.delivery.store import Store
from services.delivery.validate import validated
from services.embedded.pipelines import load_pipelines
from training.job import Order, train

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "bring-your-own-model.md").read_text()
BLOCKS = re.findall(r"```(?:yaml|python)\n(.*?)```", PAGE, re.DOTALL)
FILES = re.findall(r"^`training/models/diabetes/([\w.]+)`", PAGE, re.MULTILINE)


@pytest.fixture
def models(tmp_path: Path) -> Path:
    folder = tmp_path / "models" / "diabetes"
    folder.mkdir(parents=True)
    for name, block in zip(FILES, BLOCKS, strict=False):
        (folder / name).write_text(block)
    return tmp_path / "models"


def test_the_page_shows_three_files_and_the_pipelines() -> None:
    assert FILES == ["model.yaml", "data.py", "train.py"]
    assert len(BLOCKS) == 4


def test_the_model_of_the_page_becomes_a_release(
    models: Path, mlflow_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_url)
    monkeypatch.setenv("TRACKBACK_STORE", str(tmp_path / "store"))
    mlflow.set_tracking_uri(mlflow_url)
    told: list[str] = []
    run = train(Order(models, "diabetes", None, None, False), told.append)
    assert "is not the exam pinned in diabetes/model.yaml" in " ".join(told)
    page = models / "diabetes" / "model.yaml"
    page.write_text(page.read_text().replace("holdout_sha256: null", f"holdout_sha256: {run.holdout_sha256}"))
    settings, config = Settings(), load_model_config(models, "diabetes")
    promotion = Promotion(
        model="diabetes",
        label=f"1-{run.run_id[:8]}",
        run_id=run.run_id,
        run_status="FINISHED",
        experiment_id="1",
        model_id=run.model_id,
        promotion="true",
    )
    store = Store(settings.trackback_store)
    candidate = fetched(settings, promotion, None)
    validation = validated(store, candidate, config)
    assert validation.verdict is Verdict.PASS, validation.checks
    comparison = compared(store, candidate, config, None)
    release = packaged(store, candidate, config, validation, comparison)
    assert (store.release(release.digest) / "golden.json").is_file()


def test_the_pipelines_of_the_page_are_accepted_behind_ours(tmp_path: Path) -> None:
    file = tmp_path / "pipelines.gocd.yaml"
    file.write_text((ROOT / "services" / "gocd" / "pipelines.gocd.yaml").read_text() + "\n" + BLOCKS[3])
    assert list(load_pipelines(file).pipelines) == [
        "diamond-price", "diamond-price-online", "diabetes", "diabetes-online"
    ]  # fmt: skip
