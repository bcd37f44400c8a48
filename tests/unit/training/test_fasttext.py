"""fastText in its three components: the same words are read everywhere, and what it would do silently is refused."""

import gzip
import json
import math
import os
import platform
import signal
import struct
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

import fasttext
import pandas
import psutil
import pytest
import yaml

from services.contract import fasttext_text
from services.contract.errors import Refused
from services.contract.model_config import Data, ModelConfig
from services.contract.prediction import Labelled
from services.contract.release import Column
from services.contract.signals import exit_on
from services.contract.waiting import wait_until
from services.delivery.flavors import fasttext as delivery
from services.delivery.flavors import find_flavor as find_delivery_flavor
from services.prediction.runtimes import fasttext as runtime
from services.prediction.runtimes import find_runtime
from tests.support.paths import ROOT
from training import fasttext_process
from training.flavors import fasttext as training
from training.flavors import find_flavor

DATA = Data(source="made up", target="label", columns={"text": "string"}, holdout_sha256=None)
INPUTS = (Column(name="text", type="string"),)
PLAN = {"dim": 8, "bucket": 500, "minn": 2, "maxn": 3, "epoch": 20, "lr": 1.0}
# The one that is logged with the model, and the one that both others import.
COPIES = [training, fasttext_text]
# What each copy must make of a text, written down by hand.
READ_AS = {
    "one two": "one two",
    "one\ntwo": "one two",
    "one\r\n two\t": "one two",
    "one\0two": "one two",
    "one\u2028two\u2029three": "one two three",
    "one\x0btwo\x0cthree\x1cfour\x85five": "one two three four five",
    "one\u00a0two\u3000three": "one two three",
    "__label__de one": "one",
    "one\n__label__de two": "one two",
    "one </s> two": "one two",
    "one __label__": "one",
    "my__label__de": "my__label__de",
    "half \ud800 pair": "half ? pair",
    " \0\n ": "",
    "": "",
}


def texts(count: int = 40) -> tuple[pandas.DataFrame, pandas.Series]:
    rows = [("hello big world", "en"), ("bonjour le monde", "fr"), ("hallo grosse welt", "de")] * count
    return pandas.DataFrame({"text": [text for text, _ in rows]}), pandas.Series([label for _, label in rows])


def fit(plan: dict[str, Any], inputs: pandas.DataFrame, target: pandas.Series) -> Any:
    """In this process, which takes no time to start."""
    return training.fit(plan, inputs, target, None, fasttext_process.train)


def fit_texts(**plan: Any) -> Any:
    return fit({**PLAN, **plan}, *texts())


@pytest.fixture(scope="module")
def model() -> Any:
    return fit_texts()


@pytest.fixture
def folder(model: Any, tmp_path: Path) -> Path:
    """As a model folder of MLflow has it."""
    (tmp_path / "data").mkdir()
    model.save_model(str(tmp_path / "data" / "model.bin"))
    return tmp_path


def refused(call: Callable[..., object], *arguments: Any) -> str:
    with pytest.raises(Refused) as error:
        call(*arguments)
    assert "\n" not in str(error.value)
    return str(error.value)


# The words that fastText reads


@pytest.mark.parametrize("copy", COPIES)
@pytest.mark.parametrize("text", READ_AS)
def test_both_copies_read_the_same_words(copy: ModuleType, text: str) -> None:
    assert copy.one_line(text) == READ_AS[text]


@pytest.mark.thorough
@pytest.mark.parametrize("copy", COPIES)
def test_both_copies_make_one_line_of_every_character(copy: ModuleType) -> None:
    text = "".join(f"a{chr(point)}b " for point in range(0x110000))
    found = copy.one_line(text)
    assert found == training.one_line(text)
    assert not set(found) & set("\n\r\t\v\f\0\x85\u2028\u2029")
    assert found.encode()


def test_every_component_gives_the_library_the_same_words(model: Any, folder: Path) -> None:
    asked = [*READ_AS, "x" * 1000, "hello\nmonde", "привет мир"]
    expected = training.predict(model, pandas.DataFrame({"text": asked}))
    rows = [[text] for text in asked]
    assert delivery.predict(delivery.load(folder), rows, INPUTS) == expected
    assert runtime.load(folder / "data" / "model.bin", INPUTS).predict(rows) == expected
    table = training._load_pyfunc(str(folder / "data" / "model.bin")).predict(pandas.DataFrame({"text": asked}))
    assert [Labelled(**row) for row in table.to_dict("records")] == expected


