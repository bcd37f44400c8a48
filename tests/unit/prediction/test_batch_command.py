"""The command of a release's container for batch: every row is scored or set aside, whole or not at all."""

import csv
import hashlib
import json
import math
import resource
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from pyarrow import parquet

from services.contract.distribution import distribution_of
from services.contract.errors import Refused
from services.contract.receipt import Receipt
from services.contract.release import Golden, Release
from services.prediction.batch.__main__ import main
from services.prediction.batch.formats import MOST_BYTES, MOST_ROWS, find_format
from services.prediction.batch.job import compared_with
from services.prediction.batch.replay import replay
from services.prediction.predictor import Predictor, load_predictor
from tests.support.paths import ROOT
from tests.support.release_factory import SKLEARN, ReleasePlan, build_release

COLUMNS: dict[str, list[Any]] = {
    "id": [1, 2, 3, 4, 5],
    "carat": [0.3, 0.7, None, 1.5, 2.1],
    "cut": ["Ideal", "Fair", "Good", "größer", "Ideal"],
    "grade": [1, 2, 3, 4, 5],
}
WORDS = "column 'carat': expected a number, found null"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="module")
def release(store: Path) -> Release:
    return build_release(store)


@pytest.fixture(scope="module")
def loaded(store: Path, release: Release) -> Predictor:
    return load_predictor(store / "releases" / release.digest, release.digest)


@pytest.fixture
def run(store: Path, release: Release, tmp_path: Path) -> Callable[..., int]:
    def score(path: Path, *more: str, digest: str = release.digest) -> int:
        folder = store / "releases" / release.digest
        given = [str(folder), "--digest", digest, "--input", str(path), "--output", str(tmp_path / "out")]
        return main([*given, *more])

    return score


def write_parquet(path: Path, columns: dict[str, Any]) -> None:
    parquet.write_table(pyarrow.table(columns), path)


def write_csv(path: Path, columns: dict[str, Any]) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([list(columns), *zip(*columns.values(), strict=True)])


def write_jsonl(path: Path, columns: dict[str, Any]) -> None:
    rows = zip(*columns.values(), strict=True)
    path.write_text("".join(json.dumps(dict(zip(columns, row, strict=True))) + "\n" for row in rows))


WRITE = {"parquet": write_parquet, "csv": write_csv, "jsonl": write_jsonl}


def read(folder: Path) -> list[dict[str, Any]]:
    return list(pyarrow.concat_tables([parquet.read_table(path) for path in sorted(folder.iterdir())]).to_pylist())


def receipt_of(tmp_path: Path) -> Receipt:
    return Receipt.read(tmp_path / "out" / "receipt.json")


def said(capsys: pytest.CaptureFixture[str]) -> str:
    printed = capsys.readouterr()
    assert printed.out == ""
    (line,) = printed.err.splitlines()
    return line


@pytest.mark.parametrize("kind", WRITE)
def test_a_file_is_scored_as_the_service_answers_and_every_row_is_there(
    kind: str, run: Callable[..., int], release: Release, loaded: Predictor, tmp_path: Path
) -> None:
    path = tmp_path / f"rows.{kind}"
    WRITE[kind](path, COLUMNS)
    assert run(path, "--keep", "id") == 0
    scored, (rejected,) = read(tmp_path / "out" / "scored"), read(tmp_path / "out" / "rejected")
    rows = [row for row in zip(COLUMNS["carat"], COLUMNS["cut"], COLUMNS["grade"], strict=True) if row[0] is not None]
    assert [row["prediction"] for row in scored] == loaded.ask(rows)
    assert [int(row["id"]) for row in scored] == [1, 2, 4, 5]
    assert {row["release"] for row in scored} == {release.digest}
    assert (int(rejected["id"]), rejected["cut"], rejected["reason"]) == (3, "Good", WORDS)
    receipt = receipt_of(tmp_path)
    assert (receipt.rows_in, receipt.rows_scored, receipt.rows_rejected) == (5, 4, 1)
    assert receipt.rejected == {WORDS: 1}
    (given,) = receipt.inputs
    assert (given.path, given.rows) == (f"rows.{kind}", 5)
    assert given.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    for output in receipt.outputs:
        assert output.sha256 == hashlib.sha256((tmp_path / "out" / output.path).read_bytes()).hexdigest()
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["receipt.json", "rejected", "scored"]


