"""`benchmarks/stack-figures`: measures the compose stack: seconds to healthy, image sizes, memory and CPU at rest."""

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.docker_cli import Docker, EngineConnection
from scripts.environments import refuse

# What they do for health checks is counted for no container.
ENGINE_PROCESSES = ("dockerd", "containerd", "containerd-shim", "docker-proxy")
UP_SECONDS = 900


@dataclass(frozen=True)
class Container:
    id: str
    service: str
    image: str


@dataclass(frozen=True)
class Usage:
    """`cpu` is seconds since the container's start, `memory` is bytes without the file cache."""

    cpu: float
    memory: float


def main(arguments: Sequence[str]) -> int:
    options = _options(arguments)
    docker = Docker(seconds=UP_SECONDS)
    _say(_up(docker))
    found = containers(docker)
    before, engine_before, started = usages(found), engine_cpu(), time.monotonic()
    _say(f"measuring {options.seconds:g} s at rest")
    time.sleep(options.seconds)
    after, passed = usages(found), time.monotonic() - started
    engine = percent(engine_cpu() - engine_before, passed)
    _say(*table(docker, found, before, after, passed), f"{'engine':83} {engine:>9}")
    return 0


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="benchmarks/stack-figures",
        description="Starts the compose stack where it is not up, and prints what it costs: seconds until healthy; "
        "of every container, also those of releases, the size of its image, its memory and its share of a core.",
        epilog="Which stack: COMPOSE_ENV_FILES and COMPOSE_PROJECT_NAME, as for `docker compose`.",
    )
    parser.add_argument("--seconds", type=float, default=60, help="how long to measure at rest; 60 if not given")
    return parser.parse_args(arguments)


def _up(docker: Docker) -> str:
    already, started = docker.ask("compose", "ps", "--quiet"), time.monotonic()
    done = docker.ask("compose", "up", "--detach", "--wait", "--quiet-pull")
    if already.code or done.code:
        refuse(f"expected the stack to come up, found: {done.problem}")
    seconds = f"{time.monotonic() - started:.0f} s"
    return f"was up, all healthy {seconds} after asking" if already.out else f"all healthy after {seconds}"


def containers(docker: Docker) -> list[Container]:
    """Containers of the services, then those of releases, which compose does not know."""
    form = "{{.ID}}\t{{.Service}}\t{{.Image}}"
    found = [Container(*row) for row in docker.rows("compose", "ps", "--format", form)]
    config = docker.ask("compose", "config", "--format", "json").content() or {}
    ours = f"label=trackback.project={config.get('name')}"
    form = '{{.ID}}\t{{.Label "trackback.model"}}\t{{.Image}}'
    return found + [Container(*row) for row in docker.rows("ps", "--filter", ours, "--format", form)]


def usages(found: Sequence[Container]) -> list[Usage]:
    return [usage(_stats(container)) for container in found]


def usage(stats: dict[str, Any]) -> Usage:
    """`stats` is the engine's answer for one container."""
    cpu, memory = stats["cpu_stats"], stats["memory_stats"]
    cache = memory.get("stats", {}).get("total_inactive_file") or memory.get("stats", {}).get("inactive_file", 0)
    return Usage(cpu["cpu_usage"]["total_usage"] / 1e9, memory.get("usage", 0) - cache)


def _stats(container: Container) -> dict[str, Any]:
    connection = EngineConnection()
    connection.request("GET", f"/containers/{container.id}/stats?stream=false&one-shot=true")
    answer = connection.getresponse()
    stats: dict[str, Any] = json.loads(answer.read())
    if answer.status != 200:
        refuse(
            f"expected a stack at rest, found {container.service} gone ({stats.get('message')}): measure again later"
        )
    return stats


def engine_cpu() -> float:
    """CPU seconds of the engine's processes on this machine and of their children that have ended."""
    ticks = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            name, _, rest = (folder / "stat").read_text().partition(" (")[2].rpartition(") ")
        except OSError:
            continue
        if name.startswith(ENGINE_PROCESSES):
            ticks += sum(int(part) for part in rest.split()[11:15])
    return ticks / os.sysconf("SC_CLK_TCK")


def table(
    docker: Docker, found: Sequence[Container], before: Sequence[Usage], after: Sequence[Usage], seconds: float
) -> list[str]:
    lines = [f"{'service':18} {'image':44} {'size':>9} {'memory':>9} {'of a core':>9}"]
    for container, first, last in zip(found, before, after, strict=True):
        size = docker.ask("image", "inspect", "--format", "{{.Size}}", container.image)
        image_size = f"{int(size.out) / 1e6:6.0f} MB" if size.code == 0 else ""
        lines.append(
            f"{container.service:18} {container.image[-44:]:44} {image_size:>9} {last.memory / 1e6:6.0f} MB "
            f"{percent(last.cpu - first.cpu, seconds):>9}"
        )
    together = sum(last.cpu for last in after) - sum(first.cpu for first in before)
    memory = sum(last.memory for last in after)
    return [*lines, f"{'together':73} {memory / 1e6:6.0f} MB {percent(together, seconds):>9}"]


def percent(cpu: float, seconds: float) -> str:
    return f"{100 * cpu / seconds:.1f} %"


def _say(*lines: str) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
