"""`trackback score` on one core, in the JVM that training tests start too: each form answers as it does online."""

import json
import sys
import venv
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import fasttext
import mlflow.pyfunc
import numpy
import pandas
import pyarrow
import pytest
from pyarrow import parquet
from pyspark.ml import Pipeline
from pyspark.ml.classification import LogisticRegression
from pyspark.ml.feature import Normalizer, VectorAssembler
from pyspark.sql import SparkSession

from services.batch.driver import score
from services.batch.output import MARKER
from services.contract import names
from services.contract.batch_job import BatchJob
from services.contract.errors import Refused
from services.contract.prediction import Labelled
from services.contract.receipt import Receipt
from services.contract.release import Column, Form, Golden, Release, Servable
from services.prediction.predictor import load_predictor
from tests.support.paths import ROOT
from tests.support.release_factory import INPUTS, ROWS, ReleasePlan, build_release
from training.flavors import spark as training

pytestmark = pytest.mark.needs("spark")

TEXT = (Column(name="text", type="string"),)
COLUMNS = tuple(column.name for column in INPUTS)
GOOD = dict(zip(COLUMNS, map(list, zip(*ROWS, strict=True)), strict=True))


class Priced(mlflow.pyfunc.PythonModel):  # type: ignore[misc,name-defined]
    # MLflow reads the names, and would take hints for a schema.
    def predict(self, context, model_input):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201, ARG002
        return model_input["carat"] * 4000 + model_input["grade"]


def plan() -> Pipeline:
    numbers = VectorAssembler(inputCols=["carat", "grade"], outputCol="numbers")
    return Pipeline(stages=[numbers, Normalizer(inputCol="numbers", outputCol="features"), LogisticRegression()])


@pytest.fixture(scope="module")
def fitted(quick_java: None) -> Any:  # noqa: ARG001
    random = numpy.random.default_rng(7)
    carat = random.uniform(0.2, 3, 100)
    table = pandas.DataFrame({"carat": carat, "cut": "Ideal", "grade": random.integers(1, 5, 100)})
    label = pandas.Series((carat > 1.5).astype("int64"), name="label")
    return training.fit(plan, table, label, "local[1]")


@contextmanager
def running(_master: str, python: str, _settings: Mapping[str, str]) -> Iterator[SparkSession]:
    """The session of the tests, with workers of another interpreter."""
    session = SparkSession.getActiveSession()
    assert session
    context: Any = session.sparkContext
    before = context.pythonExec
    context.pythonExec, context.environment["PYTHONPATH"] = python, str(ROOT)
    try:
        yield session
    finally:
        context.pythonExec = before


def scored(folder: Path, given: Path, python: Path | str = sys.executable, **changes: Any) -> Receipt:
    asked = {
        "release": folder.name,
        "folder": str(folder),
        "python": str(python),
        "input": given.as_uri(),
        "output": (given.parent / f"{given.name}-out").as_uri(),
        "master": "local[1]",
        "part_bytes": 64 << 20,
        "compared_with": "nothing",
    }
    return score(BatchJob.model_validate(asked | changes), running)


def rows_of(given: Path, kind: str = "scored") -> list[dict[str, Any]]:
    folder = given.parent / f"{given.name}-out"
    assert (folder / MARKER).exists()
    files = sorted((folder / kind).glob("*.parquet"))
    return [row for file in files for row in parquet.read_table(file, partitioning=None).to_pylist()]


def written(path: Path, table: Mapping[str, Any], **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pyarrow.table(dict(table)), path, **options)
    return path


def stored(store: Path, release: Release) -> Path:
    return store / "releases" / release.digest


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = tmp_path_factory.mktemp("store")
    return stored(store, build_release(store))


