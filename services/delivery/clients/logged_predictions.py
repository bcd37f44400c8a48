"""A model's prediction log as the rollout service sends it: line by line, because it may be larger than memory."""

from collections.abc import Iterable, Iterator

import httpx

from services.contract.errors import Refused, Unavailable
from services.contract.prediction_log import LoggedPrediction
from services.contract.transport import trust

_SECONDS = 30


def logged_predictions(
    url: str, model: str, token: str | None, transport: httpx.BaseTransport | None = None
) -> Iterator[LoggedPrediction]:
    """In the order of its files. Raises Refused when the service says no, Unavailable when it cannot be reached."""
    address = f"{url.rstrip('/')}/models/{model}/predictions"
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    http = httpx.Client(timeout=_SECONDS, verify=trust(url), transport=transport)
    try:
        with http, http.stream("POST", address, json={}, headers=headers) as answer:
            if answer.status_code != 200:
                raise Refused(f"{address}: expected the prediction log, found {answer.status_code}: {_said(answer)}")
            for number, line in enumerate(lines(answer.iter_bytes()), start=1):
                yield LoggedPrediction.from_json(line, f"{address}, line {number}")
    except httpx.HTTPError as error:
        said = f"expected the rollout service at {url}, cannot reach it ({error})"
        raise Unavailable(f"{said}: is it up? Or name the folder of the log with --log") from error


def lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Those that end in a newline; a text may hold what other readers take for the end of a line."""
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        yield from whole


def _said(answer: httpx.Response) -> str:
    return answer.read()[:200].decode(errors="replace")
