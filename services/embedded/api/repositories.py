"""Package repositories: where packages come from."""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, HTTPException
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from services.embedded.api.configuration import ConfigurationItem, configuration_shape, properties, validation_failed
from services.embedded.api.protocol import CONFIRMED, Server, accepts, answer, links
from services.embedded.catalog import Repository
from services.embedded.engine import Engine
from services.embedded.pipeline_config import Name

VERSION = 1
router = APIRouter(prefix="/go/api/admin/repositories", dependencies=[accepts(VERSION)])


class PluginMetadata(BaseModel):
    id: str
    version: str


class NewRepository(BaseModel):
    repo_id: Name
    name: Name
    plugin_metadata: PluginMetadata
    configuration: list[ConfigurationItem] = []


@router.get("")
def repositories(engine: Server) -> JSONResponse:
    shapes = [_shape(engine, repository) for repository in engine.catalog.repositories()]
    url = f"{engine.site.server_url}/api/admin/repositories"
    listing = {"_links": links(url, "package-repositories"), "_embedded": {"package_repositories": shapes}}
    return answer(VERSION, listing)


@router.get("/{identity}")
def repository(engine: Server, identity: str) -> JSONResponse:
    found = engine.catalog.repository(identity)
    if not found:
        raise HTTPException(404, f"Package repository with id '{identity}' was not found!")
    return answer(VERSION, _shape(engine, found))


@router.post("", dependencies=[CONFIRMED])
def create(engine: Server, new: NewRepository) -> JSONResponse:
    plugin = engine.plugin.info
    if new.plugin_metadata.id != plugin.id:
        raise HTTPException(422, f"Invalid plugin id '{new.plugin_metadata.id}': expected '{plugin.id}'")
    configured = properties(new.configuration, engine.plugin.repository_fields())
    wanted = Repository(new.repo_id, new.name, plugin.id, plugin.version, configured)
    if problem := _duplicate(engine, wanted):
        return _refused(engine, wanted, problem, {})
    if problems := engine.plugin.repository_problems(wanted):
        return _refused(engine, wanted, validation_failed("package repository", wanted.id, problems), problems)
    engine.catalog.add_repository(wanted)
    return answer(VERSION, _shape(engine, wanted))


def _duplicate(engine: Engine, wanted: Repository) -> str | None:
    known = engine.catalog.repositories()
    if any(it.id == wanted.id for it in known):
        return f"Package repository with id '{wanted.id}' already exists!"
    if any(it.name.lower() == wanted.name.lower() for it in known):
        return (
            f"You have defined multiple repositories called '{wanted.name}'."
            " Repository names are case-insensitive and must be unique."
        )
    return None


def _refused(engine: Engine, wanted: Repository, message: str, problems: Mapping[str, list[str]]) -> JSONResponse:
    return answer(VERSION, {"message": message, "data": _shape(engine, wanted, problems)}, 422)


def repository_links(engine: Engine, identity: str) -> dict[str, Any]:
    url = f"{engine.site.server_url}/api/admin/repositories"
    return links(f"{url}/{identity}", "package-repositories", f"{url}/:repo_id")


def _shape(engine: Engine, repository: Repository, problems: Mapping[str, list[str]] | None = None) -> dict[str, Any]:
    url = f"{engine.site.server_url}/api/admin/packages"
    packages = [
        {"_links": links(f"{url}/{it.id}", "packages", f"{url}/:package_id"), "name": it.name, "id": it.id}
        for it in engine.catalog.packages()
        if it.repository.id == repository.id
    ]
    return {
        "_links": repository_links(engine, repository.id),
        "repo_id": repository.id,
        "name": repository.name,
        "plugin_metadata": {"id": repository.plugin, "version": repository.version},
        "configuration": configuration_shape(repository.properties, problems),
        "_embedded": {"packages": packages},
    }
