"""Spans as OpenTelemetry's, sent to a collector by OTLP over HTTP."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version

import structlog
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

from lasair_broker.settings import TelemetrySettings

from ._spans import Kind, Span, Value

__all__ = ["Exporting"]

_log = structlog.get_logger(__name__)

_KINDS: Mapping[Kind, trace.SpanKind] = {
    "internal": trace.SpanKind.INTERNAL,
    "server": trace.SpanKind.SERVER,
    "consumer": trace.SpanKind.CONSUMER,
    "producer": trace.SpanKind.PRODUCER,
}


class _Recorded(Span):
    __slots__ = ("inner",)

    def __init__(self, inner: trace.Span) -> None:
        self.inner = inner

    def note(self, attributes: Mapping[str, Value]) -> None:
        self.inner.set_attributes(attributes)

    def rename(self, name: str) -> None:
        self.inner.update_name(name)

    def failed(self, reason: str | BaseException) -> None:
        if isinstance(reason, BaseException):
            self.inner.record_exception(reason)
            reason = f"{type(reason).__name__}: {reason}"
        self.inner.set_status(trace.Status(trace.StatusCode.ERROR, reason))

    def end(self) -> None:
        self.inner.end()


_SECONDS = 5.0
"""How long a collector may take to answer, however often it is asked again meanwhile."""


class Exporting:
    """Makes spans, and sends those that have ended every few seconds.

    What cannot be sent for long is dropped: the work goes on, whether or not a collector is there.

    Parameters
    ----------
    part
        The command that runs.
    """

    def __init__(self, settings: TelemetrySettings, part: str) -> None:
        resource = Resource.create(
            {
                "service.name": f"lasair-{part}",
                "service.version": version("lasair-broker"),
                "service.instance.id": f"{socket.gethostname()}:{os.getpid()}",
            }
        )
        # What it has to say, it would say for each batch of spans; _Telling says it once.
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
        to = OTLPSpanExporter(endpoint=f"{settings.endpoint.rstrip('/')}/v1/traces", timeout=_SECONDS)
        self._sending = _Telling(to, settings.endpoint)
        self._provider = TracerProvider(
            resource=resource,
            sampler=ParentBased(TraceIdRatioBased(settings.fraction)),
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(BatchSpanProcessor(self._sending))
        self._tracer = self._provider.get_tracer("lasair_broker")

    def begin(self, name: str, attributes: Mapping[str, Value], kind: Kind, seconds_ago: float) -> Span:
        start = time.time_ns() - int(seconds_ago * 1e9) if seconds_ago else None
        return _Recorded(
            self._tracer.start_span(name, kind=_KINDS[kind], attributes=attributes, start_time=start)
        )

    @contextmanager
    def within(self, span: Span) -> Iterator[None]:
        if not isinstance(span, _Recorded):  # it began before anything was recorded
            yield
            return
        with trace.use_span(span.inner, record_exception=False, set_status_on_exception=False):
            yield

    def ids(self) -> Mapping[str, str]:
        context = trace.get_current_span().get_span_context()
        if not context.is_valid:
            return {}
        return {
            "trace_id": trace.format_trace_id(context.trace_id),
            "span_id": trace.format_span_id(context.span_id),
        }

    def close(self) -> None:
        self._sending.closing = True
        self._provider.shutdown()


class _Telling(SpanExporter):
    """Says in the log when a collector takes no spans, once, and when it does again.

    Attributes
    ----------
    closing
        The process ends: it does not wait for a collector that does not answer.
    """

    def __init__(self, to: SpanExporter, endpoint: str) -> None:
        self._to = to
        self._endpoint = endpoint
        self._fails = False
        self.closing = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        if self.closing and self._fails:
            return SpanExportResult.FAILURE
        reason = "it refused them, or did not answer"
        try:
            result = self._to.export(spans)
        except Exception as error:
            result, reason = SpanExportResult.FAILURE, f"{type(error).__name__}: {error}"
        fails = result is not SpanExportResult.SUCCESS
        if fails and not self._fails:
            _log.warning("traces are dropped", collector=self._endpoint, reason=reason)
        elif self._fails and not fails:
            _log.info("traces are sent again", collector=self._endpoint)
        self._fails = fails
        return result

    def shutdown(self) -> None:
        self._to.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._to.force_flush(timeout_millis)
