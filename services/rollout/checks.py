"""Checks over HTTP: a candidate repeats its golden predictions, and the public address answers as the new release."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import httpx

from services.contract import names
from services.contract.errors import Refused
from services.contract.prediction import Prediction, read_predictions
from services.contract.waiting import wait_until
from services.rollout.release_store import StoredRelease

# Limits for what never answers: a busy machine may be slow, which says nothing of a release.
ANSWER_SECONDS = 60.0
CONFIRM_SECONDS = 30.0
LOOK_SECONDS = 5.0
BUSY = "the machine is busy with others, or it hangs: deploy it again"


def tcp_client(address: str, seconds: float = ANSWER_SECONDS) -> httpx.Client:
    """For a candidate at `host:port`; each answer is waited for so many `seconds`."""
    return httpx.Client(base_url=f"http://{address}", timeout=seconds, trust_env=False)


def replay_golden(private: AbstractContextManager[httpx.Client], release: StoredRelease) -> None:
    """Asks a candidate what any client asks, where it listens for this alone.

    Raises Refused for another answer than the golden one, for another identity, and for none.
    """
    try:
        with private as client:
            found = [answer for batch in _batches(release) for answer in _ask(client, release, batch)]
    except httpx.TimeoutException as error:
        raise Refused(
            f"expected the candidate to answer its golden rows, found nothing for {ANSWER_SECONDS:g} s: {BUSY}"
        ) from error
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
    last: str | None = None

    def answers() -> bool:
        nonlocal last
        last = identity(url)
        return last == release

    what = f"{url} to answer as release {release[:12]}…"
    wait_until(answers, what, seconds, found=lambda: f"found {last or 'no answer'}")


def wait_until_ready(answers: Callable[[], bool], release: str, seconds: float) -> None:
    """Raises Refused when the release does not answer in time, and what `answers` raises."""
    wait_until(answers, f"release {release[:12]}… to be ready", seconds, found=lambda: f"it was not: {BUSY}")


def identity(url: str) -> str | None:
    """The release that answers at `url` and is ready, None when none does."""
    try:
        answer = httpx.get(f"{url}/health/ready", timeout=LOOK_SECONDS, trust_env=False)
    except httpx.HTTPError:
        return None
    release: str | None = answer.headers.get(names.RELEASE_HEADER)
    return release
