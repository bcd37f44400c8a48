"""A config repo as clients send it: reading it, and GoCD's validation errors."""

import re
from collections.abc import Sequence
from typing import Any

from fastapi import HTTPException

from services.embedded.api.configuration import bad_name, validation_failed
from services.embedded.api.payload import Json, flag, mapping, objects, required, text
from services.embedded.pipelines.pipeline_config import is_name
from services.embedded.polling.config_repo import YAML_PLUGIN, ConfigRepo, Rule

PATTERN = "file_pattern"
# Other settings of GoCD are refused rather than ignored.
_KNOWN = {
    "": {"id", "plugin_id", "material", "configuration", "rules"},
    "material.attributes": {"url", "branch", "auto_update", "name"},
}
_URL = re.compile(r"[^-\s]\S*")
_RULE_TYPES = ("pipeline_group", "*")


def read_config_repo(new: Json) -> ConfigRepo:
    """Raises a 422 for a shape or a setting that GoCD or this server does not have."""
    identity, plugin = required(new, "id"), required(new, "plugin_id")
    material = mapping(new, "material")
    if (kind := text(material, "type")) != "git":
        message = f"Unsupported material type: {kind}. It has to be one of 'git, hg, svn, p4 and tfs'."
        raise HTTPException(422, f"Your request could not be processed. {message}")
    git = mapping(material, "attributes")
    _refuse_unknown("", new)
    _refuse_unknown("material.attributes", git)
    return ConfigRepo(
        id=str(identity),
        url=text(git, "url") or "",
        branch=text(git, "branch") or "master",
        auto_update=flag(git, "auto_update") if "auto_update" in git else True,
        file_pattern=_file_pattern(new),
        rules=tuple(_rule(rule) for rule in objects(new, "rules")) if plugin else (),
    )


def _refuse_unknown(place: str, found: Json) -> None:
    if unknown := sorted(key for key in found.keys() - _KNOWN[place] if found[key] is not None):
        names = ", ".join(f"{place}.{key}".lstrip(".") for key in unknown)
        raise HTTPException(422, f"{names}: not a setting that this server has")
    if place and found.get("name") is not None:
        raise HTTPException(422, f"{place}.name: not a setting that this server has")


def _file_pattern(new: Json) -> str | None:
    items = objects(new, "configuration")
    if strange := [item.get("key") for item in items if item.get("key") != PATTERN]:
        raise HTTPException(422, f"configuration.{strange[0]}: not a setting that this server has")
    if len(items) > 1:
        raise HTTPException(422, f"configuration.{PATTERN}: expected it once, found it {len(items)} times")
    return text(items[0], "value") if items else None


def _rule(rule: Json) -> Rule:
    return Rule(rule.get("directive") == "allow", str(rule.get("type")), str(rule.get("resource")))


def refused_config_repo(new: Json, others: Sequence[ConfigRepo]) -> dict[str, Any] | None:
    """GoCD's message and what was sent with its errors; None when it is valid."""
    identity, url = str(new["id"]), text(new["material"]["attributes"], "url")
    if any(it.id == identity for it in others):
        message = f"Failed to add config-repo '{identity}'. Another config-repo with the same name already exists."
        errors = {"id": ["ConfigRepo ids should be unique. A ConfigRepo with the same id already exists."]}
        return {"message": message, "data": _data(new, errors)}
    errors = _errors(new, others, identity, url)
    data = _data(new, errors)
    wrong = errors or "errors" in data["material"]["attributes"] or any("errors" in rule for rule in data["rules"])
    return {"message": validation_failed("config-repo", identity), "data": data} if wrong else None


def _errors(new: Json, others: Sequence[ConfigRepo], identity: str, url: str | None) -> dict[str, list[str]]:
    branch = text(new["material"]["attributes"], "branch") or "master"
    if new["plugin_id"] != YAML_PLUGIN:
        return {"plugin_id": [f"Invalid plugin id: {new['plugin_id']}"]}
    if not is_name(identity):
        return {"id": [bad_name("id", identity)]}
    if url and any((it.url, it.branch) == (url, branch) for it in others):
        return {
            "material": [f"You have defined multiple configuration repositories with the same repository - '{url}'."]
        }
    return {}


def _data(new: Json, errors: dict[str, list[str]]) -> dict[str, Any]:
    git = new["material"]["attributes"]
    url = text(git, "url")
    wrong_url = {} if url and _URL.fullmatch(url) else {"errors": {"url": [_bad_url(url)]}}
    attributes = {
        "name": None,
        "auto_update": flag(git, "auto_update") if "auto_update" in git else True,
        "url": url,
        "branch": text(git, "branch") or "master",
        **wrong_url,
    }
    return {
        "id": new["id"],
        "plugin_id": new["plugin_id"],
        "material": {"type": "git", "attributes": attributes},
        **({"errors": errors} if errors else {}),
        "configuration": objects(new, "configuration"),
        "rules": [_checked(rule) for rule in objects(new, "rules")],
    }


def _bad_url(url: str | None) -> str:
    return f"Invalid URL '{url}'" if url else "URL cannot be blank"


def _checked(rule: Json) -> Json:
    """The rule, with its `errors` if it has any."""
    if rule.get("directive") not in ("allow", "deny"):
        return {"errors": {"directive": ["Invalid directive, must be either 'allow' or 'deny'."]}, **rule}
    if rule.get("action") != "refer":
        return {"errors": {"action": ["Invalid action, must be one of [refer]."]}, **rule}
    if rule.get("type") not in _RULE_TYPES:
        types = "[pipeline, pipeline_group, environment]"
        return {"errors": {"type": [f"Invalid type, must be one of {types}."]}, **rule}
    return rule
