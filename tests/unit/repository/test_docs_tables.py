"""The tables of variables and services in docs/ are those of the settings classes and the compose files."""

import ast
import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import AliasChoices, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from scripts.docs_tables import DOCS, SETTINGS, tables, variables, variables_table, with_tables
from services.contract.client_settings import ClientSettings
from tests.support.paths import ROOT

PAGES = "\n".join(page.read_text() for page in DOCS)
FIELDS = [
    pytest.param(field, id=f"{program}-{name}")
    for program, settings in SETTINGS.items()
    for name, field in settings.model_fields.items()
]


class Example(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="EXAMPLE_")

    place: Path = Field(ROOT / "docs", description="where it is")
    seconds: float = Field(2.0, description="how long")
    needed: str = Field(description="who it is")
    told: str | None = Field(None, validation_alias="ELSEWHERE_NAME", description="whom it tells")
    either: bool = Field(True, validation_alias=AliasChoices("one_name", "other_name"), description="either of two")


@pytest.mark.parametrize("page", DOCS, ids=lambda page: page.name)
def test_the_tables_of_a_page_are_those_of_settings_and_compose_files(page: Path) -> None:
    """After a change: `python -m scripts.docs_tables`."""
    assert page.read_text() == with_tables(page.read_text())


def test_every_table_is_in_the_docs_once() -> None:
    assert sorted(re.findall(r"<!-- table: (\S+),", PAGES)) == sorted(tables())


def test_every_settings_class_has_a_table() -> None:
    files = [*(ROOT / "services").rglob("*.py"), *(ROOT / "training").glob("*.py")]
    classes = [
        (".".join(file.relative_to(ROOT).with_suffix("").parts), node.name)
        for file in files
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.ClassDef)
        and node.name != ClientSettings.__name__
        and any(getattr(base, "id", "") in ("BaseSettings", ClientSettings.__name__) for base in node.bases)
    ]
    assert sorted(classes) == sorted((settings.__module__, settings.__name__) for settings in SETTINGS.values())


@pytest.mark.parametrize("field", FIELDS)
def test_every_setting_says_in_some_words_what_it_is(field: Any) -> None:
    assert re.fullmatch(r"(?=.{5,110}$)[a-zA-Z`\[][^|]*[^.|]", field.description or "")


def test_a_variable_is_named_as_its_settings_class_reads_it(monkeypatch: pytest.MonkeyPatch) -> None:
    named = {name: variables(Example, name) for name in Example.model_fields}
    values = {"place": "/x", "seconds": "3", "needed": "b", "told": "c", "either": "false"}
    for name, value in values.items():
        monkeypatch.setenv(named[name][-1], value)
    assert Example().model_dump(mode="json") == {**values, "seconds": 3.0, "either": False}
    assert named["told"] == ["ELSEWHERE_NAME"]


def test_a_row_has_one_variable_with_its_default_and_what_it_is() -> None:
    assert variables_table(Example) == (
        "| variable | default | what it is |\n"
        "|---|---|---|\n"
        "| `EXAMPLE_PLACE` | `docs` | where it is |\n"
        "| `EXAMPLE_SECONDS` | `2` | how long |\n"
        "| `EXAMPLE_NEEDED` | must be set | who it is |\n"
        "| `ELSEWHERE_NAME` | – | whom it tells |\n"
        "| `ONE_NAME`, `OTHER_NAME` | `true` | either of two |\n"
    )


def test_a_page_that_asks_for_a_table_that_there_is_not_is_refused() -> None:
    with pytest.raises(KeyError, match="variables-nobody"):
        with_tables("<!-- table: variables-nobody, written -->\n<!-- end of table -->\n")


def test_what_stands_around_a_table_stays() -> None:
    name, content = next(iter(tables().items()))
    page = f"before\n\n<!-- table: {name}, written -->\n| old |\n<!-- end of table -->\n\nafter\n"
    wanted = f"before\n\n<!-- table: {name}, written -->\n\n{content}\n<!-- end of table -->\n\nafter\n"
    assert with_tables(page) == wanted
    assert with_tables(wanted) == wanted
