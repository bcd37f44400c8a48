"""What scripts/doctor says of machines that it never saw: a made-up `docker` is all that it can ask."""

import json
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from scripts.docker_cli import Docker, read_variables
from tests.support.paths import ROOT
from tests.support.ports import free_port

pytestmark = pytest.mark.process

POSTGRES, GRAFANA = "postgres:15.18-bookworm", "grafana/grafana:12.4.0"
DIGEST, OTHER = "sha256:" + "1" * 64, "sha256:" + "2" * 64
HERE = f"image inspect --format {{{{json .RepoDigests}}}} {POSTGRES}"
THERE = f"buildx imagetools inspect --format {{{{json .Manifest}}}} {POSTGRES}"
LISTED = "ps --all --filter label=com.docker.compose.project=mine *"
ENGINE, COMPOSE = "version --format {{.Server.Version}}", "compose version --short"
CONFIG, INFO = "compose * config --format json", "info --format {{json .}}"
SMALL = {"MemTotal": 4.1e9, "DockerRootDir": "/nowhere/docker"}
RUNNING = "ps --filter label=com.docker.compose.project=mine *"


class Machine:
    """A checkout with an .env, and a PATH with nothing but a `docker` that knows some answers."""

    def __init__(self, folder: Path) -> None:
        self.checkout, self.bin = folder / "checkout", folder / "bin"
        shutil.copytree(ROOT / "scripts", self.checkout / "scripts", ignore=shutil.ignore_patterns("images.lock"))
        self.bin.mkdir()
        self.port, self.failure = free_port(), "error: no such thing"
        self.write_env(MLFLOW_PORT=self.port, POSTGRES_IMAGE=POSTGRES)
        self.config: dict[str, Any] = {
            "name": "mine",
            "services": {
                "postgres": {"image": POSTGRES},
                "mlflow": {"image": "trackback/mlflow:0.1.0", "ports": [{"published": str(self.port)}]},
            },
        }
        self.answers = {
            "version --format {{.Client.Version}}": "28.2.2",
            ENGINE: "28.5.1",
            INFO: json.dumps({"MemTotal": 8e9, "DockerRootDir": "/nowhere/docker"}),
            COMPOSE: "2.26.1-4",
            CONFIG: json.dumps(self.config),
            "compose * config --volumes": "postgres",
            HERE: json.dumps([f"postgres@{DIGEST}"]),
            "ps *": "",
            "volume ls *": "mine_postgres",
        }

    def write_env(self, **variables: object) -> None:
        lines = [f"{name}={value}" for name, value in {"TRACKBACK_VERSION": "0.1.0", **variables}.items()]
        self.checkout.joinpath(".env").write_text("# what comes up\n" + "\n".join(lines) + "\n")

    def lock(self) -> Path:
        return self.checkout / "scripts" / "images.lock"

    def doctor(self, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        fake_docker(
            self.bin,
            "".join(f"{_pattern(words)}) cat <<'END'\n{answer}\nEND\n;;\n" for words, answer in self.answers.items()),
            self.failure,
        )
        return self.run(*arguments, **variables)

    def run(self, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "scripts.doctor", *arguments]
        environment = {"PATH": str(self.bin), "PYTHONPATH": str(self.checkout), **variables}
        return subprocess.run(
            command, env=environment, cwd=self.checkout, capture_output=True, text=True, check=False, timeout=300
        )


def fake_docker(folder: Path, cases: str, failure: str = "error: no such thing") -> None:
    """Prints the answer of the first pattern that its arguments fit, and fails where there is none."""
    docker = folder / "docker"
    docker.write_text(f"#!/bin/sh\ncase \"$*\" in\n{cases}*) echo '{failure}' >&2; exit 1;;\nesac\n")
    docker.chmod(0o755)
    for tool in ("cat", "sleep"):
        (folder / tool).unlink(missing_ok=True)
        (folder / tool).symlink_to(str(shutil.which(tool)))


def _pattern(words: str) -> str:
    return "*".join(f"'{part}'" if part else "" for part in words.split("*"))


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def table(done: "subprocess.CompletedProcess[str]") -> dict[str, tuple[str, str]]:
    """State and words by what they are about; without the last line."""
    assert done.stderr == ""
    rows = [re.split(r"\s+", line, maxsplit=1) for line in done.stdout.splitlines()[:-1]]
    parts = [(state, *re.split(r" {2,}", rest, maxsplit=1)) for state, rest in rows]
    return {what: (state, found) for state, what, found in parts}


def test_a_machine_that_has_all_is_well(machine: Machine) -> None:
    done = machine.doctor()
    port = f"port {machine.port}"
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        "ok       docker client            28.2.2\n"
        "ok       engine                   28.5.1\n"
        "ok       memory                   8.0 GB\n"
        "note     disk                     /nowhere/docker cannot be seen from here: see that 10 GB of it are free\n"
        "ok       compose                  2.26.1-4\n"
        f"ok       {port:23}  free (MLFLOW_PORT)\n"
        f"ok       {POSTGRES}  here, {DIGEST}\n"
        "nothing is missing: docker compose up --wait\n"
    )


