"""CSV as spreadsheets, R and other tools write it: read as it is meant, or named with its line and what to do."""

import gzip
from pathlib import Path

import pandas
import pytest

from services.contract.csv_table import read_table
from services.contract.errors import Refused
from services.contract.model_config import Data
from training.dataset import split
from training.lookalikes import lookalikes
from training.sources import file_sources

WANTED = ("mass", "species")
ROWS = [["39.1", "Adelie"], ["40.2", "Gentoo, the"]]
LINES = 'mass,species\n39.1,Adelie\n40.2,"Gentoo, the"\n'
# Without a time, so that a test's name is the same in each process that runs some.
PACKED = gzip.compress(LINES.encode(), mtime=0)


def rows(tmp_path: Path, content: bytes | str) -> list[list[str]]:
    file = tmp_path / "mine.csv"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    columns = read_table(file, WANTED).columns
    return [list(row) for row in zip(*(columns[name] for name in WANTED), strict=True)]


def refused(tmp_path: Path, content: bytes | str) -> str:
    with pytest.raises(Refused) as error:
        rows(tmp_path, content)
    assert "\n" not in str(error.value)
    return str(error.value).replace(f"{tmp_path}/", "")


@pytest.mark.parametrize(
    "content",
    [
        "mass;species\n39.1;Adelie\n40.2;Gentoo, the\n",
        "mass\tspecies\n39.1\tAdelie\n40.2\tGentoo, the\n",
        "mass|species\n39.1|Adelie\n40.2|Gentoo, the\n",
        'sep=;\r\n"mass";"species"\r\n39.1;Adelie\r\n40.2;"Gentoo, the"\r\n',
        "a, b;mass;species\nx;39.1;Adelie\ny;40.2;Gentoo, the\n",
        LINES.replace("mass,", " mass , "),
        LINES.replace("\n", "\r"),
        LINES.replace("\n", "\r\n"),
        "\ufeff" + LINES,
        "\ufeff\ufeff" + LINES.replace("40.2", "\ufeff40.2"),
        PACKED,
        gzip.compress(("\ufeff" + LINES).encode(), mtime=0),
    ],
)
def test_a_file_is_read_whatever_separates_ends_marks_or_packs_it(tmp_path: Path, content: bytes | str) -> None:
    assert rows(tmp_path, content) == ROWS


@pytest.mark.parametrize(
    ("content", "line", "found"),
    [
        ("mass,species\n1,a\n2,d\u00e9\n".encode("latin-1"), 3, "the byte 0xe9, which is '\u00e9' in Windows-1252"),
        ("mass,species\r1,a\r2,d\u00e9\r".encode("latin-1"), 3, "the byte 0xe9, which is '\u00e9' in Windows-1252"),
        ("m\u00e4ss,species\n".encode("cp1252"), 1, "the byte 0xe4, which is '\u00e4' in Windows-1252"),
    ],
)
def test_bytes_of_another_encoding_are_named_by_their_line(
    tmp_path: Path, content: bytes, line: int, found: str
) -> None:
    said = refused(tmp_path, content)
    assert said.startswith(f"mine.csv:{line}: expected text in UTF-8, found {found}: convert it, such as with `iconv ")
    assert said.endswith("iconv -f WINDOWS-1252 -t UTF-8 mine.csv > utf-8.csv`")


def test_no_encoding_is_guessed_for_a_byte_that_is_no_letter_of_windows(tmp_path: Path) -> None:
    said = refused(tmp_path, b"mass,species\n1,\x81\n")
    assert said.startswith(
        "mine.csv:2: expected text in UTF-8, found the byte 0x81: convert it, such as with `iconv -f ITS"
    )


@pytest.mark.parametrize("encoding", ["UTF-16", "UTF-16LE", "UTF-16BE", "UTF-32"])
def test_a_wide_encoding_is_named_with_the_command_that_converts_it(tmp_path: Path, encoding: str) -> None:
    assert refused(tmp_path, LINES.encode(encoding)) == (
        f"mine.csv:1: expected text in UTF-8, found {encoding}: convert it, such as with "
        f"`iconv -f {encoding} -t UTF-8 mine.csv > utf-8.csv`"
    )


