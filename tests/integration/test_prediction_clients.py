"""Clients that are not ours ask a running service: MLflow's own, and Triton's for the Open Inference Protocol."""

import json
import re
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy
import pandas
import pytest
import tritonclient.http as triton
from mlflow import deployments
from mlflow.exceptions import RestException
from mlflow.pyfunc import model as pyfunc_model
from mlflow.pyfunc.scoring_server import client as scoring_client
from mlflow.utils.rest_utils import verify_rest_response
from requests import HTTPError, post
from tritonclient.utils import InferenceServerException

from services.contract.prediction import Labelled, Prediction
from services.contract.record import Cell
from services.contract.release import Column, Release
from services.prediction.predictor import Predictor, load_predictor
from tests.support.documented import blocks
from tests.support.paths import ROOT
from tests.support.release_factory import ROWS, ReleasePlan, build_release, expected_predictions, train_judge
from tests.support.served import served

CUTS = ("Fair", "Good", "Ideal")
# MLflow's classes have no types.
SCORING: Any = scoring_client
DEPLOYMENTS: Any = deployments
PYFUNC: Any = pyfunc_model
MODEL, REVISION = "diamond-price", "1-aaaaaaaa"
TABLE = pandas.DataFrame(list(ROWS), columns=["carat", "cut", "grade"])
SPLIT = {"dataframe_split": {"columns": list(TABLE), "data": [list(row) for row in ROWS]}}
PROBA = {"predict_method": "predict_proba"}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="module")
def release(store: Path) -> Release:
    """A classifier, which has answers of every kind."""
    return build_release(store, ReleasePlan(task="classification", classes=CUTS, estimator=train_judge(CUTS)))


@pytest.fixture(scope="module")
def url(store: Path, release: Release) -> Iterator[str]:
    with served(load_predictor(store / "releases" / release.digest, release.digest)) as url:
        yield url


@pytest.fixture(scope="module")
def golden(store: Path, release: Release) -> Sequence[Labelled]:
    """What the model answers to ROWS, as written down when it was packaged."""
    return list(expected_predictions(store, release))


def is_golden(answers: Any, golden: Sequence[Labelled]) -> bool:
    """Of predictions in MLflow's form."""
    labels = [one["label"] for one in answers] == [one.label for one in golden]
    return labels and numpy.allclose([one["probability"] for one in answers], [one.probability for one in golden])


def test_mlflows_scoring_client_reads_the_answers(url: str, golden: Sequence[Labelled]) -> None:
    client = SCORING.ScoringServerClient("127.0.0.1", int(url.rpartition(":")[2]))
    client.wait_server_ready()
    assert client.get_version() == "unknown"
    assert is_golden(client.invoke(TABLE)["predictions"], golden)
    assert client.invoke(TABLE).get_predictions()["label"].tolist() == [one.label for one in golden]
    answered = client.invoke(TABLE, params={"k": 2, **PROBA})["predictions"]
    assert [len(one["label"]) for one in answered] == [2, 2, 2, 2]
    assert [one["probabilities"] for one in answered] == [pytest.approx(one.probabilities) for one in golden]
    with pytest.raises(Exception, match="column 'cut' is missing"):
        client.invoke(TABLE[["carat", "grade"]])


def test_mlflows_client_reads_an_error(url: str) -> None:
    answer = post(f"{url}/invocations", json={"inputs": [1]}, timeout=60)
    with pytest.raises(RestException, match="^INVALID_PARAMETER_VALUE: the input does not fit") as error:
        verify_rest_response(answer, "/invocations")
    assert error.value.error_code == "INVALID_PARAMETER_VALUE"


# MLflow's own call of a method that pydantic no longer likes.
@pytest.mark.filterwarnings("ignore:The `dict` method is deprecated")
def test_mlflows_deployments_and_pyfunc_ask_the_model_as_an_endpoint(url: str, golden: Sequence[Labelled]) -> None:
    client = DEPLOYMENTS.get_deploy_client(url)
    assert is_golden(client.predict(endpoint=MODEL, inputs=SPLIT)["predictions"], golden)
    with pytest.raises(HTTPError, match="column 'cut' is missing"):
        client.predict(endpoint=MODEL, inputs={"dataframe_records": [{"carat": 1, "grade": 1}]})
    DEPLOYMENTS.set_deployments_target(url)
    (found,) = PYFUNC.ModelFromDeploymentEndpoint(MODEL, PROBA).predict(None, [SPLIT])
    assert is_golden(found["predictions"], golden)


@pytest.fixture
def client(url: str) -> Iterator[triton.InferenceServerClient]:
    with triton.InferenceServerClient(url.removeprefix("http://")) as client:
        yield client


def inputs(binary: bool, **types: str) -> list[triton.InferInput]:
    """Of ROWS, each column by its name; `types` are other ones than the model's own."""
    tensors = []
    for name, datatype in {"carat": "FP64", "cut": "BYTES", "grade": "INT64", **types}.items():
        kind = {"FP64": "f8", "FP32": "f4", "INT64": "i8", "UINT8": "u1", "BYTES": "O"}[datatype]
        values = TABLE[name].to_numpy().astype(kind).reshape(-1, 1)
        tensors.append(triton.InferInput(name, values.shape, datatype).set_data_from_numpy(values, binary_data=binary))
    return tensors


