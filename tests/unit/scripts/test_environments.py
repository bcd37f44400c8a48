"""The set-up on a machine that has little: one line says what is missing, and what is done is skipped."""

import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.paths import ROOT

pytestmark = pytest.mark.process


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy without anything that was built, and an empty PATH in `bin`."""
    for folder in ("scripts", "requirements"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    (tmp_path / "plugin").mkdir()
    (tmp_path / "plugin" / "pom.xml").write_text("<project/>")
    (tmp_path / "bin").mkdir()
    return tmp_path


def set_up(checkout: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(checkout / "scripts" / "environments.py"), *arguments]
    environment = {"PATH": str(checkout / "bin")}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)


def fake(checkout: Path, name: str, script: str) -> None:
    tool = checkout / "bin" / name
    tool.write_text(f"#!/bin/sh\n{script}\n")
    tool.chmod(0o755)


def test_a_missing_jdk_is_named_in_one_line_with_what_to_install(checkout: Path) -> None:
    done = set_up(checkout, "plugin")
    assert done.returncode == 1
    assert done.stderr == (
        "please install a JDK ≥ 17 (found none), which cannot be done from here (Debian: openjdk-17-jdk-headless), "
        "and start again\n"
    )


def test_a_jdk_that_is_too_old_is_named_with_its_version(checkout: Path) -> None:
    fake(checkout, "java", "echo 'openjdk version \"11.0.2\" 2019-01-15' >&2")
    fake(checkout, "javac", "true")
    assert "please install a JDK ≥ 17 (found 11), which" in set_up(checkout, "plugin").stderr


def test_a_missing_maven_is_named_in_one_line(checkout: Path) -> None:
    fake(checkout, "java", "echo 'openjdk version \"17.0.15\" 2025-04-15' >&2")
    fake(checkout, "javac", "true")
    done = set_up(checkout, "plugin")
    assert done.returncode == 1
    assert done.stderr.startswith("please install Maven, which cannot be done from here (Debian: maven)")


def test_a_build_that_fails_is_no_success(checkout: Path) -> None:
    fake(checkout, "java", "echo 'openjdk version \"17.0.15\" 2025-04-15' >&2")
    fake(checkout, "javac", "true")
    fake(checkout, "mvn", "exit 7")
    done = set_up(checkout, "plugin")
    assert done.returncode == 1
    assert "expected 'mvn --batch-mode " in done.stderr
    assert "found exit 7" in done.stderr
    assert not (checkout / "plugin" / "target" / ".sources").exists()


def test_what_a_set_up_prints_leaves_stdout_to_the_command(checkout: Path) -> None:
    fake(checkout, "java", "echo 'openjdk version \"17.0.15\" 2025-04-15' >&2")
    fake(checkout, "javac", "true")
    fake(checkout, "mvn", "printf '\\033[0m done\\n'; echo a warning >&2")
    done = set_up(checkout, "plugin", "--", "/bin/echo", "{}")
    assert done.returncode == 0
    assert done.stdout == "{}\n"
    assert "\033[0m done\na warning\n" in done.stderr


def test_a_plugin_that_was_built_from_these_sources_is_not_built_again(checkout: Path) -> None:
    fake(checkout, "java", "echo 'openjdk version \"17.0.15\" 2025-04-15' >&2")
    fake(checkout, "javac", "true")
    jars = "plugin/package-repository/target/trackback-mlflow-plugin.jar plugin/host/target/trackback-plugin-host.jar"
    touch = f"cd {checkout} && for jar in {jars}; do /bin/mkdir -p $(/usr/bin/dirname $jar); : > $jar; done"
    fake(checkout, "mvn", f"{touch}; echo once >> {checkout}/builds")
    assert set_up(checkout, "plugin").returncode == 0
    assert set_up(checkout, "plugin").returncode == 0
    assert (checkout / "builds").read_text() == "once\n"
    (checkout / "plugin" / "pom.xml").write_text("<project><!-- changed --></project>")
    assert set_up(checkout, "plugin").returncode == 0
    assert (checkout / "builds").read_text() == "once\nonce\n"


def test_two_set_ups_at_once_build_once(checkout: Path) -> None:
    fake(checkout, "java", "echo 'openjdk version \"17.0.15\" 2025-04-15' >&2")
    fake(checkout, "javac", "true")
    jars = "plugin/package-repository/target/trackback-mlflow-plugin.jar plugin/host/target/trackback-plugin-host.jar"
    build = f"cd {checkout} && for jar in {jars}; do /bin/mkdir -p $(/usr/bin/dirname $jar); : > $jar; done"
    fake(checkout, "mvn", f"echo once >> {checkout}/builds; /bin/sleep 1; {build}")
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda _: set_up(checkout, "plugin"), range(2)))
    assert [one.returncode for one in done] == [0, 0]
    assert (checkout / "builds").read_text() == "once\n"


def python(checkout: Path, version: str) -> "subprocess.CompletedProcess[str]":
    environment = {"PATH": f"{checkout / 'bin'}:/usr/bin:/bin", "TRACKBACK_PYTHON": version}
    command = [str(checkout / "scripts" / "python"), "-c", "a word"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)


def test_another_python_is_the_one_that_is_named(checkout: Path) -> None:
    fake(checkout, "python3.99", '[ "$2" = "" ] || echo "3.99 is given $2"')
    assert python(checkout, "3.99").stdout == "3.99 is given a word\n"


def test_a_python_that_is_not_there_is_named_with_what_to_do(checkout: Path) -> None:
    done = python(checkout, "3.98")
    assert done.returncode == 1
    assert done.stderr == ("expected python3.98 (TRACKBACK_PYTHON), found none: install it, or unset the variable\n")
