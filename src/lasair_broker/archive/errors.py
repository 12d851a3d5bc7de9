"""What can go wrong with an archive, one class for each thing a caller may want to treat differently."""

from __future__ import annotations

__all__ = [
    "ArchiveCorruptError",
    "ArchiveError",
    "ArchiveFullError",
    "ArchiveLockedError",
    "ArchiveVersionError",
    "QueryError",
    "QueryTimeoutError",
]


class ArchiveError(Exception):
    """The archive could not do what was asked; nothing of the failed call is kept, and the archive is
    usable."""


class ArchiveLockedError(ArchiveError):
    """Another process has the archive open; the message says which."""


class ArchiveVersionError(ArchiveError):
    """The archive was written by a newer version of this program."""


class ArchiveFullError(ArchiveError):
    """There is no room left on the disk; the batch was not written."""


class ArchiveCorruptError(ArchiveError):
    """Stored bytes are not what was written."""


class QueryError(ArchiveError):
    """A query was refused or failed; the message is for the person who wrote it."""


class QueryTimeoutError(QueryError):
    """A query took longer than it was allowed."""
