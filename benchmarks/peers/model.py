"""A model of ours as somebody without Trackback would load and ask it: for servers that call a function."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

Ask = Callable[[Sequence[str], Sequence[Sequence[Any]]], list[Any]]
MODEL = "TRACKBACK_BENCH_MODEL"


def load() -> Ask:
    """The model whose file the environment names. It is asked with names of columns and with rows."""
    file = Path(os.environ[MODEL])
    return {".joblib": _scikit_learn, ".onnx": _onnx, ".bin": _fasttext}[file.suffix](file)


def answered(ask: Ask, dataframe_split: Mapping[str, Any]) -> dict[str, list[Any]]:
    return {"predictions": ask(dataframe_split["columns"], dataframe_split["data"])}


def _scikit_learn(file: Path) -> Ask:
    import joblib
    import pandas

    model = joblib.load(file)
    return lambda columns, rows: list(model.predict(pandas.DataFrame(rows, columns=columns)).tolist())


def _onnx(file: Path) -> Ask:
    """Inputs have the names of the columns; one thread, because a worker is one core."""
    import numpy
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    kinds = {one.name: object if "string" in one.type else numpy.float64 for one in session.get_inputs()}

    def ask(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[Any]:
        cells = dict(zip(columns, zip(*rows, strict=True), strict=True))
        fed = {name: numpy.array(cells[name], dtype=kind) for name, kind in kinds.items()}
        labels, probabilities = session.run(["label", "probability"], fed)
        return _labelled(labels.tolist(), probabilities.tolist())

    return ask


def _fasttext(file: Path) -> Ask:
    import fasttext

    model = fasttext.load_model(str(file))

    def ask(_: Sequence[str], rows: Sequence[Sequence[str]]) -> list[Any]:
        found = [model.predict(" ".join(text.split())) for (text,) in rows]
        return _labelled(
            [labels[0].removeprefix("__label__") for labels, _ in found], [float(shares[0]) for _, shares in found]
        )

    return ask


def _labelled(labels: Sequence[Any], probabilities: Sequence[float]) -> list[Any]:
    return [{"label": one, "probability": share} for one, share in zip(labels, probabilities, strict=True)]
