"""An MLflow with runs, experiments and aliases that answers REST as the real one does, mistakes included."""

import json
import re
from typing import Any

import httpx

Json = dict[str, Any]
_LONGEST_KEY = 250
_LONGEST_TAG = 20_000


class PlayedMlflow(httpx.BaseTransport):
    """`away` refuses connections. Experiments are ids by name; runs are (experiment id, status, tags) by id."""

    def __init__(self) -> None:
        self.experiments: dict[str, str] = {}
        self.runs: dict[str, tuple[str, str, dict[str, str]]] = {}
        self.aliases: dict[tuple[str, str], int] = {}
        self.experiment_tags: dict[str, dict[str, str]] = {}
        self.deleted: set[str] = set()
        self.asked: list[str] = []
        self.filters: list[str] = []
        self.away = False

    def experiment(self, name: str) -> str:
        return self.experiments.setdefault(name, str(len(self.experiments) + 1))

    def tag(self, experiment: str, run_id: str, value: str, status: str = "FINISHED", key: str = "promote") -> None:
        self.runs[run_id] = (self.experiment(experiment), status, {key: value})

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if self.away:
            raise httpx.ConnectError("Connection refused", request=request)
        path = request.url.path.removeprefix("/api/2.0/mlflow/")
        self.asked.append(path)
        body = json.loads(request.content) if request.content else dict(request.url.params)
        status, answer = getattr(self, "_" + re.sub(r"\W", "_", path))(body)
        return httpx.Response(status, json=answer)

    def _experiments_get_by_name(self, query: Json) -> tuple[int, Json]:
        if not (found := self.experiments.get(query["experiment_name"])):
            return 404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "Could not find experiment"}
        return 200, {"experiment": {"experiment_id": found, "lifecycle_stage": "active"}}

    def _experiments_create(self, body: Json) -> tuple[int, Json]:
        return 200, {"experiment_id": self.experiment(body["name"])}

    def _runs_search(self, body: Json) -> tuple[int, Json]:
        self.filters.append(body["filter"])
        but = re.findall(r"'([^']*)'", body["filter"])
        tag = body["filter"].split("`")[1]
        found = [
            {
                "info": {"run_id": run_id, "experiment_id": experiment, "status": status},
                "data": {"tags": [{"key": key, "value": value} for key, value in tags.items()]},
            }
            for run_id, (experiment, status, tags) in self.runs.items()
            if experiment in body["experiment_ids"] and tag in tags and run_id not in but
        ]
        # The real one answers {} also to an experiment that it does not know.
        return 200, {"runs": found} if found else {}

    def _registered_models_alias(self, query: Json) -> tuple[int, Json]:
        if not (version := self.aliases.get((query["name"], query["alias"]))):
            return 400, {"error_code": "INVALID_PARAMETER_VALUE", "message": "Registered model alias not found."}
        return 200, {"model_version": {"version": str(version), "creation_timestamp": 1795753122799}}

    def _experiments_get(self, query: Json) -> tuple[int, Json]:
        if (found := self._experiment(query["experiment_id"])) is None:
            return self._no_experiment(query)
        tags = [{"key": key, "value": value} for key, value in found.items()]
        stage = "deleted" if query["experiment_id"] in self.deleted else "active"
        # The real one leaves an empty list out.
        listed = {"tags": tags} if tags else {}
        return 200, {"experiment": {"experiment_id": query["experiment_id"], "lifecycle_stage": stage, **listed}}

    def _experiments_set_experiment_tag(self, body: Json) -> tuple[int, Json]:
        if (found := self._experiment(body["experiment_id"])) is None:
            return self._no_experiment(body)
        if body["experiment_id"] in self.deleted:
            return 400, _invalid("The experiment must be in the 'active' state. Current state is deleted.")
        if not isinstance(body["value"], str):
            return 400, _invalid("Invalid value for parameter 'value'")
        if len(body["key"]) > _LONGEST_KEY or len(body["value"]) > _LONGEST_TAG:
            return 400, _invalid("exceeds the maximum length")
        found[body["key"]] = body["value"]
        return 200, {}

    def _experiment(self, experiment_id: str) -> dict[str, str] | None:
        known = experiment_id in self.experiments.values()
        return self.experiment_tags.setdefault(experiment_id, {}) if known else None

    def _no_experiment(self, asked: Json) -> tuple[int, Json]:
        message = f"No Experiment with id={asked['experiment_id']} exists"
        return 404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": message}


def _invalid(message: str) -> Json:
    return {"error_code": "INVALID_PARAMETER_VALUE", "message": message}