def test_all_files_of_a_folder_are_scored_but_for_marks_of_others(run: Callable[..., int], tmp_path: Path) -> None:
    folder = tmp_path / "in" / "more"
    folder.mkdir(parents=True)
    write_parquet(folder.parent / "a.parquet", COLUMNS)
    write_parquet(folder / "b.parquet", COLUMNS)
    for mark in ("_SUCCESS", ".a.parquet.crc"):
        (folder.parent / mark).write_text("x")
    assert run(folder.parent, "--output-format", "csv") == 0
    assert [(one.path, one.rows) for one in receipt_of(tmp_path).inputs] == [("a.parquet", 5), ("more/b.parquet", 5)]
    assert (tmp_path / "out" / "scored" / "part-00000.csv").read_text().count("diamond-price") == 8


def test_lines_that_are_no_rows_are_set_aside_in_the_services_words(run: Callable[..., int], tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("\ufeffcarat,cut,grade\r\n0.3,Ideal,1\r\n\r\n0.3,Ideal\r\n1,Fair,2,\r\n")
    assert run(tmp_path / "rows.csv") == 0
    assert [(row["cut"], row["reason"]) for row in read(tmp_path / "out" / "rejected")] == [
        ("Ideal", "expected a list of 3 values, found a list of 2"),
        ("Fair", "expected a list of 3 values, found a list of 4"),
    ]


def test_lines_that_are_no_objects_are_set_aside_in_the_services_words(run: Callable[..., int], tmp_path: Path) -> None:
    good = '{"carat": 0.3, "cut": "Ideal", "grade": 1}'
    twice = '{"carat": 0.3, "carat": 1, "cut": "Ideal", "grade": 1}'
    strange = '{"carat": "0.3", "cut": [], "grade": 1.5}'
    (tmp_path / "rows.jsonl").write_text("\n".join([good, "", "[1]", twice, strange, '{"carat": 0', good]))
    assert run(tmp_path / "rows.jsonl") == 0
    assert sorted(row["reason"] for row in read(tmp_path / "out" / "rejected")) == [
        "column 'carat': expected a number, found a string; column 'cut': expected a string, found a list of 0; "
        "column 'grade': expected a whole number, found a number",
        "expected a JSON object in UTF-8, found something else",
        "expected a JSON object, found a list of 1",
        "expected each name once in a JSON object, found one twice",
    ]
    assert receipt_of(tmp_path).rows_scored == 2


def table(columns: dict[str, Any], kind: str = "parquet") -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        WRITE[kind](folder / f"rows.{kind}", columns)
        return folder / f"rows.{kind}"

    return write


def content(name: str, written: bytes) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        (folder / name).write_bytes(written)
        return folder / name

    return write


def folder_of(*writers: Callable[[Path], Path]) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        for writer in writers:
            writer(folder)
        return folder

    return write


def cut_short(folder: Path) -> Path:
    path = table(COLUMNS)(folder)
    path.write_bytes(path.read_bytes()[:-20])
    return path


def damaged(folder: Path) -> Path:
    path = folder / "rows.parquet"
    parquet.write_table(pyarrow.table(COLUMNS), path, compression="zstd", use_dictionary=False)
    written = bytearray(path.read_bytes())
    written[20:60] = bytes(40)
    path.write_bytes(written)
    return path


WITHOUT = {name: cells for name, cells in COLUMNS.items() if name != "grade"}
NONE: dict[str, Any] = {name: cells[:0] for name, cells in COLUMNS.items()}
HEADER = b"carat,cut,grade\n"
STOPPED: dict[str, tuple[Callable[[Path], Path], int, str]] = {
    "a missing path": (lambda folder: folder / "none", 66, "expected a file of rows or a folder of such files, found"),
    "an empty folder": (folder_of(), 66, "expected a folder with files of rows, found no file"),
    "a folder of marks": (folder_of(content("_SUCCESS", b"")), 66, "found no file"),
    "an empty file": (content("rows.csv", b""), 64, "rows.csv: expected a file with rows, found an empty one"),
    "a header alone": (content("rows.csv", HEADER), 64, "expected rows, found none"),
    "blank lines": (content("rows.jsonl", b"\n \n"), 64, "expected JSON lines, an object a line, found no line"),
    "no rows": (lambda folder: cast_table(folder), 64, "expected rows, found none"),
    "a column missing": (table(WITHOUT), 64, "rows.parquet: expected columns that diamond-price 1-aaaaaaaa takes, "
                         "found: column 'grade' is missing"),
    "a column missing in csv": (table(WITHOUT, "csv"), 64, "column 'grade' is missing"),
    "texts for numbers": (table({**COLUMNS, "carat": ["1"] * 5}), 64, "column 'carat': expected numbers, found string"),
    "no such format": (content("rows.xlsx", b"PK"), 64, "expected a name that ends in .parquet, .csv, .jsonl, .ndjson"),
    "two formats": (folder_of(table(COLUMNS), table(COLUMNS, "csv")), 64, "expected files of one format, found"),
    "other columns": (folder_of(table(COLUMNS), content("s.parquet", b"PAR1")), 64, "expected a whole file of Parquet"),
    "no parquet": (content("rows.parquet", b"carat,cut\n1,2\n"), 64, "rows.parquet: expected a whole file of Parquet, "
                   "cannot read it"),
    "parquet cut short": (cut_short, 64, "rows.parquet: expected a whole file of Parquet, cannot read it"),
    "a damaged page": (damaged, 64, "rows.parquet: expected a whole file of Parquet, cannot read it"),
    "another encoding": (content("rows.csv", HEADER + "1,größer,1\n".encode("latin-1")), 64, "expected CSV in UTF-8"),
    "an open quotation": (content("rows.csv", HEADER + b'1,"Ideal,1\n' * 9), 64, "expected CSV in UTF-8, found"),
    "a column missing in json": (table(WITHOUT, "jsonl"), 64, "column 'grade' is missing"),
    "a list": (content("rows.json", b'[{"carat": 1}]'), 64, "expected JSON lines, an object a line; the first line"),
}  # fmt: skip


def cast_table(folder: Path) -> Path:
    kinds = pyarrow.schema([("carat", "double"), ("cut", "string"), ("grade", "int64")])
    parquet.write_table(kinds.empty_table(), folder / "rows.parquet")
    return folder / "rows.parquet"


@pytest.mark.parametrize("case", STOPPED)
def test_what_cannot_be_scored_is_one_line_a_status_of_its_own_and_no_output(
    case: str, run: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make, status, message = STOPPED[case]
    (tmp_path / "in").mkdir()
    assert run(make(tmp_path / "in")) == status
    assert message in said(capsys)
    assert not (tmp_path / "out").exists() or list((tmp_path / "out").iterdir()) == []


def test_files_of_a_folder_that_differ_in_their_columns_are_refused(
    run: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    write_parquet(folder / "a.parquet", {"carat": [1.0], "cut": ["Fair"], "grade": [1]})
    write_parquet(folder / "b.parquet", {"carat": [1.0], "cut": ["Fair"], "grade": [1.0]})
    assert run(folder) == 64
    assert "b.parquet: expected the columns of a.parquet, carat double, cut string, grade int64, found" in said(capsys)


def test_an_object_may_leave_out_what_another_has(run: Callable[..., int], tmp_path: Path) -> None:
    whole = {"carat": 0.3, "cut": "Ideal", "grade": 1}
    (tmp_path / "in").mkdir()
    for name, lines in {"a": [{"cut": "Fair", "grade": 1}, whole], "b": [{**whole, "more": 1}, {}]}.items():
        (tmp_path / "in" / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert run(tmp_path / "in", "--keep", "cut") == 0
    assert receipt_of(tmp_path).rejected == {
        WORDS: 1,
        f"{WORDS}; column 'cut': expected a string, found null; column 'grade': expected a whole number, found null": 1,
    }


def test_an_image_that_is_no_digest_is_refused_before_any_work(
    run: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        run(tmp_path, "--image", "latest")
    assert "expected sha256:<64 hexadecimal digits>, found 'latest'" in capsys.readouterr().err


def test_an_output_that_is_not_empty_is_left_as_it_is(
    run: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("x")
    assert run(table(COLUMNS)(tmp_path)) == 73
    assert "expected an empty folder, found mine: choose another --output" in said(capsys)
    assert (tmp_path / "out" / "mine").read_text() == "x"


def test_an_output_that_is_no_folder_cannot_be_written(
    run: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out").write_text("x")
    assert run(table(COLUMNS)(tmp_path)) == 73
    assert "expected to write the output there, found:" in said(capsys)


def test_what_a_killed_run_left_is_removed(run: Callable[..., int], tmp_path: Path) -> None:
    (tmp_path / "out" / ".incomplete" / "scored").mkdir(parents=True)
    assert run(table(COLUMNS)(tmp_path)) == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["receipt.json", "rejected", "scored"]


@pytest.mark.process
@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_an_output_that_does_not_fit_is_a_status_of_its_own_and_nothing_is_left(
    kind: str, store: Path, release: Release, tmp_path: Path
) -> None:
    """The limit of a file's size stands for a full disk, which a plain user cannot make."""
    rows = table({**{name: cells * 1000 for name, cells in COLUMNS.items()}, "id": list(range(5000))})(tmp_path)
    given = [str(store / "releases" / release.digest), "--digest", release.digest, "--input", str(rows)]
    given += ["--output", str(tmp_path / "out"), "--keep", "id", "--output-format", kind]
    done = subprocess.run(
        [sys.executable, "-m", "services.prediction.batch", *given],
        cwd=ROOT, capture_output=True, text=True, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000)),
    )  # fmt: skip
    assert done.returncode == 73, done.stderr
    assert done.stderr == f"{tmp_path / 'out'}: expected to write the output there, found: File too large\n"
    assert list((tmp_path / "out").iterdir()) == []


def test_another_release_is_refused_before_the_input_is_looked_at(
    run: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path / "none", digest="0" * 64) == 65
    assert "expected digest 000000000000…" in said(capsys)


def test_golden_answers_of_another_model_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    release = build_release(tmp_path, ReleasePlan(golden_shift=0.01))
    folder = tmp_path / "releases" / release.digest
    given = [str(folder), "--digest", release.digest, "--input", str(tmp_path), "--output", str(tmp_path / "out")]
    assert main(given) == 65
    assert "golden row 0: expected" in said(capsys)


def test_the_answers_are_compared_with_those_to_the_hold_out_else_with_enough_golden_ones(release: Release) -> None:
    numbers = [float(place) for place in range(100)]
    known = release.manifest.model_copy(update={"answers": distribution_of("regression", numbers)})
    golden = Golden(columns=("carat",), rows=((1.0,),) * 20, predictions=tuple(numbers[:20]))
    few = golden.model_copy(update={"predictions": golden.predictions[:4]})
    assert compared_with(known, golden) == (known.answers, "100 answers to the hold-out")
    found, words = compared_with(release.manifest, golden)
    assert (found, words) == (
        distribution_of("regression", numbers[:20]), "20 golden predictions, rows at the edge among them",
    )  # fmt: skip
    assert compared_with(release.manifest, few) == (None, "nothing: the release has 4 golden predictions")


def test_columns_that_are_answered_otherwise_than_rows_are_refused(loaded: Predictor, store: Path) -> None:
    class Apart:
        """Answers rows as it should."""

        predict = staticmethod(loaded.model.predict)

        def predict_proba(self, rows: Sequence[Any], classes: Sequence[str]) -> list[Any]:
            raise NotImplementedError

        def predict_columns(self, columns: Sequence[Any]) -> Mapping[str, Any]:
            return {"prediction": [1.0] * len(columns[0])}

    golden = Golden.read(store / "releases" / loaded.release.digest / "golden.json")
    replay(loaded, golden)
    with pytest.raises(Refused, match="golden row 0: expected"):
        replay(Predictor(loaded.release, SKLEARN, Apart()), golden)


@pytest.mark.parametrize("kind", WRITE)
def test_few_rows_are_held_at_once_and_fewer_wide_ones(kind: str, tmp_path: Path) -> None:
    reader, path = find_format(kind), tmp_path / f"rows.{kind}"
    for text, rows, most in (("x", 20_000, MOST_ROWS), ("x" * (MOST_BYTES // 4), 10, 5)):
        WRITE[kind](path, {"text": [f"{text}{place}" for place in range(rows)]})
        parts = list(reader.parts(path, reader.schema(path)))
        assert sum(len(part.rows) for part in parts) == rows
        assert max(len(part.rows) for part in parts) <= most
        assert math.isclose(parts[-1].done, 1.0)
