"""Our plugin as the recording's GoCD had it, with an MLflow that the scenario changes: no JVM, no network."""

import json
import threading
from typing import Any, ClassVar

from services.embedded.plugin.interface import PluginInfo, PluginReply
from tests.support.embedded_fakes import FakePlugin
from tests.unit.embedded.gocd_exchanges.recorded import exchanges

URL = "http://mlflow.example:5000"
RUN_A, RUN_B = "7a367789" + "0a" * 12, "0b367789" + "0b" * 12
_AWAY = "asked MLflow at {} for {}, it cannot be reached: check that it runs, and the address in MLFLOW_URL"
_ADDRESS = "expected an address such as http://mlflow:5000, found "
_BOTH = "expected either EXPERIMENT, or REGISTERED_MODEL and ALIAS, found both"


def _fields(settings: str) -> dict[str, Any]:
    """Those that GoCD was told by our plugin."""
    name = "plugin_info of our plugin: accept application/vnd.go.cd.v7+json"
    info = next(it.expected for it in exchanges() if it.name == name)
    return {it["key"]: _described(it["metadata"]) for it in info["extensions"][0][settings]["configurations"]}


def _described(metadata: dict[str, Any]) -> dict[str, Any]:
    described = {key.replace("_", "-"): value for key, value in metadata.items()}
    return described | {"display-order": str(metadata["display_order"])}


class MlflowPlugin(FakePlugin):
    """`promoted` has the newest tag of each package; `away` and `held` are the MLflow that does not answer."""

    plugin = PluginInfo(id="trackback.mlflow", version="0.1.0", name="Trackback MLflow")
    repository_fields: ClassVar[dict[str, Any]] = _fields("repository_settings")
    package_fields: ClassVar[dict[str, Any]] = _fields("package_settings")

    def __init__(self) -> None:
        super().__init__()
        self.promoted: dict[tuple[str, str], dict[str, Any]] = {}
        self.away = False
        self.free = threading.Event()
        self.free.set()

    def promote(self, experiment: str, tag: str, number: int, run: str, value: str) -> None:
        name = "boosted" if run == RUN_A else "boosted-slow"
        self.promoted[(experiment, tag)] = {
            "revision": f"{number}-{run[:8]}",
            "timestamp": "2026-11-27T04:30:00.000Z",
            "user": "unknown",
            "revisionComment": f"{experiment}: run {name} ({run[:8]}) has the tag {tag} = {value}",
            "trackbackUrl": f"{URL}/#/experiments/1/runs/{run}",
            "data": {"PROMOTION": value},
        }

    def call(self, name: str, body: str | None, timeout: float = 30) -> PluginReply:
        if name.startswith("validate"):
            self.problems = _problems(body or "{}")
        return super().call(name, body, timeout)

    def _latest(self, _: str, content: dict[str, Any], __: float) -> PluginReply:
        values = {key: it["value"] for key, it in content["package-configuration"].items()}
        self.free.wait()
        if "ALIAS" in values:
            wanted, what = (values["REGISTERED_MODEL"], values["ALIAS"]), "the alias '{1}' of registered model '{0}'"
        else:
            wanted, what = (values["EXPERIMENT"], values["TAG"]), "the experiment '{0}'"
        if wanted in self.promoted and self.away:
            return PluginReply(code=500, body=_AWAY.format(URL, what.format(*wanted)))
        if wanted not in self.promoted:
            lost = f"expected an experiment named '{wanted[0]}' in MLflow, found none: create it or correct EXPERIMENT"
            return PluginReply(code=500, body=lost)
        return PluginReply(code=200, body=json.dumps(self.promoted[wanted]))


def _problems(body: str) -> list[dict[str, str]]:
    """What our plugin says of the configurations that were recorded."""
    content = json.loads(body)
    package = content.get("package-configuration")
    if package is None:
        url = content["repository-configuration"].get("MLFLOW_URL", {}).get("value", "")
        found = "none" if not url else "one that begins with neither http:// nor https://"
        return [] if url.startswith("http") else [{"key": "MLFLOW_URL", "message": _ADDRESS + found}]
    if "EXPERIMENT" in package and "ALIAS" in package:
        return [{"key": key, "message": _BOTH} for key in ("REGISTERED_MODEL", "ALIAS")]
    nothing = "expected the name of an MLflow experiment, or REGISTERED_MODEL and ALIAS, found none"
    return [] if "EXPERIMENT" in package or "ALIAS" in package else [{"key": "EXPERIMENT", "message": nothing}]
