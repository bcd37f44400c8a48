"""`scripts/doctor`: a table of what `docker compose up` needs, with what to do about whatever is missing."""

import argparse
import errno
import os
import re
import shutil
import socket
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from scripts.docker_cli import Docker, Stack, read_variables
from scripts.environments import ROOT
from scripts.images_lock import LOCK, look, read_lock, write_lock

OURS = "trackback/"
# Compose knows COMPOSE_ENV_FILES since 2.24: an older one would take every command of the docs to the stack of .env.
ENGINE, COMPOSE = (20, 10), (2, 24)
# Since 28 the engine drops what comes from the network for 127.0.0.1 (moby/moby#45610).
KEEPS_LOOPBACK = (28, 0)
INSTALL = "tests/offline/engine installs and starts one on Debian, as root; elsewhere see https://docs.docker.com/engine/install/"
MEMORY_BYTES, DISK_BYTES = 6e9, 10e9


class State(StrEnum):
    OK = "ok"
    NOTE = "note"
    MISSING = "MISSING"


@dataclass(frozen=True)
class Finding:
    """A line of the table; `todo` is what to do about it."""

    state: State
    what: str
    found: str
    todo: str = ""

    def line(self, width: int) -> str:
        return f"{self.state:8} {self.what:{width}}  {': '.join(part for part in (self.found, self.todo) if part)}"


def main(arguments: Sequence[str]) -> int:
    options = _options(arguments)
    docker = Docker(_env_files(options.env_file))
    variables = read_variables(docker.env_files)
    if options.lock:
        images = sorted({image for name, image in variables.items() if name.endswith("_IMAGE")})
        told = write_lock(docker, images)
        _say(*told, f"{LOCK.relative_to(ROOT)}: {len(read_lock())} of {len(images)} digests are known")
        return 0
    findings = list(examine(docker, variables))
    width = max(len(finding.what) for finding in findings)
    missing = sum(finding.state is State.MISSING for finding in findings)
    _say(*(finding.line(width) for finding in findings))
    _say(f"{missing} missing" if missing else "nothing is missing: docker compose up --wait")
    return 1 if missing else 0


def _env_files(given: list[Path] | None) -> list[Path]:
    """Those of the command line as it sees them, else those of COMPOSE_ENV_FILES as compose does in the checkout."""
    if given:
        return [file.resolve() for file in given]
    named = [name.strip() for name in os.environ.get("COMPOSE_ENV_FILES", "").split(",")]
    return [ROOT / name for name in named if name] or [ROOT / ".env"]


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/doctor",
        description="Says what is there and what is missing for `docker compose up`; exit 1 when something is missing.",
        epilog="example: scripts/doctor --env-file .env --env-file mine.env",
    )
    parser.add_argument(
        "--env-file",
        type=Path,
        action="append",
        metavar="FILE",
        help="as of docker compose, in place of COMPOSE_ENV_FILES or .env",
    )
    parser.add_argument("--lock", action="store_true", help="write the digests of the images into scripts/images.lock")
    return parser.parse_args(arguments)


def examine(docker: Docker, variables: dict[str, str]) -> Iterable[Finding]:
    """The findings: client and engine first, because without them only the ports can be looked at."""
    here = _engine(docker)
    yield from here
    if any(finding.state is State.MISSING for finding in here):
        yield from _ports(Stack(variables, {}), {})
        return
    with ThreadPoolExecutor(16) as pool:
        machine, compose = pool.submit(_machine, docker), pool.submit(_compose, docker)
        config = docker.compose("config", "--format", "json")
        stack = Stack(variables, config.content() or {})
        held, leftovers = pool.submit(_held, docker, stack), pool.submit(_leftovers, docker, stack)
        locked = read_lock()
        images = [pool.submit(_image, docker, *image, locked) for image in stack.images().items()]
        yield from machine.result()
        yield compose.result()
        if config.code and compose.result().state is State.OK:
            yield Finding(State.MISSING, "compose file", config.problem, "set what it asks for in .env")
        yield from _ports(stack, held.result())
        yield from (image.result() for image in images)
        yield from leftovers.result()


def _engine(docker: Docker) -> list[Finding]:
    if not shutil.which("docker"):
        return [Finding(State.MISSING, "docker client", "none on PATH", INSTALL)]
    client = docker.ask("version", "--format", "{{.Client.Version}}")
    engine = docker.ask("version", "--format", "{{.Server.Version}}")
    found = Finding(State.OK, "docker client", client.out)
    if engine.code:
        return [found, Finding(State.MISSING, "engine", engine.problem, _way_to_engine(engine.problem))]
    return [found, _at_least("engine", engine.out, ENGINE, "install a newer one"), *_loopback(engine.out)]


def _way_to_engine(problem: str) -> str:
    if "permission denied" in problem.lower():
        return "sudo usermod --append --groups docker $USER, then log in anew"
    return f"start it: sudo systemctl start docker; where there is none, {INSTALL}"


def _loopback(version: str) -> list[Finding]:
    if _numbers(version) >= KEEPS_LOOPBACK:
        return []
    found = f"machines of this network may reach ports on 127.0.0.1, until engine {KEEPS_LOOPBACK[0]}"
    return [
        Finding(State.NOTE, "loopback", found, "docs/security.md, 'What is not protected', has the rule against it")
    ]


