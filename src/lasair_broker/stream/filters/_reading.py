"""Reading state in the archive while it may be opened anew."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pyarrow as pa

from lasair_broker.archive import Archive, ArchiveError

__all__ = ["Reading"]


class Reading:
    """What filters read of an archive. What is broken off is tried once more: after its disk was full an
    archive is opened anew, whoever is reading in it."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive

    def rows_of_objects(
        self, name: str, diaObjectIds: Sequence[int], /, columns: Sequence[str] | None = None
    ) -> pa.Table:
        """See `Archive.rows_of_objects`."""
        return _twice(lambda: self._archive.rows_of_objects(name, diaObjectIds, columns))

    def query(self, sql: str, /, *, max_rows: int | None) -> pa.Table:
        """See `Archive.query`."""
        return _twice(lambda: self._archive.query(sql, max_rows=max_rows))

    def newest_hits(
        self, filterIds: Sequence[int], diaObjectIds: Sequence[int], columns: Sequence[str], /
    ) -> pa.Table:
        """See `Archive.newest_hits`."""
        return _twice(lambda: self._archive.newest_hits(filterIds, diaObjectIds, columns))


def _twice(read: Callable[[], pa.Table]) -> pa.Table:
    try:
        return read()
    except ArchiveError:
        return read()
