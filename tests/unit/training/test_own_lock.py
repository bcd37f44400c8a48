"""What a model brings is locked before anything is fitted, and what does not go together is one sentence."""

import os
import platform
import sys
from pathlib import Path
from typing import Any

import mlflow
import numpy
import pandas
import pytest
from mlflow.pyfunc.model import PythonModel

from services.contract import names
from services.contract.errors import Refused
from services.contract.model_config import load_model_config
from services.contract.prediction import Labelled
from tests.support.paths import MODELS
from training import library_environment, own_lock
from training.environment import installed
from training.flavors import pyfunc
from training.library_environment import enter_own
from training.own_lock import declared, write_lock
from training.settings import LOCKS

INPUTS = pandas.DataFrame({"x": [1.0, 2.0, 3.0]})
TARGET = pandas.Series([2.0, 4.0, 6.0], name="y")


@pytest.fixture
def uv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """In place of uv: writes a lock, or what is in the file `no` and ends with 1."""
    program = tmp_path / "uv"
    program.write_text(f"""#!/bin/sh
echo "$@" >> {tmp_path}/asked
[ -e {tmp_path}/no ] && {{ /bin/cat {tmp_path}/no >&2; exit 1; }}
for last; do :; done
echo 'six==1.17.0' > "$last"
""")
    program.chmod(0o755)
    monkeypatch.setattr(own_lock, "_UV", program)
    return program


def requirements(folder: Path, text: str = "six\n") -> Path:
    file = folder / "requirements.in"
    file.write_text(text)
    return file


