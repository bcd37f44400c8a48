"""The services of the compose files as a test reads them: with variables as they are written."""

from typing import Any

from scripts.compose_files import compose_files, compose_services

Service = dict[str, Any]


def services() -> dict[str, Service]:
    """All of them, whatever their profile."""
    return {service.name: service.values for service in compose_services()}


def text() -> str:
    return "".join(file.read_text() for file in compose_files())


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
