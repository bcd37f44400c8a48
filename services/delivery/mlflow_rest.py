"""The few questions to MLflow that a verb asks without its client, which takes a second to import."""

import base64
import json
import os
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote, urlencode, urlsplit

from services.contract.errors import Refused

Json = dict[str, Any]
SECONDS = 5.0
_ARTIFACTS = "mlflow-artifacts"


class MlflowRest:
    """Each question is asked once. Raises Refused when there is no answer within seconds, or MLflow says no."""

    def __init__(self, url: str, environment: Mapping[str, str] = os.environ) -> None:
        address = urlsplit(url)
        if address.scheme not in ("http", "https") or not address.hostname:
            raise Refused("expected MLFLOW_TRACKING_URI to be a web address")
        place = address.netloc.rpartition("@")[2]
        self.url = f"{address.scheme}://{place}{address.path.rstrip('/')}"
        user, password = (
            (address.username, address.password or "")
            if address.username
            else (environment.get("MLFLOW_TRACKING_USERNAME"), environment.get("MLFLOW_TRACKING_PASSWORD", ""))
        )
        self._headers = _authorization(user, password, environment.get("MLFLOW_TRACKING_TOKEN"))

    def run(self, run_id: str) -> Json:
        return dict(self._ask("GET", f"runs/get?{urlencode({'run_id': run_id})}")["run"])

    def set_tags(self, run_id: str, tags: Mapping[str, str]) -> None:
        listed = [{"key": key, "value": value} for key, value in tags.items()]
        self._ask("POST", "runs/log-batch", {"run_id": run_id, "tags": listed})

    def versions(self, model: str, run_id: str) -> list[Json]:
        """Of the registered model, those that came from this run; newest first."""
        query = urlencode({"filter": f"name='{model}' and run_id='{run_id}'"})
        found = self._ask("GET", f"model-versions/search?{query}").get("model_versions", [])
        return sorted(found, key=lambda version: -int(version["version"]))

    def describe_version(self, version: Json, tags: Mapping[str, str], text: str) -> None:
        which = {"name": version["name"], "version": version["version"]}
        self._ask("PATCH", "model-versions/update", {**which, "description": text})
        for key, value in tags.items():
            self._ask("POST", "model-versions/set-tag", {**which, "key": key, "value": value})

    def set_alias(self, version: Json, alias: str) -> None:
        which = {"name": version["name"], "version": version["version"]}
        self._ask("POST", "registered-models/alias", {**which, "alias": alias})

    def put_artifact(self, run: Json, path: str, content: bytes) -> None:
        """Raises Refused as well when MLflow does not serve the run's artifacts itself."""
        place = urlsplit(run["info"]["artifact_uri"])
        if place.scheme != _ARTIFACTS:
            raise Refused(f"expected MLflow to serve the run's artifacts, found them at {place.scheme}:")
        self._send("PUT", f"{_ARTIFACTS}/artifacts{quote(place.path)}/{quote(path)}", content)

    def _ask(self, method: str, path: str, body: Json | None = None) -> Json:
        try:
            return dict(json.loads(self._send(method, f"mlflow/{path}", json.dumps(body).encode() if body else None)))
        except (ValueError, TypeError) as error:
            raise Refused(f"expected JSON of MLflow at {self.url}, found something else") from error

    def _send(self, method: str, path: str, content: bytes | None) -> bytes:
        headers = {**self._headers, "Content-Type": "application/json"} if content else self._headers
        where, what = f"{self.url}/api/2.0/{path}", f"{method} {path.partition('?')[0]}"
        request = urllib.request.Request(where, content, headers, method=method)  # noqa: S310  checked above
        try:
            with urllib.request.urlopen(request, timeout=SECONDS) as answer:  # noqa: S310
                return bytes(answer.read())
        except HTTPError as error:
            with error:
                raise Refused(f"expected MLflow at {self.url} to take {what}, found {error.code}") from error
        except (OSError, ValueError) as error:
            raise Refused(f"expected MLflow at {self.url} to take {what}, found: {error}") from error


def _authorization(user: str | None, password: str, token: str | None) -> dict[str, str]:
    if user:
        return {"Authorization": f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"}
    return {"Authorization": f"Bearer {token}"} if token else {}
