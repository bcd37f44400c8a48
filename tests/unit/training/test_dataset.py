"""The split, the digests, and the complaints about rows that are not what model.yaml declares."""

import csv
import hashlib
import io
from pathlib import Path

import numpy
import pandas
import pytest
from mlflow.data.pandas_dataset import from_pandas

from services.contract.errors import Refused
from services.contract.model_config import Data, load_model_config
from services.contract.task import Task
from tests.support.paths import MODELS
from training.dataset import Part, read_csv, split

DATA = Data(source="made up", target="price", columns={"carat": "double", "cut": "string"}, holdout_sha256=None)
TEXTS = Data(
    source="made up", target="label", columns={"text": "string"}, split_by="message", holdout_percent=30,
    holdout_sha256=None,
)  # fmt: skip
LATE = Data(
    source="made up", target="late", columns={"wind": "double", "hour": "long", "rain": "boolean"}, optional=("wind",),
    holdout_sha256=None,
)  # fmt: skip


def rows(count: int) -> pandas.DataFrame:
    return pandas.DataFrame(
        {"carat": [n / 10 for n in range(count)], "cut": [f"c{n % 3}" for n in range(count)], "price": range(count)}
    )


def flights(count: int) -> pandas.DataFrame:
    return pandas.DataFrame(
        {
            "wind": [numpy.nan if n % 7 == 0 else n / 2 for n in range(count)],
            "hour": [n % 24 for n in range(count)],
            "rain": [n % 5 == 0 for n in range(count)],
            "late": [n % 2 for n in range(count)],
        }
    )


def translations(count: int) -> pandas.DataFrame:
    messages = [f"message {n // 4}" for n in range(count)]
    texts = [f"text {n}" for n in range(count)]
    return pandas.DataFrame({"text": texts, "label": [f"l{n % 4}" for n in range(count)], "message": messages})


def refused_csv(tmp_path: Path, text: str | bytes, data: Data = DATA, task: Task = "regression") -> str:
    file = tmp_path / "mine.csv"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(Refused) as refused:
        read_csv(file, data, task)
    return str(refused.value).replace(str(tmp_path), "")


def accepted_csv(tmp_path: Path, text: str, data: Data = DATA, task: Task = "regression") -> pandas.DataFrame:
    file = tmp_path / "mine.csv"
    file.write_text(text, newline="")
    return read_csv(file, data, task)


def lines(part: Part) -> list[list[str]]:
    """As a reader of the canonical CSV sees it."""
    return list(csv.reader(io.StringIO(part.csv.decode(), newline="")))[1:]


def test_every_row_is_on_one_side_of_the_split() -> None:
    dataset = split(rows(1000), DATA, "regression", "made up")
    training, holdout = dataset.training.csv.splitlines()[1:], dataset.holdout.csv.splitlines()[1:]
    assert len(training) + len(holdout) == 1000
    assert not set(training) & set(holdout)
    assert 150 < len(holdout) < 250


def test_the_split_does_not_depend_on_the_order_of_rows() -> None:
    frame = rows(500)
    shuffled = frame.sample(frac=1, random_state=1)
    first, second = (set(split(one, DATA, "regression", "").holdout.csv.splitlines()) for one in (frame, shuffled))
    assert first == second


def test_equal_rows_fall_on_the_same_side() -> None:
    doubled = pandas.concat([rows(300), rows(300)])
    dataset = split(doubled, DATA, "regression", "made up")
    assert not set(dataset.training.csv.splitlines()[1:]) & set(dataset.holdout.csv.splitlines()[1:])


def test_the_digest_is_that_of_the_canonical_csv() -> None:
    holdout = split(rows(300), DATA, "regression", "made up").holdout
    assert holdout.digest.sha256 == hashlib.sha256(holdout.csv).hexdigest()
    assert holdout.csv.startswith(b"carat,cut,price\n")
    assert holdout.digest.rows == len(holdout.csv.splitlines()) - 1


@pytest.mark.thorough
def test_the_pinned_hold_out_of_diamond_price_is_what_the_package_gives() -> None:
    from plotnine.data import diamonds

    config = load_model_config(MODELS, "diamond-price")
    frame = diamonds.astype({"cut": str, "color": str, "clarity": str, "price": float})
    assert split(frame, config.data, config.task, "").holdout.digest.sha256 == config.data.holdout_sha256