def test_a_text_brings_no_label_and_no_row_of_its_own_into_the_training() -> None:
    inputs, target = texts()
    inputs.iloc[0, 0] = "hello __label__evil\n__label__evil world </s> __label__evil again\r\0"
    found = fit(PLAN, inputs, target)
    assert sorted(found.labels) == ["__label__de", "__label__en", "__label__fr"]
    words, counts = found.get_words(include_freq=True)
    assert dict(zip(words, counts, strict=True))["</s>"] == len(inputs)


# Training


def test_a_model_answers_with_labels_as_they_were_given(model: Any) -> None:
    inputs, target = texts(1)
    answers = training.predict(model, inputs)
    assert [answer.label for answer in answers if isinstance(answer, Labelled)] == list(target)


@pytest.mark.parametrize(
    ("label", "shown"), [("New York", "'New York'"), ("", "''"), ("__label__en", "'__label__en'"), (1, "1")]
)
def test_a_label_that_fasttext_cannot_write_is_refused(label: Any, shown: str) -> None:
    inputs, target = texts()
    labels = pandas.Series([label, *target[1:]], dtype=object)
    said = refused(fit, PLAN, inputs, labels)
    assert said.startswith(f"expected labels of one word without __label__, found {shown}: ")


def test_a_training_with_too_few_threads_is_refused_because_it_may_end_with_nan() -> None:
    assert refused(check, {"thread": 10}) == (
        "expected thread to be a whole number from 11 to 512, found 10: with fewer, fastText leaves part of its matrix "
        "uninitialised"
    )


