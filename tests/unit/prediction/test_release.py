"""Only a release that is what it says it is may answer."""

import math
import pickle
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import skops.io
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from services.contract.digest import digest_directory
from services.contract.errors import Refused
from services.contract.prediction import Labelled, Prediction
from services.contract.record import Cell
from services.contract.release import Column, Form, Release, Servable
from services.delivery.flavors.sklearn import to_onnx
from services.prediction.__main__ import main
from services.prediction.invalid import Invalid
from services.prediction.predictor import Predictor, load_predictor
from tests.support.paths import ROOT
from tests.support.poll import poll_until
from tests.support.release_factory import INPUTS, ROWS, SKLEARN, ReleasePlan, build_release, expected_predictions, train

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


@pytest.mark.process
def test_pandas_brings_no_arrow_to_who_answers_online() -> None:
    code = "import sys, services.prediction.without_arrow as it; it.import_pandas_alone(); import pandas as found\n"
    code += (
        "frame = found.DataFrame({'cut': ['Ideal']}); found = 'pyarrow' in sys.modules; import pyarrow; print(found)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


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


def test_a_pickle_in_place_of_the_skops_file_is_refused_with_its_own_message(tmp_path: Path) -> None:
    def plant(folder: Path) -> None:
        (folder / "model" / "model.skops").write_bytes(pickle.dumps(Planted()))

    release = build_release(tmp_path, ReleasePlan(spoil=plant))
    with pytest.raises(Refused, match="expected a skops file, found another, such as a pickle: it is never loaded"):
        load_predictor(folder_of(tmp_path, release), release.digest)
    assert called == []


def republished(store: Path, release: Release, **changes: Any) -> Release:
    """The release with another manifest."""
    folder = folder_of(store, release)
    manifest = release.manifest.model_copy(update=changes)
    manifest.write(folder / "manifest.json")
    changed = Release(digest=digest_directory(folder), manifest=manifest)
    folder.rename(folder_of(store, changed))
    return changed


def as_a_graph(store: Path, plan: ReleasePlan) -> Release:
    """Served by onnxruntime."""
    estimator = train(plan.price_per_carat)

    def convert(folder: Path) -> None:
        (folder / "servable").mkdir()
        (folder / "servable" / "model.onnx").write_bytes(to_onnx(estimator, folder, plan.inputs))

    form = Form(runtime="onnx", file="servable/model.onnx", tolerance=1e-12)
    release = build_release(store, replace(plan, estimator=estimator, spoil=convert))
    return republished(store, release, servable=Servable(form=form, notes=()))


def test_a_release_in_the_form_of_a_graph_repeats_the_librarys_golden_predictions(tmp_path: Path) -> None:
    release = as_a_graph(tmp_path, ReleasePlan())
    predictor = load_predictor(folder_of(tmp_path, release), release.digest)
    assert predictor.form.runtime == "onnx"
    assert predictor.predict(ROWS) == pytest.approx(list(expected_predictions(tmp_path, release)), rel=1e-12)


def test_the_graph_of_another_model_is_refused(tmp_path: Path) -> None:
    release = as_a_graph(tmp_path, ReleasePlan(golden_shift=0.01))
    with pytest.raises(Refused, match="golden row 0: expected .*, found .*: not the model that was trained"):
        load_predictor(folder_of(tmp_path, release), release.digest)


@pytest.mark.process
def test_serving_a_graph_imports_no_training_library(tmp_path: Path) -> None:
    release = as_a_graph(tmp_path, ReleasePlan())
    folder = folder_of(tmp_path, release)
    program = f"""if True:
        import sys
        from pathlib import Path
        from services.prediction.predictor import load_predictor
        from services.prediction.service import Service
        Service(load_predictor(Path({str(folder)!r}), {release.digest!r}))
        print(*sys.modules)
    """
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "onnxruntime" in loaded
    assert not loaded & {"sklearn", "skops", "scipy", "pandas", "mlflow", "pyspark", "onnx", "skl2onnx"}
    # Metrics are told when somebody asks, spans made when somebody wants them.
    assert not loaded & {"prometheus_client", "opentelemetry.sdk", "opentelemetry.exporter"}


def test_a_release_for_batch_only_is_refused_with_the_reason(tmp_path: Path) -> None:
    servable = Servable(form=None, notes=("no graph: unknown step", "no library online: Spark"))
    release = republished(tmp_path, build_release(tmp_path), servable=servable)
    with pytest.raises(Refused, match="one for batch only: no graph: unknown step; no library online: Spark"):
        load_predictor(folder_of(tmp_path, release), release.digest)


@pytest.mark.parametrize("file", ["../outside.skops", "/etc/hostname", "model/missing.skops", "model"])
def test_a_model_that_is_no_file_of_the_release_is_refused(file: str, tmp_path: Path) -> None:
    built = build_release(tmp_path)
    (tmp_path / "releases" / "outside.skops").write_bytes(
        (folder_of(tmp_path, built) / "model/model.skops").read_bytes()
    )
    servable = Servable(form=SKLEARN.model_copy(update={"file": file}), notes=())
    release = republished(tmp_path, built, servable=servable)
    with pytest.raises(Refused, match=f"expected the model in a file of the release, found '{file}'"):
        load_predictor(folder_of(tmp_path, release), release.digest)


def test_a_runtime_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    servable = Servable(form=SKLEARN.model_copy(update={"runtime": "os"}), notes=())
    release = republished(tmp_path, build_release(tmp_path), servable=servable)
    with pytest.raises(Refused, match="expected a release for fasttext, onnx, pyfunc, sklearn, found 'os'"):
        load_predictor(folder_of(tmp_path, release), release.digest)


@pytest.mark.parametrize("answer", [math.nan, math.inf, Labelled(label="a", probability=math.nan)], ids=str)
def test_an_answer_that_is_no_finite_number_is_never_given(answer: Prediction, tmp_path: Path) -> None:
    class Lost:
        def predict(self, rows: Sequence[Sequence[Cell]]) -> list[Prediction]:
            return [answer for _ in rows]

        def predict_proba(self, rows: Sequence[Sequence[Cell]], classes: Sequence[str]) -> list[Prediction]:
            raise NotImplementedError

    with pytest.raises(Invalid, match="the model has no finite answer"):
        Predictor(build_release(tmp_path), SKLEARN, Lost()).predict(ROWS)


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


@pytest.mark.process
def test_an_address_that_cannot_be_listened_at_is_one_line_that_names_it(tmp_path: Path) -> None:
    release = build_release(tmp_path)
    # An address of RFC 5737, which is nobody's.
    asked = ["--digest", release.digest, "--host", "192.0.2.1", "--port", "8000"]
    command = [sys.executable, "-m", "services.prediction", str(folder_of(tmp_path, release)), *asked]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 1
    assert done.stderr.startswith("expected to listen at 192.0.2.1:8000: ")
    assert done.stderr.endswith(": choose another --port or --host\n")


@pytest.mark.process
@pytest.mark.skipif(sys.platform != "linux", reason="reads from /proc which signals a process handles")
def test_a_service_that_has_not_loaded_yet_ends_at_once_when_told_to(tmp_path: Path) -> None:
    release = build_release(tmp_path)
    command = [sys.executable, "-m", "services.prediction", str(folder_of(tmp_path, release))]
    command += ["--digest", release.digest, "--control", str(tmp_path / "control")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        # Without a line on stdin it stays before loading.
        poll_until(lambda: handles(process.pid, signal.SIGTERM), "it to handle SIGTERM", pause=0.02)
        process.terminate()
        assert process.wait(60) == 128 + signal.SIGTERM
        assert process.stderr
        assert process.stderr.read() == b""


def handles(pid: int, number: signal.Signals) -> bool:
    """Source: proc_pid_status(5), SigCgt."""
    status = Path(f"/proc/{pid}/status").read_text()
    caught = int(status.split("SigCgt:")[1].split()[0], 16)
    return bool(caught >> (number - 1) & 1)
