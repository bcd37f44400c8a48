"""Only a release that is what it says it is may answer."""

from pathlib import Path

import pytest
import skops.io
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from services.contract.digest import digest_directory
from services.contract.errors import Refused
from services.contract.release import Column, Release
from services.prediction.__main__ import main
from services.prediction.invalid import Invalid
from services.prediction.predictor import load_predictor
from tests.release_factory import INPUTS, ROWS, ReleasePlan, build_release, expected_predictions, train

called: list[str] = []


class Planted:
    """An estimator of a type that nobody trusts; building it would leave a mark."""

    def __setstate__(self, state: object) -> None:
        called.append("built")

    def __getstate__(self) -> dict[str, int]:
        return {"state": 1}


def folder_of(store: Path, release: Release) -> Path:
    return store / "releases" / release.digest


def test_a_good_release_repeats_its_golden_predictions(tmp_path: Path) -> None:
    release = build_release(tmp_path)
    predictor = load_predictor(folder_of(tmp_path, release), release.digest)
    assert predictor.predict(ROWS) == pytest.approx(list(expected_predictions(tmp_path, release)), rel=1e-9)


def test_a_flipped_byte_is_refused_before_loading(tmp_path: Path) -> None:
    release = build_release(tmp_path)
    path = folder_of(tmp_path, release) / "model" / "model.skops"
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    with pytest.raises(Refused, match="its files were changed"):
        load_predictor(folder_of(tmp_path, release), release.digest)


def test_golden_predictions_of_another_model_are_refused_before_loading(tmp_path: Path) -> None:
    release = build_release(tmp_path)
    folder = folder_of(tmp_path, release)
    release.manifest.model_copy(update={"golden": "0" * 64}).write(folder / "manifest.json")
    with pytest.raises(Refused, match=r"golden\.json: expected digest 000000000000…"):
        load_predictor(folder, digest_directory(folder))


def test_a_type_that_is_not_on_our_list_is_refused_before_it_is_built(tmp_path: Path) -> None:
    def plant(folder: Path) -> None:
        skops.io.dump(make_pipeline(FunctionTransformer(), Planted()), folder / "model" / "model.skops")

    release = build_release(tmp_path, ReleasePlan(spoil=plant))
    with pytest.raises(Refused, match=r"expected trusted types only, found .*Planted: they are not loaded"):
        load_predictor(folder_of(tmp_path, release), release.digest)
    assert called == []


def test_a_model_that_answers_differently_than_at_training_is_refused(tmp_path: Path) -> None:
    release = build_release(tmp_path, ReleasePlan(golden_shift=0.01))
    with pytest.raises(Refused, match="golden row 0: expected .*, found .*: not the model that was trained"):
        load_predictor(folder_of(tmp_path, release), release.digest)


def test_golden_rows_that_do_not_fit_the_inputs_are_refused(tmp_path: Path) -> None:
    release = build_release(tmp_path, ReleasePlan(inputs=(*INPUTS[:2], Column(name="grade", type="string"))))
    with pytest.raises(Refused, match="row 0, column 'grade': expected a string"):
        load_predictor(folder_of(tmp_path, release), release.digest)


def test_an_input_of_a_type_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    release = build_release(tmp_path, ReleasePlan(inputs=(*INPUTS[:2], Column(name="grade", type="tensor"))))
    with pytest.raises(Refused, match="found tensor"):
        load_predictor(folder_of(tmp_path, release), release.digest)


def test_a_category_that_was_never_trained_is_the_clients_error(tmp_path: Path) -> None:
    estimator = train(4000.0)
    estimator[0].transformers_[0][1].handle_unknown = "error"
    release = build_release(tmp_path, ReleasePlan(estimator=estimator))
    predictor = load_predictor(folder_of(tmp_path, release), release.digest)
    with pytest.raises(Invalid, match="outside what it was trained on"):
        predictor.predict([(1.0, "never seen", 1)])


def test_at_the_command_line_a_refusal_is_one_line_and_exit_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    release = build_release(tmp_path)
    assert main([str(folder_of(tmp_path, release)), "--digest", "0" * 64, "--port", "1"]) == 1
    assert capsys.readouterr().err.count("\n") == 1
