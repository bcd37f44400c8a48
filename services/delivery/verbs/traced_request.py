"""One answer by the id of its request, out of the prediction log of whichever model gave it."""

from collections.abc import Sequence

from pydantic import ValidationError

from services.contract import names
from services.contract.errors import Refused, Unavailable
from services.contract.prediction_log import LoggedPrediction, LogQuery, is_sampled
from services.contract.release import Manifest
from services.delivery.clients.rollout_client import Rollout
from services.delivery.output import say
from services.delivery.store import Store


def find_request(rollout: Rollout, store: Store, model: str | None, request: str) -> LoggedPrediction:
    """Of all live models when none is given. Raises Refused, saying why no log may have it."""
    query = _query(request)
    models = [model] if model else [state.model for state in rollout.states()]
    found = [one for name in models for one in _logged(rollout, name, query)]
    if not found:
        why = "; ".join(f"{name} {_why_not_of(rollout, store, name, request)}" for name in models)
        raise Refused(f"expected request {request} in a prediction log, found it in none: {why or 'nothing is live'}")
    if len(found) > 1:
        say(f"note: {len(found)} answers have the id {request}, the newest is traced")
    return max(found, key=lambda one: one.at)


def request_rows(found: LoggedPrediction, time: str) -> dict[str, str]:
    """For a person; `time` is the form of a time."""
    more = " and more" if found.rows > 1 else ""
    inputs = f"{dict(zip(found.columns, found.inputs[0], strict=True))}{more}" if found.inputs else "not kept"
    took = f"{found.status} in {found.seconds * 1000:.3g} ms, {found.rows} row{'' if found.rows == 1 else 's'}"
    return {
        "request": f"{found.request_id}, {found.at:{time}}: {took}",
        "asked": inputs,
        "rows' digest": found.inputs_sha256 or "none, it was refused",
        "answered": f"{found.predictions[0]}{more}" if found.predictions else "not kept",
    }


def _query(request: str) -> LogQuery:
    try:
        return LogQuery(request_id=request)
    except ValidationError as error:
        expected = "an id of at most 128 letters, digits and ._~:/+=@-"
        raise Refused(f"--request: expected {expected}, found another: copy it from the answer") from error


def _logged(rollout: Rollout, model: str, query: LogQuery) -> Sequence[LoggedPrediction]:
    """A model of which no log can be read has nothing of it."""
    try:
        return rollout.logged(model, query)
    except Unavailable:
        raise
    except Refused as refused:
        say(f"note: {refused}")
        return ()


def _why_not_of(rollout: Rollout, store: Store, model: str, request: str) -> str:
    live = rollout.state(model).live
    if live is None:
        return "has no live release"
    log = Manifest.read(store.release(live.release) / names.MANIFEST_FILE).limits.prediction_log
    if not log.share:
        return "keeps no log: serving.prediction_log.share in its model.yaml"
    if not is_sampled(request, log.share):
        return f"keeps {log.share:.4g} of its requests, and this id is none of them"
    return f"would keep this id, so it was not asked this, or longer ago than its {log.max_bytes} bytes reach"
