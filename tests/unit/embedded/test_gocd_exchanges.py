"""What a real GoCD answered: the stand-in answers the same, but for what `differences` lists; our client reads it."""

import json
import re
from collections.abc import Callable, Iterable
from typing import Any

import httpx
import pytest

from services.contract.errors import Refused
from services.embedded.differences import ABSENT, DIFFERENCES, Difference
from services.gocd.client import GoCD, Unknown
from tests.support.gocd_accept import accepted
from tests.unit.embedded.gocd_exchanges.compare import differences
from tests.unit.embedded.gocd_exchanges.recorded import Exchange, exchanges
from tests.unit.embedded.gocd_exchanges.replay import Replay
from tests.unit.embedded.gocd_exchanges.stand_in import stand_in

pytestmark = pytest.mark.process

EXCHANGES = exchanges()
Found = dict[str, tuple[httpx.Response, list[str]]]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Found:
    """By exchange: our answer, and where it differs."""
    with stand_in(tmp_path_factory.mktemp("stand-in")) as made:
        replay = Replay(made)
        answers = {it.name: replay.send(it) for it in EXCHANGES}
        assert replay.left == []
        return {it.name: (answers[it.name], differences(it, answers[it.name], replay.known)) for it in EXCHANGES}


def fits(pattern: str, text: str) -> bool:
    return bool(re.fullmatch(".*".join(re.escape(part) for part in pattern.split("*")), text, re.DOTALL))


def absent(exchange: Exchange) -> str | None:
    place = f"{exchange.method} {exchange.path.partition('?')[0]}"
    return next((pattern for pattern in ABSENT if fits(pattern, place)), None)


def covers(difference: Difference, name: str, place: str) -> bool:
    return any(fits(it, name) for it in difference.exchanges) and any(fits(it, place) for it in difference.places)


def test_every_answer_is_that_of_gocd_but_for_what_is_listed(found: Found) -> None:
    unlisted = {
        it.name: places
        for it in EXCHANGES
        if not absent(it)
        and (places := [one for one in found[it.name][1] if not any(covers(d, it.name, one) for d in DIFFERENCES)])
    }
    assert unlisted == {}


def test_what_is_absent_is_answered_as_gocd_answers_an_unknown_address(found: Found) -> None:
    present = {}
    for it in filter(absent, EXCHANGES):
        answer, places = found[it.name]
        if places and (answer.status_code, answer.headers["content-type"][:5]) != (404, "text/"):
            present[it.name] = answer.status_code
    # Who may not come in is told so first; a GoCD that is starting or has no plugin is another matter.
    assert present == {}


@pytest.mark.parametrize("pattern", ABSENT)
def test_everything_that_is_listed_as_absent_is_absent(pattern: str, found: Found) -> None:
    assert any(found[it.name][1] for it in EXCHANGES if absent(it) == pattern)


def differing(found: Found) -> Iterable[tuple[str, str]]:
    return [(it.name, place) for it in EXCHANGES if not absent(it) for place in found[it.name][1]]


@pytest.mark.parametrize("difference", DIFFERENCES, ids=lambda it: f"{it.exchanges[0]}: {it.places[0]}")
def test_every_difference_that_is_listed_is_still_one(difference: Difference, found: Found) -> None:
    covered = [(name, place) for name, place in differing(found) if covers(difference, name, place)]
    assert [it for it in difference.exchanges if not any(fits(it, name) for name, _ in covered)] == []
    assert [it for it in difference.places if not any(fits(it, place) for _, place in covered)] == []


def test_the_recordings_hold_no_two_of_one_name() -> None:
    assert len({it.name for it in EXCHANGES}) == len(EXCHANGES) == 862


def test_the_accepts_that_stand_ins_of_tests_take_are_those_of_gocd() -> None:
    """Where the answer tells: a 404 in HTML or of the unknown address is for an Accept that GoCD does not take."""
    wrong = {}
    for it in EXCHANGES:
        known = accepted(path(it), "application/vnd.go.cd+json") and not it.path.startswith("/files/")
        told = it.status not in (401, 503) and it.name != "POST to a GET-only path"
        if known and told and it.method in ("GET", "POST"):
            strange = it.form == "text" or not str(it.content_type).startswith("application/vnd")
            refused = it.status == 404 and strange
            if accepted(path(it), it.accept) is refused:
                wrong[it.name] = it.accept
    assert wrong == {}


