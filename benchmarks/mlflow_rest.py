"""MLflow's REST API 2.0, a request per call. Without MLflow's client, which adds tags and requests of its own."""

from typing import Any

import httpx

from services.contract.errors import Refused

Json = dict[str, Any]


class MlflowRest:
    """Paths are those below `/api/2.0/mlflow/`. Every call raises Refused for an answer that is an error."""

    def __init__(self, url: str) -> None:
        self.url = url
        # No connection is kept, so there is nothing to close.
        limits = httpx.Limits(max_keepalive_connections=0)
        self._client = httpx.Client(base_url=f"{url}/api/2.0/mlflow/", timeout=120, trust_env=False, limits=limits)

    def get(self, path: str, **query: str) -> Json:
        return self._ask("GET", path, params=query)

    def post(self, path: str, **body: Any) -> Json:
        return self._ask("POST", path, json=body)

    def delete(self, path: str, **body: Any) -> Json:
        return self._ask("DELETE", path, json=body)

    def log_model(self, experiment_id: str, run_id: str, name: str = "model") -> str:
        """A logged model without files, as an output of the run. Returns its id."""
        logged = self.post("logged-models", experiment_id=experiment_id, name=name, source_run_id=run_id)
        model_id: str = logged["model"]["info"]["model_id"]
        self.post("runs/outputs", run_id=run_id, models=[{"model_id": model_id, "step": 0}])
        return model_id

    def _ask(self, method: str, path: str, **content: Any) -> Json:
        answer = self._client.request(method, path, **content)
        if answer.is_error:
            raise Refused(f"expected MLflow to accept {path}, found {answer.status_code}: {answer.text}")
        found: Json = answer.json()
        return found
