"""Packages: the materials that pipelines wait for."""

import uuid
from collections.abc import Sequence
from typing import Any

from fastapi import HTTPException

from services.embedded.api.catalog_routes import CatalogRoutes, Names
from services.embedded.api.configuration import Problems, bad_name, configuration_shape, errors_beside, properties
from services.embedded.api.payload import Json, flag, mapping, required, text
from services.embedded.api.protocol import links
from services.embedded.api.repositories import repository_links
from services.embedded.engine import CiEngine
from services.embedded.pipelines.pipeline_config import is_name
from services.embedded.records.catalog import Package, Repository


class PackageRoutes(CatalogRoutes[Package]):
    version = 2
    tags_refusals = True
    names = Names(
        path="packages",
        documentation="packages",
        listed="packages",
        in_validation="package",
        in_saving="package",
        in_stale="packageDefinition",
        in_not_found="definition",
    )

    def all(self, engine: CiEngine) -> list[Package]:
        return engine.catalog.packages()

    def add(self, engine: CiEngine, new: Package) -> None:
        engine.catalog.add_package(new)

    def put(self, engine: CiEngine, new: Package) -> None:
        engine.catalog.replace_package(new)

    def read(self, engine: CiEngine, new: Json) -> Package:
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
            raise HTTPException(422, {"message": message, "data": self.sent(wanted, {})})
        return wanted

    def has_bad_id(self, wanted: Package, others: Sequence[Package]) -> bool:
        return not is_name(wanted.id) or any(it.id == wanted.id for it in others)

    def renamed(self, wanted: Package) -> dict[str, Any]:
        """With what was sent, but for the name of its repository."""
        data = self.sent(wanted, {})
        return super().renamed(wanted) | {"data": data | {"package_repo": data["package_repo"] | {"name": None}}}

    def problems(self, engine: CiEngine, wanted: Package, others: Sequence[Package]) -> Problems | None:
        if not wanted.name:
            return {"name": ["Please provide name"]}
        if not is_name(wanted.name):
            return {"name": [bad_name("Package name", wanted.name)]}
        return engine.plugin.package_problems(wanted) or _same_material(wanted, others) or _same_name(wanted, others)

    def sent(self, wanted: Package, problems: Problems) -> dict[str, Any]:
        return {
            "name": wanted.name or None,
            "id": wanted.id,
            "auto_update": wanted.auto_update,
            "package_repo": {"id": wanted.repository.id, "name": wanted.repository.name or None},
            "configuration": configuration_shape(wanted.properties, problems),
            **errors_beside(wanted.properties, problems),
        }

    def shape(self, engine: CiEngine, item: Package) -> dict[str, Any]:
        url = f"{engine.site.server_url}/api/admin/packages"
        repository = item.repository
        return {
            "_links": links(f"{url}/{item.id}", "packages", f"{url}/:package_id"),
            "name": item.name,
            "id": item.id,
            "auto_update": item.auto_update,
            "package_repo": {
                "_links": repository_links(engine, repository.id),
                "id": repository.id,
                "name": repository.name,
            },
            "configuration": configuration_shape(item.properties),
        }


def _same_material(wanted: Package, others: Sequence[Package]) -> Problems | None:
    same = next((it for it in others if it.fingerprint == wanted.fingerprint), None)
    if same is None:
        return None
    both = ", ".join(f"[Repo Name: '{it.repository.name}', Package Name: '{it.name}']" for it in (same, wanted))
    return {"id": [f"Cannot save package or repo, found duplicate packages. {both}"]}


def _same_name(wanted: Package, others: Sequence[Package]) -> Problems | None:
    """Names are unique within a repository."""
    named = [it for it in others if it.repository.id == wanted.repository.id and it.id != wanted.id]
    if all(it.name.lower() != wanted.name.lower() for it in named):
        return None
    twice = f"You have defined multiple packages called '{wanted.name}'."
    return {"name": [f"{twice} Package names are case-insensitive and must be unique within a repository."]}


router = PackageRoutes().router()
