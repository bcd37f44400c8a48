"""The version stands in pyproject.toml; the places that must repeat it are held to it."""

import re
from xml.etree import ElementTree

import pytest

from tests.support.paths import ROOT
from tests.support.tracked import tracked
from tests.support.version import VERSION

# By what each place says its version; the stand-in stack adds what it is.
PLACES = {
    ".env": r"^TRACKBACK_VERSION=(.+)$",
    "tests/offline/offline.env": r"^TRACKBACK_VERSION=(.+)-offline$",
    "plugin/pom.xml": r"<revision>(.+)</revision>",
    "docs/CHANGELOG.md": r"^## (\d\S*) - \d{4}-\d\d-\d\d$",
}
# Locks have versions of others, and unit tests and their helpers examples.
ELSEWHERE = re.compile(r"requirements/|tests/unit/|tests/support/")
MAVEN = {"": "http://maven.apache.org/POM/4.0.0"}


@pytest.mark.parametrize("place", PLACES)
def test_a_place_that_repeats_the_version_has_the_one_of_the_project(place: str) -> None:
    found = re.search(PLACES[place], (ROOT / place).read_text(), re.M)
    assert found, f"{place}: expected {PLACES[place]}"
    assert found[1] == VERSION


@pytest.mark.process
def test_no_other_file_has_it() -> None:
    wanted = re.compile(rf"(?<![\d.]){re.escape(VERSION)}(?!\.?\d)")
    names = [name for name in tracked() if not ELSEWHERE.match(name)]
    found = {name for name in names if wanted.search((ROOT / name).read_bytes().decode())}
    assert found == {"pyproject.toml", *PLACES}


def test_the_parts_of_the_plugin_take_the_version_of_the_whole() -> None:
    modules = sorted(path for path in (ROOT / "plugin").glob("*/pom.xml"))
    assert modules
    for module in modules:
        project = ElementTree.parse(module).getroot()  # noqa: S314  our own file
        assert project.findtext("parent/version", namespaces=MAVEN) == "${revision}"
        assert project.find("version", namespaces=MAVEN) is None
    described = ROOT / "plugin/package-repository/src/main/resources/plugin.xml"
    assert "<version>${project.version}</version>" in described.read_text()
