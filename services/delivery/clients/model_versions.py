"""The versions of registered models in MLflow, and the aliases that point at them."""

from collections.abc import Mapping
from dataclasses import dataclass

from services.delivery.clients.mlflow_http import Json, MlflowHttp, allowing


@dataclass(frozen=True)
class ModelVersion:
    """`source` is the model's URI."""

    model: str
    number: int
    source: str
    description: str = ""

    @classmethod
    def of(cls, found: Json) -> "ModelVersion":
        """From MLflow's JSON, which leaves out what is empty. Raises KeyError for what is no version."""
        return cls(found["name"], int(found["version"]), found.get("source", ""), found.get("description", ""))

    @property
    def key(self) -> dict[str, str]:
        return {"name": self.model, "version": str(self.number)}


class ModelVersions:
    """Every method raises Refused when MLflow says no."""

    def __init__(self, mlflow: MlflowHttp) -> None:
        self._mlflow = mlflow

    def of_run(self, model: str, run_id: str) -> list[ModelVersion]:
        """Of the registered model, those that came from this run; newest first."""
        with self._mlflow.expecting(f"the versions of {model}"):
            found = self._mlflow.get("model-versions/search", filter=f"name='{model}' and run_id='{run_id}'")
            versions = map(ModelVersion.of, found.get("model_versions", []))
            return sorted(versions, key=lambda version: version.number, reverse=True)

    def of_model(self, model: str, run_id: str, model_id: str) -> ModelVersion:
        """Of the registered model, the one that is this logged model; registered if need be."""
        source = f"models:/{model_id}"
        with self._mlflow.expecting(f"to register a version of {model}"):
            with allowing("RESOURCE_ALREADY_EXISTS"):
                self._mlflow.post("registered-models/create", name=model)
            # MLflow 3.17 leaves a version's model_id out of its answers.
            if known := [version for version in self.of_run(model, run_id) if version.source == source]:
                return known[0]
            wanted = {"name": model, "source": source, "run_id": run_id, "model_id": model_id}
            return ModelVersion.of(self._mlflow.post("model-versions/create", **wanted)["model_version"])

    def describe(self, version: ModelVersion, tags: Mapping[str, str], text: str) -> None:
        with self._mlflow.expecting(f"to describe version {version.number} of {version.model}"):
            self._mlflow.patch("model-versions/update", **version.key, description=text)
            for key, value in tags.items():
                self._mlflow.post("model-versions/set-tag", **version.key, key=key, value=value)

    def of_alias(self, model: str, alias: str) -> ModelVersion | None:
        what = f"the alias '{alias}' of {model} or none"
        with self._mlflow.expecting(what), allowing("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return ModelVersion.of(
                self._mlflow.get("registered-models/alias", name=model, alias=alias)["model_version"]
            )
        return None

    def delete_alias(self, model: str, alias: str) -> None:
        """Nothing to do where there is none."""
        what = f"to take the alias '{alias}' from {model}"
        with self._mlflow.expecting(what), allowing("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            self._mlflow.delete("registered-models/alias", name=model, alias=alias)

    def set_alias(self, version: ModelVersion, alias: str) -> None:
        with self._mlflow.expecting(f"to move the alias '{alias}' of {version.model}"):
            self._mlflow.post("registered-models/alias", **version.key, alias=alias)
