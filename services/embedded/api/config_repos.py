"""Config repos: git repositories whose pipelines this server runs."""

from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.responses import JSONResponse

from services.embedded.api.config_repo_payload import PATTERN, read_config_repo, refused_config_repo
from services.embedded.api.payload import Payload
from services.embedded.api.protocol import CONFIRMED, CurrentEngine, CurrentUser, accepts, answer, links, refuse_stale
from services.embedded.clock import iso_seconds
from services.embedded.engine import CiEngine
from services.embedded.polling.config_repo import YAML_PLUGIN, ConfigRepo, ConfigRepoPoller
from services.embedded.polling.git_clone import Commit

VERSION = 4
router = APIRouter(prefix="/go/api/admin/config_repos", dependencies=[accepts(VERSION)])
internal = APIRouter(prefix="/go/api/internal/config_repos", dependencies=[accepts(VERSION)])

_STALE = "Someone has modified the entity. Please update your copy with the changes and try again."


def _may(engine: CiEngine, user: str, what: str, identity: object) -> None:
    if not engine.users.administers(user):
        message = f"User '{user}' does not have permissions to {what} '{identity}' config_repo(s)."
        raise HTTPException(403, message)


def _viewer(engine: CurrentEngine, user: CurrentUser, identity: str) -> None:
    _may(engine, user, "view", identity)


def _administrator(engine: CurrentEngine, user: CurrentUser, identity: str) -> None:
    _may(engine, user, "administer", identity)


@router.get("")
def config_repos(engine: CurrentEngine, user: CurrentUser) -> JSONResponse:
    shapes = [_shape(engine, poller.repo) for poller in _visible(engine, user)]
    url = f"{engine.site.server_url}/api/admin/config_repos"
    listing = {"_links": {"self": {"href": url}}, "_embedded": {"config_repos": shapes}}
    return answer(VERSION, listing, tagged=True)


def _visible(engine: CiEngine, user: str) -> list[ConfigRepoPoller]:
    return engine.config_repos.pollers() if engine.users.administers(user) else []


@router.get("/{identity}", dependencies=[Depends(_viewer)])
def config_repo(engine: CurrentEngine, identity: str) -> JSONResponse:
    return answer(VERSION, _shape(engine, _poller(engine, identity).repo), tagged=True)


@router.post("", dependencies=[CONFIRMED])
def create(engine: CurrentEngine, user: CurrentUser, new: Payload) -> JSONResponse:
    _may(engine, user, "administer", new.get("id"))
    wanted = read_config_repo(new)
    if refused := refused_config_repo(new, [it.repo for it in engine.config_repos.pollers()]):
        return answer(VERSION, refused, 422)
    engine.config_repos.add(wanted)
    return answer(VERSION, _shape(engine, wanted), tagged=True)


@router.put("/{identity}", dependencies=[Depends(_administrator), CONFIRMED])
def replace(engine: CurrentEngine, request: Request, identity: str, new: Payload) -> JSONResponse:
    wanted = read_config_repo(new)
    poller = _poller(engine, identity)
    refuse_stale(request, answer(VERSION, _shape(engine, poller.repo), tagged=True), _STALE)
    if wanted.id != identity:
        raise HTTPException(422, "Renaming of config repositories is not supported by this API.")
    others = [it.repo for it in engine.config_repos.pollers() if it is not poller]
    if refused := refused_config_repo(new, others):
        return answer(VERSION, refused, 422)
    engine.config_repos.replace(wanted)
    return answer(VERSION, _shape(engine, wanted), tagged=True)


@router.get("/{identity}/status", dependencies=[Depends(_viewer)])
def status(engine: CurrentEngine, identity: str) -> JSONResponse:
    return answer(VERSION, {"in_progress": _poller(engine, identity).in_progress})


@router.post("/{identity}/trigger_update", dependencies=[Depends(_administrator), CONFIRMED])
def trigger_update(engine: CurrentEngine, identity: str) -> JSONResponse:
    if not _poller(engine, identity).trigger():
        raise HTTPException(409, "Update already in progress.")
    return answer(VERSION, {"message": "OK"}, 201)


@internal.get("")
def parsed_config_repos(engine: CurrentEngine, user: CurrentUser) -> JSONResponse:
    """With the result of the last parsing of each, as GoCD's page of config repos reads it."""
    shapes = [
        {
            **_shape(engine, poller.repo),
            "material_update_in_progress": poller.in_progress,
            "parse_info": _parse_info(poller),
        }
        for poller in _visible(engine, user)
    ]
    listing = {
        "_links": {"self": {"href": f"{engine.site.server_url}/api/admin/config_repos"}},
        "_embedded": {"config_repos": shapes},
        "auto_completion": _auto_completion(engine, user),
    }
    return answer(VERSION, listing, tagged=True)


def _auto_completion(engine: CiEngine, user: str) -> list[dict[str, Any]]:
    seen = {n: it.group for n, it in engine.pipelines.pipelines.items() if engine.users.operates(user, it.group)}
    groups = list(dict.fromkeys(seen.values()))
    by_group = sorted(seen, key=lambda name: groups.index(seen[name]))
    known: dict[str, list[str]] = {"pipeline": by_group, "environment": [], "pipeline_group": groups}
    return [{"key": key, "value": value} for key, value in known.items()]


def _poller(engine: CiEngine, identity: str) -> ConfigRepoPoller:
    found = engine.config_repos.poller(identity)
    if not found:
        raise HTTPException(404, f"Config repo with id '{identity}' was not found!")
    return found


def _shape(engine: CiEngine, repo: ConfigRepo) -> dict[str, Any]:
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
        "email_address": None,
        "revision": commit.revision,
        "comment": commit.comment,
        "modified_time": iso_seconds(datetime.fromisoformat(commit.at).astimezone(UTC)),
    }
