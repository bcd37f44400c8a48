"""MLflow, as far as a process that looks every few seconds asks it.

Codes: MLflow 3 REST API 2.0. It answers `200 {}` to much that is wrong, so replies are held to their shape.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import httpx

from services.contract import names
from services.contract.errors import Refused
from services.delivery.clients.mlflow_http import Json, MlflowHttp, allowing
from services.delivery.settings import Settings

_SECONDS = 10
_PAGE, _PAGES = 200, 10
_ENDED = ("FINISHED", "FAILED", "KILLED")
_MISSING, _ALIAS_MISSING, _EXISTS = "RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE", "RESOURCE_ALREADY_EXISTS"
_NOT_ACTIVE = "INVALID_PARAMETER_VALUE"


@dataclass(frozen=True)
class TaggedRun:
    """A run that has ended and has the tag."""

    run_id: str
    experiment_id: str
    value: str


class Tracking:
    """Every method raises Refused when MLflow cannot be reached or says no."""

    def __init__(
        self, uri: str, authorization: str | None = None, transport: httpx.BaseTransport | None = None
    ) -> None:
        self._mlflow = MlflowHttp(uri, authorization, seconds=_SECONDS, transport=transport)
        self.uri = self._mlflow.url

    def experiment(self, name: str) -> str | None:
        """Its id; None when there is none, or when it was deleted."""
        with self._mlflow.expecting(f"the experiment '{name}' or none"), allowing(_MISSING):
            found = self._mlflow.get("experiments/get-by-name", experiment_name=name)["experiment"]
            return str(found["experiment_id"]) if found.get("lifecycle_stage", "active") == "active" else None
        return None

    def create_experiment(self, name: str) -> None:
        """Nothing to do where somebody else just did."""
        with self._mlflow.expecting(f"to create the experiment '{name}'"), allowing(_EXISTS):
            self._mlflow.post("experiments/create", name=name)
            return
        if self.experiment(name) is None:
            raise Refused(f"expected to create the experiment '{name}' in MLflow, found it deleted: restore it there")

    def tagged(self, experiments: Sequence[str], tag: str, but: Collection[str]) -> Iterator[TaggedRun]:
        """The runs of these experiments that have ended and have the tag, without those named in `but`."""
        wanted = {"experiment_ids": list(experiments), "filter": _having(tag, but), "max_results": _PAGE}
        with self._mlflow.expecting(f"runs with the tag {tag} or none"):
            pages = self._mlflow.pages("runs/search", **wanted, order_by=["attributes.start_time ASC"])
            for page in islice(pages, _PAGES):
                yield from (run for run in _ended(page.get("runs", []), tag) if run.experiment_id in experiments)

    def version(self, registered_model: str, alias: str) -> str | None:
        """What tells the version that an alias points at from any other; None when it points at none."""
        what = f"the alias '{alias}' of {registered_model} or none"
        with self._mlflow.expecting(what), allowing(_MISSING, _ALIAS_MISSING):
            version = self._mlflow.get("registered-models/alias", name=registered_model, alias=alias)["model_version"]
            return f"{version['version']} of {version['creation_timestamp']}"
        return None

    def note_outcome(self, run_id: str, text: str) -> None:
        """On the run, for whoever looks at it; a run that was deleted is left alone."""
        with self._mlflow.expecting(f"to write tags on run {run_id}"), allowing(_MISSING, _NOT_ACTIVE):
            self._mlflow.post("runs/set-tag", run_id=run_id, key=names.OUTCOME_TAG, value=text)


def connect(settings: Settings, uri: str) -> Tracking:
    """With the credentials that MLflow's own client would take."""
    return Tracking(uri, settings.mlflow_authorization)


def _having(tag: str, but: Iterable[str]) -> str:
    known = ", ".join(f"'{run_id}'" for run_id in but)
    return f"tags.`{tag}` IS NOT NULL" + (f" AND attributes.run_id NOT IN ({known})" if known else "")


def _ended(runs: list[Json], tag: str) -> Iterator[TaggedRun]:
    for run in runs:
        info = run["info"]
        values = [item.get("value", "") for item in run["data"].get("tags", []) if item["key"] == tag]
        if values and info["status"] in _ENDED:
            yield TaggedRun(info["run_id"], info["experiment_id"], values[0])