def of_fasttext(store: Path) -> Path:
    known = {"a": "red rot rouge", "b": "blue blau"}
    (store / "texts").write_text("".join(f"__label__{label} {text}\n" for label, text in known.items()) * 30)
    library = fasttext.train_supervised(str(store / "texts"), dim=4, thread=11, bucket=1, verbose=0)

    def spoil(release: Path) -> None:
        library.save_model(str(release / "model" / "model.bin"))
        (label,), (probability,) = library.predict("red")
        golden = Labelled(label=label.removeprefix("__label__"), probability=min(float(probability), 1.0))
        Golden(columns=("text",), rows=(("red",),), predictions=(golden,), tolerance=1e-5).write(
            release / names.GOLDEN_FILE
        )

    form = Form(runtime="fasttext", file="model/model.bin", tolerance=1e-9)
    asked = ReleasePlan(
        task="classification", inputs=TEXT, servable=Servable(form=form, notes=()), spoil=spoil, price_per_carat=1.0
    )
    return stored(store, build_release(store, asked))


def of_pyfunc(store: Path, lock: Path) -> Path:
    def spoil(release: Path) -> None:
        mlflow.pyfunc.save_model(store / "pyfunc", python_model=Priced(), pip_requirements=[])
        (store / "pyfunc").rename(release / "model" / "pyfunc")
        (release / "model" / "pyfunc" / lock.name).write_bytes(lock.read_bytes())
        answers = tuple(carat * 4000 + grade for carat, _, grade in ROWS)
        Golden(columns=COLUMNS, rows=ROWS, predictions=answers).write(release / names.GOLDEN_FILE)

    form = Form(runtime="pyfunc", file="model/pyfunc/MLmodel", tolerance=1e-9)
    return stored(store, build_release(store, ReleasePlan(servable=Servable(form=form, notes=()), spoil=spoil)))


def own_environment(folder: Path) -> Path:
    """As one of a lock: an interpreter whose prefix has the lock, with the packages of this one."""
    venv.create(folder, symlinks=True)
    (folder / names.LOCK_FILE).write_text("made up\n")
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "these.pth").write_text("\n".join(path for path in sys.path if path.endswith("site-packages")))
    return folder / "bin" / "python"


@pytest.mark.usefixtures("fitted")
def test_texts_of_fasttext_are_answered_as_online(tmp_path: Path) -> None:
    folder = of_fasttext(tmp_path)
    texts = ["red", "blau rot", "unknown", "", None]
    receipt = scored(folder, given := written(tmp_path / "rows" / "a.parquet", {"text": texts}).parent, keep=("text",))
    (first, *others) = load_predictor(folder, folder.name).ask([(text,) for text in ("red", "blau rot")])
    assert receipt.rows_in == len(texts) == receipt.rows_scored + receipt.rows_rejected
    found = {row["text"]: Labelled(label=row["label"], probability=row["probability"]) for row in rows_of(given)}
    assert [found["red"], found["blau rot"]] == [first, *others]


@pytest.mark.usefixtures("fitted")
def test_a_pyfunc_is_asked_in_the_environment_of_its_lock_alone(tmp_path: Path) -> None:
    python = own_environment(tmp_path / "own")
    folder = of_pyfunc(tmp_path, tmp_path / "own" / names.LOCK_FILE)
    given = written(tmp_path / "rows" / "a.parquet", GOOD).parent
    with pytest.raises(Refused, match="expected the environment of requirements.lock"):
        scored(folder, given)
    assert scored(folder, given, python).rows_scored == len(ROWS)
    assert [row["prediction"] for row in rows_of(given)] == [carat * 4000 + grade for carat, _, grade in ROWS]


def test_a_release_for_batch_only_is_answered_by_its_own_pipeline(fitted: Any, tmp_path: Path) -> None:
    expected = [one for one in training.predict(fitted, pandas.DataFrame(GOOD)) if isinstance(one, Labelled)]

    def spoil(release: Path) -> None:
        fitted.save((release / "model" / "sparkml").as_uri())
        Golden(columns=COLUMNS, rows=ROWS, predictions=tuple(expected)).write(release / names.GOLDEN_FILE)

    asked = ReleasePlan(task="binary-classification", servable=Servable(form=None, notes=("none",)), spoil=spoil)
    folder = stored(tmp_path, build_release(tmp_path, asked))
    table = {**GOOD, "carat": [*GOOD["carat"][:-1], None]}
    receipt = scored(folder, given := written(tmp_path / "rows" / "a.parquet", table).parent)
    assert [row["probability"] for row in rows_of(given)] == [one.probability for one in expected[:-1]]
    assert receipt.rejected == {"column 'carat': expected a number, found null": 1}


