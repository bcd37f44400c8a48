"""Proof by asking: a candidate repeats its golden predictions, and the public address answers as the new release."""

import time
from collections.abc import Iterator
from typing import Any

import httpx

from services.contract import names
from services.contract.errors import Refused
from services.contract.prediction import Prediction, read_predictions
from services.rollout.store import StoredRelease

ANSWER_SECONDS = 10.0
CONFIRM_SECONDS = 5.0
PAUSE_SECONDS = 0.02


def replay_golden(socket_path: str, release: StoredRelease) -> None:
    """Asks over the private door what any client asks. Raises Refused for another answer or another identity."""
    transport = httpx.HTTPTransport(uds=socket_path, trust_env=False)
    try:
        with httpx.Client(transport=transport, base_url="http://candidate", timeout=ANSWER_SECONDS) as client:
            found = [answer for batch in _batches(release) for answer in _ask(client, release, batch)]
    except httpx.HTTPError as error:
        raise Refused(f"expected the candidate to answer its golden rows, found {type(error).__name__}") from error
    release.golden.check(found)


def _batches(release: StoredRelease) -> Iterator[list[tuple[Any, ...]]]:
    rows, size = release.golden.rows, release.manifest.limits.max_rows
    for start in range(0, len(rows), size):
        yield list(rows[start : start + size])


def _ask(client: httpx.Client, release: StoredRelease, rows: list[tuple[Any, ...]]) -> list[Prediction]:
    question = {"dataframe_split": {"columns": release.golden.columns, "data": rows}}
    answer = client.post("/invocations", json=question)
    if answer.status_code != 200:
        raise Refused(f"expected 200 for golden rows, found {answer.status_code}: {answer.text[:200]}")
    if (found := answer.headers.get(names.RELEASE_HEADER)) != release.digest:
        raise Refused(f"expected answers of release {release.digest[:12]}…, found {found}")
    return read_predictions(answer.json().get("predictions"), "the candidate's answer")


def confirm(url: str, release: str, seconds: float = CONFIRM_SECONDS) -> None:
    """Returns once `url` answers as `release`. Raises Refused after `seconds` without."""
    deadline = time.monotonic() + seconds
    while (found := _identity(url)) != release:
        if time.monotonic() > deadline:
            raise Refused(f"expected {url} to answer as release {release[:12]}…, found {found or 'no answer'}")
        time.sleep(PAUSE_SECONDS)


def _identity(url: str) -> str | None:
    try:
        answer = httpx.get(f"{url}/health/ready", timeout=CONFIRM_SECONDS, trust_env=False)
    except httpx.HTTPError:
        return None
    release: str | None = answer.headers.get(names.RELEASE_HEADER)
    return release
