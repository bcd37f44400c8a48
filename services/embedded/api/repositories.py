"""Package repositories: where packages come from."""

import uuid
from collections.abc import Sequence
from typing import Any

from services.embedded.api.catalog_routes import CatalogRoutes, Names
from services.embedded.api.configuration import Problems, bad_name, configuration_shape, errors_beside, properties
from services.embedded.api.payload import Json, mapping, required, text
from services.embedded.api.protocol import links
from services.embedded.engine import CiEngine
from services.embedded.pipelines.pipeline_config import is_name
from services.embedded.records.catalog import Repository


class RepositoryRoutes(CatalogRoutes[Repository]):
    version = 1
    names = Names(
        path="repositories",
        documentation="package-repositories",
        listed="package_repositories",
        in_validation="repository",
        in_saving="package repository",
        in_stale="package repository",
        in_not_found="repository",
    )

    def all(self, engine: CiEngine) -> list[Repository]:
        return engine.catalog.repositories()

    def add(self, engine: CiEngine, new: Repository) -> None:
        engine.catalog.add_repository(new)

    def put(self, engine: CiEngine, new: Repository) -> None:
        engine.catalog.replace_repository(new)

    def read(self, engine: CiEngine, new: Json) -> Repository:
        plugin = mapping(new, "plugin_metadata")
        name, version = str(required(plugin, "id")), str(required(plugin, "version"))
        configured = properties(new, engine.plugin.repository_fields())
        identity = text(new, "repo_id") or str(uuid.uuid4())
        return Repository(identity, text(new, "name") or "", name, version, configured)

    def has_bad_id(self, wanted: Repository, others: Sequence[Repository]) -> bool:  # noqa: ARG002
        return not is_name(wanted.id)

    def problems(self, engine: CiEngine, wanted: Repository, others: Sequence[Repository]) -> Problems | None:
        keys = [it.key for it in wanted.properties]
        if twice := [key for key in keys if keys.count(key) > 1]:
            return {twice[0]: [f"Duplicate key '{twice[0]}' found for Repository '{wanted.name}'"]}
        if wanted.plugin != engine.plugin.info.id:
            return {}  # GoCD refuses a plugin that it does not have, and names no field
        return _wrong_name(wanted, others) or engine.plugin.repository_problems(wanted) or None

    def sent(self, wanted: Repository, problems: Problems) -> dict[str, Any]:
        return {
            "repo_id": wanted.id,
            "name": wanted.name or None,
            "plugin_metadata": {"id": wanted.plugin, "version": wanted.version},
            "configuration": configuration_shape(wanted.properties, problems),
            "_embedded": {"packages": []},
            **errors_beside(wanted.properties, problems),
        }

    def shape(self, engine: CiEngine, item: Repository) -> dict[str, Any]:
        url = f"{engine.site.server_url}/api/admin/packages"
        packages = [
            {"_links": links(f"{url}/{it.id}", "packages", f"{url}/:package_id"), "name": it.name, "id": it.id}
            for it in engine.catalog.packages()
            if it.repository.id == item.id
        ]
        return {
            "_links": repository_links(engine, item.id),
            "repo_id": item.id,
            "name": item.name,
            "plugin_metadata": {"id": item.plugin, "version": item.version},
            "configuration": configuration_shape(item.properties),
            "_embedded": {"packages": packages},
        }


def _wrong_name(wanted: Repository, others: Sequence[Repository]) -> Problems | None:
    """A name that is missing, bad or taken, or an id that is taken."""
    if not wanted.name:
        return {"name": ["Please provide name"]}
    if not is_name(wanted.name):
        return {"name": [bad_name("PackageRepository name", wanted.name)]}
    if any(it.name.lower() == wanted.name.lower() for it in others):
        twice = f"You have defined multiple repositories called '{wanted.name}'."
        return {"name": [f"{twice} Repository names are case-insensitive and must be unique."]}
    return {"repo_id": ["Repository id must be unique"]} if any(it.id == wanted.id for it in others) else None


def repository_links(engine: CiEngine, identity: str) -> dict[str, Any]:
    url = f"{engine.site.server_url}/api/admin/repositories"
    return links(f"{url}/{identity}", "package-repositories", f"{url}/:repo_id")


router = RepositoryRoutes().router()