@pytest.mark.process
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told what fresh memory holds")
def test_no_weight_is_what_the_memory_held_before() -> None:
    # Memory is handed out filled with 0x7f, which as a float is 3.4e38; 505 rows of 9 are no multiple of ten.
    code = """
import numpy, pandas
from training.flavors import fasttext
inputs = pandas.DataFrame({"text": ["hello", "monde"] * 20})
plan = {"dim": 9, "bucket": 502, "minn": 2, "maxn": 3}
weights = fasttext.fit(plan, inputs, pandas.Series(["en", "fr"] * 20), None).get_input_matrix()
assert weights.shape == (505, 9), weights.shape
assert numpy.abs(weights).max() < 10, numpy.abs(weights).max()
"""
    environment = {**os.environ, "MALLOC_PERTURB_": "128", "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.process
def test_a_training_that_ends_with_nan_says_what_to_do_also_when_it_ends_the_process() -> None:
    # When two of fastText's threads raise at once, C++ aborts all of it, which is seldom.
    said = {refused(training.fit, {**PLAN, "lr": 100}, *texts(), None) for _ in range(2)}
    assert said == {"expected finite weights, found NaN with lr 100: train with a lower lr"}


@pytest.mark.parametrize(
    ("failed", "said"),
    [
        ("Encountered NaN.", "expected finite weights, found NaN with lr 1.0: train with a lower lr"),
        ("its process ended by SIGABRT", "expected finite weights, found NaN with lr 1.0: train with a lower lr"),
        ("std::bad_alloc", "expected a model that fits into the memory, found that fastText ran out of it with"),
        (
            "something killed it, most likely the kernel for want of memory",
            "expected a model that fits into the memory",
        ),
        ("its process ended by SIGFPE", "expected a plan that fastText's train_supervised takes, found"),
    ],
)
def test_however_a_training_ends_it_is_one_sentence(failed: str, said: str) -> None:
    def fails(_: Path) -> None:
        raise fasttext_process.Failed(failed)

    assert refused(training.fit, PLAN, *texts(), None, fails).startswith(said)


@pytest.mark.process
def test_a_training_ends_with_the_process_that_asked_for_it(tmp_path: Path) -> None:
    (tmp_path / fasttext_process.ROWS).write_text("__label__en hello world\n__label__fr bonjour monde\n" * 1000)
    (tmp_path / fasttext_process.ARGUMENTS).write_text(json.dumps({"epoch": 10_000, "thread": 11, "verbose": 0}))
    with (
        pytest.raises(SystemExit) as ended,
        exit_on(signal.SIGALRM, status=143),
        ThreadPoolExecutor() as pool,
    ):
        me = psutil.Process()

        def ask_to_end() -> int:
            wait_until(lambda: len(threads_of_trainings(me)) > 11, "fastText's threads", 60)
            signal.setitimer(signal.ITIMER_REAL, 0.001)
            return 0

        pool.submit(ask_to_end)
        fasttext_process.train_apart(tmp_path)
    assert ended.value.code == 143
    assert not threads_of_trainings(psutil.Process())
    assert not (tmp_path / fasttext_process.MODEL).exists()


def threads_of_trainings(process: psutil.Process) -> list[int]:
    return [
        thread.id
        for child in process.children()
        if "training.fasttext_process" in child.cmdline()
        for thread in child.threads()
    ]


CONFIG = yaml.safe_load((ROOT / "training" / "models" / "language-id" / "model.yaml").read_text())


def check(plan: Any, **other: Any) -> None:
    training.check(plan, ModelConfig.model_validate({**CONFIG, **other}))


def test_the_arguments_that_fasttext_takes_pass() -> None:
    check({})
    check(
        {"lr": 1, "dim": 8, "epoch": 50, "wordNgrams": 2, "bucket": 1000, "minn": 0, "maxn": 0, "loss": "ova", "ws": 5}
    )
    check({"minn": 3, "maxn": 3, "neg": 5, "t": 1e-4, "seed": 0, "thread": 12, "verbose": 2, "lrUpdateRate": 100})
    check({"bucket": 0})


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        (None, "expected `build` to return a dict of arguments of train_supervised, such as {'epoch': 25}, found None"),
        ([1], "expected `build` to return a dict of arguments of train_supervised, such as {'epoch': 25}, found [1]"),
        ({"epochs": 3}, "expected arguments of fastText's train_supervised, found 'epochs': did you mean epoch?"),
        ({"zzz": 3}, "expected arguments of fastText's train_supervised, found 'zzz': it has lr, dim, "),
        ({"model": "cbow"}, "expected arguments of fastText's train_supervised, found 'model': it has lr, "),
        ({"input": "rows.txt"}, "expected a plan without input, found it there: the flavor gives it to fastText"),
        ({"label": "#"}, "expected a plan without label, found it there: the flavor gives it to fastText"),
        ({"autotuneModelSize": "1M"}, "expected a plan without autotuneModelSize, found it there: a model that it"),
        ({"lr": 0}, "expected lr to be a number above 0 and at most 100, found 0"),
        ({"lr": math.nan}, "expected lr to be a number above 0 and at most 100, found nan"),
        ({"lr": "0.5"}, "expected lr to be a number above 0 and at most 100, found '0.5'"),
        ({"dim": 0}, "expected dim to be a whole number from 1 to 10000, found 0"),
        ({"dim": 8.0}, "expected dim to be a whole number from 1 to 10000, found 8.0"),
        ({"dim": True}, "expected dim to be a whole number from 1 to 10000, found True"),
        ({"epoch": 0}, "expected epoch to be a whole number from 1 to 10000, found 0"),
        ({"epoch": 10**9}, "expected epoch to be a whole number from 1 to 10000, found 1000000000"),
        ({"wordNgrams": 0}, "expected wordNgrams to be a whole number from 1 to 100, found 0"),
        ({"bucket": -1}, "expected bucket to be a whole number from 0 to 2147483647, found -1"),
        ({"bucket": 0, "maxn": 3}, "expected a bucket above 0 for n-grams, found 0: fastText would crash"),
        ({"bucket": 0, "wordNgrams": 2}, "expected a bucket above 0 for n-grams, found 0: fastText would crash"),
        ({"bucket": 2**31 - 1, "maxn": 3, "dim": 10_000}, "expected dim × bucket × 4 bytes to fit into the memory of "),
        ({"minn": 4, "maxn": 2}, "expected minn of at most maxn, found 4 and 2: fastText would make no n-grams"),
        ({"minn": 3}, "expected minn of at most maxn, found 3 and 0: fastText would make no n-grams"),
        ({"loss": "hinge"}, "expected loss to be one of softmax, hs, ns, ova, found 'hinge'"),
        ({"loss": None}, "expected loss to be one of softmax, hs, ns, ova, found None"),
        ({"loss": ["ns"]}, "expected loss to be one of softmax, hs, ns, ova, found ['ns']"),
        ({"neg": 0}, "expected neg to be a whole number from 1 to 1000, found 0"),
        ({"thread": 0}, "expected thread to be a whole number from 11 to 512, found 0"),
        ({"thread": 100_000}, "expected thread to be a whole number from 11 to 512, found 100000"),
        ({"pretrainedVectors": "/no"}, "expected pretrainedVectors to be the path of a file, found '/no'"),
    ],
)  # fmt: skip
def test_a_plan_that_fasttext_crashes_on_or_takes_wrongly_is_refused_in_words(plan: Any, said: str) -> None:
    assert refused(check, plan).startswith(said)