def test_tritons_client_knows_the_service_and_its_model(client: triton.InferenceServerClient) -> None:
    assert client.is_server_live() and client.is_server_ready()
    assert client.is_model_ready(MODEL) and client.is_model_ready(MODEL, REVISION)
    assert client.get_server_metadata()["extensions"] == ["binary_tensor_data"]
    found = client.get_model_metadata(MODEL)
    assert [(one["name"], one["datatype"]) for one in found["inputs"]] == [
        ("carat", "FP64"), ("cut", "BYTES"), ("grade", "INT64"),
    ]  # fmt: skip
    assert [one["name"] for one in found["outputs"]] == ["label", "probability", "probabilities"]
    assert not client.is_model_ready("another")
    with pytest.raises(InferenceServerException, match="expected the model diamond-price, found another name"):
        client.get_model_metadata("another")
    with pytest.raises(InferenceServerException, match="expected the version 1-aaaaaaaa"):
        client.get_model_metadata(MODEL, "2")


@pytest.mark.parametrize("binary", [True, False], ids=["binary", "JSON"])
@pytest.mark.parametrize("types", [{}, {"carat": "FP32", "grade": "UINT8"}], ids=["own types", "narrower types"])
def test_tritons_client_reads_the_answers(
    binary: bool, types: dict[str, str], client: triton.InferenceServerClient, golden: Sequence[Labelled]
) -> None:
    names = ("label", "probability", "probabilities")
    outputs = [triton.InferRequestedOutput(name, binary_data=binary) for name in names]
    found = client.infer(MODEL, inputs(binary, **types), REVISION, outputs=outputs, request_id="7")
    labels = found.as_numpy("label").tolist()
    assert [label.decode() if binary else label for label in labels] == [one.label for one in golden]
    assert numpy.allclose(found.as_numpy("probability"), [one.probability for one in golden], atol=1e-6)
    all_classes = [list((one.probabilities or {}).values()) for one in golden]
    assert numpy.allclose(found.as_numpy("probabilities"), all_classes, atol=1e-6)
    assert (found.get_response()["id"], found.get_response()["model_version"]) == ("7", REVISION)


def test_tritons_client_is_told_what_is_wrong(client: triton.InferenceServerClient) -> None:
    with pytest.raises(InferenceServerException, match="column 'cut' is missing") as error:
        client.infer(MODEL, inputs(True)[::2])
    assert error.value.status() == "400"


class Linguist:
    """Knows two languages by a word that both have."""

    def predict(self, rows: Sequence[Sequence[Cell]]) -> list[Prediction]:
        return [Labelled(label="de" if "Bitte" in str(text) else "en", probability=0.75) for (text,) in rows]

    def predict_proba(self, rows: Sequence[Sequence[Cell]], classes: Sequence[str]) -> list[Prediction]:
        every = dict.fromkeys(classes, 0.25)
        return [
            one.model_copy(update={"probabilities": {**every, str(one.label): 0.75}})
            for one in self.predict(rows)
            if isinstance(one, Labelled)
        ]


@pytest.fixture(scope="module")
def documented(store: Path, release: Release) -> Iterator[str]:
    """The URL of a model like the one that docs/predict.md asks."""
    loaded = load_predictor(store / "releases" / release.digest, release.digest)
    facts = {"model": "language-id", "inputs": (Column(name="text", type="string"),), "classes": ("de", "en")}
    manifest = release.manifest.model_copy(update=facts)
    with served(Predictor(Release(digest=release.digest, manifest=manifest), loaded.form, Linguist())) as url:
        yield url


def at(url: str, text: str) -> str:
    """Of the docs, with the address and the port of the test."""
    return text.replace("127.0.0.1:8200", url.removeprefix("http://")).replace("8200", url.rpartition(":")[2])


def test_the_commands_of_the_docs_are_answered(documented: str) -> None:
    (commands,) = (block.commands for block in blocks() if block.document == "docs/predict.md")
    found = []
    for command in commands:
        done = subprocess.run(
            ["bash", "-c", at(documented, command).replace("curl ", "curl --silent --noproxy '*' ", 1)],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        found.append(json.loads(done.stdout))
    assert found[0]["predictions"] == [{"label": ["de", "en"], "probability": [0.75, 0.25]}]
    assert found[1]["predictions"] == [{"label": "de", "probability": 0.75}]
    assert found[2]["outputs"][0]["data"] == ["de"]


PAGE = (ROOT / "docs" / "predict.md").read_text(encoding="utf-8")
CODE = re.findall(r"```python\n(.*?)```", PAGE, flags=re.S)


@pytest.mark.parametrize("code", CODE, ids=["mlflow", "triton", "arrow"])
def test_the_code_of_the_docs_runs(code: str, documented: str, capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(at(documented, code), "docs/predict.md", "exec"), {})  # noqa: S102
    assert "de" in capsys.readouterr().out