def test_without_docker_there_is_one_thing_to_do_first(machine: Machine) -> None:
    done = machine.run()
    assert done.returncode == 1
    assert list(table(done)) == ["docker client", f"port {machine.port}"]
    state, found = table(done)["docker client"]
    assert (state, found.startswith("none on PATH: tests/offline/engine installs and starts one on Debian")) == (
        "MISSING",
        True,
    )
    assert done.stdout.endswith("\n1 missing\n")


def test_an_engine_that_is_down_is_not_asked_for_the_rest(machine: Machine) -> None:
    del machine.answers[ENGINE]
    done = machine.doctor()
    assert done.returncode == 1
    assert list(table(done)) == ["docker client", "engine", f"port {machine.port}"]
    state, found = table(done)["engine"]
    assert state == "MISSING"
    assert found.startswith("error: no such thing: start it: sudo systemctl start docker; where there is none, ")
    assert "tests/offline/engine" in found


def test_an_engine_that_others_may_use_tells_how_to_become_one_of_them(machine: Machine) -> None:
    del machine.answers[ENGINE]
    machine.failure = "permission denied while trying to connect to the Docker daemon socket"
    assert table(machine.doctor())["engine"] == (
        "MISSING",
        f"{machine.failure}: sudo usermod --append --groups docker $USER, then log in anew",
    )


@pytest.mark.parametrize(("version", "told"), [("20.10.24+dfsg1", True), ("27.5.1", True), ("28.0.0", False)])
def test_an_engine_that_lets_neighbours_at_127_0_0_1_is_noted(version: str, told: bool, machine: Machine) -> None:
    machine.answers[ENGINE] = version
    done = machine.doctor()
    assert done.returncode == 0
    assert ("machines of this network may reach ports on 127.0.0.1" in done.stdout) is told
    assert (table(done).get("loopback", ("", ""))[0] == "note") is told
    rule = "iptables --table raw --insert PREROUTING ! --in-interface lo --destination 127.0.0.0/8 --jump DROP"
    assert rule in (ROOT / "docs" / "security.md").read_text()


def test_the_files_that_compose_would_read_are_those_that_are_examined(machine: Machine) -> None:
    (machine.checkout / "mine.env").write_text(f"MLFLOW_PORT={machine.port}\n")
    files = " ".join(f"--env-file {machine.checkout / name}" for name in (".env", "mine.env"))
    machine.answers[f"compose {files} config --format json"] = machine.answers.pop(CONFIG)
    assert machine.doctor(COMPOSE_ENV_FILES=".env,mine.env").returncode == 0
    done = machine.doctor(COMPOSE_ENV_FILES=".env,missing.env")
    assert done.stderr.startswith(f"{machine.checkout / 'missing.env'}: expected variables for compose")


