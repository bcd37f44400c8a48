"""The Java of a Spark session."""

from pathlib import Path

import pytest

from services.contract.errors import Refused
from services.contract.java import java_version, refuse_without_java


@pytest.mark.process
def test_a_java_is_asked_for_its_version(tmp_path: Path) -> None:
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\" 2019-01-15' >&2\necho more >&2\n")
    java.chmod(0o755)
    assert java_version(str(tmp_path)) == 'openjdk version "11.0.2" 2019-01-15'
    assert java_version(str(tmp_path / "nowhere")) == "none"


def test_without_a_java_it_says_where_it_looked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(Refused, match=f"expected a Java of version 17 or newer in JAVA_HOME, {tmp_path}, found none"):
        refuse_without_java()
    monkeypatch.delenv("JAVA_HOME")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Refused, match="expected a Java of version 17 or newer on PATH, found none"):
        refuse_without_java()
