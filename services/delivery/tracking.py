"""MLflow's REST API, as far as a process that looks every few seconds needs it: its client costs a second and 200 MB.

Paths and replies: MLflow 3 REST API 2.0. It answers `200 {}` to much that is wrong, so replies are held to their shape.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from services.contract import names
from services.contract.errors import Refused
from services.delivery.settings import Settings

_SECONDS = 10
_PAGE, _PAGES = 200, 10
_ENDED = ("FINISHED", "FAILED", "KILLED")
_MISSING, _ALIAS_MISSING, _EXISTS = "RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE", "RESOURCE_ALREADY_EXISTS"
_NOT_ACTIVE = "INVALID_PARAMETER_VALUE"
Json = dict[str, Any]


@dataclass(frozen=True)
class TaggedRun:
    """A run that has ended and has the tag."""

    run_id: str
    experiment_id: str
    value: str


class Tracking:
    """Every method raises Refused when MLflow cannot be reached or says no."""

    def __init__(self, uri: str, auth: httpx.Auth | None = None, transport: httpx.BaseTransport | None = None) -> None:
        self.uri = uri.rstrip("/")
        base = f"{self.uri}/api/2.0/mlflow/"
        self._http = httpx.Client(base_url=base, auth=auth, timeout=_SECONDS, transport=transport)

    def experiment(self, name: str) -> str | None:
        """Its id; None when there is none, or when it was deleted."""
        found = self._ask("GET", "experiments/get-by-name", {"experiment_name": name}, missing=_MISSING)
        if found is None:
            return None
        experiment = self._part(found, "experiment")
        return str(experiment["experiment_id"]) if experiment.get("lifecycle_stage", "active") == "active" else None

    def create_experiment(self, name: str) -> None:
        """Nothing to do where somebody else just did."""
        created = self._ask("POST", "experiments/create", {"name": name}, missing=_EXISTS)
        if created is None and self.experiment(name) is None:
            raise Refused(f"expected to create the experiment '{name}' in MLflow, found it deleted: restore it there")

    def tagged(self, experiments: Sequence[str], tag: str, but: Collection[str]) -> Iterator[TaggedRun]:
        """The runs of these experiments that have ended and have the tag, without those named in `but`."""
        wanted = {"experiment_ids": list(experiments), "filter": _having(tag, but), "max_results": _PAGE}
        for page in self._pages({**wanted, "order_by": ["attributes.start_time ASC"]}):
            yield from (run for run in _ended(page, tag) if run.experiment_id in experiments)

    def version(self, registered_model: str, alias: str) -> str | None:
        """What tells the version that an alias points at from any other; None when it points at none."""
        query = {"name": registered_model, "alias": alias}
        found = self._ask("GET", "registered-models/alias", query, missing=(_MISSING, _ALIAS_MISSING))
        if found is None:
            return None
        version = self._part(found, "model_version")
        return f"{version.get('version')} of {version.get('creation_timestamp')}"

    def note_outcome(self, run_id: str, text: str) -> None:
        """On the run, for whoever looks at it; a run that was deleted is left alone."""
        tag = {"run_id": run_id, "key": names.OUTCOME_TAG, "value": text}
        self._ask("POST", "runs/set-tag", tag, missing=(_MISSING, _NOT_ACTIVE))

    def _pages(self, body: Json) -> Iterator[list[Json]]:
        token = ""
        for _ in range(_PAGES):
            found = self._ask("POST", "runs/search", {**body, **({"page_token": token} if token else {})}) or {}
            yield list(found.get("runs", []))
            if not (token := found.get("next_page_token", "")):
                return

    def _ask(self, method: str, path: str, content: Json, missing: str | tuple[str, ...] = ()) -> Json | None:
        """None when MLflow answers with one of the codes in `missing`."""
        sent: dict[str, Any] = {"params": content} if method == "GET" else {"json": content}
        try:
            answer = self._http.request(method, path, **sent)
        except httpx.HTTPError as error:
            raise Refused(f"expected MLflow at {self.uri}, cannot reach it ({error}): is it up?") from error
        body = _json(answer)
        if answer.status_code == 200 and body is not None:
            return body
        code = (body or {}).get("error_code")
        if code and code in missing:
            return None
        what = (body or {}).get("message") or answer.reason_phrase
        raise Refused(f"expected MLflow at {self.uri} to answer {path}, found {answer.status_code}: {_line(str(what))}")

    def _part(self, found: Json, name: str) -> Json:
        if not isinstance(part := found.get(name), dict):
            raise Refused(f"expected MLflow at {self.uri}, found something else there: check the address")
        return part


def connect(settings: Settings, uri: str) -> Tracking:
    """With the credentials that MLflow's own client would take."""
    user, password = settings.mlflow_tracking_username, settings.mlflow_tracking_password
    return Tracking(uri, httpx.BasicAuth(user, password.get_secret_value()) if user and password else None)


def _having(tag: str, but: Iterable[str]) -> str:
    known = ", ".join(f"'{run_id}'" for run_id in but)
    return f"tags.`{tag}` IS NOT NULL" + (f" AND attributes.run_id NOT IN ({known})" if known else "")


def _ended(runs: list[Json], tag: str) -> Iterator[TaggedRun]:
    for run in runs:
        info = run["info"]
        values = [item.get("value", "") for item in run["data"].get("tags", []) if item["key"] == tag]
        if values and info["status"] in _ENDED:
            yield TaggedRun(info["run_id"], info["experiment_id"], values[0])


def _json(answer: httpx.Response) -> Json | None:
    try:
        found = answer.json()
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _line(text: str) -> str:
    return " ".join(text.split())[:200]
