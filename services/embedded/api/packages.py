"""Packages: what pipelines wait for."""

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
from services.embedded.api.payload import Json, Payload, flag, mapping, required, text
from services.embedded.api.protocol import ADMIN, CurrentEngine, accepts, answer, links, refuse_stale
from services.embedded.api.repositories import repository_links
from services.embedded.engine import CiEngine
from services.embedded.pipelines.pipeline_config import is_name
from services.embedded.records.catalog import Package, Repository

VERSION = 2
router = APIRouter(prefix="/go/api/admin/packages", dependencies=[accepts(VERSION), ADMIN])

_NOT_SAVED = (
    "Save failed. An error occurred while saving the package config. Please check the logs for more information."
)
_STALE = (
    "Someone has modified the configuration for packageDefinition '{}'."
    " Please update your copy of the config with the changes and try again."
)


@router.get("")
def packages(engine: CurrentEngine) -> JSONResponse:
    shapes = [_shape(engine, package) for package in engine.catalog.packages()]
    url = f"{engine.site.server_url}/api/admin/packages"
    return answer(VERSION, {"_links": links(url, "packages"), "_embedded": {"packages": shapes}})


@router.get("/{identity}")
def package(engine: CurrentEngine, identity: str) -> JSONResponse:
    return answer(VERSION, _shape(engine, _known(engine, identity)), tagged=True)


@router.post("")
def create(engine: CurrentEngine, new: Payload) -> JSONResponse:
    wanted = _read(engine, new)
    known = engine.catalog.packages()
    if problems := _problems(engine, wanted, known):
        return _invalid(wanted, problems)
    if not is_name(wanted.id) or any(it.id == wanted.id for it in known):
        return answer(VERSION, {"message": _NOT_SAVED, "data": _data(wanted, {})}, 500)
    engine.catalog.add_package(wanted)
    engine.materials.refresh()
    return answer(VERSION, _shape(engine, wanted), tagged=True)


@router.put("/{identity}")
def replace(engine: CurrentEngine, request: Request, identity: str, new: Payload) -> JSONResponse:
    wanted = _read(engine, new)
    current = answer(VERSION, _shape(engine, _known(engine, identity)), tagged=True)
    refuse_stale(request, current, _STALE.format(identity))
    if wanted.id != identity:
        data = _data(wanted, {})
        data["package_repo"]["name"] = None
        message = "Changing the package id is not supported by this API."
        return _still(current, answer(VERSION, {"message": message, "data": data}, 422))
    others = [it for it in engine.catalog.packages() if it.id != identity]
    if problems := _problems(engine, wanted, others):
        return _still(current, _invalid(wanted, problems))
    engine.catalog.replace_package(wanted)
    engine.materials.refresh()
    return answer(VERSION, _shape(engine, wanted), tagged=True)


def _still(current: JSONResponse, refusal: JSONResponse) -> JSONResponse:
    """A refused change tells the ETag of what is there."""
    refusal.headers["ETag"] = current.headers["ETag"]
    return refusal


def _known(engine: CiEngine, identity: str) -> Package:
    found = engine.catalog.package(identity)
    if not found:
        raise HTTPException(404, f"Package definition with id '{identity}' was not found!")
    return found


def _read(engine: CiEngine, new: Json) -> Package:
    required(new, "auto_update")
    reference = str(required(mapping(new, "package_repo"), "id"))
    configured = properties(new, engine.plugin.package_fields())
    repository = engine.catalog.repository(reference)
    wanted = Package(
        text(new, "id") or str(uuid.uuid4()),
        text(new, "name") or "",
        repository or Repository(reference, "", "", "", ()),
        flag(new, "auto_update"),
        configured,
    )
    if not repository:
        message = f"Package repository with id '{reference}' was not found!"
        raise HTTPException(422, {"message": message, "data": _data(wanted, {})})
    return wanted


def _problems(engine: CiEngine, wanted: Package, others: list[Package]) -> Problems | None:
    """By field; None when all is well."""
    if not wanted.name:
        return {"name": ["Please provide name"]}
    if not is_name(wanted.name):
        return {"name": [bad_name("Package name", wanted.name)]}
    if problems := engine.plugin.package_problems(wanted):
        return problems
    if same := next((it for it in others if it.fingerprint == wanted.fingerprint), None):
        both = ", ".join(f"[Repo Name: '{it.repository.name}', Package Name: '{it.name}']" for it in (same, wanted))
        return {"id": [f"Cannot save package or repo, found duplicate packages. {both}"]}
    named = [it for it in others if it.repository.id == wanted.repository.id and it.id != wanted.id]
    if any(it.name.lower() == wanted.name.lower() for it in named):
        return {
            "name": [
                f"You have defined multiple packages called '{wanted.name}'."
                " Package names are case-insensitive and must be unique within a repository."
            ]
        }
    return None


def _invalid(wanted: Package, problems: Problems) -> JSONResponse:
    message = validation_failed("package", wanted.id)
    return answer(VERSION, {"message": message, "data": _data(wanted, problems)}, 422)


def _data(wanted: Package, problems: Problems) -> dict[str, Any]:
    """What was sent, as GoCD sends it back."""
    return {
        "name": wanted.name or None,
        "id": wanted.id,
        "auto_update": wanted.auto_update,
        "package_repo": {"id": wanted.repository.id, "name": wanted.repository.name or None},
        "configuration": configuration_shape(wanted.properties, problems),
        **errors_beside(wanted.properties, problems),
    }


def _shape(engine: CiEngine, package: Package) -> dict[str, Any]:
    url = f"{engine.site.server_url}/api/admin/packages"
    repository = package.repository
    return {
        "_links": links(f"{url}/{package.id}", "packages", f"{url}/:package_id"),
        "name": package.name,
        "id": package.id,
        "auto_update": package.auto_update,
        "package_repo": {
            "_links": repository_links(engine, repository.id),
            "id": repository.id,
            "name": repository.name,
        },
        "configuration": configuration_shape(package.properties),
    }
