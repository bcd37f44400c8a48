"""What the embedded platform says, in one sentence, of a setting or a folder with which it cannot start."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from services.contract.errors import Refused
from services.contract.secret_file import read_secret, write_token
from services.platform.preflight import lock_state, refuse_taken_ports
from services.platform.service_definitions import phases, token_file, token_variables, verb_environment
from services.platform.settings import PlatformSettings, read_platform_settings
from tests.support.paths import ROOT

PORTS = ("MLFLOW", "GOCD", "ROLLOUT", "SERVING")


@pytest.fixture(autouse=True)
def nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PORTS:
        monkeypatch.delenv(f"TRACKBACK_{name}_PORT", raising=False)


@pytest.mark.parametrize("value", ["many", "0", "-1", "65536", "80.5", ""])
@pytest.mark.parametrize("name", PORTS)
def test_a_port_that_is_no_port_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"TRACKBACK_{name}_PORT", value)
    with pytest.raises(Refused) as refused:
        read_platform_settings()
    assert str(refused.value) == (
        f"expected TRACKBACK_{name}_PORT to be a port from 1 to 65535, found '{value}': set another"
    )


def test_the_same_port_twice_is_named_with_both_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACKBACK_ROLLOUT_PORT", "5000")
    with pytest.raises(Refused) as refused:
        read_platform_settings()
    assert str(refused.value) == (
        "expected a port of its own for each service, found 5000 in TRACKBACK_MLFLOW_PORT and TRACKBACK_ROLLOUT_PORT:"
        " change one"
    )


def test_a_port_that_this_user_may_not_have_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("socket.socket.bind", denied)
    said = "expected port 80 to be ours, found: Permission denied: set TRACKBACK_MLFLOW_PORT to another port"
    with pytest.raises(Refused, match=said):
        refuse_taken_ports(PlatformSettings(mlflow_port=80))


def test_a_state_folder_that_cannot_be_one_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for state in (tmp_path / "file", tmp_path / "file" / "below", Path("/proc/trackback")):
        with pytest.raises(Refused) as refused:
            lock_state(state)
        said = str(refused.value)
        assert said.startswith("expected a state folder that I may write into, found /")
        assert said.endswith("give it to this user, or set TRACKBACK_STATE to another folder")
        assert "\n" not in said


def test_a_folder_of_another_user_in_the_state_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mlflow").mkdir()
    write = tempfile.TemporaryFile

    def refused(dir: Path) -> object:  # noqa: A002  as tempfile names it; root may write everywhere, so it is played
        if dir.name == "mlflow":
            raise PermissionError(13, "Permission denied", str(dir))
        return write(dir=dir)

    monkeypatch.setattr(tempfile, "TemporaryFile", refused)
    with pytest.raises(Refused, match=f"found {tmp_path}/mlflow: Permission denied: give it to this user"):
        lock_state(tmp_path)


@pytest.mark.process
@pytest.mark.parametrize(
    ("variable", "value"),
    [("TRACKBACK_GOCD_PORT", "0"), ("TRACKBACK_GOCD_PORT", "5000"), ("TRACKBACK_STATE", "/proc/trackback")],
)
@pytest.mark.parametrize("command", ["-m services.platform", "-m demo"])
def test_whoever_starts_it_reads_one_sentence_and_no_traceback(command: str, variable: str, value: str) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), variable: value}
    done = subprocess.run(
        [sys.executable, *command.split()], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith("expected ")
    assert done.stderr.count("\n") == 1


def test_the_token_is_for_its_owner_alone_and_new_at_each_start(tmp_path: Path) -> None:
    path = token_file(tmp_path)
    path.write_text("an old one that others may have read")
    path.chmod(0o644)
    write_token(path)
    first = read_secret(path, "the token")
    write_token(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert len({first, read_secret(path, "the token"), "an old one that others may have read"}) == 3


def test_jobs_get_the_tokens_place_and_no_token_of_another_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRACKBACK_GOCD_TOKEN", "that of a real GoCD")
    environment = verb_environment(PlatformSettings(), tmp_path)
    assert {environment[name] for name in token_variables(PlatformSettings())} == {str(tmp_path / "token")}
    assert "TRACKBACK_GOCD_TOKEN" not in environment


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("TRACKBACK_IMAGES", "maybe", "true or false"),
        ("TRACKBACK_CI", "perhaps", "true or false"),
        ("TRACKBACK_IMAGE_NICENESS", "20", "a number from 0 to 19"),
    ],
)
def test_a_setting_that_is_no_port_is_not_taken_for_one(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, expected: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(Refused, match=f"expected {variable} to be {expected}, found '{value}': set another"):
        read_platform_settings()


@pytest.mark.parametrize(
    ("images", "missing", "wanted"), [(True, [], "True"), (True, ["mtools"], "False"), (False, [], "False")]
)
def test_images_are_built_where_they_are_wanted_and_can_be(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, images: bool, missing: list[str], wanted: str
) -> None:
    monkeypatch.setattr("services.platform.service_definitions.missing_packages", lambda _: missing)
    server = phases(PlatformSettings(images=images), tmp_path)[-1][0]
    assert (server.name, server.variables["TRACKBACK_CI_IMAGES"]) == ("ci", wanted)
