"""Being told to stop."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import structlog

__all__ = ["stop_on_signals"]

_log = structlog.get_logger(__name__)

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def stop_on_signals() -> Iterator[threading.Event]:
    """An event that SIGTERM or SIGINT sets; a second such signal ends the process at once.

    That is safe: the archive keeps what was committed, and the next run reads on from there. Use it in the
    main thread.
    """
    stop = threading.Event()

    def told(number: int, frame: FrameType | None) -> None:
        stop.set()
        for each in _SIGNALS:
            signal.signal(each, signal.SIG_DFL)
        _log.info("stopping after the batch in hand", signal=signal.Signals(number).name)

    before = {number: signal.signal(number, told) for number in _SIGNALS}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
