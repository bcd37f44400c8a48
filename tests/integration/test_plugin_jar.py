"""The jar that a team installs: two builds of the same sources are the same bytes, wherever they are made."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from xml.etree import ElementTree
from zipfile import ZipFile

import pytest

from tests.support.paths import ROOT

JAR = Path("package-repository/target/trackback-mlflow-plugin.jar")


def build(folder: Path) -> Path:
    """From a copy of the sources, in another time zone. A umask would show in the modes of folders."""
    shutil.copytree(ROOT / "plugin", folder, ignore=shutil.ignore_patterns("target"))
    command = ["mvn", "--batch-mode", "--quiet", "-Dmaven.test.skip=true", "-pl", "package-repository", "package"]
    environment = {**os.environ, "TZ": "Pacific/Auckland", "LC_ALL": "C"}
    subprocess.run(command, cwd=folder, env=environment, check=True, timeout=600)
    return folder / JAR


def test_another_build_of_the_same_sources_gives_the_same_bytes(tmp_path: Path) -> None:
    if not shutil.which("mvn"):
        (pytest.fail if "CI" in os.environ else pytest.skip)("mvn is missing: install Maven")
    built = build(tmp_path / "a folder with another name")
    assert built.stat().st_size > 100_000
    assert built.read_bytes() == (ROOT / "plugin" / JAR).read_bytes(), "or what is built in plugin/ is not up to date"


def test_the_version_comes_from_one_place() -> None:
    parent = (ROOT / "plugin" / "pom.xml").read_text()
    version = parent.partition("<revision>")[2].partition("</revision>")[0]
    poms = [ROOT / "plugin" / name / "pom.xml" for name in ("package-repository", "host")]
    assert [version in pom.read_text() for pom in poms] == [False, False]
    with ZipFile(ROOT / "plugin" / JAR) as jar:
        assert f"<version>{version}</version>" in jar.read("plugin.xml").decode()
    assert parent.count(version) == 1


def test_every_version_of_a_library_or_of_a_part_of_maven_is_one_property_of_the_parent() -> None:
    maven = {"m": "http://maven.apache.org/POM/4.0.0"}
    parent, *modules = [
        ElementTree.parse(ROOT / "plugin" / name / "pom.xml").getroot()  # noqa: S314
        for name in (".", "package-repository", "host")
    ]
    used = [
        version.text or ""
        for kind in ("dependency", "plugin")
        for version in parent.iterfind(f".//m:{kind}/m:version", maven)
    ]
    stated = {
        f"${{{name.tag.partition('}')[2]}}}": name.text or "" for name in parent.iterfind("m:properties/*", maven)
    }
    assert sorted(used) == sorted(name for name in stated if name.endswith(".version}"))
    assert [stated[name] for name in used if not re.fullmatch(r"[0-9]+(\.[0-9]+)+", stated[name])] == []
    assert [found for module in modules for found in module.iterfind(".//m:dependency/m:version", maven)] == []
    known = {one.text for one in parent.iterfind(".//m:plugin/m:artifactId", maven)}
    assert {one.text for module in modules for one in module.iterfind(".//m:plugin/m:artifactId", maven)} <= known
