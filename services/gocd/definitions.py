"""What Trackback defines in a GoCD server, each in the words of GoCD's API, and how it compares with what is there."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from services.contract import names
from services.gocd.client import Json

REPOSITORY, PACKAGE, CONFIG_REPO = "package repository", "package", "config repo"
CONFIG_REPO_ID = "trackback"
PACKAGES, PACKAGES_VERSION = "/api/admin/packages", 2
YAML_PLUGIN = "yaml.config.plugin"
GROUP = "models"
PIPELINES = "services/gocd/pipelines.gocd.yaml"


@dataclass(frozen=True)
class Definition:
    """`path` is where it is created; `ours` are the fields that tell it from somebody else's of the same name.

    Where one of the keys `instead` is configured, its configuration says what we want in another way, and is kept.
    The fields `at_first` are what it is created with; later on they are somebody else's.
    """

    kind: str
    id: str
    path: str
    version: int
    body: Json
    ours: tuple[str, ...]
    instead: tuple[str, ...] = ()
    at_first: tuple[str, ...] = ()

    def is_ours(self, found: Json) -> bool:
        return all(_at(found, field) == _at(self.body, field) for field in self.ours)

    def differences(self, found: Json) -> Iterator[str]:
        """What GoCD adds by itself, and keys that somebody else has set, do not count."""
        yield from _differences(self._beside(found).body, found, "")

    def over(self, found: Json) -> "Definition":
        """With the configured keys that we do not set left as they are."""
        beside = self._beside(found)
        wanted = beside.body["configuration"]
        ours = {item["key"] for item in wanted}
        kept = [item for item in found["configuration"] if item["key"] not in ours]
        return replace(self, body={**beside.body, "configuration": [*wanted, *kept]})

    def _beside(self, found: Json) -> "Definition":
        kept = [*self.at_first]
        if any(_by_key(found["configuration"]).get(key) for key in self.instead):
            kept.append("configuration")
        return replace(self, body={**self.body, **{key: found[key] for key in kept}})


def repository(mlflow_url: str, ui_url: str) -> Definition:
    body = {
        "repo_id": names.REPOSITORY_ID,
        "name": names.REPOSITORY_ID,
        "plugin_metadata": {"id": names.PLUGIN_ID, "version": "1"},
        "configuration": _configuration(MLFLOW_URL=mlflow_url, MLFLOW_UI_URL=ui_url),
    }
    ours = ("plugin_metadata.id",)
    return Definition(REPOSITORY, names.REPOSITORY_ID, "/api/admin/repositories", 1, body, ours)


def package(model: str, followed: bool = False) -> Definition:
    """Where `trackback gocd follow` runs, GoCD polls it from its first promotion on: each poll before it would fail."""
    body = {
        "id": model,
        "name": model,
        "auto_update": not followed,
        "package_repo": {"id": names.REPOSITORY_ID},
        "configuration": _configuration(EXPERIMENT=model, TAG=names.PROMOTE_TAG),
    }
    at_first = ("auto_update",) if followed else ()
    instead = ("REGISTERED_MODEL", "ALIAS")
    return Definition(PACKAGE, model, PACKAGES, PACKAGES_VERSION, body, ("package_repo.id",), instead, at_first)


def previews(model: str) -> Definition:
    """GoCD's timer leaves it alone, because most of the time nothing is to be previewed and each poll would fail:
    whoever tags a run asks for the poll, or `trackback gocd follow` does."""
    body = {
        "id": f"{model}{names.PREVIEW}",
        "name": f"{model}{names.PREVIEW}",
        "auto_update": False,
        "package_repo": {"id": names.REPOSITORY_ID},
        "configuration": _configuration(EXPERIMENT=model, TAG=names.PREVIEW_TAG),
    }
    ours, at_first = ("package_repo.id",), ("auto_update",)
    return Definition(PACKAGE, str(body["id"]), PACKAGES, PACKAGES_VERSION, body, ours, at_first=at_first)


def polled(found: Json) -> Json:
    """The package as it is, but polled by GoCD's timer."""
    kept = {key: found[key] for key in ("id", "name", "configuration")}
    return {**kept, "auto_update": True, "package_repo": {"id": _at(found, "package_repo.id")}}


def model_of(package: Json) -> str | None:
    """Whose promotions or previews it waits for; None when it is not of our repository, or waits for another tag."""
    fields = _by_key(package["configuration"])
    if _at(package, "package_repo.id") != names.REPOSITORY_ID:
        return None
    waits = {names.PROMOTE_TAG: package["id"], names.PREVIEW_TAG: fields.get("EXPERIMENT")}
    return waits.get(fields.get("TAG") or names.PROMOTE_TAG)


def config_repo(url: str, branch: str) -> Definition:
    """The git repository that holds the pipelines; they may be in our group and in no other."""
    body = {
        "id": CONFIG_REPO_ID,
        "plugin_id": YAML_PLUGIN,
        "material": {"type": "git", "attributes": {"url": url, "branch": branch, "auto_update": True}},
        "configuration": _configuration(file_pattern=PIPELINES),
        "rules": [{"directive": "allow", "action": "refer", "type": "pipeline_group", "resource": GROUP}],
    }
    return Definition(CONFIG_REPO, CONFIG_REPO_ID, "/api/admin/config_repos", 4, body, ("plugin_id",))


def identity(found: Json) -> str:
    return str(found.get("repo_id") or found["id"])


def _configuration(**values: str) -> list[Json]:
    return [{"key": key, "value": value} for key, value in values.items()]


def _at(value: Any, path: str) -> Any:
    for part in path.split("."):
        value = value[part]
    return value


def _differences(wanted: Any, found: Any, place: str) -> Iterator[str]:
    if place == "configuration":
        wanted, found = _by_key(wanted), _by_key(found)
    if isinstance(wanted, dict) and isinstance(found, dict):
        for key, value in wanted.items():
            yield from _differences(value, found.get(key), f"{place}.{key}".lstrip("."))
    elif wanted != found:
        yield f"{place}: expected {wanted!r}, found {found!r}"


def _by_key(configuration: list[Json] | None) -> Json:
    """A secure value is never shown, so it cannot be compared."""
    return {item["key"]: item.get("value") for item in configuration or []}
