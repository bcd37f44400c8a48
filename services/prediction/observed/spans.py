"""A span a request, by OpenTelemetry. Imported only where traces are asked for; `OTEL_*` say where they go.

A span is made when its answer has been sent: it has no children, and nothing has to be carried along until then.
"""

from threading import Thread

from opentelemetry.context import Context
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.types import Scope

from services.contract.http_guard import SAFE_METHODS
from services.contract.release import Release
from services.prediction.asked import Asked
from services.prediction.observed.answered import Answered
from services.prediction.observed.identity import identity_of
from services.prediction.observed.log_writer import CLOSE_SECONDS

_CONTEXT_HEADERS = ("traceparent", "tracestate")
_NANOSECONDS = 1_000_000_000


class Spans:
    """Requests for predictions only: who looks whether the service is well traces nothing."""

    def __init__(self, release: Release, exporter: SpanExporter | None = None) -> None:
        identity = identity_of(release)
        self._identity = {f"trackback.{name}": value for name, value in identity.items()}
        named = {"service.name": f"trackback-{identity['model']}", "service.version": identity["revision"]}
        # OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES go before ours.
        resource = Resource.create({**named, **OTELResourceDetector().detect().attributes})
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(exporter or _otlp()))
        self._tracer = self._provider.get_tracer("trackback.prediction")
        self._propagator = TraceContextTextMapPropagator()

    def wants(self, scope: Scope, _: Asked) -> bool:
        return scope["method"] not in SAFE_METHODS

    def note(self, answered: Answered) -> None:
        scope, asked = answered.scope, answered.asked
        span = self._tracer.start_span(
            f"{scope['method']} {scope['path']}",
            self._context(answered),
            SpanKind.SERVER,
            {
                **self._identity,
                "http.request.method": scope["method"],
                "url.path": scope["path"],
                "http.response.status_code": answered.status,
                "trackback.request_id": asked.request_id,
                "trackback.rows": asked.rows,
                "trackback.batch_rows": asked.batch,
            },
            start_time=int((answered.ended - answered.seconds) * _NANOSECONDS),
        )
        # What a client did wrong is no error of ours. Source: OpenTelemetry, semantic conventions for HTTP spans.
        if answered.status >= 500:
            span.set_status(Status(StatusCode.ERROR))
        span.end(int(answered.ended * _NANOSECONDS))

    def close(self) -> None:
        """Sends what waits, within a second: the SDK would wait ten for a collector that hangs."""
        sending = Thread(target=self._provider.shutdown, name="spans", daemon=True)
        sending.start()
        sending.join(CLOSE_SECONDS)

    def _context(self, answered: Answered) -> Context:
        carrier = {name: value for name in _CONTEXT_HEADERS if (value := answered.header(name.encode()))}
        return self._propagator.extract(carrier, Context())


def _otlp() -> SpanExporter:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter()
