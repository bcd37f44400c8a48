"""Logs are written apart from the answers, within their bytes, and lose lines rather than delay anybody."""

import asyncio
import errno
import hashlib
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Event
from typing import Any

import numpy
import pytest

from services.contract.errors import Refused
from services.contract.prediction_log import LoggedPrediction, read_log
from services.contract.release import PredictionLog
from services.prediction.observed import rotated_files
from services.prediction.observed.figures import Place
from services.prediction.observed.log_writer import LogWriter
from services.prediction.observed.observer import Observer
from services.prediction.observed.prediction_log import digest
from services.prediction.observed.rotated_files import MOST_FILES, PART, RotatedFiles
from services.prediction.observed.settings import ObservedSettings
from services.prediction.observed.siblings import Alone
from tests.support.observed_release import DIGEST, Headers, answering, ask, observed_release

ALL = PredictionLog(share=1.0)
ROWS = [[0.3, "Ideal", 1], [float("nan"), "Fair", 2]]


def logged(folder: Path, log: PredictionLog, rows: Any = ROWS, ids: Sequence[str] = ("r-1",)) -> list[LoggedPrediction]:
    """What is in the log when these requests were answered, and the service ended."""
    observer = Observer(observed_release(log), ObservedSettings(predictions=folder))
    app = observer.around(answering(rows=rows, outputs=[4416.5] * len(rows)))

    async def scenario() -> None:
        for one in ids:
            await ask(app, [(b"x-request-id", one.encode())])
        observer.close()

    asyncio.run(scenario())
    return list(read_log(folder))


def test_a_logged_request_has_its_rows_its_answers_and_what_answered(tmp_path: Path) -> None:
    (found,) = logged(tmp_path, ALL)
    assert (found.request_id, found.model, found.revision, found.release) == (
        "r-1",
        "diamond-price",
        "1-aaaaaaaa",
        DIGEST,
    )
    assert (found.status, found.rows, found.columns) == (200, 2, ("carat", "cut", "grade"))
    assert found.inputs == [[0.3, "Ideal", 1], [None, "Fair", 2]]
    assert found.predictions == [4416.5, 4416.5]
    assert found.inputs_sha256 == hashlib.sha256(b'[[0.3,"Ideal",1],[null,"Fair",2]]').hexdigest()


def test_rows_have_one_digest_however_the_values_were_held(tmp_path: Path) -> None:
    whole = logged(tmp_path / "a", ALL, [[1, "Ideal", 1.0]])
    array = logged(tmp_path / "b", ALL, numpy.array([[1.0, "Ideal", 1]], dtype=object))
    assert whole[0].inputs_sha256 == array[0].inputs_sha256 == digest([[1.0, "Ideal", 1]])


def test_only_the_digest_of_rows_is_kept_when_they_must_not_be_stored(tmp_path: Path) -> None:
    (found,) = logged(tmp_path, ALL.model_copy(update={"inputs": "digest"}))
    assert (found.inputs, found.inputs_sha256) == (None, digest([[0.3, "Ideal", 1], [None, "Fair", 2]]))
    assert found.predictions == [4416.5, 4416.5]


def test_a_request_too_large_for_a_file_is_kept_by_its_digest(tmp_path: Path) -> None:
    (found,) = logged(tmp_path, PredictionLog(share=1.0, max_bytes=1_000_000), ROWS * 5000)
    assert (found.inputs, found.predictions, found.rows) == (None, None, 10_000)
    assert found.inputs_sha256


def test_a_share_is_kept_and_the_same_requests_by_every_process(tmp_path: Path) -> None:
    ids = [f"r-{number}" for number in range(400)]
    some = PredictionLog(share=0.25)
    first, second = (
        [one.request_id for one in logged(tmp_path / name, some, [[0.3, "x", 1]], ids)] for name in ("a", "b")
    )
    assert first == second
    assert 60 < len(first) < 140


@pytest.mark.parametrize("log", [PredictionLog(), ALL])
def test_no_log_is_kept_that_nobody_asked_for_or_has_a_place_for(log: PredictionLog, tmp_path: Path) -> None:
    settings = ObservedSettings(predictions=tmp_path / "log") if log.share == 0 else ObservedSettings()
    observer = Observer(observed_release(log), settings)
    asyncio.run(ask(observer.around(answering(rows=ROWS))))
    observer.close()
    assert list(tmp_path.iterdir()) == []


