"""An MLflow with runs, experiments and aliases that answers REST as the real one does, mistakes included."""

import json
import re
from typing import Any

import httpx

Json = dict[str, Any]


class PlayedMlflow(httpx.BaseTransport):
    """`away` refuses connections. Experiments are ids by name; runs are (experiment id, status, tags) by id."""

    def __init__(self) -> None:
        self.experiments: dict[str, str] = {}
        self.runs: dict[str, tuple[str, str, dict[str, str]]] = {}
        self.aliases: dict[tuple[str, str], int] = {}
        self.asked: list[str] = []
        self.filters: list[str] = []
        self.away = False

    def experiment(self, name: str) -> str:
        return self.experiments.setdefault(name, str(len(self.experiments) + 1))

    def tag(self, experiment: str, run_id: str, value: str, status: str = "FINISHED") -> None:
        self.runs[run_id] = (self.experiment(experiment), status, {"promote": value})

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
