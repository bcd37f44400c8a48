"""Every file is written as .editorconfig says."""

import configparser
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from tests.support.tracked import tracked

FILES = tracked()


@pytest.fixture(scope="module")
def written() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read_string("[top]\n" + (ROOT / ".editorconfig").read_text())
    return parser


def texts() -> dict[str, str]:
    return {name: (ROOT / name).read_bytes().decode() for name in FILES}


def test_files_are_text_with_unix_lines_and_a_last_one(written: configparser.ConfigParser) -> None:
    assert {key: written["*"][key] for key in ("charset", "end_of_line", "insert_final_newline")} == {
        "charset": "utf-8", "end_of_line": "lf", "insert_final_newline": "true",
    }  # fmt: skip
    wrong = [name for name, text in texts().items() if "\r" in text or (text and not text.endswith("\n"))]
    assert wrong == []


def test_no_line_ends_in_blanks(written: configparser.ConfigParser) -> None:
    assert written["*"]["trim_trailing_whitespace"] == "true"
    wrong = [name for name, text in texts().items() if any(line != line.rstrip() for line in text.split("\n"))]
    assert wrong == []


def test_only_a_makefile_has_tabs(written: configparser.ConfigParser) -> None:
    assert (written["*"]["indent_style"], written["Makefile"]["indent_style"]) == ("space", "tab")
    assert [name for name, text in texts().items() if "\t" in text and Path(name).name != "Makefile"] == []