def test_the_command_for_a_packed_file_unpacks_it(tmp_path: Path) -> None:
    file = tmp_path / "my rows.csv.gz"
    file.write_bytes(gzip.compress("mass,species\n1,\u00e9\n".encode("latin-1")))
    with pytest.raises(Refused, match=r"`gunzip -c '.*/my rows.csv.gz' \| iconv -f WINDOWS-1252 -t UTF-8 > utf-8.csv`"):
        read_table(file, WANTED)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"PK\x03\x04rest", "mine.csv: expected a CSV file with a header, found an Excel workbook or another zip"),
        (b"PAR1rest", "mine.csv: expected a CSV file with a header, found a Parquet file: write the rows as CSV"),
        (PACKED[:-9], "mine.csv: expected a whole gzip file, found it damaged: Compressed file"),
        ("mass,species\n1,a\n2,b\0\n", "mine.csv:3: expected text, found a NUL byte"),
        ('mass,species\n1,a\n2,"b\n3,c\n', "mine.csv:3: expected the end of the field whose quote opens in this row, "
         "found none up to line 4"),
        ('mass,species\n1,a\n2,"b\n3,c\n4,"d"\n', "mine.csv:3: expected the end of the field whose quote opens in this "
         "row, found none up to line 5"),
        ('"mass,species\n1,a\n', "mine.csv: expected columns mass, species; missing: mass, species; found a quote"),
        ("mass species\n1 a\n", "mine.csv: expected columns mass, species; missing: mass, species; found one column, "
         "'mass species': separate fields by , ; | or a tab"),
        ("Mass;species\n1;a\n", "mine.csv: expected columns mass, species; missing: mass; found Mass: write them as"),
        ("mass;species\n1;a;\n", "mine.csv:2: expected 2 fields, found 3, the last one empty: remove ';' at the end"),
        ("39.1,Adelie\n40.2,Gentoo\n", "mine.csv: expected columns mass, species; missing: mass, species; found the "
         "header 39.1, Adelie"),
        (b"\x80\x04\x95rest", "mine.csv:1: expected text in UTF-8, found a binary file: write the rows as CSV"),
        ("\n\n", "mine.csv: expected a CSV file with a header, found it empty"),
    ],
)  # fmt: skip
def test_what_is_no_csv_is_named_in_one_line(tmp_path: Path, content: bytes | str, complaint: str) -> None:
    assert refused(tmp_path, content).startswith(complaint)


def test_a_text_longer_than_the_csv_module_takes_is_read(tmp_path: Path) -> None:
    text = "penguin " * 20_000
    assert rows(tmp_path, f"mass,species\n1,{text}\n") == [["1", text]]


def test_a_packed_file_is_recorded_as_it_was_given(tmp_path: Path) -> None:
    file = tmp_path / "mine.csv.gz"
    file.write_bytes(PACKED)
    assert file_sources(file).files[0].size == file.stat().st_size


def test_a_pipe_is_refused_because_it_can_be_read_once_only() -> None:
    with pytest.raises(Refused, match="/dev/null: expected a file, which is read twice, found a pipe or a device"):
        file_sources(Path("/dev/null"))


DATA = Data(source="m", target="species", columns={"n": "double", "sex": "string"}, holdout_sha256=None)


def notes(sex: list[str], species: list[str]) -> list[str]:
    frame = pandas.DataFrame({"n": [float(n) for n in range(300)], "sex": sex * 100, "species": species * 100})
    return lookalikes(split(frame, DATA, "classification", "m"))


def test_values_that_a_person_takes_for_one_are_named_together() -> None:
    assert notes(["m", "f", "f"], ["Adelie", "Adelie ", "Gentoo"]) == [
        "note: column 'species' has 'Adelie ' in 100 rows beside 'Adelie' in 100, which are two values to a model: "
        "write them alike if they are one"
    ]
    assert len(notes(["m", "f", "F"], ["A\u0308", "\u00c4", "B"])) == 2


def test_a_space_around_a_value_and_a_missing_value_that_is_a_text_are_named() -> None:
    assert notes([" m", " f", " f"], ["a", "b", "NA"]) == [
        "note: column 'sex' has ' f' in 200 rows, with its space: whoever asks the model has to write it so, too",
        "note: column 'species' has 'NA' in 100 rows, which is taken for a text and not for a missing value",
    ]


def test_texts_that_do_not_repeat_and_plain_values_have_no_note() -> None:
    assert notes(["m", "f", "f"], ["a", "b", "c"]) == []
    frame = pandas.DataFrame({"n": 1.0, "sex": [f"Text {n} " for n in range(300)], "species": ["a", "b", "c"] * 100})
    assert lookalikes(split(frame, DATA, "classification", "m")) == []
