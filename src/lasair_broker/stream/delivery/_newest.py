"""Which filters have new hits."""

from __future__ import annotations

from lasair_broker.archive import Archive

__all__ = ["NewestHits"]


class NewestHits:
    """The time of every filter's newest hit, kept current by one small query for all filters.

    Not to be used by two threads at once.
    """

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._newest: dict[int, float] = {}
        self._until = 0.0

    def look(self) -> None:
        """Learn of the hits committed since the last look."""
        found = self._archive.query(
            'SELECT "filterId", max("committedMjdTai") AS newest FROM filter_hits '  # noqa: S608  # a number
            f'WHERE "committedMjdTai" > {self._until!r} GROUP BY "filterId"',
            max_rows=None,
        )
        for filter_id, newest in zip(*(column.to_pylist() for column in found.columns), strict=True):
            self._newest[filter_id] = newest
            self._until = max(self._until, newest)

    def of(self, filter_id: int) -> float:
        """When the filter's newest hit was committed, MJD TAI; 0 if it has none."""
        return self._newest.get(filter_id, 0.0)
