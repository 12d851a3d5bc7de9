"""Writing into the user database from a thread of its own, for who may not wait for it."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Protocol

import structlog
from django.db import close_old_connections, connections

_log = structlog.get_logger(__name__)

_MOST_WAITING = 10_000


class Reports(Protocol):
    """Takes what is to be written."""

    def put(self, report: Callable[[], object]) -> None:
        """Have `report` called, now or soon."""


class BackgroundReports:
    """Calls reports one after the other in a thread; a report that fails is logged, the others go on."""

    def __init__(self) -> None:
        self._reports: queue.Queue[Callable[[], object] | None] = queue.Queue(_MOST_WAITING)
        self._thread = threading.Thread(target=self._write, name="lasair-reports", daemon=True)
        self._thread.start()

    def put(self, report: Callable[[], object]) -> None:
        try:
            self._reports.put_nowait(report)
        except queue.Full:
            _log.warning("a report is lost: the user database does not keep up")

    def close(self) -> None:
        """Write what was put in before, and end."""
        if self._thread.is_alive():
            self._reports.put(None)
            self._thread.join()

    def _write(self) -> None:
        while (report := self._reports.get()) is not None:
            try:
                close_old_connections()
                report()
            except Exception as error:
                # Whatever is wrong with this one, the next may be written.
                _log.warning("a report could not be written", reason=f"{type(error).__name__}: {error}")
        connections.close_all()
