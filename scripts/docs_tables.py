"""Writes the tables of variables, limits and services into docs/: `python -m scripts.docs_tables`, after a change."""

import argparse
import re
from collections.abc import Iterable
from enum import Enum
from pathlib import Path
from typing import Any

from prometheus_client.core import Metric
from pydantic import AliasChoices
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

import services.delivery.settings
import services.embedded.settings
import services.platform.settings
import services.rollout.settings
import training.settings
from scripts.compose_files import ComposeService, compose_services
from scripts.dockerfile import read_stages
from services.contract.release import ServingLimits
from services.contract.rollout_plan import Limits, RolloutPlan
from services.contract.serving_settings import PREFIX as SERVING
from services.prediction.observed.exposition import FiguresCollector
from services.prediction.observed.figures import SIZE
from services.prediction.observed.settings import ObservedSettings
from services.prediction.observed.whole import Whole

ROOT = Path(__file__).resolve().parents[1]
DOCS = tuple(ROOT / "docs" / page for page in ("observability.md", "operations.md", "rollout.md", "security.md"))
# Each is read by the program of its name.
SETTINGS: dict[str, type[BaseSettings]] = {
    "platform": services.platform.settings.PlatformSettings,
    "verbs": services.delivery.settings.Settings,
    "training": training.settings.Settings,
    "ci-server": services.embedded.settings.CiSettings,
    "rollout": services.rollout.settings.Settings,
}
# Images of others that neither a compose file nor a Dockerfile gives a user.
THEIR_USERS = {"${GOCD_SERVER_IMAGE}": "1000"}
NONE = "–"
_TABLE = re.compile(r"(<!-- table: (\S+), .* -->\n)(?:.*\n)*?(<!-- end of table -->\n)")

Row = tuple[str, ...]


def tables() -> dict[str, str]:
    """By the name that the docs mark each with."""
    return {
        **{f"variables-{name}": variables_table(settings) for name, settings in SETTINGS.items()},
        "variables-serving": _serving_table(),
        "metrics": _metrics_table(),
        "serving": _table(("`serving`", "default", "what it limits"), map(_limit, ServingLimits.model_fields.items())),
        "rollout": _table(("`rollout`", "default", "what it is"), map(_limit, RolloutPlan.model_fields.items())),
        "rollout-limits": _table(("`limits`", "default", "what it limits"), map(_limit, Limits.model_fields.items())),
        "services": _table(("service", "image", "profile", "why it exists"), map(_service, compose_services())),
        "rights": _table(
            ("service", "user", "networks", "writes to", "only reads", "port"), map(_rights, compose_services())
        ),
    }


def with_tables(text: str) -> str:
    """A page with its tables as they are now. Raises KeyError when it asks for one that there is not."""
    known = tables()
    return _TABLE.sub(lambda found: f"{found[1]}\n{known[found[2]]}\n{found[3]}", text)


def variables_table(settings: type[BaseSettings]) -> str:
    rows = [
        (_code(*variables(settings, name)), _default(field), field.description or "")
        for name, field in settings.model_fields.items()
    ]
    return _table(("variable", "default", "what it is"), rows)


def _serving_table() -> str:
    fields = [(name, field) for name, field in ObservedSettings.model_fields.items() if field.description]
    rows = [(_code(f"{SERVING}{name.upper()}"), _default(field), field.description or "") for name, field in fields]
    return _table(("variable", "default", "what it is"), rows)


def _metrics_table() -> str:
    """Of a release, as it tells them itself."""
    told = list(
        FiguresCollector([0.0] * SIZE, dict.fromkeys(("model", "revision", "release"), ""), Whole(0, 0)).collect()
    )
    return _table(
        ("metric", "type", "what it is"), [(_code(_full_name(one)), one.type, one.documentation) for one in told]
    )


def _full_name(metric: Metric) -> str:
    return f"{metric.name}_total" if metric.type == "counter" else metric.name


def _limit(named: tuple[str, FieldInfo]) -> Row:
    name, field = named
    return (_code(name), _default(field), field.description or "")


def variables(settings: type[BaseSettings], name: str) -> list[str]:
    """Those that a field is read from: its alias where it has one, else its name behind the prefix."""
    alias = settings.model_fields[name].validation_alias
    if isinstance(alias, AliasChoices):
        return [str(choice).upper() for choice in alias.choices]
    return [(str(alias) if alias else f"{settings.model_config.get('env_prefix', '')}{name}").upper()]


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "must be set"
    return NONE if field.default_factory else _shown(field.default)


def _shown(value: Any) -> str:
    if value in (None, "", ()):
        return NONE
    if isinstance(value, Path) and value.is_relative_to(ROOT):
        value = value.relative_to(ROOT)
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, bool):
        value = str(value).lower()
    return _code(f"{value:g}" if isinstance(value, float) else str(value))


def _service(service: ComposeService) -> Row:
    profiles = service.values.get("profiles", [])
    return (_code(service.name), _code(_image(service)), _code(*profiles), service.sentence)


def _image(service: ComposeService) -> str:
    """Of ours without the version, of others the variable that names it."""
    image = str(service.values["image"])
    return image.strip("${}") if image.startswith("${") else image.partition(":")[0]


def _rights(service: ComposeService) -> Row:
    mounts = [volume.split(":") for volume in service.values.get("volumes", [])]
    return (
        _code(service.name),
        user_of(service),
        ", ".join(networks_of(service)) or "none",
        _code(*(mount[0] for mount in mounts if mount[2:] != ["ro"])),
        _code(*(mount[0] for mount in mounts if mount[2:] == ["ro"])),
        _code(*re.findall(r"\$\{(\w+_PORT)\}", " ".join(service.values.get("ports", [])))),
    )


def networks_of(service: ComposeService) -> list[str]:
    if service.values.get("network_mode") == "none":
        return []
    return list(service.values.get("networks", ["default"]))


def user_of(service: ComposeService) -> str:
    """By number: the compose file's, else the last of the Dockerfile's stages that the image is made of."""
    if "user" in service.values:
        return str(service.values["user"]).partition(":")[0]
    return _user_of_image(_build(service))


def _build(service: ComposeService) -> dict[str, Any]:
    """Of the service that builds the image which this one runs."""
    return next(
        dict(other.values["build"])
        for other in (service, *compose_services())
        if other.values["image"] == service.values["image"] and "build" in other.values
    )


def _user_of_image(build: dict[str, Any]) -> str:
    stages = read_stages(ROOT / build["dockerfile"])
    named = {stage.name: stage for stage in stages}
    stage = named[build["target"]] if "target" in build else stages[-1]
    while not (users := [rest for word, rest in stage.instructions if word == "USER"]):
        if stage.base in THEIR_USERS:
            return THEIR_USERS[stage.base]
        stage = named[stage.base]
    return users[-1].partition(":")[0]


def _code(*words: str) -> str:
    return ", ".join(f"`{word}`" for word in words) or NONE


def _table(head: Row, rows: Iterable[Row]) -> str:
    ruled = [head, ("---",) * len(head), *rows]
    lines = ["| " + " | ".join(row) + " |" for row in ruled]
    return "\n".join([lines[0], lines[1].replace(" ", ""), *lines[2:]]) + "\n"


if __name__ == "__main__":
    argparse.ArgumentParser(prog="python -m scripts.docs_tables", description=__doc__).parse_args()
    for page in DOCS:
        page.write_text(with_tables(page.read_text(encoding="utf-8")), encoding="utf-8")