@pytest.mark.process
def test_our_digest_sees_a_change_that_the_one_of_mlflow_does_not() -> None:
    before = rows(20_000)
    after = before.copy()
    after.loc[15_000, "carat"] = -1.0
    of_mlflow = [from_pandas(frame).digest for frame in (before, after)]
    assert of_mlflow[0] == of_mlflow[1]
    ours = [split(frame, DATA, "regression", "") for frame in (before, after)]
    assert [one.training.digest.sha256 for one in ours] != [ours[0].training.digest.sha256] * 2


def test_rows_that_are_alike_in_the_split_column_fall_on_the_side_that_its_hash_says() -> None:
    dataset = split(translations(2000), TEXTS, "classification", "made up")
    held = {
        f"message {n}" for n in range(500) if int(hashlib.sha256(b"message %d" % n).hexdigest()[:16], 16) % 100 < 30
    }
    assert {f"message {int(text.split()[1]) // 4}" for text, _ in lines(dataset.holdout)} == held
    assert len(lines(dataset.holdout)) == 4 * len(held)
    assert dataset.holdout.csv.startswith(b"text,label\n")


def test_a_frame_without_the_split_column_is_split_by_its_rows() -> None:
    frame = translations(2000).drop(columns="message")
    dataset = split(frame, TEXTS, "classification", "made up")
    groups = {int(text.split()[1]) // 4 for text, _ in lines(dataset.holdout)}
    assert len(groups) < len(lines(dataset.holdout)) < 4 * len(groups)


def test_a_missing_number_is_an_empty_field_and_nan() -> None:
    dataset = split(flights(700), LATE, "binary-classification", "made up")
    both = lines(dataset.training) + lines(dataset.holdout)
    assert sum(line[0] == "" for line in both) == 100
    assert dataset.training.inputs["wind"].isna().sum() + dataset.holdout.inputs["wind"].isna().sum() == 100
    assert {tuple(line[2:]) for line in both} == {("True", "0"), ("True", "1"), ("False", "0"), ("False", "1")}


def test_the_target_has_the_type_of_the_task() -> None:
    assert split(rows(300), DATA, "regression", "").training.target.dtype == "float64"
    assert split(flights(300), LATE, "binary-classification", "").training.target.dtype == "int64"
    assert set(split(translations(300), TEXTS, "classification", "").training.target) == {"l0", "l1", "l2", "l3"}


def test_texts_with_line_breaks_quotes_and_other_scripts_are_read_back_as_they_are_trained_on() -> None:
    frame = translations(400)
    frame["text"] = [f'{n} "a",\r\nb\rc\n{"語ж"[n % 2]}' for n in range(400)]
    dataset = split(frame, TEXTS, "classification", "made up")
    for part in (dataset.training, dataset.holdout):
        assert [text for text, _ in lines(part)] == list(part.inputs["text"])
        assert all("\n" in text and "\r" not in text for text in part.inputs["text"])


@pytest.mark.parametrize(
    ("column", "value", "complaint"),
    [
        ("wind", numpy.inf, "column 'wind': expected finite numbers, found an infinite one"),
        ("wind", "strong", "column 'wind': expected numbers, found strong of type str: declare the type that it has"),
        ("wind", 10**400, "column 'wind': int too large to convert to float"),
        ("wind", "3_750", "column 'wind': expected numbers, found 3_750 of type str"),
        ("hour", 1.5, "column 'hour': expected whole numbers, found 1.5"),
        ("hour", True, "column 'hour': expected whole numbers, found True of type bool"),
        ("hour", 2.0**63, "column 'hour': expected whole numbers of 64 bits, found 9.2"),
        ("hour", numpy.nan, "column 'hour': expected a value in every row, found 1 without"),
        ("rain", "false", "column 'rain': expected true or false, found false of type str"),
        ("rain", 2, "column 'rain': expected true or false, found 2"),
        ("late", 2, "column 'late': expected 0 or 1, found 2"),
        ("late", "1", "column 'late': expected 0 or 1, found 1 of type str"),
    ],
)
def test_a_frame_that_is_not_what_is_declared_is_refused_by_column(column: str, value: object, complaint: str) -> None:
    frame = flights(300).astype({column: object})
    frame.loc[3, column] = value
    with pytest.raises(Refused) as refused:
        split(frame, LATE, "binary-classification", "made up")
    assert str(refused.value).startswith(f"made up: {complaint}")


@pytest.mark.parametrize("nothing", [None, ""])
def test_a_text_is_never_missing(nothing: str | None) -> None:
    frame = rows(300)
    frame.loc[3, "cut"] = nothing
    with pytest.raises(Refused, match="made up: column 'cut': expected a value in every row, found 1 without"):
        split(frame, DATA, "regression", "made up")


def test_a_frame_that_lacks_a_column_is_refused_by_its_name() -> None:
    with pytest.raises(Refused, match="made up: expected columns carat, cut, price; missing: cut"):
        split(rows(300).drop(columns="cut"), DATA, "regression", "made up")


def test_too_few_rows_for_two_sides_are_refused() -> None:
    with pytest.raises(Refused, match="made up: expected enough rows for a training set and a hold-out, found 1"):
        split(rows(1), DATA, "regression", "made up")


@pytest.mark.parametrize("side", ["training set", "hold-out"])
def test_a_side_with_a_single_label_is_refused(side: str) -> None:
    frame = translations(400)
    dataset = split(frame, TEXTS, "classification", "made up")
    inputs = {"training set": dataset.training, "hold-out": dataset.holdout}[side].inputs
    frame.loc[inputs.index, "label"] = "same"
    complaint = f"made up: expected at least two labels in the {side}, found only 'same' in its {len(inputs)} rows"
    with pytest.raises(Refused, match=complaint):
        split(frame, TEXTS, "classification", "made up")


def test_a_file_is_read_as_its_columns_are_declared(tmp_path: Path) -> None:
    text = "late,hour,wind,rain,other\n1,7,,TRUE,x\n0,8,0.30000000000000004,false,y\n"
    frame = accepted_csv(tmp_path, text, LATE, "binary-classification")
    assert list(frame.columns) == ["wind", "hour", "rain", "late"]
    assert frame["wind"].isna().tolist() == [True, False]
    assert frame.loc[1].tolist() == [0.1 + 0.2, 8, False, 0]


def test_the_split_column_of_a_file_is_taken_along(tmp_path: Path) -> None:
    assert list(accepted_csv(tmp_path, "message,label,text\nm,l,t\n", TEXTS, "classification").columns) == [
        "text", "label", "message"
    ]  # fmt: skip
    assert list(accepted_csv(tmp_path, "label,text\nl,t\n", TEXTS, "classification").columns) == ["text", "label"]


@pytest.mark.parametrize("start", ["", "\ufeff"])
def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path: Path, start: str) -> None:
    assert accepted_csv(tmp_path, start + "carat,cut,price\r\n1,a,2\r\n")["carat"].tolist() == [1.0]