def _machine(docker: Docker) -> list[Finding]:
    told = docker.ask("info", "--format", "{{json .}}").content() or {}
    memory, folder = float(told.get("MemTotal", 0)), Path(told.get("DockerRootDir", "/var/lib/docker"))
    found = _enough("memory", f"{memory / 1e9:.1f} GB", memory, MEMORY_BYTES, "give the engine more")
    try:
        free = shutil.disk_usage(folder).free
    except OSError:
        # The engine is on another machine, or in a virtual one.
        todo = f"see that {DISK_BYTES / 1e9:.0f} GB of it are free"
        return [found, Finding(State.NOTE, "disk", f"{folder} cannot be seen from here", todo)]
    todo = "docker system prune, or make room"
    return [found, _enough("disk", f"{free / 1e9:.1f} GB free in {folder}", free, DISK_BYTES, todo)]


def _enough(what: str, found: str, amount: float, least: float, todo: str) -> Finding:
    if amount < least:
        return Finding(State.MISSING, what, f"{found}, expected {least / 1e9:.0f} GB", todo)
    return Finding(State.OK, what, found)


def _compose(docker: Docker) -> Finding:
    asked = docker.ask("compose", "version", "--short")
    if asked.code:
        return Finding(State.MISSING, "compose", asked.problem, "install Docker's compose plugin")
    return _at_least("compose", asked.out, COMPOSE, "install a newer compose plugin")


def _at_least(what: str, version: str, least: tuple[int, int], todo: str) -> Finding:
    if _numbers(version) < least:
        return Finding(State.MISSING, what, f"{version}, expected {'.'.join(map(str, least))} or newer", todo)
    return Finding(State.OK, what, version)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", version)[:2]))


def _held(docker: Docker, stack: Stack) -> dict[str, str]:
    """Ports of this machine that the stack itself has, by the container that has them."""
    shown = docker.rows("ps", "--filter", stack.of_project, "--format", "{{.Names}}\t{{.Ports}}")
    return {port: row[0] for row in shown for port in re.findall(r":(\d+)->", row[-1])}


def _ports(stack: Stack, held: dict[str, str]) -> Iterable[Finding]:
    owners: dict[str, str] = {}
    for name, port in stack.ports().items():
        what, todo = f"port {port}", f"end what uses it, or set {name} to another"
        if (first := owners.setdefault(port, name)) != name:
            yield Finding(State.MISSING, what, f"is {first} and {name}", f"set {name} to another")
        elif port in held:
            yield Finding(State.OK, what, f"held by {held[port]}, of this stack")
        elif problem := _taken(port):
            yield Finding(State.MISSING, what, problem, todo)
        else:
            yield Finding(State.OK, what, f"free ({name})")


def _taken(port: str) -> str | None:
    """Why a port of 127.0.0.1 cannot be bound; None when it can."""
    if not port.isdigit() or not 0 < int(port) < 65536:
        return "is no port"
    with socket.socket() as probe:
        # A port whose last connections are only just over is free, as it is to the engine.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", int(port)))
        except OSError as error:
            return "taken by another program" if error.errno == errno.EADDRINUSE else str(error.strerror)
    return None


def _image(docker: Docker, name: str, variable: str, locked: dict[str, str]) -> Finding:
    image = look(docker, name)
    if image.problem:
        todo = "run tests/offline/images" if name.startswith("standin/") else f"docker pull it, or set {variable}"
        return Finding(State.MISSING, name, f"{image.where} ({image.problem})", todo)
    found = f"{image.where}, {image.digests[0] if image.digests else 'of no known digest'}"
    if not image.digests or name not in locked:
        return Finding(State.OK, name, found)
    if locked[name] in image.digests:
        return Finding(State.OK, name, f"{image.where}, {locked[name]}, as in images.lock")
    todo = f"images.lock has {locked[name]}; scripts/doctor --lock takes the new one"
    return Finding(State.NOTE, name, found, todo)


def _leftovers(docker: Docker, stack: Stack) -> list[Finding]:
    """Containers of another version of ours, and volumes that this version does not know."""
    version = stack.variables.get("TRACKBACK_VERSION", "")
    shown = docker.rows("ps", "--all", "--filter", stack.of_project, "--format", "{{.Names}}\t{{.Image}}")
    old = [row for row in shown if row[1].startswith(OURS) and not row[1].endswith(f":{version}")]
    todo = f"docker compose --project-name {stack.project} down; its volumes stay"
    found = [Finding(State.MISSING, name, f"is left of {image}", todo) for name, image in old]
    known = docker.compose("--profile", "*", "config", "--volumes")
    if known.code:
        return found
    names = {f"{stack.project}_{key}" for key in known.out.split()}
    kept = [name for (name,) in docker.rows("volume", "ls", "--filter", stack.of_project, "--format", "{{.Name}}")]
    todo = "keep it, or docker volume rm"
    return found + [
        Finding(State.NOTE, name, "is no volume of this version", todo) for name in kept if name not in names
    ]


def _say(*lines: str) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
