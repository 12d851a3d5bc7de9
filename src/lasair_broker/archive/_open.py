"""Opening an archive from what an installation says of it."""

from __future__ import annotations

import re
from pathlib import Path

from lasair_broker.settings import ArchiveSettings

from .errors import ArchiveError
from .interface import Archive

__all__ = ["open_archive"]


def open_archive(where: ArchiveSettings | str | Path) -> Archive:
    """Open the archive, made if it is not there.

    Parameters
    ----------
    where
        The settings, or only the place: a folder for the embedded archive.

    Raises
    ------
    ArchiveLockedError
        If the embedded archive is open already.
    ArchiveVersionError
        If it was written by a newer version of this program.
    ArchiveError
        If there is no engine for this place, or it cannot be opened.
    """
    settings = where if isinstance(where, ArchiveSettings) else ArchiveSettings(url=str(where))
    scheme = re.match(r"([a-z][a-z0-9+]+)://", settings.url)
    if scheme is not None and scheme[1] not in ("duckdb", "file"):
        raise ArchiveError(f"there is no archive engine for {scheme[1]}://, only folders")
    from .duckdb import DuckDBArchive

    return DuckDBArchive(
        settings.url[scheme.end() :] if scheme else settings.url,
        pack_bytes=settings.pack_bytes,
        memory_limit=settings.memory_limit,
        threads=settings.threads,
    )
