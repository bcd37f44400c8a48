"""The page /docs: inputs, answers and an example request of the model. It loads nothing from other sites."""

import json
import re
from html import escape
from typing import Any

from services.contract.release import Manifest

PREFIX_HEADER = "x-forwarded-prefix"
_PREFIX = re.compile(r"(/[\w.-]+)*")
_ADDRESS = re.compile(r"[\w.-]+(:\d+)?|\[[\da-f:.]+\](:\d+)?", re.IGNORECASE)
# Links are relative, so that they hold wherever a gateway puts the page.
_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>
<style>body{{font:1em/1.5 sans-serif;max-width:60em;margin:2em auto;padding:0 1em}}
pre,textarea{{background:#f4f4f4;padding:1em;overflow:auto;width:100%;box-sizing:border-box;font:.9em monospace}}
td,th{{text-align:left;padding:.1em 2em .1em 0}}</style>
<h1>{title}</h1><p>{description}</p>
<p>Library {library}, run <code>{run}</code>, release <code>{release}</code>.
At most {rows} rows and {bytes} bytes a request.</p>
<h2>Ask</h2><pre>{command}</pre>
<form><textarea name="question" rows="8" aria-label="question">{question}</textarea>
<button>POST invocations</button></form>
<pre id="answer" aria-live="polite"></pre>{classes}
<h2>Columns</h2><table><tr><th>name<th>type<th>required</tr>{columns}</table>
<h2>More</h2><ul><li><a href="openapi.json">openapi.json</a>: every path, form and error
<li><a href="metadata">metadata</a><li><a href="health/ready">health/ready</a></ul>
<script>document.querySelector("form").onsubmit = async event => {{
  event.preventDefault();
  const answer = document.getElementById("answer");
  try {{
    const headers = {{"Content-Type": "application/json"}}, body = event.target.question.value;
    const got = await fetch("invocations", {{method: "POST", headers, body}});
    answer.textContent = got.status + " " + await got.text();
  }} catch (error) {{ answer.textContent = error; }}
}};</script></html>
"""

_CLASSES = """<p>Beside the rows, <code>"params": {{"predict_method": "predict_proba"}}</code> asks for the
probabilities of all classes: {classes}.</p>"""


def prefix_of(headers: Any) -> str:
    """What a gateway took off the path of the request; nothing for what cannot be a path."""
    found = str(headers.get(PREFIX_HEADER, "")).rstrip("/")
    return found if _PREFIX.fullmatch(found) else ""


def address_of(headers: Any) -> str:
    """The host that the client named, so that the command on the page is one to copy."""
    found = str(headers.get("host", ""))
    return found if _ADDRESS.fullmatch(found) else "localhost"


def page(manifest: Manifest, release: str, example: dict[str, Any], url: str) -> str:
    question = json.dumps(example, ensure_ascii=False)
    quoted = question.replace("'", "'\\''")
    command = f"curl -H 'Content-Type: application/json' {url}/invocations \\\n  -d '{quoted}'"
    columns = "".join(
        f"<tr><td>{escape(column.name)}<td>{escape(column.type)}<td>{'yes' if column.required else 'no'}</tr>"
        for column in manifest.inputs
    )
    return _PAGE.format(
        classes=_CLASSES.format(classes=escape(", ".join(manifest.classes))) if manifest.classes else "",
        title=escape(f"{manifest.model} {manifest.revision}"),
        description=escape(manifest.description),
        library=escape(manifest.library),
        run=manifest.candidate.run.run_id,
        release=release,
        rows=manifest.limits.max_rows,
        bytes=manifest.limits.max_bytes,
        command=escape(command),
        question=escape(question),
        columns=columns,
    )
