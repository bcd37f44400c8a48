"""What differs between a recorded answer and one of ours, by the rules of README.md: one line a place."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import httpx

from tests.unit.embedded.gocd_exchanges.recorded import Exchange

HEADERS = ("etag", "location", "www-authenticate")
# Of equal type only: they depend on what else a server has seen.
ONLY_TYPE = ("natural_order",)
# Entries of a list that have a name are compared with the one of that name.
IDENTITIES = ("message", "ref", "revision", "id", "repo_id", "name", "label")
NUMBERS = ("{epoch ms}", "{int id}", "{int bytes}", "{n}")
FORMS = {
    "sha256": "[0-9a-f]{64}",
    "sha1": "[0-9a-f]{40}",
    "hex32": "[0-9a-f]{32}",
    "uuid": ".+",
    "token": "[0-9a-f]{40}",
    "id": r"\d+",
    "time iso": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ",
    "hh:mm:ss.mmm": r"\d\d:\d\d:\d\d\.\d{3}",
}
_PLACEHOLDER = re.compile(r"\{([a-z][^{}\"]*)\}")


def differences(exchange: Exchange, found: httpx.Response, known: Mapping[str, str]) -> list[str]:
    """Where they differ, such as `status` or `body.stages[].result`; `known` are placeholders with one value."""
    if found.status_code != exchange.status:
        return ["status"]
    return [*_header_differences(exchange, found), *_body_differences(exchange, found, known)]


def _header_differences(exchange: Exchange, found: httpx.Response) -> Iterator[str]:
    if _blankless(found.headers.get("content-type")) != _blankless(exchange.content_type):
        yield "content-type"
    for name in HEADERS:
        wanted, ours = exchange.answer_headers.get(name), found.headers.get(name)
        if (wanted is None) != (ours is None) or (name == "etag" and wanted and _suffix(wanted) != _suffix(ours or "")):
            yield name


def _blankless(text: str | None) -> str:
    return (text or "").replace(" ", "")


def _suffix(tag: str) -> bool:
    return tag.endswith('--gzip"')


def _body_differences(exchange: Exchange, found: httpx.Response, known: Mapping[str, str]) -> list[str]:
    if exchange.form == "json":
        try:
            ours = json.loads(found.text)
        except ValueError:
            return ["body"]
        return sorted(set(compare(exchange.expected, ours, "body", known)))
    if exchange.form == "text":
        return (
            [] if _pattern(exchange.expected.strip(), known, exchange.cut).fullmatch(found.text.strip()) else ["body"]
        )
    return []


def compare(wanted: Any, ours: Any, place: str, known: Mapping[str, str]) -> Iterator[str]:
    if isinstance(wanted, dict) and isinstance(ours, dict):
        yield from (f"{place}.{key} missing" for key in wanted if key not in ours)
        yield from (f"{place}.{key} added" for key in ours if key not in wanted)
        for key in wanted.keys() & ours.keys():
            yield from compare(wanted[key], ours[key], f"{place}.{key}", known)
    elif isinstance(wanted, list) and isinstance(ours, list):
        yield from _compare_lists(wanted, ours, f"{place}[]", known)
    elif not _equal(wanted, ours, place, known):
        yield place


def _equal(wanted: Any, ours: Any, place: str, known: Mapping[str, str]) -> bool:
    if wanted in NUMBERS or place.endswith(ONLY_TYPE):
        return isinstance(ours, int | float)
    if isinstance(wanted, str) and isinstance(ours, str):
        return bool(_pattern(wanted, known).fullmatch(ours))
    return bool(wanted == ours) and type(wanted) is type(ours)


def _compare_lists(wanted: list[Any], ours: list[Any], place: str, known: Mapping[str, str]) -> Iterator[str]:
    """In order, or by name where the entries have names."""
    names, our_names = [_identity(one, known) for one in wanted], [_identity(one, known) for one in ours]
    if None in names or None in our_names or len(set(our_names)) < len(our_names) or len(set(names)) < len(names):
        if len(wanted) != len(ours):
            yield f"{place} length"
        for one, other in zip(wanted, ours, strict=False):
            yield from compare(one, other, place, known)
        return
    by_name = dict(zip(our_names, ours, strict=True))
    yield from (f"{place} {name} missing" for name in names if name not in by_name)
    yield from (f"{place} {name} added" for name in our_names if name not in names)
    for name, one in zip(names, wanted, strict=True):
        if name in by_name:
            yield from compare(one, by_name[name], place, known)


def _identity(entry: Any, known: Mapping[str, str]) -> str | None:
    if not isinstance(entry, dict):
        return None
    if isinstance(entry.get("config"), dict):
        entry = entry["config"].get("attributes", {})
    text = next((str(entry[key]) for key in IDENTITIES if key in entry), None)
    return text and _PLACEHOLDER.sub(lambda found: known.get(found[1], found[0]), text)


def _pattern(wanted: str, known: Mapping[str, str], cut: bool = False) -> re.Pattern[str]:
    """Placeholders with a value stand for it, the others for anything of their form."""
    parts, end = [], 0
    for found in _PLACEHOLDER.finditer(wanted):
        parts += [re.escape(wanted[end : found.start()]), _form(found[1], known)]
        end = found.end()
    return re.compile("".join([*parts, re.escape(wanted[end:]), ".*" if cut else ""]), re.DOTALL)


def _form(placeholder: str, known: Mapping[str, str]) -> str:
    return re.escape(known[placeholder]) if placeholder in known else FORMS.get(placeholder, ".*?")
