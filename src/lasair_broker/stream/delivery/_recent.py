"""The newest hits of all filters, read by one query for all of them."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from lasair_broker.archive import Archive

from ._newest import newest_since
from ._outputs import Cursor

__all__ = ["RecentHits"]

_AFTER_ALL = "\N{DELETE}"
"""Sorts after every hitId: of the hits of an instant that were never read, the last is not known."""


@dataclass(frozen=True, slots=True)
class _Look:
    """The hits that one look found, by filter, in order; how many they are."""

    hits: dict[int, pa.Table]
    rows: int


@dataclass(frozen=True, slots=True)
class _Kept:
    """What is held: some looks, and for each filter the newest hit that is no longer, or never was, held."""

    looks: tuple[_Look, ...]
    gone: dict[int, Cursor]


class RecentHits:
    """Knows every filter's newest hit, and holds the newest hits of all.

    Asking an archive for the hits of one filter takes some ten milliseconds, and so does asking it for those
    of all, so it is asked once for all. `look` is called by one thread, the rest by any.

    Parameters
    ----------
    archive
        Where hits are.
    most
        Hits held, at most. If more than these come at once, they are left to be read one filter at a time.
    """

    def __init__(self, archive: Archive, most: int = 100_000) -> None:
        self._archive = archive
        self._most = most
        self._until = 0.0
        self._newest: dict[int, float] = {}
        self._looks: deque[_Look] = deque()
        self._gone: dict[int, Cursor] = {}
        self._kept = _Kept((), {})
        self._began = False

    def look(self) -> None:
        """Learn of the hits committed since the last look."""
        if not self._began:
            self._skip()
            self._began = True
            return
        found = self._archive.query(
            f'SELECT * FROM filter_hits WHERE "committedMjdTai" > {self._until!r} '  # noqa: S608  # numbers
            f'ORDER BY "filterId", "committedMjdTai", "hitId" LIMIT {self._most + 1}',
            max_rows=None,
        )
        if not found.num_rows:
            return
        if found.num_rows > self._most:
            self._drop(0)
            self._skip()
            return
        filters = found.column("filterId")
        runs = pc.run_end_encode(filters.combine_chunks())
        hits, start = {}, 0
        for filter_id, end in zip(runs.values.to_pylist(), runs.run_ends.to_pylist(), strict=True):
            hits[filter_id] = found.slice(start, end - start)
            self._newest[filter_id] = hits[filter_id].column("committedMjdTai")[-1].as_py()
            start = end
        self._until = max(self._until, *self._newest.values())
        self._looks.append(_Look(hits, found.num_rows))
        self._drop(self._most)
        self._kept = _Kept(tuple(self._looks), dict(self._gone))

    def newest(self, filter_id: int) -> float:
        """When the filter's newest hit was committed, MJD TAI; 0 if it has none."""
        return self._newest.get(filter_id, 0.0)

    def after(self, filter_id: int, after: Cursor, until: float | None, limit: int) -> pa.Table | None:
        """As `Archive.hits_after`; None if that would need hits that are not held."""
        kept = self._kept
        if after < kept.gone.get(filter_id, (0.0, "")):
            return None
        parts = [look.hits[filter_id] for look in kept.looks if filter_id in look.hits]
        if not parts:
            return None
        hits = pa.concat_tables(parts)
        times, ids = hits.column("committedMjdTai"), hits.column("hitId")
        wanted = pc.or_(
            pc.greater(times, after[0]), pc.and_(pc.equal(times, after[0]), pc.greater(ids, after[1]))
        )
        if until is not None:
            wanted = pc.and_(wanted, pc.less_equal(times, until))
        return hits.filter(wanted).slice(0, limit)

    def _drop(self, most: int) -> None:
        """Hold no more than so many hits: let the oldest looks go."""
        while sum(look.rows for look in self._looks) > most:
            for filter_id, dropped in self._looks.popleft().hits.items():
                last = dropped.slice(dropped.num_rows - 1)
                place = last.column("committedMjdTai")[0].as_py(), last.column("hitId")[0].as_py()
                self._gone[filter_id] = place

    def _skip(self) -> None:
        """Learn just which filters have hits, and hold none of those."""
        for filter_id, newest in newest_since(self._archive, self._until).items():
            self._newest[filter_id] = newest
            self._gone[filter_id] = newest, _AFTER_ALL
        self._until = max(self._newest.values(), default=0.0)
        self._kept = _Kept((), dict(self._gone))
