"""What can go wrong with an archive, one class for each thing a caller may want to treat differently."""

from __future__ import annotations

__all__ = [
    "ArchiveAwayError",
    "ArchiveCorruptError",
    "ArchiveError",
    "ArchiveFullError",
    "ArchiveLockedError",
    "ArchiveVersionError",
    "QueryCancelledError",
    "QueryError",
    "QueryMemoryError",
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


class ArchiveAwayError(ArchiveError):
    """The archive's server, or the store of its packs, does not answer. What was on its way there may have
    been kept or not; it can be tried again."""


class ArchiveCorruptError(ArchiveError):
    """Stored bytes are not what was written."""


class QueryError(ArchiveError):
    """A query was refused or failed; the message is for the person who wrote it."""


class QueryTimeoutError(QueryError):
    """A query took longer than it was allowed."""


class QueryMemoryError(QueryError):
    """A query needed more memory than it was allowed, or gave a result that was too large."""


class QueryCancelledError(QueryError):
    """A query was stopped by whoever asked it."""
