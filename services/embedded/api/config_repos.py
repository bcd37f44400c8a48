"""Config repos: git repositories whose pipelines this server runs."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from services.embedded.api.protocol import CONFIRMED, NOT_FOUND, Server, accepts, answer, links
from services.embedded.config_repo import YAML_PLUGIN, ConfigRepo, ConfigRepoPoller, Rule
from services.embedded.engine import Engine
from services.embedded.git_clone import Commit
from services.embedded.pipeline_config import Name

VERSION = 4
PATTERN = "file_pattern"
router = APIRouter(prefix="/go/api/admin/config_repos", dependencies=[accepts(VERSION)])
internal = APIRouter(prefix="/go/api/internal/config_repos", dependencies=[accepts(VERSION)])


class Strict(BaseModel):
    """What GoCD takes beyond this is refused rather than ignored."""

    model_config = ConfigDict(extra="forbid")


class GitAttributes(Strict):
    url: Annotated[str, Field(pattern=r"^[^-\s]\S*$")]
    branch: str = "master"
    auto_update: bool = True
    name: None = None


class Material(Strict):
    type: Literal["git"]
    attributes: GitAttributes


class Property(Strict):
    key: Literal["file_pattern"]
    value: str


class NewRule(Strict):
    directive: Literal["allow", "deny"]
    action: Literal["refer"]
    type: Literal["pipeline_group", "*"]
    resource: str


class NewConfigRepo(Strict):
    id: Name
    plugin_id: Literal["yaml.config.plugin"]
    material: Material
    configuration: Annotated[list[Property], Field(max_length=1)] = []
    rules: list[NewRule] = []

    def record(self) -> ConfigRepo:
        git = self.material.attributes
        pattern = next((it.value for it in self.configuration), None)
        rules = tuple(Rule(it.directive == "allow", it.type, it.resource) for it in self.rules)
        return ConfigRepo(self.id, git.url, git.branch, git.auto_update, pattern, rules)


@router.get("")
def config_repos(engine: Server) -> JSONResponse:
    shapes = [_shape(engine, poller.repo) for poller in engine.config_repos.pollers()]
    url = f"{engine.site.server_url}/api/admin/config_repos"
    return answer(VERSION, {"_links": {"self": {"href": url}}, "_embedded": {"config_repos": shapes}})


@router.get("/{identity}")
def config_repo(engine: Server, identity: str) -> JSONResponse:
    return answer(VERSION, _shape(engine, _poller(engine, identity).repo))


@router.post("", dependencies=[CONFIRMED])
def create(engine: Server, new: NewConfigRepo) -> JSONResponse:
    if engine.config_repos.poller(new.id):
        message = f"Failed to add config-repo '{new.id}'. Another config-repo with the same name already exists."
        raise HTTPException(422, message)
    repo = new.record()
    engine.config_repos.add(repo)
    return answer(VERSION, _shape(engine, repo))


@router.get("/{identity}/status")
def status(engine: Server, identity: str) -> JSONResponse:
    return answer(VERSION, {"in_progress": _poller(engine, identity).in_progress})


@router.post("/{identity}/trigger_update", dependencies=[CONFIRMED])
def trigger_update(engine: Server, identity: str) -> JSONResponse:
    if not _poller(engine, identity).trigger():
        raise HTTPException(409, "Update already in progress.")
    return answer(VERSION, {"message": "OK"}, 201)


@internal.get("")
def parsed_config_repos(engine: Server) -> JSONResponse:
    """With what became of each: GoCD's page of config repos is made of this."""
    shapes = [
        {
            **_shape(engine, poller.repo),
            "material_update_in_progress": poller.in_progress,
            "parse_info": _parse_info(poller),
        }
        for poller in engine.config_repos.pollers()
    ]
    url = f"{engine.site.server_url}/api/internal/config_repos"
    return answer(VERSION, {"_links": {"self": {"href": url}}, "_embedded": {"config_repos": shapes}})


def _poller(engine: Engine, identity: str) -> ConfigRepoPoller:
    found = engine.config_repos.poller(identity)
    if not found:
        raise HTTPException(404, NOT_FOUND)
    return found


def _shape(engine: Engine, repo: ConfigRepo) -> dict[str, Any]:
    url = f"{engine.site.server_url}/api/admin/config_repos"
    git = {"name": None, "auto_update": repo.auto_update, "url": repo.url, "branch": repo.branch}
    return {
        "_links": links(f"{url}/{repo.id}", "config-repos", f"{url}/:id"),
        "id": repo.id,
        "plugin_id": YAML_PLUGIN,
        "material": {"type": "git", "attributes": git},
        "configuration": [{"key": PATTERN, "value": repo.file_pattern}] if repo.file_pattern else [],
        "rules": [
            {
                "directive": "allow" if rule.allow else "deny",
                "action": "refer",
                "type": rule.type,
                "resource": rule.resource,
            }
            for rule in repo.rules
        ],
    }


def _parse_info(poller: ConfigRepoPoller) -> dict[str, Any]:
    info = poller.info
    if not info.latest:
        return {}
    return {
        "latest_parsed_modification": _modification(info.latest),
        "good_modification": _modification(info.good) if info.good else None,
        "error": info.error,
    }


def _modification(commit: Commit) -> dict[str, Any]:
    return {
        "username": f"{commit.author} <{commit.email}>",
        "email_address": commit.email,
        "revision": commit.revision,
        "comment": commit.comment,
        "modified_time": commit.at,
    }