def test_a_file_that_lacks_a_column_is_refused_by_its_name(tmp_path: Path) -> None:
    assert refused_csv(tmp_path, "carat,price\n1,2\n") == (
        "/mine.csv: expected columns carat, cut, price; missing: cut; found the header carat, price"
    )


def test_a_file_that_has_a_column_twice_is_refused_by_its_name(tmp_path: Path) -> None:
    assert refused_csv(tmp_path, "carat,cut,price,cut\n1,a,2,b\n") == (
        "/mine.csv: expected each column once, found 'cut' 2 times"
    )


@pytest.mark.parametrize(
    "found", ["heavy", "inf", "infinity", "3_750", "0x10", "\u0661\u0662", "1e400", "39.1 mm", "45%", "1d5", "."]
)
def test_a_cell_that_is_no_number_is_refused_by_line_and_column(tmp_path: Path, found: str) -> None:
    text = f"carat,cut,price\n1,a,2\n{found},b,3\n"
    assert refused_csv(tmp_path, text) == f"/mine.csv:3: column 'carat': expected a number, found '{found}'"


@pytest.mark.parametrize(
    ("text", "number"), [(" 12 ", 12.0), ("1e5", 1e5), ("-.5", -0.5), ("+3.", 3.0), ("1.50E-3", 0.0015)]
)
def test_a_cell_is_a_number_as_every_tool_writes_one(tmp_path: Path, text: str, number: float) -> None:
    assert accepted_csv(tmp_path, f"carat,cut,price\n{text},a,2\n")["carat"].tolist() == [number]


