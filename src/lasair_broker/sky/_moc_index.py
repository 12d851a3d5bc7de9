"""Many watchmaps at once: which positions lie in which regions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from lasair_broker.compiled import njit
from lasair_broker.sky._healpix import ORDER
from lasair_broker.sky._moc import Moc

Int64 = npt.NDArray[np.int64]

__all__ = ["WatchmapIndex", "WatchmapMatches"]

_MAPS_PER_TABLE = 64
_INTERVALS_PER_BIN = 2


@dataclass(frozen=True)
class WatchmapMatches:
    """Pairs of positions and maps, sorted by position, then map.

    Attributes
    ----------
    position
        Index into the positions that were matched.
    map_id
        Number of the map.
    """

    position: Int64
    map_id: Int64

    def __len__(self) -> int:
        return len(self.position)


@dataclass(frozen=True)
class _Table:
    """Up to 64 maps merged: the sky cut into intervals, each with the maps that hold it as bits of one word.

    Maps come in tables of 64, not in one table with wide words, because the number of intervals grows
    with the number of maps: so memory stays proportional to the maps, and a change rebuilds only one table.

    Attributes
    ----------
    map_ids
        The number of the map of each bit.
    mocs
        The maps, kept to rebuild the table when one of them changes.
    start
        First cell of each interval, ascending; the first is cell 0.
    word
        The maps that hold it.
    shift, bins
        Intervals that begin in bin ``b = cell >> shift`` are ``bins[b]:bins[b + 1]``.
    """

    map_ids: Int64
    mocs: tuple[Moc, ...]
    start: Int64
    word: npt.NDArray[np.uint64]
    shift: int
    bins: npt.NDArray[np.int32]


class WatchmapIndex:
    """All active watchmaps, ready to be matched. An index never changes: updates return a new one."""

    def __init__(self, tables: Sequence[_Table] = ()) -> None:
        self._tables = tuple(tables)

    @classmethod
    def build(cls, maps: Mapping[int, Moc]) -> WatchmapIndex:
        """An index of maps by their number."""
        ids = list(maps)
        groups = [ids[i : i + _MAPS_PER_TABLE] for i in range(0, len(ids), _MAPS_PER_TABLE)]
        return cls([_merge({i: maps[i] for i in group}) for group in groups])

    def __len__(self) -> int:
        return sum(len(table.map_ids) for table in self._tables)

    @property
    def map_ids(self) -> frozenset[int]:
        """The numbers of the maps."""
        return frozenset(int(i) for table in self._tables for i in table.map_ids)

    def with_map(self, map_id: int, moc: Moc) -> WatchmapIndex:
        """An index in which map `map_id` is this region."""
        tables = list(self.without_maps([map_id])._tables)
        for k, table in enumerate(tables):
            if len(table.map_ids) < _MAPS_PER_TABLE:
                tables[k] = _merge({**_maps_of(table), map_id: moc})
                return WatchmapIndex(tables)
        return WatchmapIndex([*tables, _merge({map_id: moc})])

    def without_maps(self, map_ids: Sequence[int]) -> WatchmapIndex:
        """An index without these maps."""
        gone = {int(i) for i in map_ids}
        tables = []
        for table in self._tables:
            kept = {i: moc for i, moc in _maps_of(table).items() if i not in gone}
            if len(kept) == len(table.map_ids):
                tables.append(table)
            elif kept:
                tables.append(_merge(kept))
        return WatchmapIndex(tables)

    def match(self, healpix29: npt.ArrayLike) -> WatchmapMatches:
        """All pairs of a position and a map that holds it.

        Parameters
        ----------
        healpix29
            Order-29 cells, shape (n,); -1 (no position) lies in no map.
        """
        cells = np.ascontiguousarray(healpix29, np.int64)
        positions, map_ids = [], []
        for table in self._tables:
            position, bit = _look_up(cells, table.start, table.word, table.shift, table.bins)
            positions.append(position)
            map_ids.append(table.map_ids[bit])
        position = np.concatenate(positions) if positions else np.zeros(0, np.int64)
        map_id = np.concatenate(map_ids) if map_ids else np.zeros(0, np.int64)
        order = np.lexsort((map_id, position))
        return WatchmapMatches(position[order], map_id[order])

    def hits(self, diaObjectId: pa.Array, healpix29: npt.ArrayLike) -> pa.Table:
        """The rows of table `area_hits` for these objects: diaObjectId, ar_id."""
        matches = self.match(healpix29)
        schema = pa.schema(
            [
                pa.field("diaObjectId", diaObjectId.type, nullable=False),
                pa.field("ar_id", pa.int32(), nullable=False),
            ]
        )
        ids = diaObjectId.take(pa.array(matches.position))
        return pa.table([ids, pa.array(matches.map_id.astype(np.int32))], schema=schema)


def _maps_of(table: _Table) -> dict[int, Moc]:
    return dict(zip(table.map_ids.tolist(), table.mocs, strict=True))


def _merge(maps: Mapping[int, Moc]) -> _Table:
    """Merge at most 64 maps. The ranges of a map are disjoint, so each of their ends flips its bit."""
    ends = np.concatenate([np.zeros(1, np.int64), *(moc.ranges.ravel() for moc in maps.values())])
    bits = np.repeat(
        np.uint64(1) << np.arange(len(maps), dtype=np.uint64), [moc.ranges.size for moc in maps.values()]
    )
    bits = np.append(np.uint64(0), bits)
    order = np.argsort(ends, kind="stable")
    ends, words = ends[order], np.bitwise_xor.accumulate(bits[order])
    last = np.append(ends[1:] != ends[:-1], True)
    ends, words = ends[last], words[last]
    changed = np.append(True, words[1:] != words[:-1])
    ends, words = ends[changed], words[changed]
    bin_order = 0
    while bin_order < 10 and 12 * 4 ** (bin_order + 1) * _INTERVALS_PER_BIN <= len(ends):
        bin_order += 1
    shift = 2 * (ORDER - bin_order)
    edges = np.arange(12 * 4**bin_order + 1, dtype=np.int64) << shift
    bins = np.searchsorted(ends, edges).astype(np.int32)
    return _Table(np.array(list(maps), np.int64), tuple(maps.values()), ends, words, shift, bins)


@njit(cache=True, nogil=True)
def _look_up(
    cells: Int64, start: Int64, word: npt.NDArray[np.uint64], shift: int, bins: npt.NDArray[np.int32]
) -> tuple[Int64, Int64]:
    """Pairs (position, bit) of cells and the maps of one table."""
    one = np.uint64(1)
    words = np.zeros(len(cells), np.uint64)
    found = 0
    for i in range(len(cells)):
        cell = cells[i]
        if cell < 0:
            continue
        b = cell >> shift
        low, high = np.int64(bins[b]), np.int64(bins[b + 1])
        while low < high:  # the first interval that begins after the cell
            middle = (low + high) >> 1
            if start[middle] <= cell:
                low = middle + 1
            else:
                high = middle
        word_here = word[low - 1]
        words[i] = word_here
        while word_here:
            word_here &= word_here - one
            found += 1
    position = np.empty(found, np.int64)
    bit = np.empty(found, np.int64)
    found = 0
    for i in range(len(cells)):
        word_here = words[i]
        place = 0
        while word_here:
            if word_here & one:
                position[found] = i
                bit[found] = place
                found += 1
            word_here >>= one
            place += 1
    return position, bit
