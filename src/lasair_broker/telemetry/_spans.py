"""Spans: pieces of work with a beginning and an end, which an installation may have sent to a collector.

Without one (setting telemetry.endpoint), nothing is recorded and OpenTelemetry is not even imported.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Literal, Protocol

from lasair_broker.settings import SettingsError, TelemetrySettings

__all__ = ["Kind", "Span", "Tracer", "Value", "begin", "ids", "span", "traced", "within"]

Value = str | bool | int | float | Sequence[str]
Kind = Literal["internal", "server", "consumer", "producer"]


class Span:
    """A piece of work of which nothing is recorded."""

    __slots__ = ()

    def note(self, attributes: Mapping[str, Value]) -> None:
        """Add what has turned out."""

    def rename(self, name: str) -> None:
        """Give it the name that has turned out to be right."""

    def failed(self, reason: str | BaseException) -> None:
        """Tell that it did not come to a good end."""

    def end(self) -> None:
        """It is over now."""


class Tracer(Protocol):
    """What makes spans that are recorded."""

    def begin(self, name: str, attributes: Mapping[str, Value], kind: Kind, seconds_ago: float) -> Span:
        """A span inside the current one of this thread, which does not become the current one."""

    def within(self, span: Span) -> AbstractContextManager[None]:
        """Make it the current one of this thread."""

    def ids(self) -> Mapping[str, str]:
        """The current span, and the trace that it is of, as log lines name them."""

    def close(self) -> None:
        """Send what has not been sent."""


_NOTHING = Span()
_tracer: Tracer | None = None


def begin(
    name: str,
    attributes: Mapping[str, Value] | None = None,
    kind: Kind = "internal",
    seconds_ago: float = 0.0,
) -> Span:
    """A span that began so many seconds ago; whoever asks for it has to call its `end`, in whatever thread.

    It is inside the current span of this thread, and does not become the current one: see `within`.
    """
    return _NOTHING if _tracer is None else _tracer.begin(name, attributes or {}, kind, seconds_ago)


@contextmanager
def within(span: Span) -> Iterator[None]:
    """What is begun or logged by this thread meanwhile belongs to this span, which does not end thereby."""
    if _tracer is None or span is _NOTHING:
        yield
        return
    with _tracer.within(span):
        yield


@contextmanager
def span(name: str, attributes: Mapping[str, Value] | None = None, kind: Kind = "internal") -> Iterator[Span]:
    """A span around what happens within; one that raises has failed."""
    if _tracer is None:
        yield _NOTHING
        return
    begun = _tracer.begin(name, attributes or {}, kind, 0.0)
    try:
        with _tracer.within(begun):
            yield begun
    except BaseException as error:
        begun.failed(error)
        raise
    finally:
        begun.end()


def ids() -> Mapping[str, str]:
    """The current span and its trace, for log lines; empty if nothing is recorded."""
    return {} if _tracer is None else _tracer.ids()


@contextmanager
def traced(settings: TelemetrySettings, part: str) -> Iterator[None]:
    """Record the spans of this process, if the settings name a collector; what is left is sent at the end.

    A process that forks begins with this afterwards: what sends is a thread.

    Parameters
    ----------
    part
        The command that runs: "ingest", "serve".

    Raises
    ------
    SettingsError
        If OpenTelemetry is not installed.
    """
    global _tracer
    if not settings.endpoint:
        yield
        return
    try:
        from ._export import Exporting
    except ImportError as error:
        raise SettingsError(
            f"telemetry.endpoint is set, and OpenTelemetry is not installed ({error}): "
            "pip install 'lasair-broker[otel]'"
        ) from None
    tracer = Exporting(settings, part)
    _tracer = tracer
    try:
        yield
    finally:
        _tracer = None
        tracer.close()