def path(exchange: Exchange) -> str:
    return exchange.path.partition("?")[0]


# What our client asks, by method and path; each is given a client that gets the recorded answer.
ASKS: dict[str, Callable[[GoCD, Exchange], Any]] = {
    "GET /api/v1/health": lambda gocd, _: gocd.is_up(),
    "GET /api/admin/plugin_info/*": lambda gocd, it: gocd.plugin(it.path.rpartition("/")[2]),
    "GET /api/admin/repositories": lambda gocd, _: gocd.repositories(),
    "GET /api/admin/packages": lambda gocd, _: gocd.packages(),
    "GET /api/admin/config_repos": lambda gocd, _: gocd.config_repos(),
    "GET /api/current_user": lambda gocd, _: gocd.user(),
    "GET /api/internal/materials": lambda gocd, _: gocd.package_material("scratch"),
    "GET /api/pipelines/*/history": lambda gocd, it: gocd.history(it.path.split("/")[3]),
    "GET /api/materials/*/modifications": lambda gocd, it: gocd.modifications(it.path.split("/")[3]),
    "POST /api/pipelines/*/schedule": lambda gocd, it: gocd.schedule(it.path.split("/")[3], "0123", "1"),
    "GET /files/*.json": lambda gocd, it: gocd.artifact(it.path.removeprefix("/files/"), "x"),
    "POST /api/internal/materials/*/trigger_update": lambda gocd, _: gocd.trigger_update("0123"),
    "POST /api/admin/config_repos/*/trigger_update": lambda gocd, _: gocd.look_at_config_repo("scratch"),
    "POST /api/current_user/access_tokens": lambda gocd, _: gocd.create_token("x"),
    "POST /api/admin/repositories": lambda gocd, it: gocd.create(it.path, 1, {}),
    "POST /api/admin/packages": lambda gocd, it: gocd.create(it.path, 2, {}),
    "POST /api/admin/config_repos": lambda gocd, it: gocd.create(it.path, 4, {}),
    "PUT /api/admin/packages/*": lambda gocd, it: gocd.replace(it.path, 2, {}),
}


def asked(exchange: Exchange) -> Callable[[GoCD, Exchange], Any] | None:
    place = f"{exchange.method} {path(exchange)}"
    return next((ask for pattern, ask in ASKS.items() if fits(pattern, place)), None)


def recorded(exchange: Exchange) -> httpx.Response:
    content = json.dumps(exchange.expected) if exchange.form == "json" else str(exchange.expected or "")
    headers = {"Content-Type": exchange.content_type} if exchange.content_type else {}
    return httpx.Response(exchange.status, headers=headers, content=content)


def test_every_answer_to_what_our_client_asks_is_understood() -> None:
    """A yes is a value; a no is one line with GoCD's words in it."""
    wrong = {it.name: problem for it in EXCHANGES if asked(it) and (problem := misunderstood(it))}
    assert wrong == {}


def misunderstood(exchange: Exchange) -> str | None:
    ask = asked(exchange)
    assert ask
    with GoCD("http://gocd.example/go", transport=httpx.MockTransport(lambda _: recorded(exchange))) as gocd:
        try:
            ask(gocd, exchange)
        except Refused as refused:
            # The health check is asked as nobody, and what is refused there is told by its status; a pipeline that is
            # not there is told in our own words.
            told = path(exchange) == "/api/v1/health" or isinstance(refused, Unknown)
            words = [] if told else said(exchange.expected)
            lost = [text for text in words if text not in str(refused)]
            if exchange.status < 300 or lost or "\n" in str(refused):
                return str(refused)
        else:
            return (
                f"{exchange.status} was taken for a yes"
                if exchange.status not in (200, 201, 202, 401, 404, 409, 503)
                else None
            )
    return None


def said(body: Any) -> list[str]:
    """The words in a refusal that a person must see."""
    if not isinstance(body, dict):
        return []
    texts = [text for text in (body.get("message"), body.get("error")) if isinstance(text, str)]
    return [" ".join(text.split()) for text in [*texts, *errors(body)]]


def errors(body: Any) -> list[str]:
    if isinstance(body, list):
        return [text for part in body for text in errors(part)]
    if not isinstance(body, dict):
        return []
    here = [text for texts in body.get("errors", {}).values() for text in texts]
    return here + [text for key, part in body.items() if key != "errors" for text in errors(part)]
