"""Opening an archive from what an installation says of it."""

from __future__ import annotations

import re
import time
from pathlib import Path

from lasair_broker.settings import ArchiveSettings

from .errors import ArchiveError, ArchiveLockedError
from .interface import Archive
from .packs import PackPlace

__all__ = ["open_archive"]

_PATIENCE_SECONDS = 10.0
_PAUSE_SECONDS = 0.1


def open_archive(
    where: ArchiveSettings | str | Path, *, read_only: bool = False, distributed: bool = False
) -> Archive:
    """Open the archive, made if it is not there.

    Parameters
    ----------
    where
        The settings, or only the place: a folder for the embedded archive, or a postgresql:// address.
    read_only
        Whether it will only be read. An embedded archive that another process has open is then read through
        that process, if it serves it; methods that write raise `ArchiveLockedError`.
    distributed
        Whether an archive in PostgreSQL, which must be new, is spread over the servers of Citus.

    Raises
    ------
    ArchiveLockedError
        If the embedded archive is open already, and still is after some seconds.
    ArchiveVersionError
        If it was written by a newer version of this program.
    ArchiveError
        If there is no engine for this place, or it cannot be opened.
    """
    settings = where if isinstance(where, ArchiveSettings) else ArchiveSettings(url=str(where))
    scheme = re.match(r"([a-z][a-z0-9+]+)://", settings.url)
    if scheme is not None and scheme[1] in ("postgresql", "postgres"):
        from .postgresql import PostgreSQLArchive, SnapshotPlace

        return PostgreSQLArchive(
            settings.url,
            PackPlace.of(settings),
            pack_bytes=settings.pack_bytes,
            distributed=distributed,
            snapshot=SnapshotPlace.of(settings),
        )
    if scheme is not None and scheme[1] not in ("duckdb", "file"):
        raise ArchiveError(f"there is no archive engine for {scheme[1]}://, only folders and postgresql://")
    folder = Path(settings.url[scheme.end() :] if scheme else settings.url)
    end = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            return _opened(folder, settings)
        except ArchiveLockedError:
            served = _served(folder)
            if served is not None and read_only:
                return served
            if served is not None:  # to whom it belongs for long
                served.close()
                raise
            # Some commands have it open for a moment only, and a worker serves it a moment after opening it.
            if time.monotonic() > end:
                raise
        time.sleep(_PAUSE_SECONDS)


def _opened(folder: Path, settings: ArchiveSettings) -> Archive:
    from .duckdb import DuckDBArchive

    return DuckDBArchive(
        folder,
        pack_bytes=settings.pack_bytes,
        memory_limit=settings.memory_limit,
        threads=settings.threads,
    )


def _served(folder: Path) -> Archive | None:
    """The archive as another process serves it; None if none does."""
    from .serving import RemoteArchive

    try:
        return RemoteArchive(folder)
    except OSError:
        return None
