"""Records a real MLflow's responses to the plugin's requests for the Java tests: one JSON file a response.

`.venv/dev/bin/python -m tests.support.recorded_mlflow` records them again from a server of its own: after an upgrade of
MLflow, and when a request is added here.
"""

import json
import re
import sys
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from benchmarks.large_mlflow import running
from tests.support.paths import ROOT

RECORDED = ROOT / "plugin/package-repository/src/test/resources/recorded"
STARTED, MINUTE = 1_795_334_400_000, 60_000
QUOTES = 'it\'s "half" `done` \\ ½'
Json = dict[str, Any]


@dataclass(frozen=True)
class MlflowRequest:
    """A request below MLflow's REST root; `body` is None for a GET."""

    path: str
    body: Json | None = None

    def as_json(self) -> Json:
        sent = {} if self.body is None else {"body": self.body}
        return {"method": "GET" if self.body is None else "POST", "path": f"/api/2.0/mlflow/{self.path}", **sent}


class SeededMlflow:
    """Writes the experiments, runs and models to record. Names end in `-<suffix>`, because the server may be in use."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client
        self.suffix = uuid.uuid4().hex[:8]
        self.experiments: list[str] = []
        self.runs: list[str] = []
        self.models: list[str] = []
        self.name, self.registered = f"diamond-price-{self.suffix}", f"price-{self.suffix}"
        self.quoted, self.deleted = f"{QUOTES}-{self.suffix}", f"retired-{self.suffix}"
        self._fill()

    def _fill(self) -> None:
        for name in (self.name, self.quoted, self.deleted):
            self.experiments.append(self._post("experiments/create", name=name)["experiment_id"])
        self._post("experiments/delete", experiment_id=self.experiments[2])
        self._fill_runs()
        self._register()

    def _fill_runs(self) -> None:
        linear = self._run("linear", promote="1 2026-11-22T08:00:00Z ada", **{"promote.reason": "the first one"})
        self._log(linear)
        self._log_models(linear, "model")
        boosted = self._run(
            "boosted", promote="2 2026-11-22T09:00:00Z grace", **{"promote.reason": 'a "third" better ½'}
        )
        self._log_models(boosted, "tokenizer", "model")
        for model in self.models[:2]:
            self._send("PATCH", f"logged-models/{model}", model_id=model, status="LOGGED_MODEL_READY")
        self._run("broken", status="FAILED", promote="true")
        self._run("going on", status="RUNNING", promote="")
        self._run("for a pull request", preview="42")
        self._post("runs/delete", run_id=self._run("deleted", promote="3 2026-11-22T10:00:00Z ada"))

    def _run(self, name: str, status: str = "FINISHED", **tags: str) -> str:
        start = STARTED + len(self.runs) * MINUTE
        listed = [{"key": key, "value": value} for key, value in {"mlflow.user": "ada", **tags}.items()]
        created = self._post(
            "runs/create",
            experiment_id=self.experiments[0],
            run_name=name,
            user_id="ada",
            start_time=start,
            tags=listed,
        )
        run: str = created["run"]["info"]["run_id"]
        if status != "RUNNING":
            self._post("runs/update", run_id=run, status=status, end_time=start + MINUTE)
        self.runs.append(run)
        return run

    def _log(self, run: str) -> None:
        values = {"mae": 251.7, "r2": 0.98, "unknown": "NaN"}
        metrics = [{"key": key, "value": value, "timestamp": STARTED, "step": 0} for key, value in values.items()]
        self._post("runs/log-batch", run_id=run, params=[{"key": "depth", "value": "6"}], metrics=metrics)
        data = {"name": "diamonds", "digest": "5f3b6a1c", "source_type": "local", "source": "{}"}
        context = [{"key": "mlflow.data.context", "value": "training"}]
        self._post("runs/log-inputs", run_id=run, datasets=[{"dataset": data, "tags": context}])

    def _log_models(self, run: str, *names: str) -> None:
        models = [self._logged_model(run, name) for name in names]
        # MLflow lists a run's models by id, and gives ids at random.
        while models != sorted(models):
            for model in models:
                self._send("DELETE", f"logged-models/{model}")
            models = [self._logged_model(run, name) for name in names]
        self._post("runs/outputs", run_id=run, models=[{"model_id": model, "step": 0} for model in models])
        self.models += models

    def _logged_model(self, run: str, name: str) -> str:
        described = {"params": [{"key": "depth", "value": "6"}], "tags": [{"key": "library", "value": "sklearn"}]}
        owner = {"experiment_id": self.experiments[0], "source_run_id": run}
        model: str = self._post("logged-models", name=name, **owner, **described)["model"]["info"]["model_id"]
        return model

    def _register(self) -> None:
        """Three versions: of a logged model, a copy of that one, and of files that MLflow knows nothing about."""
        self._post("registered-models/create", name=self.registered)
        sources: tuple[Json, ...] = (
            {"source": f"models:/{self.models[0]}", "run_id": self.runs[0], "model_id": self.models[0]},
            {"source": f"models:/{self.registered}/1"},
            {"source": "s3://bucket/elsewhere"},
        )
        for version, (alias, source) in enumerate(zip(("champion", "copy", "elsewhere"), sources, strict=True), 1):
            self._post("model-versions/create", name=self.registered, **source)
            self._post("registered-models/alias", name=self.registered, alias=alias, version=str(version))

    def _post(self, path: str, **body: Any) -> Json:
        return self._send("POST", path, **body)

    def _send(self, method: str, path: str, **body: Any) -> Json:
        found: Json = self._client.request(method, path, json=body).raise_for_status().json()
        return found


def requests(seeded: SeededMlflow) -> Iterator[tuple[str, MlflowRequest]]:
    """Each request with the name of its file."""
    yield from _of_experiments(seeded)
    yield from _of_runs(seeded)
    yield from _of_models(seeded)
    yield from _of_versions(seeded)


def _of_experiments(seeded: SeededMlflow) -> Iterator[tuple[str, MlflowRequest]]:
    names = {"": seeded.name, "-with-quotes": seeded.quoted, "-deleted": seeded.deleted, "-missing": "nowhere"}
    for kind, name in names.items():
        yield f"experiment{kind}", MlflowRequest(f"experiments/get-by-name?experiment_name={quote(name)}")


def _of_runs(seeded: SeededMlflow) -> Iterator[tuple[str, MlflowRequest]]:
    def tagged(tag: str, most: int = 200, experiment: str = seeded.experiments[0], **more: str) -> MlflowRequest:
        search = {"experiment_ids": [experiment], "filter": f"tags.`{tag}` IS NOT NULL", "run_view_type": "ACTIVE_ONLY"}
        order = {"order_by": ["attributes.start_time ASC"], "max_results": most}
        return MlflowRequest("runs/search", {**search, **order, **more})

    yield "runs-tagged", tagged("promote")
    yield "runs-tagged-one", tagged("preview")
    yield "runs-tagged-none", tagged("nobody.uses.this")
    yield "runs-tagged-in-no-experiment", tagged("promote", experiment="987654321")
    yield "runs-first-page", tagged("promote", 3)
    yield "runs-last-page", tagged("promote", 3, page_token="eyJvZmZzZXQiOiAzfQ==")  # {"offset": 3}
    yield "runs-page-token-refused", tagged("promote", page_token="nonsense")
    for kind, run in {"": 0, "-with-two-models": 1, "-failed": 2, "-running": 3, "-deleted": 5}.items():
        yield f"run{kind}", MlflowRequest(f"runs/get?run_id={seeded.runs[run]}")
    yield "run-missing", MlflowRequest(f"runs/get?run_id={'0' * 32}")


def _of_models(seeded: SeededMlflow) -> Iterator[tuple[str, MlflowRequest]]:
    def search(text: str) -> MlflowRequest:
        order = [{"field_name": "creation_timestamp", "ascending": False}]
        found = {"experiment_ids": [seeded.experiments[0]], "filter": text, "order_by": order, "max_results": 1}
        return MlflowRequest("logged-models/search", found)

    (linear, boosted), ids = seeded.runs[:2], "', '".join(seeded.models[1:])
    yield "models-of-run", search(f"source_run_id = '{linear}' AND name = 'model'")
    yield "models-of-run-by-ids", search(f"source_run_id = '{boosted}' AND name = 'model' AND model_id IN ('{ids}')")
    yield "models-none", search(f"source_run_id = '{linear}' AND name = 'nosuch'")
    yield "models-filter-refused", search("name = 'it's'")
    yield "model", MlflowRequest(f"logged-models/{seeded.models[0]}")
    yield "model-unfinished", MlflowRequest(f"logged-models/{seeded.models[2]}")
    yield "model-missing", MlflowRequest(f"logged-models/m-{'0' * 32}")


def _of_versions(seeded: SeededMlflow) -> Iterator[tuple[str, MlflowRequest]]:
    for name, alias in {"alias": "champion", "alias-of-copy": "copy", "alias-of-files": "elsewhere"}.items():
        yield name, MlflowRequest(f"registered-models/alias?name={seeded.registered}&alias={alias}")
    yield "alias-missing", MlflowRequest(f"registered-models/alias?name={seeded.registered}&alias=nosuch")
    yield "alias-of-no-model", MlflowRequest("registered-models/alias?name=nosuch&alias=champion")
    for name, version in {"version-files": 1, "version-files-of-copy": 2, "version-files-missing": 9}.items():
        yield name, MlflowRequest(f"model-versions/get-download-uri?name={seeded.registered}&version={version}")


def record(url: str) -> dict[str, Json]:
    """What the files hold, by name: request, status and raw body, with ids and times that are always the same."""
    with httpx.Client(base_url=f"{url}/api/2.0/mlflow/", timeout=60, trust_env=False) as client:
        seeded = SeededMlflow(client)
        return {name: _recorded(client, request, seeded) for name, request in requests(seeded)}


def _recorded(client: httpx.Client, request: MlflowRequest, seeded: SeededMlflow) -> Json:
    reply = client.get(request.path) if request.body is None else client.post(request.path, json=request.body)
    sent = json.loads(_steady(json.dumps(request.as_json()), seeded))
    return {"request": sent, "status": reply.status_code, "body": _steady(reply.text, seeded)}


def _steady(text: str, seeded: SeededMlflow) -> str:
    """The text with steady ids in place of those of the n-th experiment, run and model."""
    steady = {f"-{seeded.suffix}": ""}
    steady |= {run: f"{number:02x}" * 16 for number, run in enumerate(seeded.runs, 1)}
    steady |= {model: "m-" + f"{number:02x}" * 16 for number, model in enumerate(seeded.models, 0xA1)}
    for found, replaced in steady.items():
        text = text.replace(found, replaced)
    experiments = {found: str(number) for number, found in enumerate(seeded.experiments, 1)}
    text = _EXPERIMENT.sub(lambda found: found[1] + experiments.get(found[2], found[2]), text)
    return _SERVER_TIME.sub(rf"\g<1>{STARTED}", text)


_EXPERIMENT = re.compile(r'("experiment_ids?": \[?"|mlflow-artifacts:/)([0-9]+)')
_SERVER_TIME = re.compile(r'("(?:creation_time|last_update_time|(?:creation|last_updated)_timestamp(?:_ms)?)": )[0-9]+')


def write(recorded: Mapping[str, Json], folder: Path) -> None:
    """Writes these files and removes all others from the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.json"):
        old.unlink()
    for name, reply in recorded.items():
        text = json.dumps(reply, indent=2, ensure_ascii=False)
        (folder / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def read(folder: Path) -> dict[str, Json]:
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))}


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="recorded-mlflow-") as folder, running(Path(folder)) as server:
        recorded = record(server.url)
    write(recorded, RECORDED)
    sys.stderr.write(f"recorded {len(recorded)} replies in {RECORDED}\n")


if __name__ == "__main__":
    main()
