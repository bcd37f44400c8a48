"""What people and jobs do in a real MLflow: runs of an experiment, and versions of a registered model."""

import json
import uuid
from typing import Any

from benchmarks.mlflow_rest import MlflowRest
from services.embedded.plugin.plugin_host import PluginHost

END = 1_795_334_460_000


class Experiment:
    """A fresh experiment and a fresh registered model in MLflow, and the package that watches them."""

    def __init__(self, url: str, host: PluginHost) -> None:
        self.url, self.host, self.rest = url, host, MlflowRest(url)
        self.name = f"diamond-{uuid.uuid4().hex[:8]}"
        self.id = self.rest.post("experiments/create", name=self.name)["experiment_id"]

    def run(self, name: str, status: str = "FINISHED", model: str | None = "model", end: int = END) -> str:
        run_id: str = self.rest.post("runs/create", experiment_id=self.id, run_name=name)["run"]["info"]["run_id"]
        if model:
            self.log_model(run_id, model)
        self.finish(run_id, status, end)
        return run_id

    def log_model(self, run_id: str, name: str = "model") -> str:
        return self.rest.log_model(self.id, run_id, name)

    def model_id(self, run_id: str) -> str:
        """Of the only model that the run has logged."""
        (output,) = self.rest.get("runs/get", run_id=run_id)["run"]["outputs"]["model_outputs"]
        found: str = output["model_id"]
        return found

    def finish(self, run_id: str, status: str = "FINISHED", end: int = END) -> None:
        self.rest.post("runs/update", run_id=run_id, status=status, end_time=end)

    def tag(self, run_id: str, value: str, key: str = "promote") -> None:
        self.rest.post("runs/set-tag", run_id=run_id, key=key, value=value)

    def untag(self, run_id: str, key: str = "promote") -> None:
        self.rest.post("runs/delete-tag", run_id=run_id, key=key)

    def delete(self, run_id: str) -> None:
        self.rest.post("runs/delete", run_id=run_id)

    def restore(self, run_id: str) -> None:
        self.rest.post("runs/restore", run_id=run_id)

    def create_registered_model(self, name: str) -> None:
        self.rest.post("registered-models/create", name=name)

    def register(self, name: str, run_id: str) -> str:
        """The number of a new version, made from the model of the run."""
        model_id = self.model_id(run_id)
        return self.register_source(name, f"models:/{model_id}", run_id=run_id, model_id=model_id)

    def register_source(self, name: str, source: str, **more: str) -> str:
        created = self.rest.post("model-versions/create", name=name, source=source, **more)
        number: str = created["model_version"]["version"]
        return number

    def delete_version(self, name: str, number: str) -> None:
        self.rest.delete("model-versions/delete", name=name, version=number)

    def delete_registered_model(self, name: str) -> None:
        self.rest.delete("registered-models/delete", name=name)

    def point(self, name: str, alias: str, number: str) -> None:
        self.rest.post("registered-models/alias", name=name, alias=alias, version=number)

    def unpoint(self, name: str, alias: str) -> None:
        self.rest.delete("registered-models/alias", name=name, alias=alias)

    def message(self, previous: dict[str, Any] | None = None) -> str:
        values = {
            "repository-configuration": {"MLFLOW_URL": {"value": self.url}},
            "package-configuration": {"EXPERIMENT": {"value": self.name}},
        }
        return json.dumps({**values, "previous-revision": previous} if previous else values)

    def poll(self, previous: dict[str, Any] | None = None) -> dict[str, Any]:
        name = "latest-revision-since" if previous else "latest-revision"
        reply = self.host.call(name, self.message(previous))
        assert reply.code == 200, reply.body
        revision: dict[str, Any] = json.loads(reply.body or "")
        return revision