@pytest.mark.parametrize("task", ["regression", "binary-classification"])
def test_a_task_without_labels_is_refused_before_the_rows_are_read(task: str) -> None:
    metric = {"regression": "mean_absolute_error"}.get(task, "log_loss")
    gates = {**CONFIG["gates"], "thresholds": {metric: {"max": 1}}, "slices": {}, "compare": {"metric": metric}}
    with pytest.raises(Refused, match=f"expected the task classification in model.yaml, found {task}"):
        check({}, task=task, gates=gates)


def test_labels_that_are_all_rare_are_refused() -> None:
    said = refused(lambda: fit_texts(minCountLabel=1000))
    assert said == "expected a label in 1000 rows or more, found none: lower minCountLabel"


def test_two_columns_of_text_are_refused() -> None:
    inputs, target = texts()
    said = refused(fit, PLAN, inputs.assign(title="a"), target)
    assert said == "expected one column of text, found text, title: fastText reads one text a row"


def test_a_model_that_knows_no_word_is_refused_when_it_is_asked() -> None:
    said = refused(training.predict, fit_texts(minCount=1000, minn=0, maxn=0), texts(1)[0])
    assert said == "expected a model that knows a word of every text, found 3 without: lower minCount"


def test_all_parameters_are_kept_defaults_and_threads_included(model: Any) -> None:
    found = training.parameters(model)
    assert {name: found[f"fasttext.{name}"] for name in PLAN} == PLAN
    defaults = {"ws": 5, "minCount": 1, "neg": 5, "wordNgrams": 1, "t": 1e-4, "lrUpdateRate": 100, "seed": 0}
    assert {name: found[f"fasttext.{name}"] for name in defaults} == defaults
    assert found["fasttext.loss"] == "softmax"
    assert found["fasttext.thread"] == 11


def test_a_probability_is_never_above_one() -> None:
    inputs, target = texts()
    sure = fit(PLAN, inputs, target.replace({"de": "en", "fr": "en"}))
    assert sure.predict(["hello"])[1][0][0] > 1
    (trained,) = training.predict(sure, pandas.DataFrame({"text": ["hello"]}))
    (delivered,) = delivery.predict(sure, [["hello"]], INPUTS)
    (served,) = runtime.FastTextModel(sure).predict([["hello"]])
    assert [one.probability for one in (trained, delivered, served) if isinstance(one, Labelled)] == [1.0, 1.0, 1.0]


class TakesListsOnly:
    """As builds of fastText are with NumPy 2, of which most fail on a single string."""

    def predict(
        self, asked: list[str], k: int = 1, threshold: float = 0.0
    ) -> tuple[list[list[str]], list[list[float]]]:
        if not isinstance(asked, list):
            raise ValueError("Unable to avoid copy while creating an array as requested")
        assert (k, threshold) == (1, 0.0)
        return [["__label__en"] for _ in asked], [[0.5] for _ in asked]


class TakesStringsOnly:
    """As the build is that can only predict: of a list it gives labels without probabilities."""

    def __init__(self, labels: Sequence[str]) -> None:
        self._labels = labels

    def predict(self, asked: str, k: int) -> tuple[Sequence[str], Sequence[float]]:
        assert (type(asked), k) == (str, 1)
        return self._labels, [0.5] * len(self._labels)


def test_every_component_asks_the_library_in_the_form_that_its_build_takes() -> None:
    expected = [Labelled(label="en", probability=0.5)]
    assert training.predict(TakesListsOnly(), pandas.DataFrame({"text": ["hello"]})) == expected
    assert delivery.predict(TakesListsOnly(), [["hello"]], INPUTS) == expected
    assert runtime.FastTextModel(TakesStringsOnly(["__label__en"])).predict([["hello"]]) == expected


# Files of texts


