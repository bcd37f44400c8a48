"""fastText from its own file, whose length is checked first, because the library loads half a file without an error."""

import mmap
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import fasttext

from services.contract.cells import text
from services.contract.errors import Refused
from services.contract.fasttext_text import LABEL_PREFIX, labelled, labelled_all, one_line
from services.contract.prediction import Prediction
from services.contract.release import Column, Form

MODEL_FILE = "data/model.bin"
# A probability is a float32, of 6e-8, made from sums whose order is up to the processor and the build of the library.
NATIVE = Form(runtime="fasttext", file=f"model/{MODEL_FILE}", tolerance=1e-5)

# Source of the format: fastText's `FastText::saveModel`, `Args::save`, `Dictionary::save` and `DenseMatrix::save`.
_MAGIC, _VERSION, _SUPERVISED = 793712314, 12, 3
_HEADER = struct.Struct("<14id3i2q")
_COUNT_AND_KIND = struct.calcsize("<qb")
_MATRIX = struct.Struct("<?2q")
_FLOAT = 4


def load(folder: Path) -> Any:
    """Raises Refused when the file is missing, is no classifier of fastText's or is longer or shorter than it says."""
    file = folder / MODEL_FILE
    if not file.is_file():
        raise Refused(
            f"expected {MODEL_FILE}, found none: log the model with the flavor in training/flavors/fasttext.py"
        )
    if file.stat().st_size < _HEADER.size:
        _refuse("a fastText model", f"a file of {file.stat().st_size} bytes")
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as content:
        _refuse_unless_whole(content)
    return fasttext.load_model(str(file))


def predict(model: Any, rows: Sequence[Sequence[Any]], inputs: Sequence[Column]) -> list[Prediction]:  # noqa: ARG001
    """Raises ValueError for a row that is not one text, of which the model knows no word, or whose answer is NaN."""
    labels, probabilities = _asked(model, rows, 1)
    return [labelled(label, probability) for (label,), (probability,) in zip(labels, probabilities, strict=True)]


def classes(model: Any) -> Sequence[str]:
    """The most frequent first."""
    return [label.removeprefix(LABEL_PREFIX) for label in model.get_labels()]


def predict_proba(model: Any, rows: Sequence[Sequence[Any]], inputs: Sequence[Column]) -> list[Prediction]:  # noqa: ARG001
    known = classes(model)
    return [labelled_all(labels, each, known) for labels, each in zip(*_asked(model, rows, -1), strict=True)]


def _asked(model: Any, rows: Sequence[Sequence[Any]], k: int) -> tuple[Any, Any]:
    """Labels and probabilities of the `k` most probable, a list of each a row."""
    texts = [one_line(text(cell)) for (cell,) in rows]
    try:
        # Always a list: on a single string most builds of fastText fail with NumPy 2.
        labels, probabilities = model.predict(texts, k)
    except RuntimeError as error:
        raise ValueError("the model has no finite answer") from error
    if not all(labels):
        raise ValueError("the model knows no word of a text")
    return labels, probabilities


def to_onnx(model: Any, folder: Path, inputs: Sequence[Column]) -> bytes:  # noqa: ARG001
    raise Refused("fastText is served from its own file")


def _refuse_unless_whole(content: mmap.mmap) -> None:
    try:
        expected = _length(content)
    except (struct.error, OverflowError):
        _refuse("a whole model", f"{len(content)} bytes, which end too early")
    if expected != len(content):
        _refuse(f"the {expected} bytes that its own header counts", f"{len(content)}")


def _length(content: mmap.mmap) -> int:
    """In bytes, of header, dictionary and both matrices. Raises struct.error when the file ends before."""
    entries, dimension, matrices = _header(content)
    place = _end_of_dictionary(content, entries)
    for rows in matrices:
        quantized, *shape = _MATRIX.unpack_from(content, place)
        if quantized:
            _refuse("a model as it was trained", "a quantized one")
        if shape != [rows, dimension]:
            _refuse(f"a matrix of {rows} by {dimension}", f"{shape[0]} by {shape[1]}")
        place += _MATRIX.size + _FLOAT * rows * dimension
    return place


def _header(content: mmap.mmap) -> tuple[int, int, tuple[int, int]]:
    """Entries of the dictionary, columns of the matrices, and the rows of each: of words and n-grams, and of labels."""
    magic, version, *arguments, _, entries, words, labels, _, pruned = _HEADER.unpack_from(content)
    dimension, kind, buckets = arguments[0], arguments[7], arguments[8]
    if magic != _MAGIC:
        _refuse("a fastText model", "another kind of file")
    if version != _VERSION:
        _refuse(f"version {_VERSION} of fastText's format", f"{version}")
    if kind != _SUPERVISED:
        _refuse("a classifier of train_supervised", "word vectors")
    if pruned > 0:
        _refuse("a model as it was trained", "a quantized one")
    if words + labels != entries or min(dimension, buckets, words, labels) < 0:
        _refuse("a dictionary of words and labels", f"{words} words and {labels} labels in {entries} entries")
    return entries, dimension, (words + buckets, labels)


def _end_of_dictionary(content: mmap.mmap, entries: int) -> int:
    place: int = _HEADER.size
    for _ in range(entries):
        if (end_of_word := content.find(b"\0", place)) < 0:
            raise struct.error("a word without an end")
        place = end_of_word + 1 + _COUNT_AND_KIND
    return place


def _refuse(expected: str, found: str) -> NoReturn:
    raise Refused(f"{MODEL_FILE}: expected {expected}, found {found}: log the model again")