@pytest.mark.parametrize(
    ("cell", "advice"),
    [
        ("39,1", ": write decimals behind a point, 39.1"),
        ("3,750", ": write it without a separator of thousands, and decimals behind a point"),
        ("1.234,5", ": write it without a separator of thousands, and decimals behind a point"),
        ("1 234 567", ": write it without a separator of thousands, and decimals behind a point"),
        ("", ", a missing value: list an input in data.optional of model.yaml, or leave out the row"),
        ("NA", ", a missing value: list an input in data.optional of model.yaml, or leave out the row"),
    ],
)
def test_a_number_that_is_written_otherwise_is_named_with_what_to_do(tmp_path: Path, cell: str, advice: str) -> None:
    text = f'carat,cut,price\n1,a,2\n"{cell}",b,3\n'
    assert refused_csv(tmp_path, text) == f"/mine.csv:3: column 'carat': expected a number, found '{cell}'{advice}"


def test_what_other_tools_write_for_a_missing_number_is_one_where_the_column_is_optional(tmp_path: Path) -> None:
    missing = ["", " ", "NA", "N/A", "#N/A", "NaN", "nan", "null", "NULL", "None", "?", "<NA>", "\\N"]
    text = "wind,hour,rain,late\n" + "".join(f"{cell},7,true,1\n" for cell in missing)
    assert accepted_csv(tmp_path, text, LATE, "binary-classification")["wind"].isna().all()


def test_a_whole_number_may_be_written_as_pandas_does_beside_missing_ones(tmp_path: Path) -> None:
    text = "wind,hour,rain,late\n1,7.0,true,1\n1,8.,true, 0\n"
    assert accepted_csv(tmp_path, text, LATE, "binary-classification")["hour"].tolist() == [7, 8]


def test_a_line_is_counted_as_an_editor_counts_it(tmp_path: Path) -> None:
    text = 'text,label\n"two\nlines",a\n\nshort,b\nlonger,\n'
    said = refused_csv(tmp_path, text, TEXTS, "classification")
    assert said.startswith("/mine.csv:6: column 'label': expected a text, found '', a missing value")


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ("high,7,true,1", "column 'wind': expected a number or an empty field, found 'high'"),
        ("1,7.5,true,1", "column 'hour': expected a whole number, found '7.5'"),
        ("1,9223372036854775808,true,1", "column 'hour': expected a whole number, found '9223372036854775808'"),
        (
            "1,,true,1",
            "column 'hour': expected a whole number, found '', a missing value: list an input in data.optional of "
            "model.yaml, or leave out the row",
        ),
        (
            "1,NA,true,1",
            "column 'hour': expected a whole number, found 'NA', a missing value: list an input in data.optional of "
            "model.yaml, or leave out the row",
        ),
        ("1,7,yes,1", "column 'rain': expected true or false, found 'yes'"),
        ("1,7,true,2", "column 'late': expected 0 or 1, found '2'"),
        ("1,7,true", "expected 4 fields, found 3"),
        ("1,7,true,1,", "expected 4 fields, found 5, the last one empty: remove ',' at the end of the row"),
        (
            "1,7,true,1,1",
            "expected 4 fields, found 5: quote a field that has ',' in it, and name every column in the header",
        ),
        ('1,7,true,"1"x', "expected CSV, found: ',' expected after '\"'"),
    ],
)
def test_a_wrong_row_is_refused_by_its_line(tmp_path: Path, row: str, complaint: str) -> None:
    text = f"wind,hour,rain,late\n1,7,true,1\n{row}\n"
    assert refused_csv(tmp_path, text, LATE, "binary-classification") == f"/mine.csv:3: {complaint}"


def test_a_long_text_is_shown_by_its_beginning(tmp_path: Path) -> None:
    assert refused_csv(tmp_path, f"carat,cut,price\n{'x' * 1000},a,1\n").endswith(f"found '{'x' * 60}'…")


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    assert refused_csv(tmp_path, b"") == "/mine.csv: expected a CSV file with a header, found it empty"


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="no.csv: expected a CSV file with a header, cannot read it: No such file"):
        read_csv(tmp_path / "no.csv", DATA, "regression")