def read(tmp_path: Path, name: str, content: bytes) -> pandas.DataFrame:
    (tmp_path / name).write_bytes(content)
    return find_flavor("fasttext").read(tmp_path / name, DATA, "classification")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("rows.csv", "text,label\nhello world,en\n\"le monde, oui\",fr\n"),
        ("rows.CSV", "label,text\n__label__en,hello world\n__label__fr,\"le monde, oui\"\n"),
        ("rows.train", "__label__en hello world\n\n__label__fr le monde, oui\n"),
        ("rows.txt", "hello  world __label__en\r\n__label__fr\tle monde, oui"),
    ],
)  # fmt: skip
def test_csv_and_lines_of_fasttext_are_read_with_or_without_its_prefix(tmp_path: Path, name: str, content: str) -> None:
    frame = read(tmp_path, name, content.encode())
    assert frame[["text", "label"]].to_numpy().tolist() == [["hello world", "en"], ["le monde, oui", "fr"]]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (
            b"__label__a x\n__label__a __label__b y\n",
            "2: expected one label, found 2 (__label__a, __label__b): an answer has one label",
        ),
        (b"__label__a x\n\nno label\n", "3: expected one label, such as __label__en, found none"),
        (b"__label__a\n", "1: expected a text beside __label__a, found none"),
        (b"__label__a x\n__label__b \xe9\n", "2: expected text in UTF-8, found the byte 0xe9, which is '\u00e9' in"),
        (b"__label__a x\n__label__b \0\n", "2: expected text, found a NUL byte"),
    ],
)
def test_a_wrong_line_is_refused_by_its_number(tmp_path: Path, content: bytes, complaint: str) -> None:
    assert refused(read, tmp_path, "rows.txt", content).startswith(f"{tmp_path}/rows.txt:{complaint}")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("rows.txt", "\ufeff__label__en hello\n\ufeff__label__fr monde\n".encode()),
        ("rows.train.gz", gzip.compress(b"__label__en hello\n__label__fr monde\n", mtime=0)),
        ("rows.csv.gz", gzip.compress(b"text,label\nhello,en\nmonde,fr\n", mtime=0)),
        ("rows.tsv", b"text\tlabel\nhello\ten\nmonde\tfr\n"),
        ("old-mac.txt", b"__label__en hello\r__label__fr monde\r"),
    ],
)
def test_byte_order_marks_gzip_and_other_line_ends_are_no_part_of_texts(
    tmp_path: Path, name: str, content: bytes
) -> None:
    frame = read(tmp_path, name, content)
    assert frame[["text", "label"]].to_numpy().tolist() == [["hello", "en"], ["monde", "fr"]]


def test_a_wrong_csv_is_refused_by_its_line(tmp_path: Path) -> None:
    said = refused(read, tmp_path, "rows.csv", b"text,label\nhello,en\nworld\n")
    assert said.startswith(f"{tmp_path}/rows.csv:3: ")


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    said = refused(training.read, tmp_path / "none.txt", DATA, "classification")
    assert said == (
        f"{tmp_path}/none.txt: expected lines of '__label__X text', cannot read it: No such file or directory"
    )


# The model file, before it is served


def loaded(folder: Path, content: bytes) -> str:
    """What delivery says of a model file with this content."""
    (folder / "data" / "model.bin").write_bytes(content)
    return refused(find_delivery_flavor("fasttext").load, folder)


def model_bytes(folder: Path) -> bytes:
    return (folder / "data" / "model.bin").read_bytes()


def with_header(folder: Path, place: int, *values: int) -> bytes:
    """`place` counts the header's whole numbers of four bytes."""
    content = bytearray(model_bytes(folder))
    struct.pack_into(f"<{len(values)}i", content, 4 * place, *values)
    return bytes(content)


def test_the_library_itself_loads_a_truncated_file_without_a_word(folder: Path) -> None:
    path = folder / "data" / "model.bin"
    path.write_bytes(path.read_bytes()[:-100])
    assert "__label__en" in fasttext.load_model(str(path)).labels


def test_a_file_cut_anywhere_is_refused(folder: Path) -> None:
    whole = model_bytes(folder)
    for length in [*range(0, len(whole), 997), 99, 100, len(whole) - 1]:
        assert loaded(folder, whole[:length]).startswith("data/model.bin: expected "), length


def test_a_file_cut_in_its_last_matrix_is_refused_with_both_lengths(folder: Path) -> None:
    whole = model_bytes(folder)
    assert loaded(folder, whole[:-1]) == (
        f"data/model.bin: expected the {len(whole)} bytes that its own header counts, found {len(whole) - 1}: "
        "log the model again"
    )


def test_a_file_with_bytes_appended_is_refused(folder: Path) -> None:
    whole = model_bytes(folder)
    said = loaded(folder, whole + b"\0")
    assert f"the {len(whole)} bytes that its own header counts, found {len(whole) + 1}" in said


