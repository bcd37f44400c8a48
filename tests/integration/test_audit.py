"""scripts/audit: bills of materials that say what the locks say, and a check that calls nothing clean unasked."""

import json
import os
import re
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.support.paths import ROOT

pytestmark = pytest.mark.needs("audit", "spark")

ENVIRONMENTS = Path(os.environ.get("TRACKBACK_ENVIRONMENTS", ROOT / ".venv"))
CLOSED = "http://127.0.0.1:9/v1/query"
PINNED = re.compile(r"^([A-Za-z0-9._-]+)==([^ \\\\;]+)", re.MULTILINE)


def audit(*arguments: str, cache: Path) -> "subprocess.CompletedProcess[str]":
    python = ENVIRONMENTS / "audit" / "bin" / "python"
    if not python.exists():
        (pytest.fail if "CI" in os.environ else pytest.skip)("the environment 'audit' is missing: scripts/setup audit")
    environment = {"PATH": os.environ["PATH"], "HOME": str(cache)}
    command = [str(python), str(ROOT / "scripts" / "audit.py"), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)


@dataclass
class Osv:
    """A vulnerability service: what it knows by package, the status it answers with, and what it was asked."""

    known: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    status: int = 200
    asked: set[str] = field(default_factory=set)
    url: str = ""


@pytest.fixture
def osv() -> Iterator[Osv]:
    service = Osv()

    class Answers(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            name = question["package"]["name"]
            service.asked.add(f"{name}=={question['version']}")
            body = json.dumps({"vulns": service.known[name]} if name in service.known else {}).encode()
            self.send_response(service.status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """What it was asked is kept."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        service.url = f"http://127.0.0.1:{server.server_address[1]}/v1/query"
        yield service
        server.shutdown()


def test_nothing_known_of_every_package_of_the_lock_is_exit_0(osv: Osv, tmp_path: Path) -> None:
    done = audit("check", "--url", osv.url, "uv", cache=tmp_path)
    assert (done.returncode, done.stdout) == (0, "uv: 1 of 1 packages checked, 0 vulnerabilities known\n"), done.stderr
    assert osv.asked == {"uv==0.13.9"}


def test_a_known_vulnerability_is_named_with_its_fix_and_exit_1(osv: Osv, tmp_path: Path) -> None:
    ranges = [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "0.14.0"}]}]
    affected = [{"package": {"name": "uv", "ecosystem": "PyPI"}, "ranges": ranges}]
    osv.known["uv"] = [{"id": "PYSEC-2026-1", "summary": "x", "affected": affected}]
    done = audit("check", "--url", osv.url, "uv", cache=tmp_path)
    assert done.returncode == 1, done.stderr
    assert "uv: uv 0.13.9 has PYSEC-2026-1, fixed in 0.14.0\n" in done.stdout


@pytest.mark.parametrize("status", [None, 500])
def test_a_service_that_gives_no_answer_is_exit_3_and_nothing_is_called_clean(
    osv: Osv, status: int | None, tmp_path: Path
) -> None:
    osv.status = status or 200
    done = audit("check", "--url", osv.url if status else CLOSED, "uv", cache=tmp_path)
    assert done.returncode == 3, done.stdout
    assert done.stdout.startswith("uv: NOT CHECKED, expected an answer of http://127.0.0.1:")
    assert "vulnerabilities known" not in done.stdout


def test_a_package_that_was_skipped_is_named_and_exit_3(tmp_path: Path) -> None:
    """As pip-audit answers for what it cannot look up, whatever the reason."""
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); from audit import _report;"
        "print(_report('x', {('a', '1'), ('b', '2')}, "
        "[{'name': 'a', 'version': '1', 'vulns': []}, {'name': 'b', 'skip_reason': 'not found'}]))"
    )
    python = ENVIRONMENTS / "audit" / "bin" / "python"
    assert audit("--help", cache=tmp_path).returncode == 0
    command = [str(python), "-c", code, str(ROOT / "scripts")]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert said == [
        "x: NOT CHECKED, the service was not asked for b 2",
        "x: 1 of 2 packages checked, 0 vulnerabilities known",
        "3",
    ]


def test_every_bill_of_materials_holds_exactly_what_its_locks_pin(tmp_path: Path) -> None:
    done = audit("sbom", "--out", str(tmp_path / "sbom"), cache=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    for lock in (ROOT / "requirements").glob("*.txt"):
        bom = json.loads((tmp_path / "sbom" / f"environment-{lock.stem}.cdx.json").read_text())
        text = lock.read_text()
        assert {(one["name"], one["version"]) for one in bom["components"]} == set(PINNED.findall(text)), lock.stem
        assert {known["content"] for one in bom["components"] for known in one["hashes"]} == set(
            re.findall(r"--hash=sha256:([0-9a-f]{64})", text)
        )


def test_an_image_has_its_base_and_all_its_environments_and_the_jar_what_is_packed_into_it(tmp_path: Path) -> None:
    audit("sbom", "--out", str(tmp_path), cache=tmp_path)

    def purls(name: str) -> set[str]:
        bom = json.loads((tmp_path / f"{name}.cdx.json").read_text())
        assert (bom["bomFormat"], bom["specVersion"]) == ("CycloneDX", "1.6")
        return {one["purl"] for one in bom["components"]}

    bases = {purl for purl in purls("image-mlflow") if purl.startswith("pkg:docker/")}
    image = re.search(r"^PYTHON_IMAGE=(.*):(.*)$", (ROOT / ".env").read_text(), re.MULTILINE)
    assert image
    assert bases == {f"pkg:docker/{image[1]}@{image[2]}"}
    assert purls("environment-mlflow") | purls("environment-uv") | bases == purls("image-mlflow")
    assert purls("jar-trackback-mlflow-plugin") == {"pkg:maven/com.google.code.gson/gson@2.13.2"}
