"""Matching a list or map against every object of the archive, for hits of what was stored before it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from lasair_broker.archive import Archive
from lasair_broker.schema import arrow_schema
from lasair_broker.sky import WatchlistIndex, WatchmapIndex, healpix29

__all__ = ["ListMatching", "MatchTask", "hits_of_places", "match_archive", "parts"]

_MOST_RANGES = 1000
_WANDERED_ARCSEC = 10.0
_PART_OBJECTS = 200_000


class MatchTask(Protocol):
    """A list or map whose hits in the archive are to be made what they should be.

    Attributes
    ----------
    table, list_id
        "watchlist_hits" and the list's `wl_id`, or "area_hits" and the map's `ar_id`.
    """

    @property
    def table(self) -> str: ...

    @property
    def list_id(self) -> int: ...

    def load(self) -> WatchlistIndex | WatchmapIndex | None:
        """The list or map by itself; None if it is no longer matched and its hits must go."""

    def began(self, total: int) -> None:
        """The match with `total` objects begins."""

    def progress(self, done: int, hits: int) -> None:
        """So many objects have been looked at and so many hits found."""

    def ended(self, hits: int) -> None:
        """The hits in the archive are those of the list as `load` gave it."""

    def failed(self, message: str) -> None:
        """It could not be done; it is tried again when the list changes or the process starts anew."""


class ListMatching(Protocol):
    """Where what is to be matched is known. It must survive a kill: what did not end is due again."""

    def due(self) -> MatchTask | None:
        """What is to be done next, or None."""

    def expect(self, lists: Collection[tuple[str, int]]) -> None:
        """The stream is about to give hits of these (table, list_id): from now on the archive may hold some,
        and if they are matched no more before they have been due, they must still be removed."""

    def again(self, table: str, list_id: int) -> None:
        """This list or map must be matched once more, or its hits removed once more."""


def match_archive(
    task: MatchTask, archive: Archive, on_progress: Callable[[int, int], None] | None = None
) -> int:
    """Match a list with every object of an archive into which no stream writes meanwhile.

    Parameters
    ----------
    on_progress
        Called with the objects looked at and their number.

    Returns
    -------
    The number of hits.
    """
    index = task.load()
    total = number_of_objects(archive)
    task.began(total)
    archive.replace_list_hits(task.table, task.list_id, empty_hits(task.table), first=True)
    found = done = 0
    for looked_at, hits in parts(index, archive) if index is not None else ():
        if hits.num_rows:
            archive.replace_list_hits(task.table, task.list_id, hits, first=False)
        done, found = done + looked_at, found + hits.num_rows
        task.progress(done, found)
        if on_progress is not None:
            on_progress(done, total)
    task.ended(found)
    return found


def parts(index: WatchlistIndex | WatchmapIndex, archive: Archive) -> Iterator[tuple[int, pa.Table]]:
    """The hits of an index among all objects, part by part: objects looked at, and rows of hits."""
    for places in archive.object_places(_ranges(index), _PART_OBJECTS):
        yield places.num_rows, hits_of_places(index, places)


def hits_of_places(index: WatchlistIndex | WatchmapIndex, places: pa.Table) -> pa.Table:
    """The hits of objects given by diaObjectId, ra and decl."""
    ids = places.column("diaObjectId").combine_chunks()
    ra, decl = (places.column(name).to_numpy() for name in ("ra", "decl"))
    if isinstance(index, WatchlistIndex):
        return index.hits(ids, ra, decl)
    return index.hits(ids, healpix29(ra, decl))


def empty_hits(table: str) -> pa.Table:
    """No hits."""
    return arrow_schema(table).empty_table()


def number_of_objects(archive: Archive) -> int:
    """How many objects there are."""
    return int(archive.query("SELECT count(*) AS n FROM objects", timeout=None).column("n")[0].as_py())


def _ranges(index: WatchlistIndex | WatchmapIndex) -> npt.NDArray[np.int64] | None:
    """Ranges of healpix29 outside which nothing matches, if they are few enough to help."""
    if isinstance(index, WatchmapIndex) or len(index) > _MOST_RANGES:
        return None
    rows = index.take(np.arange(len(index)))
    # An object lies at the cell where it was first seen, and may have been placed a little off since.
    wider = pa.array(rows.column("radius").to_numpy() + _WANDERED_ARCSEC)
    rows = rows.set_column(rows.schema.get_field_index("radius"), "radius", wider)
    return WatchlistIndex.build({0: rows}).covering_ranges()