@pytest.mark.process
def test_a_lock_is_made_anew_only_when_what_it_is_made_from_has_changed(
    uv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = write_lock(requirements(tmp_path))
    assert lock.name == "requirements.lock"
    assert lock.read_text().splitlines()[1:] == ["six==1.17.0"]
    write_lock(requirements(tmp_path))
    write_lock(requirements(tmp_path, "six>1\n"))
    monkeypatch.setattr(platform, "python_version_tuple", lambda: ("3", "99", "1"))
    write_lock(requirements(tmp_path, "six>1\n"))
    asked = (uv.parent / "asked").read_text().splitlines()
    assert len(asked) == 3
    assert "--python-version 3.99" in asked[2]
    for option in ("--generate-hashes", "--universal", "--only-binary :all:", "prediction-pyfunc.in"):
        assert option in asked[0]


@pytest.mark.process
def test_packages_that_do_not_go_together_are_one_sentence_with_uvs_reason(uv: Path, tmp_path: Path) -> None:
    (uv.parent / "no").write_text("  × No solution found:\n  ╰─▶ Because you require pandas>=3 and pandas<3, no.\n")
    file = requirements(tmp_path)
    with pytest.raises(Refused) as caught:
        write_lock(file)
    assert str(caught.value) == (
        f"{file}: expected packages that go together with requirements/prediction-pyfunc.in, found: "
        "No solution found: Because you require pandas>=3 and pandas<3, no."
    )


@pytest.mark.process
@pytest.mark.usefixtures("uv")
def test_a_client_of_mlflow_of_two_versions_at_once_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those before 3 hold the code that mlflow-skinny holds, and say nothing of it."""
    text = f"mlflow==2.9.2 \\\n    --hash=sha256:{'a' * 64}\nmlflow-skinny==3.17.2 \\\n    --hash=sha256:{'b' * 64}\n"
    monkeypatch.setattr(own_lock, "_compile", lambda _, lock, __: lock.write_text(text))
    with pytest.raises(
        Refused, match=r"requirements.in: expected mlflow 3.17.2, which trains and serves .*found 2.9.2"
    ):
        write_lock(requirements(tmp_path, "mlflow==2.9.2"))


def test_either_name_of_the_file_will_do_and_the_lock_is_not_one(tmp_path: Path) -> None:
    (tmp_path / "requirements.lock").touch()
    assert declared(tmp_path) is None
    (tmp_path / "requirements.txt").touch()
    assert declared(tmp_path) == tmp_path / "requirements.txt"
    (tmp_path / "requirements.in").touch()
    assert declared(tmp_path) == tmp_path / "requirements.in"


def test_a_model_of_any_flavor_must_name_its_packages(tmp_path: Path) -> None:
    with pytest.raises(
        Refused, match=r"^expected .*/requirements.in with the packages of a model of pyfunc, found none"
    ):
        enter_own("pyfunc", tmp_path, tmp_path)


def test_packages_of_a_model_whose_library_has_them_already_are_not_passed_over_in_silence(tmp_path: Path) -> None:
    file = requirements(tmp_path)
    with pytest.raises(
        Refused, match=f"^{file}: expected none for a model of sklearn.*declare library: pyfunc in model"
    ):
        enter_own("sklearn", tmp_path, tmp_path)


def test_a_model_without_packages_of_its_own_stays_where_it_is(tmp_path: Path) -> None:
    enter_own("sklearn", tmp_path, tmp_path)


@pytest.mark.process
@pytest.mark.usefixtures("uv")
def test_training_goes_on_in_the_environment_of_the_lock_and_stays_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    went: list[list[str]] = []
    own = tmp_path / "own"
    monkeypatch.setattr(library_environment, "python_of_lock", lambda *_: own / "bin" / "python")
    monkeypatch.setattr(os, "execv", lambda _, arguments: went.append(arguments))
    monkeypatch.setattr(sys, "argv", ["trackback", "train", "toy"])
    requirements(tmp_path)
    enter_own("pyfunc", tmp_path, tmp_path)
    assert went == [[str(own / "bin" / "python"), "-P", "-m", "training", "train", "toy"]]
    monkeypatch.setattr(sys, "prefix", str(own))
    enter_own("pyfunc", tmp_path, tmp_path)
    assert len(went) == 1


def test_the_lock_of_the_environment_is_what_a_run_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    everything = installed(LOCKS).packages
    (tmp_path / names.LOCK_FILE).write_text(everything)
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    assert installed(tmp_path / "none").lock == tmp_path / names.LOCK_FILE


class Doubling(PythonModel):
    def __init__(self, factor: float = 2.0) -> None:
        self.factor, self.names, self._secret = factor, ["x"], 1

    def fit(self, inputs: pandas.DataFrame, target: pandas.Series) -> None:
        self.factor = float((target / inputs["x"]).mean())

    def predict(self, context: Any, model_input: pandas.DataFrame, params: Any = None) -> Any:  # noqa: ARG002  as MLflow asks
        return model_input["x"] * self.factor


class Elsewhere:
    """As of another flavor: what `fit` gives is what was fitted."""

    def __init__(self) -> None:
        self.logged: dict[str, Any] = {}

    def fit(self, inputs: pandas.DataFrame, target: pandas.Series) -> "Elsewhere":
        self.rows = len(inputs) + len(target)
        return self

    def predict(self, inputs: pandas.DataFrame) -> pandas.DataFrame:
        return pandas.DataFrame({"label": inputs["x"] > 1, "probability": numpy.full(len(inputs), 0.5)})

    def log(self, **arguments: Any) -> Any:
        self.logged = arguments
        return type("ModelInfo", (), {"model_id": "m-1"})()


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """This environment, as if it were that of a lock."""
    lock = tmp_path / names.LOCK_FILE
    lock.write_text(f"# a note\nsix==1.17.0 ; python_version >= '3' \\\n    --hash=sha256:{'a' * 64}\n")
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    return lock


@pytest.mark.usefixtures("own")
def test_a_python_model_is_fitted_in_place_and_asked_with_its_context() -> None:
    model = pyfunc.fit(Doubling(), INPUTS, TARGET * 2, None)
    assert pyfunc.predict(model, INPUTS) == [4.0, 8.0, 12.0]
    assert pyfunc.parameters(model) == {"model.factor": 4.0}


@pytest.mark.usefixtures("own")
def test_labels_with_probabilities_are_taken_from_a_table() -> None:
    model = pyfunc.fit(Elsewhere(), INPUTS, TARGET, None)
    assert pyfunc.predict(model, INPUTS) == [Labelled(label=one, probability=0.5) for one in (0, 1, 1)]


def test_another_flavor_is_logged_by_its_own_code_with_the_lock_beside_it(
    own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    added: list[tuple[str, str]] = []
    client = type("Client", (), {"log_model_artifact": lambda _, model, file: added.append((model, file))})
    monkeypatch.setattr(mlflow, "MlflowClient", client)
    model = Elsewhere()
    assert pyfunc.log_model(model, "the signature", INPUTS, ["numpy==1"]) == "m-1"  # type: ignore[arg-type]
    assert model.logged["name"] == names.LOGGED_MODEL_NAME
    assert model.logged["pip_requirements"] == ["six==1.17.0 ; python_version >= '3'"]
    assert added == [("m-1", str(own))]


@pytest.mark.parametrize(
    ("plan", "missing"),
    [
        (None, "NoneType without fit, predict, log"),
        (PythonModel, "type without fit, log"),
        (numpy.array, "builtin_function_or_method without fit, predict, log"),
        (type("Fitted", (), {"fit": print, "predict": print})(), "Fitted without log"),
    ],
)
def test_a_plan_that_could_not_be_logged_is_refused_before_the_fit(plan: Any, missing: str) -> None:
    with pytest.raises(
        Refused, match=f"^expected `build` to give an MLflow PythonModel with `fit`.* found {missing}: "
    ):
        pyfunc.check(plan, load_model_config(MODELS, "diamond-price"))


def test_outside_of_an_environment_of_its_own_nothing_is_fitted() -> None:
    with pytest.raises(Refused, match="^expected the model's own environment, found .*: train with scripts/trackback"):
        pyfunc.check(Doubling(), load_model_config(MODELS, "diamond-price"))
