"""What serving processes show: their settings reach them, their log is read, their metrics are one page."""

import asyncio
import io
import tarfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import httpx
import pytest

from services.contract.errors import Refused
from services.contract.http_guard import Access
from services.contract.serving_settings import serving_environment
from services.prediction.observed.settings import ObservedSettings
from services.rollout.app import create_app
from services.rollout.containers.logged_lines import logged_lines
from services.rollout.processes.shown import Shown
from services.rollout.rollout import Rollout
from services.rollout.serving import Scraped
from services.rollout.serving_metrics import scrape
from tests.support.ports import free_port
from tests.support.rollout_fakes import FakeMachine

LINES = [b'{"request_id":"r-1","status":200}\n', b'{"request_id":"r-2","status":422}\n', b'{"request_id":"r-1"}\n']


def test_only_what_is_meant_for_a_serving_process_reaches_it() -> None:
    ours = {"TRACKBACK_SERVING_ACCESS_LOG": "1", "OTEL_SERVICE_NAME": "prices"}
    others = {"TRACKBACK_ROLLOUT_TOKEN": "secret", "PATH": "/bin", "OTEL_EXPORTER_OTLP_ENDPOINT": ""}
    platforms = {"TRACKBACK_SERVING_PORT": "8200"}
    assert serving_environment({**ours, **others, **platforms}) == ours
    assert ObservedSettings.from_variables({**ours, **platforms}).access_log == 1


def test_a_serving_process_understands_what_it_is_told(tmp_path: Path) -> None:
    shown = Shown(tmp_path, {"TRACKBACK_SERVING_ACCESS_LOG": "0.5", "OTEL_TRACES_EXPORTER": "otlp"})
    found = ObservedSettings.from_variables(shown.variables("diamond-price"))
    assert (found.access_log, found.traces) == (0.5, True)
    folders = (found.predictions, found.access_folder)
    assert folders == tuple(tmp_path / name / "diamond-price" for name in ("_predictions", "_access"))


def test_the_log_of_a_model_is_read_from_all_its_files_but_for_half_a_line(tmp_path: Path) -> None:
    folder = tmp_path / "_predictions" / "diamond-price"
    folder.mkdir(parents=True)
    (folder / "predictions-a-000001.jsonl").write_bytes(LINES[0] + LINES[1][:-5])
    (folder / "predictions-b-000001.jsonl").write_bytes(LINES[2])
    assert list(Shown(tmp_path, {}).logged("diamond-price")) == [LINES[0], LINES[2]]
    assert list(Shown(tmp_path, {}).logged("another")) == []


def tar_of(files: dict[str, bytes]) -> Iterator[bytes]:
    """As an engine sends it, in parts."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text))
    whole = content.getvalue()
    return (whole[start : start + 100] for start in range(0, len(whole), 100))


def test_the_log_in_a_volume_is_read_without_running_anything_there() -> None:
    files = {"predictions/predictions-a-000001.jsonl": LINES[0] + LINES[1] + b"half", "predictions/else.txt": b"x\n"}
    assert list(logged_lines(tar_of(files))) == LINES[:2]


def test_what_is_no_archive_is_refused_in_a_line() -> None:
    with pytest.raises(Refused, match="expected the volume of a prediction log"):
        list(logged_lines(iter([b"x" * 1024])))


def ask_log(machine: FakeMachine, content: str, token: str) -> httpx.Response:
    rollout = Rollout(machine.dependencies())
    transport = httpx.ASGITransport(app=create_app(rollout, Access(token="right")))

    async def answer() -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.post("/models/diamond-price/predictions", content=content, headers=headers)

    found = asyncio.run(answer())
    rollout.close()
    return found


@pytest.fixture
def machine(tmp_path: Path) -> FakeMachine:
    machine = FakeMachine(tmp_path, tmp_path / "store", free_port())
    machine.backend.log = {"diamond-price": LINES}
    return machine


@pytest.mark.parametrize(
    ("query", "expected"), [('{"request_id": "r-1"}', [LINES[0], LINES[2]]), ('{"request_id": "r"}', []), ("{}", LINES)]
)
def test_one_request_of_the_log_is_told_or_all_of_it(query: str, expected: list[bytes], machine: FakeMachine) -> None:
    assert ask_log(machine, query, "right").content == b"".join(expected)


def test_nobody_reads_what_clients_sent_without_the_token(machine: FakeMachine) -> None:
    assert ask_log(machine, "{}", "wrong").status_code == 401


PAGE = """# HELP trackback_requests_total Requests
# TYPE trackback_requests_total counter
trackback_requests_total{status="200"} %d
# HELP trackback_request_seconds Seconds
# TYPE trackback_request_seconds histogram
trackback_request_seconds_bucket{le="+Inf"} %d
trackback_request_seconds_count %d
trackback_request_seconds_sum 0.5
"""


def answering(page: str | None) -> httpx.Client:
    def answer(_: httpx.Request) -> httpx.Response:
        if page is None:
            raise httpx.ReadTimeout("it hangs")
        return httpx.Response(200, text=page)

    return httpx.Client(transport=httpx.MockTransport(answer), base_url="http://candidate")


def test_the_metrics_of_all_that_answer_are_one_page_that_tells_candidate_from_live() -> None:
    pages = {"one": PAGE % (3, 3, 3), "two": PAGE % (4, 4, 4), "gone": None, "odd": "no {metrics"}
    releases = {"one": "a" * 64, "two": "b" * 64, "gone": "b" * 64, "odd": "b" * 64}
    scraped = [
        (Scraped("diamond-price", name, releases[name], partial(answering, page)), role)
        for (name, page), role in zip(pages.items(), ("live", "candidate", "candidate", "other"), strict=True)
    ]
    lines = scrape(scraped).splitlines()
    assert lines.count("# TYPE trackback_requests_total counter") == 1
    live = 'model="diamond-price",release="aaaaaaaaaaaa",replica="one",role="live"'
    candidate = 'model="diamond-price",release="bbbbbbbbbbbb",replica="two",role="candidate"'
    assert f'trackback_requests_total{{{live},status="200"}} 3.0' in lines
    assert f'trackback_requests_total{{{candidate},status="200"}} 4.0' in lines
    assert f'trackback_request_seconds_bucket{{le="+Inf",{candidate}}} 4.0' in lines
    up = [line.rpartition(" ")[2] for line in lines if line.startswith("trackback_serving_up{")]
    assert up == ["1.0", "1.0", "0.0", "0.0"]