def access_lines(folder: Path, share: float, ask_all: Callable[[Any], Any]) -> list[dict[str, Any]]:
    observer = Observer(observed_release(), ObservedSettings(access_log=share, access_folder=folder))
    app = observer.around(answering(rows=ROWS))

    async def scenario() -> None:
        await ask_all(app)
        observer.close()

    asyncio.run(scenario())
    return [
        json.loads(line) for path in sorted(folder.glob("access-*.jsonl")) for line in path.read_text().splitlines()
    ]


def test_a_line_of_the_access_log_says_who_asked_for_what_and_how_it_went(tmp_path: Path) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    headers: Headers = [
        (b"x-request-id", b"r-1"),
        (b"traceparent", trace.encode()),
        (b"x-forwarded-for", b"203.0.113.9"),
    ]
    (found,) = access_lines(tmp_path, 1.0, lambda app: ask(app, headers))
    assert found.pop("at").endswith("Z")
    assert found.pop("seconds") >= 0
    assert found == {
        "request_id": "r-1",
        "method": "POST",
        "path": "/invocations",
        "status": 200,
        "rows": 2,
        "batch": 2,
        "client": "10.0.0.7",
        "forwarded_for": "203.0.113.9",
        "trace": trace,
        "model": "diamond-price",
        "revision": "1-aaaaaaaa",
        "release": DIGEST,
    }


def test_who_looks_every_few_seconds_whether_the_service_is_well_is_not_in_the_access_log(tmp_path: Path) -> None:
    async def look(app: Any) -> None:
        for path in ("/health/ready", "/ping", "/metrics", "/metadata"):
            await ask(app, method="GET", path=path)

    assert [one["path"] for one in access_lines(tmp_path, 1.0, look)] == ["/metadata"]


def test_an_access_log_of_a_share_has_about_that_share(tmp_path: Path) -> None:
    async def many(app: Any) -> None:
        for number in range(400):
            await ask(app, [(b"x-request-id", f"r-{number}".encode())])

    assert 60 < len(access_lines(tmp_path, 0.25, many)) < 140


class Planted:
    """A sink that waits, or fails."""

    def __init__(self, error: OSError | None = None) -> None:
        self.error = error
        self.go = Event()
        self.lines: list[bytes] = []

    def write(self, lines: list[bytes]) -> int:
        self.go.wait(60)
        if self.error:
            raise self.error
        self.lines += lines
        return len(lines)

    def close(self) -> None:
        self.closed = True


def writer_to(sink: Planted, limit: int = 1000) -> tuple[LogWriter, Alone]:
    group = Alone()
    places = (Place.ACCESS_LOST, Place.ACCESS_FAILED)
    return LogWriter(lambda entry: bytes(entry), sink, group.own, places, limit), group


def put_all(writer: LogWriter, lines: Sequence[bytes], sink: Planted) -> None:
    async def scenario() -> None:
        for line in lines:
            writer.put(line)
        sink.go.set()
        writer.close()

    asyncio.run(scenario())


def test_lines_for_which_a_log_is_too_slow_are_lost_and_counted() -> None:
    sink = Planted()
    writer, group = writer_to(sink, limit=3)
    put_all(writer, [b"1", b"2", b"3", b"4", b"5"], sink)
    assert (sink.lines, group.total()[Place.ACCESS_LOST]) == ([b"1", b"2", b"3"], 2)


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EPIPE, errno.EIO])
def test_lines_that_cannot_be_written_are_counted_and_said_once(error: int, caplog: pytest.LogCaptureFixture) -> None:
    sink = Planted(OSError(error, os.strerror(error)))
    writer, group = writer_to(sink)

    async def scenario() -> None:
        for line in (b"1", b"2"):
            writer.put(line)
            writer._hand_over()
        sink.go.set()
        writer.close()

    asyncio.run(scenario())
    assert group.total()[Place.ACCESS_FAILED] == 2
    assert caplog.text.count("a log cannot be written") == 1


def test_an_entry_without_a_text_costs_no_other_its_line() -> None:
    sink = Planted()
    writer, group = writer_to(sink)
    put_all(writer, [b"1", object(), b"2"], sink)  # type: ignore[list-item]
    assert (sink.lines, group.total()[Place.ACCESS_FAILED]) == ([b"1", b"2"], 1)