def test_a_file_of_another_kind_is_refused(folder: Path) -> None:
    assert "expected a fastText model, found another kind of file" in loaded(folder, b"PK\3\4" * 100)
    assert "expected a fastText model, found a file of 0 bytes" in loaded(folder, b"")


def test_another_version_of_the_format_is_refused(folder: Path) -> None:
    assert "expected version 12 of fastText's format, found 11" in loaded(folder, with_header(folder, 1, 11))


def test_word_vectors_are_refused(folder: Path, tmp_path: Path) -> None:
    corpus = tmp_path / "corpus.txt"
    corpus.write_text("hello big world\n" * 20)
    vectors = fasttext.train_unsupervised(str(corpus), dim=4, bucket=100, thread=11, verbose=0)
    vectors.save_model(str(folder / "data" / "model.bin"))
    assert "expected a classifier of train_supervised, found word vectors" in refused(delivery.load, folder)


def test_a_quantized_model_is_refused(folder: Path) -> None:
    quantized = fit_texts(minCount=1)
    quantized.quantize()
    quantized.save_model(str(folder / "data" / "model.bin"))
    assert "expected a model as it was trained, found a quantized one" in refused(delivery.load, folder)


def test_a_header_that_does_not_fit_the_matrices_is_refused(folder: Path) -> None:
    # Two of the arguments, dimension and buckets, then the entries of the dictionary.
    assert "expected a matrix of " in loaded(folder, with_header(folder, 2, 9))
    assert "expected a dictionary of words and labels, found " in loaded(folder, with_header(folder, 10, -1))
    assert "expected a dictionary of words and labels, found " in loaded(folder, with_header(folder, 16, 2**31 - 1))


def test_sizes_beyond_any_file_are_refused(folder: Path) -> None:
    largest = 2**31 - 1
    content = bytearray(with_header(folder, 2, largest))
    struct.pack_into("<i", content, 4 * 10, largest)
    words = struct.unpack_from("<i", content, 4 * 17)[0]
    start = model_bytes(folder).rindex(struct.pack("<2q", words + PLAN["bucket"], PLAN["dim"]))
    struct.pack_into("<2q", content, start, words + largest, largest)
    assert "which end too early" in loaded(folder, bytes(content))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    assert refused(delivery.load, tmp_path).startswith("expected data/model.bin, found none: log the model with ")


def test_fasttext_is_not_turned_into_onnx(model: Any, tmp_path: Path) -> None:
    assert refused(delivery.to_onnx, model, tmp_path, INPUTS) == "fastText is served from its own file"


def test_a_row_that_is_not_one_text_is_a_value_error(model: Any) -> None:
    with pytest.raises(ValueError, match="too many values"):
        delivery.predict(model, [["hello", "world"]], INPUTS)


def test_an_answer_that_is_not_finite_is_a_value_error() -> None:
    spoilt = fit_texts()
    weights, labels = spoilt.get_input_matrix(), spoilt.get_output_matrix()
    spoilt.set_matrices(weights * math.nan, labels)
    with pytest.raises(ValueError, match="no finite answer"):
        delivery.predict(spoilt, [["hello"]], INPUTS)
    with pytest.raises(ValueError, match="no finite answer"):
        runtime.FastTextModel(spoilt).predict([["hello"]])


# The service


def test_the_service_loads_the_file_that_the_release_names(folder: Path) -> None:
    assert delivery.NATIVE
    assert delivery.NATIVE.runtime == "fasttext"
    path = folder / delivery.NATIVE.file.removeprefix("model/")
    (answer,) = find_runtime("fasttext").load(path, INPUTS).predict([["hello big world"]])
    assert isinstance(answer, Labelled)
    assert answer.label == "en"


def test_a_text_without_a_known_word_is_a_value_error_for_the_service() -> None:
    with pytest.raises(ValueError, match="the model knows no word of the text"):
        runtime.FastTextModel(TakesStringsOnly([])).predict([["hello"]])


def test_the_service_refuses_what_is_no_fasttext_file(tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(b"PK\3\4")
    said = refused(runtime.load, tmp_path / "model.bin", INPUTS)
    assert "expected a fastText model, cannot load it: " in said
    assert "has wrong file format" in said


def test_the_service_refuses_inputs_other_than_one_text(folder: Path) -> None:
    numbers = (Column(name="carat", type="double"),)
    said = refused(runtime.load, folder / "data" / "model.bin", numbers)
    assert "expected one input of type string, found carat double: fastText reads one text a row" in said
