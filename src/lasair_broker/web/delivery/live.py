"""The watch over the archive's hits, from which browsers are told of them."""

from __future__ import annotations

import threading

from lasair_broker.archive import Archive
from lasair_broker.stream.delivery import HitWatch
from lasair_broker.web.archive import archive, use

__all__ = ["live", "use"]

_lock = threading.Lock()
_live: tuple[Archive, HitWatch] | None = None


def live() -> tuple[Archive, HitWatch]:
    """The archive that views read, and the watch over its hits."""
    global _live
    opened = archive()
    with _lock:
        if _live is None or _live[0] is not opened:
            _live = opened, HitWatch(opened)
        return _live