@pytest.mark.usefixtures("fitted")
def test_a_large_file_is_done_in_parts_by_the_numbers_of_its_rows(folder: Path, tmp_path: Path) -> None:
    rows = {"number": list(range(40)), "carat": [0.1 * n if n % 7 else None for n in range(40)]}
    table = {**rows, "cut": ["Ideal"] * 40, "grade": [1] * 40}
    given = written(tmp_path / "rows" / "a.parquet", table, row_group_size=12).parent
    receipt = scored(folder, given, keep=("number",), part_bytes=given.joinpath("a.parquet").stat().st_size // 2 + 1)
    assert (receipt.rows_scored, receipt.rows_rejected) == (34, 6)
    assert {one.path.split("-")[1] for one in receipt.outputs} == {"00000", "00001"}
    assert [row["number"] for row in rows_of(given)] == [n for n in range(40) if n % 7]
    assert [row["number"] for row in rows_of(given, "rejected")] == list(range(0, 40, 7))


@pytest.mark.usefixtures("fitted")
def test_folders_named_by_a_column_and_its_value_are_that_column(folder: Path, tmp_path: Path) -> None:
    given = tmp_path / "rows"
    for cut in ("Fair", "Ideal"):
        written(given / f"cut={cut}" / "a.parquet", {name: GOOD[name] for name in ("carat", "grade")})
    scored(folder, given, keep=("cut", "carat"))
    asked = [(carat, cut, grade) for cut in ("Fair", "Ideal") for carat, _, grade in ROWS]
    answers = load_predictor(folder, folder.name).ask(asked)
    # Spark reads files of one part in an order of its own.
    assert {(row["carat"], row["cut"], row["prediction"]) for row in rows_of(given)} == {
        (carat, cut, answer) for (carat, cut, _), answer in zip(asked, answers, strict=True)
    }
    assert len(rows_of(given)) == len(asked)


@pytest.mark.usefixtures("fitted")
def test_an_empty_file_among_others_is_in_the_receipt_without_a_row(folder: Path, tmp_path: Path) -> None:
    given = tmp_path / "rows"
    given.mkdir()
    (given / "a.csv").touch()
    with pytest.raises(Refused, match="expected rows to score, found none in 1 files"):
        scored(folder, given)
    (given / "b.csv").write_text("carat,cut,grade\n0.5,Ideal,1\n")
    assert [(one.bytes, one.rows) for one in scored(folder, given).inputs] == [(0, 0), (28, 1)]


@pytest.mark.usefixtures("fitted")
def test_a_damaged_file_is_named(folder: Path, tmp_path: Path) -> None:
    given = tmp_path / "rows"
    content = bytearray(written(given / "a.parquet", GOOD).read_bytes())
    content[10:30] = bytes(20)
    (given / "b.parquet").write_bytes(content)
    with pytest.raises(Refused, match=r"/rows/b\.parquet cannot be read: "):
        scored(folder, given)
    assert not (tmp_path / "rows-out").exists()


@pytest.mark.usefixtures("fitted")
def test_what_is_no_batch_of_ours_is_not_replaced(folder: Path, tmp_path: Path) -> None:
    given = written(tmp_path / "rows" / "a.parquet", GOOD).parent
    (tmp_path / "rows-out").mkdir()
    (tmp_path / "rows-out" / "diary.json").write_text(json.dumps("mine"))
    with pytest.raises(Refused, match="expected an empty place for the output, found files"):
        scored(folder, given, overwrite=True)
