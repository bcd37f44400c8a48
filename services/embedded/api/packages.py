"""Packages: what pipelines wait for."""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, HTTPException
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from services.embedded.api.configuration import ConfigurationItem, configuration_shape, properties, validation_failed
from services.embedded.api.protocol import CONFIRMED, Server, accepts, answer, links
from services.embedded.api.repositories import repository_links
from services.embedded.catalog import Package
from services.embedded.engine import Engine
from services.embedded.pipeline_config import Name

VERSION = 2
router = APIRouter(prefix="/go/api/admin/packages", dependencies=[accepts(VERSION)])


class RepositoryReference(BaseModel):
    id: Name


class NewPackage(BaseModel):
    id: Name
    name: Name
    package_repo: RepositoryReference
    auto_update: bool = True
    configuration: list[ConfigurationItem] = []


@router.get("")
def packages(engine: Server) -> JSONResponse:
    shapes = [_shape(engine, package) for package in engine.catalog.packages()]
    url = f"{engine.site.server_url}/api/admin/packages"
    return answer(VERSION, {"_links": links(url, "packages"), "_embedded": {"packages": shapes}})


@router.get("/{identity}")
def package(engine: Server, identity: str) -> JSONResponse:
    found = engine.catalog.package(identity)
    if not found:
        raise HTTPException(404, f"Package with id '{identity}' was not found!")
    return answer(VERSION, _shape(engine, found))


@router.post("", dependencies=[CONFIRMED])
def create(engine: Server, new: NewPackage) -> JSONResponse:
    repository = engine.catalog.repository(new.package_repo.id)
    if not repository:
        raise HTTPException(422, f"Package repository with id '{new.package_repo.id}' was not found!")
    configured = properties(new.configuration, engine.plugin.package_fields())
    wanted = Package(new.id, new.name, repository, new.auto_update, configured)
    if problem := _duplicate(engine, wanted):
        return _refused(engine, wanted, problem, {})
    if problems := engine.plugin.package_problems(wanted):
        return _refused(engine, wanted, validation_failed("package", wanted.id, problems), problems)
    engine.catalog.add_package(wanted)
    engine.materials.refresh()
    return answer(VERSION, _shape(engine, wanted))


def _duplicate(engine: Engine, wanted: Package) -> str | None:
    known = engine.catalog.packages()
    if any(it.id == wanted.id for it in known):
        return f"Package with id '{wanted.id}' already exists!"
    if any(it.fingerprint == wanted.fingerprint for it in known):
        return (
            "Cannot save package or repo, found duplicate packages."
            f" [Repo Name: '{wanted.repository.name}', Package Name: '{wanted.name}']"
        )
    if any(it.name.lower() == wanted.name.lower() and it.repository.id == wanted.repository.id for it in known):
        return (
            f"You have defined multiple packages called '{wanted.name}'."
            " Package names are case-insensitive and must be unique within a repository."
        )
    return None


def _refused(engine: Engine, wanted: Package, message: str, problems: Mapping[str, list[str]]) -> JSONResponse:
    return answer(VERSION, {"message": message, "data": _shape(engine, wanted, problems)}, 422)


def _shape(engine: Engine, package: Package, problems: Mapping[str, list[str]] | None = None) -> dict[str, Any]:
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
        "configuration": configuration_shape(package.properties, problems),
    }
