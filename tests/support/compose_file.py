"""docker-compose.yml as a test reads it: with what it includes, and with variables as they are written."""

from typing import Any

import yaml

from tests.support.paths import ROOT

FILE = ROOT / "docker-compose.yml"
Service = dict[str, Any]


def services() -> dict[str, Service]:
    """All of them, whatever their profile."""
    main = yaml.safe_load(FILE.read_text())
    included = [yaml.safe_load((ROOT / path).read_text()) for path in main["include"]]
    return {name: service for part in (main, *included) for name, service in part["services"].items()}


def is_one_shot(service: Service) -> bool:
    """Ends by itself: a job that somebody starts, or a step on the way up."""
    return service.get("restart") == "no" or service.get("profiles") == ["jobs"]


def mounts(service: Service) -> list[tuple[str, str, bool]]:
    """Source, target, and whether it may be written to."""
    parts = [volume.split(":") for volume in service.get("volumes", [])]
    return [(part[0], part[1], part[2:] != ["ro"]) for part in parts]


def networks(service: Service) -> set[str]:
    if service.get("network_mode") == "none":
        return set()
    return set(service.get("networks", ["default"]))