@pytest.mark.parametrize(
    ("question", "answer", "what", "found"),
    [
        (ENGINE, "19.03.15", "engine", "19.03.15, expected 20.10 or newer: install a newer one"),
        (COMPOSE, "1.29.2", "compose", "1.29.2, expected 2.24 or newer: install a newer compose plugin"),
        (COMPOSE, "2.23.3", "compose", "2.23.3, expected 2.24 or newer: install a newer compose plugin"),
        (COMPOSE, "2.9.0", "compose", "2.9.0, expected 2.24 or newer: install a newer compose plugin"),
        (COMPOSE, None, "compose", "error: no such thing: install Docker's compose plugin"),
        (INFO, json.dumps(SMALL), "memory", "4.1 GB, expected 6 GB: give the engine more"),
        (CONFIG, None, "compose file", "error: no such thing: set what it asks for in .env"),
    ],
)
def test_what_is_too_old_or_too_little_is_told_with_what_is_expected(
    question: str, answer: str | None, what: str, found: str, machine: Machine
) -> None:
    if answer is None:
        del machine.answers[question]
    else:
        machine.answers[question] = answer
    done = machine.doctor()
    assert done.returncode == 1
    assert table(done)[what] == ("MISSING", found)
    assert [state for state, _ in table(done).values()].count("MISSING") == 1


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is a disk that is always full")
def test_a_disk_that_is_full_is_told(machine: Machine) -> None:
    machine.answers[INFO] = json.dumps({"MemTotal": 8e9, "DockerRootDir": "/proc"})
    done = machine.doctor()
    assert done.returncode == 1
    found = "0.0 GB free in /proc, expected 10 GB: docker system prune, or make room"
    assert table(done)["disk"] == ("MISSING", found)


def test_a_port_that_another_program_has_is_told(machine: Machine) -> None:
    with socket.create_server(("127.0.0.1", machine.port)):
        done = machine.doctor()
    assert done.returncode == 1
    found = "taken by another program: end what uses it, or set MLFLOW_PORT to another"
    assert table(done)[f"port {machine.port}"] == ("MISSING", found)


def test_a_port_that_the_stack_itself_has_is_well(machine: Machine) -> None:
    machine.answers = {RUNNING: f"mine-mlflow-1\t127.0.0.1:{machine.port}->5000/tcp", **machine.answers}
    with socket.create_server(("127.0.0.1", machine.port)):
        done = machine.doctor()
    assert done.returncode == 0
    assert table(done)[f"port {machine.port}"] == ("ok", "held by mine-mlflow-1, of this stack")


def test_a_port_that_is_given_twice_or_is_none_is_told(machine: Machine) -> None:
    machine.config["services"] = {}
    machine.answers[CONFIG] = json.dumps(machine.config)
    machine.write_env(GOCD_PORT=machine.port, MLFLOW_PORT=machine.port, GATEWAY_PORT="high")
    lines = machine.doctor().stdout.splitlines()
    assert f"MISSING  port {machine.port}     is GOCD_PORT and MLFLOW_PORT: set MLFLOW_PORT to another" in lines
    assert "MISSING  port high      is no port: end what uses it, or set GATEWAY_PORT to another" in lines


def test_an_image_that_cannot_be_had_is_told_with_the_reason(machine: Machine) -> None:
    del machine.answers[HERE]
    done = machine.doctor()
    assert done.returncode == 1
    found = "neither here nor in a registry (no such thing): docker pull it, or set POSTGRES_IMAGE"
    assert table(done)[POSTGRES] == ("MISSING", found)


def test_an_image_that_can_be_pulled_is_well_also_without_buildx(machine: Machine) -> None:
    del machine.answers[HERE]
    machine.answers[THERE] = json.dumps({"mediaType": "an index", "digest": DIGEST})
    assert table(machine.doctor())[POSTGRES] == ("ok", f"can be pulled, {DIGEST}")
    del machine.answers[THERE]
    machine.answers[f"manifest inspect {POSTGRES}"] = "{}"
    done = machine.doctor()
    assert table(done)[POSTGRES] == ("ok", "can be pulled, of no known digest")
    assert done.returncode == 0


def test_an_image_is_held_against_the_lock(machine: Machine) -> None:
    machine.lock().write_text(f"# a word\n{POSTGRES} {DIGEST}\n")
    assert table(machine.doctor())[POSTGRES] == ("ok", f"here, {DIGEST}, as in images.lock")
    machine.lock().write_text(f"{POSTGRES} {OTHER}\n")
    done = machine.doctor()
    found = f"here, {DIGEST}: images.lock has {OTHER}; scripts/doctor --lock takes the new one"
    assert table(done)[POSTGRES] == ("note", found)
    assert done.returncode == 0


