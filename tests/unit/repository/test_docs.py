"""The docs name what exists, and what exists is in the docs."""

import json
import re
from pathlib import Path

import pytest

from services.contract.model_config import load_model_config
from services.delivery.cli import VERBS
from tests.support.paths import MODELS, ROOT

DOCS = sorted([ROOT / "README.md", ROOT / "plugin" / "README.md", *(ROOT / "docs").glob("*.md")])

# By whoever follows docs/bring-your-own-model.md.
TO_BE_WRITTEN = (
    "training/models/diabetes/",
    "training/models/diabetes-neighbours/",
    "training/flavors/lightgbm.py",
    "services/delivery/flavors/lightgbm.py",
)


def test_the_readme_is_short() -> None:
    lines = (ROOT / "README.md").read_text().splitlines()
    assert len([line for line in lines if not line.startswith("<!-- ")]) <= 150


def test_no_line_of_the_readme_is_wide_but_output() -> None:
    text = re.sub(r"^```.*?^```$", "", (ROOT / "README.md").read_text(), flags=re.M | re.S)
    assert [line for line in text.splitlines() if len(line) > 150] == []


def test_the_readme_begins_with_the_demo() -> None:
    assert (ROOT / "README.md").read_text().split("```")[1].strip() == "scripts/demo"


def test_the_rows_of_the_readme_are_the_example_of_model_yaml() -> None:
    example = load_model_config(MODELS, "diamond-price").example
    rows = re.findall(r'"dataframe_records": \[(.*?)\]', (ROOT / "README.md").read_text())
    assert [json.loads(row) for row in rows] == [example, example]


@pytest.mark.parametrize("document", DOCS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_path_and_link_in_the_docs_exists(document: Path) -> None:
    text = document.read_text()
    linked = re.findall(r"\]\((?!http|#)([^)#]+)\)", text)
    named = re.findall(r"`((?:scripts|services|training|tests|docs)/[\w./-]+)`", text)
    missing = [link for link in linked if not (document.parent / link).exists()]
    missing += [path for path in named if not (ROOT / path).exists() and not path.startswith(TO_BE_WRITTEN)]
    assert missing == []


def test_every_verb_is_in_the_operations_page() -> None:
    page = (ROOT / "docs" / "operations.md").read_text()
    assert [
        verb for verb in (*VERBS, "train", "notebook", "reproduce", "schema", "verify-data") if f"`{verb}`" not in page
    ] == []


def test_every_component_is_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text()
    components = [path.parent.name for path in (ROOT / "services").glob("*/__init__.py")]
    assert [name for name in components if f"`services/{name}/`" not in readme] == []


def test_every_folder_of_a_component_is_in_the_architecture_page() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    folders = [path.parent.name for path in (ROOT / "services").glob("*/*/__init__.py")]
    assert [name for name in folders if not re.search(rf"\b{name}\b", page)] == []
