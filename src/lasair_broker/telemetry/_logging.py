"""Log lines for people or for machines, on standard error."""

from __future__ import annotations

import logging
import sys

import structlog

from lasair_broker.settings import LoggingSettings

from ._spans import ids

__all__ = ["set_up_logging"]


def set_up_logging(settings: LoggingSettings) -> None:
    """Write log lines of at least the set level to standard error, as text or as one JSON object a line."""
    last: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if settings.format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            _add_trace,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            last,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, settings.level.upper())),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def _add_trace(logger: object, method: str, line: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Name the trace that a line belongs to, so that one leads to the other."""
    line.update(ids())
    return line
