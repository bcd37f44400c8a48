"""Package repositories: where packages come from."""

import uuid
from typing import Any

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import JSONResponse

from services.embedded.api.configuration import (
    Problems,
    bad_name,
    configuration_shape,
    errors_beside,
    properties,
    validation_failed,
)
from services.embedded.api.payload import Json, Payload, mapping, required, text
from services.embedded.api.protocol import ADMIN, CurrentEngine, accepts, answer, links, refuse_stale
from services.embedded.engine import CiEngine
from services.embedded.pipelines.pipeline_config import is_name
from services.embedded.records.catalog import Repository

VERSION = 1
router = APIRouter(prefix="/go/api/admin/repositories", dependencies=[accepts(VERSION), ADMIN])

_NOT_SAVED = "Save failed. An error occurred while saving the package repository config."
_STALE = (
    "Someone has modified the configuration for package repository '{}'."
    " Please update your copy of the config with the changes and try again."
)


@router.get("")
def repositories(engine: CurrentEngine) -> JSONResponse:
    shapes = [_shape(engine, repository) for repository in engine.catalog.repositories()]
    url = f"{engine.site.server_url}/api/admin/repositories"
    listing = {"_links": links(url, "package-repositories"), "_embedded": {"package_repositories": shapes}}
    return answer(VERSION, listing)


@router.get("/{identity}")
def repository(engine: CurrentEngine, identity: str) -> JSONResponse:
    return answer(VERSION, _shape(engine, _known(engine, identity)), tagged=True)


@router.post("")
def create(engine: CurrentEngine, new: Payload) -> JSONResponse:
    wanted = _read(engine, new)
    if not is_name(wanted.id):
        message = f"{_NOT_SAVED} Please check the logs for more information."
        return answer(VERSION, {"message": message, "data": _data(wanted, {})}, 500)
    problems = _problems(engine, wanted, engine.catalog.repositories())
    if problems is not None:
        return _invalid(wanted, problems)
    engine.catalog.add_repository(wanted)
    return answer(VERSION, _shape(engine, wanted), tagged=True)


@router.put("/{identity}")
def replace(engine: CurrentEngine, request: Request, identity: str, new: Payload) -> JSONResponse:
    wanted = _read(engine, new)
    current = answer(VERSION, _shape(engine, _known(engine, identity)), tagged=True)
    refuse_stale(request, current, _STALE.format(identity))
    if wanted.id != identity:
        raise HTTPException(422, "Changing the repository id is not supported by this API.")
    others = [it for it in engine.catalog.repositories() if it.id != identity]
    problems = _problems(engine, wanted, others)
    if problems is not None:
        return _invalid(wanted, problems)
    engine.catalog.replace_repository(wanted)
    engine.materials.refresh()
    return answer(VERSION, _shape(engine, wanted), tagged=True)


def _known(engine: CiEngine, identity: str) -> Repository:
    found = engine.catalog.repository(identity)
    if not found:
        raise HTTPException(404, f"Package repository with id '{identity}' was not found!")
    return found


def _read(engine: CiEngine, new: Json) -> Repository:
    plugin = mapping(new, "plugin_metadata")
    identity, version = str(required(plugin, "id")), str(required(plugin, "version"))
    configured = properties(new, engine.plugin.repository_fields())
    return Repository(text(new, "repo_id") or str(uuid.uuid4()), text(new, "name") or "", identity, version, configured)


def _problems(engine: CiEngine, wanted: Repository, others: list[Repository]) -> Problems | None:
    """By field; GoCD names none when it does not know the plugin. None when all is well."""
    keys = [it.key for it in wanted.properties]
    twice = [key for key in keys if keys.count(key) > 1]
    named = (
        f"You have defined multiple repositories called '{wanted.name}'."
        " Repository names are case-insensitive and must be unique."
    )
    if twice:
        return {twice[0]: [f"Duplicate key '{twice[0]}' found for Repository '{wanted.name}'"]}
    if wanted.plugin != engine.plugin.info.id:
        return {}
    if not wanted.name:
        return {"name": ["Please provide name"]}
    if not is_name(wanted.name):
        return {"name": [bad_name("PackageRepository name", wanted.name)]}
    if any(it.name.lower() == wanted.name.lower() for it in others):
        return {"name": [named]}
    if any(it.id == wanted.id for it in others):
        return {"repo_id": ["Repository id must be unique"]}
    return engine.plugin.repository_problems(wanted) or None


def _invalid(wanted: Repository, problems: Problems) -> JSONResponse:
    message = validation_failed("repository", wanted.id)
    return answer(VERSION, {"message": message, "data": _data(wanted, problems)}, 422)


def _data(wanted: Repository, problems: Problems) -> dict[str, Any]:
    """What was sent, as GoCD sends it back."""
    return {
        "repo_id": wanted.id,
        "name": wanted.name or None,
        "plugin_metadata": {"id": wanted.plugin, "version": wanted.version},
        "configuration": configuration_shape(wanted.properties, problems),
        "_embedded": {"packages": []},
        **errors_beside(wanted.properties, problems),
    }


def repository_links(engine: CiEngine, identity: str) -> dict[str, Any]:
    url = f"{engine.site.server_url}/api/admin/repositories"
    return links(f"{url}/{identity}", "package-repositories", f"{url}/:repo_id")


def _shape(engine: CiEngine, repository: Repository) -> dict[str, Any]:
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
        "configuration": configuration_shape(repository.properties),
        "_embedded": {"packages": packages},
    }
