"""A model's own lock decides where the model is asked, and only what is a lock is installed."""

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from scripts import own_environment
from services.contract import environments, names
from services.contract.environments import python_for, python_of_lock
from services.contract.errors import Refused, Undecided

HASH = "a" * 64
PIN = f"six==1.17.0 \\\n    --hash=sha256:{HASH}\n"
MARKED = f"""colorama==0.4.6 ; sys_platform == 'win32' and python_version >= '3.11' \\\n    --hash=sha256:{HASH}\n"""


def lock(folder: Path, text: str) -> Path:
    file = folder / names.LOCK_FILE
    file.write_text(text)
    return file


@pytest.fixture
def uv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """In place of uv: makes the folder, and says no when there is a file `no`."""
    program = tmp_path / "uv"
    program.write_text(f"""#!/bin/sh
echo "$@" >> {tmp_path}/asked
for last; do :; done
[ "$1" = venv ] && /bin/mkdir -p "$last/bin"
[ "$1" = pip ] && [ -e {tmp_path}/no ] && {{ printf '  × No solution\\n  ╰─▶ six==1.17.0 has no wheels\\n'; exit 1; }}
exit 0
""")
    program.chmod(0o755)
    monkeypatch.setattr(own_environment, "uv", lambda: program)
    monkeypatch.setattr(own_environment, "ENVIRONMENTS", tmp_path / "environments")
    return program


@pytest.mark.process
def test_an_environment_is_set_up_once_from_its_wheels_and_their_hashes(uv: Path, tmp_path: Path) -> None:
    file = lock(tmp_path, f"# a note\n{PIN}{MARKED}")
    python = own_environment.set_up(file)
    assert own_environment.set_up(file) == python
    asked = (uv.parent / "asked").read_text().splitlines()
    assert [line.split()[0] for line in asked] == ["venv", "pip"]
    assert " --require-hashes --only-binary :all: " in asked[1]
    assert (python.parents[1] / names.LOCK_FILE).read_bytes() == file.read_bytes()


@pytest.mark.process
def test_two_that_need_the_same_at_once_set_it_up_once(uv: Path, tmp_path: Path) -> None:
    file = lock(tmp_path, PIN)
    with ThreadPoolExecutor(2) as pool:
        assert len(set(pool.map(lambda _: own_environment.set_up(file), range(2)))) == 1
    assert (uv.parent / "asked").read_text().count("venv ") == 1


@pytest.mark.process
def test_another_lock_is_another_environment(uv: Path, tmp_path: Path) -> None:  # noqa: ARG001  set up by it
    first = own_environment.set_up(lock(tmp_path, PIN))
    assert own_environment.set_up(lock(tmp_path, PIN + MARKED)) != first


@pytest.mark.process
def test_where_nothing_can_be_added_to_the_environments_it_stands_in_the_store(
    uv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in an image, where the user owns the store and nothing else."""
    (tmp_path / "environments").mkdir()
    monkeypatch.setenv("TRACKBACK_STORE", str(tmp_path / "store"))
    monkeypatch.setattr(os, "access", lambda *_: False)
    python = own_environment.set_up(lock(tmp_path, PIN))
    assert python.parents[2] == tmp_path / "store" / "environments"
    assert f"--cache-dir {python.parents[2]}/.cache" in (uv.parent / "asked").read_text()


@pytest.mark.process
def test_a_package_that_cannot_be_had_is_named_in_one_line_and_tried_again(
    uv: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (uv.parent / "no").touch()
    file = lock(tmp_path, PIN)
    with pytest.raises(SystemExit) as ended:
        own_environment.set_up(file)
    assert ended.value.code == 1
    last = capfd.readouterr().err.splitlines()[-1]
    assert last.startswith(f"{file}: expected wheels with these hashes for Python 3.")
    assert last.endswith(", found: No solution six==1.17.0 has no wheels")
    (uv.parent / "no").unlink()
    assert own_environment.set_up(file).parent.is_dir()


@pytest.mark.parametrize(
    "line",
    [
        "--index-url http://127.0.0.1/simple",
        "-r /etc/passwd",
        "-e .",
        "six @ http://127.0.0.1/six.whl",
        "./six.whl",
        "six",
        "six>=1",
        f"six==1.17.0 --hash=sha256:{HASH} --index-url x",
        "six==1.17.0 ; os_name == 'posix' --find-links /tmp \\",
        f"    --hash=md5:{'a' * 32}",
        "--no-binary six",
    ],
)
def test_a_lock_can_name_nothing_but_versions_and_hashes(
    line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = lock(tmp_path, f"{PIN}{line}\n")
    with pytest.raises(SystemExit) as ended:
        own_environment.set_up(file)
    assert ended.value.code == own_environment.NO_LOCK
    assert capsys.readouterr().err.startswith(f"{file}:3: expected name==version and hashes, found {line[:60]!r}")


def set_up_by(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """In place of the set-up, which is a process."""
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "own_environment.py").write_text(script)
    monkeypatch.setattr(environments, "ROOT", tmp_path)


@pytest.mark.process
def test_the_set_up_says_on_stderr_that_it_works_and_gives_the_interpreter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    script = "import os, sys; print('setting up', file=sys.stderr); print(os.environ['TRACKBACK_ENVIRONMENTS'] + '/p')"
    set_up_by(tmp_path, monkeypatch, script)
    assert python_of_lock(lock(tmp_path, PIN), tmp_path) == tmp_path / "p"
    assert capsys.readouterr().err == "setting up\n"


@pytest.mark.process
@pytest.mark.parametrize(("code", "kind"), [(2, Refused), (1, Undecided)])
def test_what_is_no_lock_is_refused_and_what_cannot_be_had_now_is_not_the_models_fault(
    code: int,
    kind: type[Refused],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    script = f"import sys; sys.stderr.write('setting up\\nno six\\n'); sys.exit({code})"
    set_up_by(tmp_path, monkeypatch, script)
    with pytest.raises(kind, match="^no six$") as caught:
        python_of_lock(lock(tmp_path, PIN), tmp_path)
    assert type(caught.value) is kind
    assert capsys.readouterr().err == "setting up\n"


def test_without_a_lock_of_its_own_a_model_is_asked_in_the_environment_of_its_library(tmp_path: Path) -> None:
    python = tmp_path / "spark" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    assert python_for("spark", tmp_path / "model", tmp_path) == python
    assert python_for("sklearn", tmp_path / "model", tmp_path) is None


def test_with_a_lock_of_its_own_a_model_is_asked_there_whatever_its_library_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environments, "python_of_lock", lambda file, _: Path("own") / file.name)
    lock(tmp_path, PIN)
    assert python_for("sklearn", tmp_path, tmp_path) == Path("own") / names.LOCK_FILE
