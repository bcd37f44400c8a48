"""The exchanges with a real GoCD as records; README.md says what each field means."""

import json
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

FILE = Path(__file__).parent / "exchanges.jsonl"


@dataclass(frozen=True)
class Exchange:
    """`body` and `expected` hold placeholders; `expected` is JSON, a text or None."""

    n: int
    name: str
    who: str
    method: str
    path: str
    accept: str | None
    headers: dict[str, str]
    content: str | None
    gzip: bool
    status: int
    content_type: str | None
    answer_headers: dict[str, str] = field(default_factory=dict)
    expected: Any = None
    form: str = "nothing"
    cut: bool = False


@cache
def exchanges() -> tuple[Exchange, ...]:
    lines = [json.loads(line) for line in FILE.read_text().splitlines()]
    bodies = {line["name"]: line["answer"].get("body") for line in lines}
    return tuple(_exchange(line, bodies) for line in lines)


def _exchange(line: dict[str, Any], bodies: dict[str, Any]) -> Exchange:
    answer = line["answer"]
    content = json.dumps(line["body"], separators=(",", ":")) if "body" in line else line.get("body_text")
    form = next(
        (form for form in ("body", "body_same_as", "body_text", "body_html", "body_binary") if form in answer), ""
    )
    expected = bodies[answer[form]] if form == "body_same_as" else answer.get(form)
    return Exchange(
        n=line["n"],
        name=line["name"],
        who=line["who"],
        method=line["method"],
        path=line["path"],
        accept=line["accept"],
        headers=line["headers"],
        content=content,
        gzip=line.get("accept_encoding") != "identity",
        status=answer["status"],
        content_type=answer["content_type"],
        answer_headers=answer["headers"],
        expected=expected,
        form={"body": "json", "body_same_as": "json", "body_text": "text"}.get(form, "other"),
        cut="body_cut_at" in answer,
    )
