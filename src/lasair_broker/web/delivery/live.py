"""The archive from which browsers are told of hits."""

from __future__ import annotations

import threading

from lasair_broker.archive import Archive, open_archive
from lasair_broker.settings import load
from lasair_broker.stream.delivery import HitWatch

_lock = threading.Lock()
_live: tuple[Archive, HitWatch] | None = None


def use(archive: Archive | None) -> None:
    """Tell hits from this archive, which the process has open already; None: from none any more."""
    global _live
    with _lock:
        _live = None if archive is None else (archive, HitWatch(archive))


def live() -> tuple[Archive, HitWatch]:
    """The archive, opened as the settings say unless the process has it open, and the watch over its hits."""
    global _live
    with _lock:
        if _live is None:
            archive = open_archive(load().archive)
            _live = archive, HitWatch(archive)
        return _live