def test_what_no_profile_needs_is_not_asked_for(machine: Machine) -> None:
    built = {"image": "trackback/delivery:0.1.0", "build": {"args": {"PYTHON_IMAGE": "python:3.11"}}}
    machine.config["services"]["delivery"] = built
    machine.answers[CONFIG] = json.dumps(machine.config)
    machine.write_env(PYTHON_IMAGE="python:3.11", GRAFANA_IMAGE=GRAFANA, GRAFANA_PORT=3000)
    found = table(machine.doctor())
    assert found["python:3.11"][0] == "MISSING"
    assert GRAFANA not in found
    assert "port 3000" not in found


def test_what_an_older_version_left_is_told(machine: Machine) -> None:
    rows = ["mine-rollout-1\ttrackback/rollout:0.0.9", "mine-mlflow-1\ttrackback/mlflow:0.1.0", f"mine-db\t{GRAFANA}"]
    machine.answers = {LISTED: "\n".join(rows), **machine.answers, "volume ls *": "mine_postgres\nmine_sqlite"}
    done = machine.doctor()
    found = table(done)
    todo = "is left of trackback/rollout:0.0.9: docker compose --project-name mine down; its volumes stay"
    assert found["mine-rollout-1"] == ("MISSING", todo)
    assert found["mine_sqlite"] == ("note", "is no volume of this version: keep it, or docker volume rm")
    assert not found.keys() & {"mine-mlflow-1", "mine-db", "mine_postgres"}
    assert done.stdout.endswith("\n1 missing\n")


def test_the_lock_has_every_image_and_keeps_a_digest_that_nobody_can_tell_anew(machine: Machine) -> None:
    machine.write_env(POSTGRES_IMAGE=POSTGRES, GRAFANA_IMAGE=GRAFANA, OTHER_IMAGE="other:1")
    machine.lock().write_text(f"{GRAFANA} {OTHER}\n")
    done = machine.doctor("--lock")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        f"{GRAFANA}: {OTHER}, as before (no such thing)\n"
        "other:1: unknown (no such thing)\n"
        "scripts/images.lock: 2 of 3 digests are known\n"
    )
    lines = machine.lock().read_text().splitlines()
    assert lines[0].startswith("# The images of .env")
    assert lines[1:] == [f"{GRAFANA} {OTHER}", "other:1 unknown", f"{POSTGRES} {DIGEST}"]


def test_the_lock_of_this_checkout_has_every_image_of_its_env() -> None:
    variables = read_variables([ROOT / ".env"])
    lines = (ROOT / "scripts" / "images.lock").read_text().splitlines()
    locked = [line.split()[0] for line in lines if not line.startswith("#")]
    assert locked == sorted({image for name, image in variables.items() if name.endswith("_IMAGE")})


def test_variables_are_read_as_compose_reads_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = tmp_path / "first.env", tmp_path / "second.env"
    first.write_text("# a word\nA=1\nexport B = 'two words' # and more\nC=\"#3\"\nD=4\n\nnonsense\n")
    second.write_text("A=one\n")
    monkeypatch.setenv("D", "of the environment")
    assert read_variables([first, second]) == {"A": "one", "B": "two words", "C": "#3", "D": "of the environment"}


def test_a_file_of_variables_that_is_missing_is_one_line(machine: Machine) -> None:
    done = machine.run("--env-file", "mine.env")
    assert done.returncode == 1
    path = machine.checkout / "mine.env"
    assert done.stderr == f"{path}: expected variables for compose, cannot read them: No such file or directory\n"


def test_files_of_variables_are_handed_on_to_compose(machine: Machine) -> None:
    (machine.checkout / "mine.env").write_text(f"MLFLOW_PORT={machine.port}\n")
    files = " ".join(f"--env-file {machine.checkout / name}" for name in (".env", "mine.env"))
    asked = machine.answers.pop(CONFIG)
    machine.answers[f"compose {files} config --format json"] = asked
    assert machine.doctor("--env-file", ".env", "--env-file", "mine.env").returncode == 0
    assert machine.doctor().returncode == 1


def test_a_docker_that_does_not_answer_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_docker(tmp_path, "*) exec sleep 60;;\n")
    monkeypatch.setenv("PATH", str(tmp_path))
    done = Docker(seconds=0.2).ask("info")
    assert (done.code != 0, done.problem) == (True, "no answer within 0.2 s")


def test_the_script_tells_how_it_is_used() -> None:
    done = subprocess.run([ROOT / "scripts" / "doctor", "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert done.stdout.startswith("usage: scripts/doctor ")
