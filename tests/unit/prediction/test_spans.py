"""A span a request, joined to the client's trace."""

import asyncio
from collections.abc import Sequence
from threading import Event

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from services.prediction.observed import spans as spans_module
from services.prediction.observed.layer import Observed
from services.prediction.observed.siblings import Alone
from services.prediction.observed.spans import Spans
from tests.support.observed_release import DIGEST, Headers, answering, ask, observed_release

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def spans_of(headers: Headers = (), status: int = 200, method: str = "POST") -> list[ReadableSpan]:
    exporter = InMemorySpanExporter()
    spans = Spans(observed_release(), exporter)
    app = Observed(answering(status, rows=[[1], [2]]), Alone().own, [spans])
    asyncio.run(ask(app, [(b"x-request-id", b"r-1"), *headers], method))
    spans.close()
    return list(exporter.get_finished_spans())


def test_a_request_is_one_span_that_says_which_model_answered_it() -> None:
    (span,) = spans_of()
    assert (span.name, span.kind, span.parent) == ("POST /invocations", SpanKind.SERVER, None)
    assert dict(span.attributes or {}) == {
        "http.request.method": "POST",
        "url.path": "/invocations",
        "http.response.status_code": 200,
        "trackback.model": "diamond-price",
        "trackback.revision": "1-aaaaaaaa",
        "trackback.release": DIGEST,
        "trackback.request_id": "r-1",
        "trackback.rows": 2,
        "trackback.batch_rows": 2,
    }
    assert span.resource.attributes["service.name"] == "trackback-diamond-price"
    assert span.start_time is not None
    assert span.end_time is not None
    assert 0 <= span.end_time - span.start_time < 60e9


def test_a_span_belongs_to_the_trace_that_the_client_has_begun() -> None:
    (span,) = spans_of([(b"traceparent", f"00-{TRACE}-{PARENT}-01".encode()), (b"tracestate", b"vendor=1")])
    assert span.context is not None
    assert span.parent is not None
    assert f"{span.context.trace_id:032x}" == TRACE
    assert f"{span.parent.span_id:016x}" == PARENT
    assert span.context.trace_state["vendor"] == "1"


def test_a_client_that_does_not_sample_its_trace_gets_no_span() -> None:
    assert spans_of([(b"traceparent", f"00-{TRACE}-{PARENT}-00".encode())]) == []


@pytest.mark.parametrize("header", [b"", b"00-0-0-01", b"\xff\xfe", b"00-" + b"0" * 32 + b"-" + b"0" * 16 + b"-01"])
def test_a_context_that_is_none_begins_a_trace_of_its_own(header: bytes) -> None:
    (span,) = spans_of([(b"traceparent", header)])
    assert span.parent is None


@pytest.mark.parametrize(("status", "code"), [(422, StatusCode.UNSET), (503, StatusCode.ERROR)])
def test_only_an_error_of_the_service_is_one_of_the_span(status: int, code: StatusCode) -> None:
    (span,) = spans_of(status=status)
    assert span.status.status_code is code


class Hanging(InMemorySpanExporter):
    """Sends for as long as nobody lets it go."""

    def __init__(self) -> None:
        super().__init__()
        self.go = Event()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.go.wait(60)
        return super().export(spans)


def test_a_collector_that_hangs_keeps_no_service_from_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spans_module, "CLOSE_SECONDS", 0.01)
    exporter = Hanging()
    spans = Spans(observed_release(), exporter)
    asyncio.run(ask(Observed(answering(), Alone().own, [spans])))
    spans.close()
    assert exporter.get_finished_spans() == ()
    exporter.go.set()


def test_a_health_check_is_no_span() -> None:
    assert spans_of(method="GET") == []


def test_the_name_of_the_service_may_be_set_as_the_standard_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "prices")
    (span,) = spans_of()
    assert span.resource.attributes["service.name"] == "prices"
