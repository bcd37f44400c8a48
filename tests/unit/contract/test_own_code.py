"""A model's own types are loaded from the train.py that travels with it, when a commit has it and declares them."""

import sys
from pathlib import Path

import numpy
import pytest
import skops.io
import yaml
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline

from services.contract.digest import digest_directory
from services.contract.errors import Refused
from services.contract.estimator import load_estimator, names_in
from services.contract.own_code import module_name, refuse_uncommitted
from training.model_code import find_function

TRAIN = """
import numpy
from sklearn.base import BaseEstimator, TransformerMixin

class Ratio(TransformerMixin, BaseEstimator):
    def fit(self, X, y=None): return self
    def transform(self, X): return {body}

def build(): return Ratio()
"""
TIMES_TWO, TIMES_THREE = TRAIN.format(body="X * 2"), TRAIN.format(body="X * 3")
X = numpy.array([[1.0], [2.0], [3.0]])


def logged(folder: Path, code: str = TIMES_TWO) -> Path:
    """As MLflow lays out a model whose first step is of its own."""
    (folder / "source").mkdir(parents=True)
    (folder / "source" / "train.py").write_text(code)
    step = find_function(folder / "source", "train.py", "build")()
    model = make_pipeline(step, LinearRegression()).fit(X, [1.0, 2.0, 3.0])
    skops.io.dump(model, folder / "model.skops")
    (folder / "MLmodel").write_text(yaml.safe_dump({"flavors": {"sklearn": {"skops_trusted_types": names_in(model)}}}))
    (folder / "code").mkdir()
    (folder / "code" / f"{module_name(code.encode())}.py").write_text(code)
    return folder


def committed(folder: Path) -> Path:
    return folder / "source" / "train.py"


def test_two_models_with_types_of_the_same_name_each_keep_their_own(tmp_path: Path) -> None:
    path = list(sys.path)
    two, three = (load_estimator(logged(tmp_path / code, text) / "model.skops")
                  for code, text in (("two", TIMES_TWO), ("three", TIMES_THREE)))  # fmt: skip
    assert [one[0].transform(X).ravel().tolist() for one in (two, three)] == [[2.0, 4.0, 6.0], [3.0, 6.0, 9.0]]
    assert two.predict(X) == pytest.approx([1.0, 2.0, 3.0])
    assert sys.path == path


def test_loading_leaves_the_models_folder_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    folder = logged(tmp_path, TIMES_TWO + "# a module that was not imported before\n")
    before = digest_directory(folder)
    load_estimator(folder / "model.skops")
    assert digest_directory(folder) == before


def test_code_that_was_changed_after_the_training_is_refused(tmp_path: Path) -> None:
    folder = logged(tmp_path)
    (file,) = (folder / "code").iterdir()
    file.write_text(TIMES_THREE)
    with pytest.raises(Refused, match="with the SHA-256 of its name, found none or another: log the model again"):
        load_estimator(folder / "model.skops")


def test_a_type_that_the_model_does_not_list_is_refused(tmp_path: Path) -> None:
    folder = logged(tmp_path)
    (folder / "MLmodel").write_text("flavors: {sklearn: {}}")
    with pytest.raises(Refused, match=r"expected trusted types only, found train_[0-9a-f]{64}\.Ratio"):
        load_estimator(folder / "model.skops")


def test_what_train_py_only_imports_is_not_its_own(tmp_path: Path) -> None:
    code = TIMES_TWO + "from os import system\n"
    folder = logged(tmp_path, code)
    module = module_name(code.encode())
    step = make_pipeline(find_function(folder / "source", "train.py", "build")(), LinearRegression())
    step[0].spy = find_function(folder / "source", "train.py", "build")
    step[0].spy.__name__ = "system"
    skops.io.dump(step, folder / "model.skops")
    listed = [f"{module}.Ratio", f"{module}.system"]
    (folder / "MLmodel").write_text(yaml.safe_dump({"flavors": {"sklearn": {"skops_trusted_types": listed}}}))
    with pytest.raises(Refused, match="expected system at the top of the model's train.py, found none"):
        load_estimator(folder / "model.skops")


def test_code_that_fails_where_the_model_is_loaded_is_refused_with_its_reason(tmp_path: Path) -> None:
    code = TIMES_TWO.replace("import numpy\n", "import numpy, sys\nassert 'no_such_stage' not in sys.modules\n")
    folder = logged(tmp_path, code)
    sys.modules["no_such_stage"] = sys
    with pytest.raises(Refused, match="train.py to run where the model is loaded, found AssertionError"):
        load_estimator(folder / "model.skops")
    del sys.modules["no_such_stage"]


def test_a_candidate_with_the_committed_code_and_declared_types_passes(tmp_path: Path) -> None:
    folder = logged(tmp_path)
    refuse_uncommitted(folder, committed(folder), ["train.Ratio"])


def test_a_candidate_with_types_that_no_commit_declares_is_refused(tmp_path: Path) -> None:
    folder = logged(tmp_path)
    with pytest.raises(Refused, match=r"expected own types that `trusted` of model.yaml declares, found train\.Ratio"):
        refuse_uncommitted(folder, committed(folder), ["train.Other"])


def test_a_candidate_with_other_code_than_the_committed_one_is_refused(tmp_path: Path) -> None:
    folder = logged(tmp_path)
    committed(folder).write_text(TIMES_THREE)
    with pytest.raises(Refused, match=r"to be the committed train\.py, train_.*, found train_.*: commit the train\.py"):
        refuse_uncommitted(folder, committed(folder), ["train.Ratio"])
    with pytest.raises(Refused, match=r"committed train\.py, no train\.py…, found train_"):
        refuse_uncommitted(folder, None, ["train.Ratio"])


def test_a_candidate_without_code_needs_no_commit(tmp_path: Path) -> None:
    refuse_uncommitted(tmp_path, None, [])
