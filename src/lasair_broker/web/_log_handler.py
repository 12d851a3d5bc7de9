"""Django's own log lines, among ours."""

from __future__ import annotations

import logging

import structlog


class ToStructlog(logging.Handler):
    """Passes a line on, with its traceback, as it is or as JSON, wherever the installation's lines go."""

    def emit(self, record: logging.LogRecord) -> None:
        log = structlog.get_logger(record.name)
        log.log(record.levelno, record.getMessage(), exc_info=record.exc_info or None)