LINE = b"x" * 99 + b"\n"
SMALL = 100 * PART * 10


def bytes_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


def test_files_are_rotated_and_the_oldest_removed_within_their_bytes(tmp_path: Path) -> None:
    files = RotatedFiles(tmp_path, "access", SMALL)
    for _ in range(400):
        assert files.write([LINE]) == 1
    assert SMALL - 2 * files.line_bytes < bytes_of(tmp_path) <= SMALL
    assert {path.stat().st_size for path in tmp_path.iterdir()} == {files.line_bytes}
    assert min(tmp_path.iterdir()).name.endswith("-000025.jsonl")


def test_a_batch_larger_than_a_file_is_written_to_several(tmp_path: Path) -> None:
    files = RotatedFiles(tmp_path, "access", SMALL)
    assert files.write([LINE] * 25) == 25
    assert sorted(path.stat().st_size for path in tmp_path.iterdir()) == [500, 1000, 1000]


def test_a_line_that_fits_into_no_file_is_left_out_and_the_others_are_written(tmp_path: Path) -> None:
    files = RotatedFiles(tmp_path, "access", SMALL)
    assert files.write([LINE, b"x" * 2000, LINE]) == 2
    assert bytes_of(tmp_path) == 200


def test_several_processes_share_a_folder_and_one_whose_file_was_removed_begins_another(tmp_path: Path) -> None:
    quiet, busy = RotatedFiles(tmp_path, "access", SMALL), RotatedFiles(tmp_path, "access", SMALL)
    quiet.write([LINE])
    for _ in range(200):
        busy.write([LINE])
    assert bytes_of(tmp_path) <= SMALL
    before = set(tmp_path.iterdir())
    assert quiet.write([LINE]) == 1
    assert [path.read_bytes() for path in set(tmp_path.iterdir()) - before] == [LINE]
    assert bytes_of(tmp_path) <= SMALL + quiet.line_bytes


def test_processes_that_come_and_go_leave_a_bounded_number_of_files(tmp_path: Path) -> None:
    for _ in range(MOST_FILES + 10):
        files = RotatedFiles(tmp_path, "access", 100_000_000)
        files.write([LINE])
        files.close()
    assert len(list(tmp_path.iterdir())) == MOST_FILES


def test_a_disk_that_is_full_half_way_leaves_whole_lines_only_and_is_used_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = RotatedFiles(tmp_path, "access", SMALL)
    files.write([LINE])

    def half(file: int, content: bytes) -> None:
        os.write(file, content[:50])
        raise OSError(errno.ENOSPC, "full")

    with monkeypatch.context() as full:
        full.setattr(rotated_files, "write_all", half)
        with pytest.raises(OSError, match="full"):
            files.write([LINE])
    assert files.write([LINE]) == 1
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [LINE * 2]


def test_a_log_may_be_read_by_its_owner_alone(tmp_path: Path) -> None:
    RotatedFiles(tmp_path / "log", "access", SMALL).write([LINE])
    (file,) = (tmp_path / "log").iterdir()
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)


@pytest.mark.parametrize(
    ("variables", "field"),
    [({"TRACKBACK_SERVING_ACCESS_LOG": "2"}, "ACCESS_LOG"), ({"TRACKBACK_SERVING_NOISE": "1"}, "NOISE")],
)
def test_a_setting_that_is_wrong_is_refused_by_the_name_of_its_variable(variables: dict[str, str], field: str) -> None:
    with pytest.raises(Refused, match=f"^TRACKBACK_SERVING_{field}: "):
        ObservedSettings.from_variables(variables)


@pytest.mark.parametrize(
    ("variables", "traced"),
    [
        ({}, False),
        ({"OTEL_SERVICE_NAME": "x"}, False),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://collector:4318/v1/traces"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318", "OTEL_TRACES_EXPORTER": "none"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318", "OTEL_SDK_DISABLED": "true"}, False),
    ],
)
def test_traces_are_made_where_the_standards_variables_ask_for_them(variables: dict[str, str], traced: bool) -> None:
    assert ObservedSettings.from_variables(variables).traces is traced
