"""Names, docs, help texts and output use the field's words: the words of `RETIRED` do not come back."""

import io
import keyword
import re
import subprocess
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.support.paths import ROOT

# Each with the word to use. As parts of a name they are found in snake_case, camelCase and kebab-case.
RETIRED = {
    "room": "component",
    "exam": "hold-out, test set",
    "story": "scenario, demo",
    "tale": "scenario",
    "chapter": "step",
    "traveller": "client",
    "world": "what it fakes",
    "crowd": "connections, runs",
    "crown": "champion",
    "door": "listener, access",
    "means": "dependencies",
    "sight": "what was found",
    "rhythm": "interval",
    "see_off": "stop and clean up",
    "sound_reader": "strict JSON reader",
    "conversation": "session",
}
# Retired in every text. The others have their usual sense there too (it means; make room), so that only names and
# headings count.
PROSE = ("exam", "story", "tale", "chapter", "traveller", "crown", "rhythm")
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_JAVA_NAME = re.compile(r"\b[A-Za-z_]\w*\b")
_JAVA_TEXT = re.compile(r'"""(?s:.*?)"""|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\])+\'|/\*(?s:.*?)\*/|//[^\n]*')


def tracked() -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return [name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


def is_checked(name: str) -> bool:
    return name != Path(__file__).relative_to(ROOT).as_posix()


FILES = [name for name in tracked() if is_checked(name)]


@cache
def retired_in(name: str) -> list[str]:
    """The retired words among the words of a name, also in the plural."""
    words = [word.lower() for word in _WORD.findall(name)]
    joined = f"_{'_'.join(words)}_".replace("_k_means_", "_kmeans_")
    return [word for word in RETIRED if f"_{word}_" in joined or f"_{word}s_" in joined]


def python_names(source: str) -> Iterator[str]:
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.NAME and not keyword.iskeyword(token.string):
            yield token.string


def java_names(source: str) -> Iterator[str]:
    yield from _JAVA_NAME.findall(_JAVA_TEXT.sub(" ", source))


def prose(text: str) -> list[str]:
    """The words of a text that are retired there."""
    return [word for word in re.findall(r"[A-Za-z]+", text) if word.lower().removesuffix("s") in PROSE]


def headings(page: str) -> list[str]:
    """The retired words of a Markdown page's headings."""
    return [word for heading in re.findall(r"^#+ (.*)$", page, re.MULTILINE) for word in retired_in(heading)]


def names_of(file: str) -> Iterator[str]:
    text = (ROOT / file).read_text(encoding="utf-8")
    if not any(retired_in(word) for word in set(re.findall(r"\w+", text))):
        return  # no word of it at all, in names or in texts
    yield from python_names(text) if file.endswith(".py") else java_names(text)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("TRAVELLER", ["traveller"]),
        ("DemoStory", ["story"]),
        ("_other_exam", ["exam"]),
        ("soundReader", ["sound_reader"]),
        ("test_doors.py", ["door"]),
        ("HTTPDoor", ["door"]),
        ("see_off", ["see_off"]),
        ("examples", []),
        ("history", []),
        ("broom", []),
        ("KMeansModel", []),
    ],
)
def test_a_retired_word_is_found_as_a_part_of_a_name_only(name: str, found: list[str]) -> None:
    assert retired_in(name) == found


def test_names_are_read_from_code_and_not_from_its_texts() -> None:
    assert list(python_names('class Door:  # a door\n    rooms = "a story"\n')) == ["Door", "rooms"]
    java = '/** A door. */ class Door { String rooms = "a story"; /* x */ char c = \'"\'; } // tale'
    assert list(java_names(java)) == ["class", "Door", "String", "rooms", "char", "c"]


def test_in_a_text_a_word_with_another_sense_counts_in_headings_only() -> None:
    page = "# Doors\nIt means that there is room for the exams.\n"
    assert (prose(page), headings(page)) == (["exams"], ["door"])


def test_no_file_has_a_retired_word_in_its_name() -> None:
    assert {file: words for file in FILES if (words := retired_in(file))} == {}


def test_no_name_in_code_has_a_retired_word() -> None:
    code = [file for file in FILES if file.endswith((".py", ".java"))]
    assert code
    found = {f"{file}: {name}": words for file in code for name in names_of(file) if (words := retired_in(name))}
    assert found == {}, {word: RETIRED[word] for words in found.values() for word in words}


def test_no_text_has_a_retired_word() -> None:
    """Docs, help texts, configuration, and of code its docstrings, comments and output."""
    texts = {file: (ROOT / file).read_text(encoding="utf-8") for file in FILES if not file.startswith("requirements/")}
    assert {file: words for file, text in texts.items() if (words := prose(text))} == {}
    assert {file: words for file, text in texts.items() if file.endswith(".md") and (words := headings(text))} == {}
