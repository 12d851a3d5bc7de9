"""Watchlists: up to millions of cones of all active lists, matched against positions exactly.

Each row lies at its own cell, in the class of the order at which its cone fits the 3 × 3 block of cells
around any of its points. So a position needs to look only at its own block, once for each class, and no cone
is ever turned into cells: a row is added by sorting it in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from lasair_broker.sky._healpix import ORDER, healpix29
from lasair_broker.sky._watchlist_block import all_blocks, block_order, unit_vectors
from lasair_broker.sky._watchlist_segment import Segment, build_segment, search_segment

Int64 = npt.NDArray[np.int64]
Float64 = npt.NDArray[np.float64]

__all__ = ["ROW_SCHEMA", "WatchlistIndex", "WatchlistMatches"]

ROW_SCHEMA = pa.schema(
    [
        pa.field("cone_id", pa.int64(), nullable=False),
        pa.field("name", pa.string(), nullable=False),
        pa.field("ra", pa.float64(), nullable=False),
        pa.field("decl", pa.float64(), nullable=False),
        pa.field("radius", pa.float64(), nullable=False),
    ]
)
"""The rows of one list: number within the list, name, ICRS degrees, arcseconds. More columns are ignored."""

_HITS_SCHEMA = pa.schema(
    [
        pa.field("wl_id", pa.int32(), nullable=False),
        pa.field("cone_id", pa.int64(), nullable=False),
        pa.field("arcsec", pa.float32(), nullable=False),
        pa.field("name", pa.string(), nullable=False),
    ]
)


@dataclass(frozen=True)
class _Part:
    """A segment, the names of its rows in the order they were given, and which rows still count."""

    segment: Segment
    names: pa.Array
    alive: npt.NDArray[np.bool_]

    def living(self) -> int:
        return int(self.alive.sum())


@dataclass(frozen=True)
class WatchlistMatches:
    """Pairs of positions and rows, sorted by position, then separation.

    Attributes
    ----------
    position
        Index into the positions that were matched.
    row
        Row of the index that was asked, for `WatchlistIndex.take`.
    arcsec
        Separation in arcseconds.
    """

    position: Int64
    row: Int64
    arcsec: Float64

    def __len__(self) -> int:
        return len(self.position)


class WatchlistIndex:
    """The rows of all active watchlists, ready to be matched. An index never changes: updates make new ones.

    The new index shares all it can with the old one, so that a list is added in a time that depends on its
    own length and not on the rows already there; small parts are merged as they gather. A stage that holds an
    index swaps it by one assignment.
    """

    def __init__(self, parts: Sequence[_Part] = ()) -> None:
        self._parts = tuple(parts)
        self._starts = np.cumsum([0] + [len(part.segment) for part in self._parts])

    @classmethod
    def build(cls, lists: Mapping[int, pa.Table]) -> WatchlistIndex:
        """An index of several lists (number → rows as in ROW_SCHEMA), sorted once."""
        return cls()._with_part(_part_of(lists))

    def __len__(self) -> int:
        return sum(part.living() for part in self._parts)

    @property
    def list_ids(self) -> frozenset[int]:
        """The numbers of the lists with at least one row."""
        found: set[int] = set()
        for part in self._parts:
            found.update(np.unique(part.segment.wl_id[part.alive]).tolist())
        return frozenset(found)

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays held."""
        arrays = sum(
            array.nbytes for part in self._parts for array in (part.alive, *vars(part.segment).values())
        )
        return int(arrays + sum(part.names.nbytes for part in self._parts))

    def with_list(self, wl_id: int, rows: pa.Table) -> WatchlistIndex:
        """An index in which list `wl_id` has just these rows (as in ROW_SCHEMA).

        Raises
        ------
        ValueError
            If a row has no position or no radius, or the table lacks a column.
        """
        part = _part_of({wl_id: rows})
        return self.without_lists([wl_id])._with_part(part)

    def with_rows(self, wl_id: int, rows: pa.Table) -> WatchlistIndex:
        """An index in which these rows of list `wl_id` replace those of the same cone_id, or are new."""
        part = _part_of({wl_id: rows})
        return self.without_rows(wl_id, part.segment.cone_id)._with_part(part)

    def without_rows(self, wl_id: int, cone_ids: npt.ArrayLike) -> WatchlistIndex:
        """An index without these rows of list `wl_id`."""
        gone = np.asarray(cone_ids, np.int64)
        return self._keep(lambda s: (s.wl_id != wl_id) | ~np.isin(s.cone_id, gone))

    def without_lists(self, wl_ids: Sequence[int]) -> WatchlistIndex:
        """An index without these lists."""
        gone = np.asarray(list(wl_ids), np.int64)
        return self._keep(lambda s: ~np.isin(s.wl_id, gone))

    def match(self, ra: npt.ArrayLike, decl: npt.ArrayLike) -> WatchlistMatches:
        """All pairs of a position and a row with the position within the row's radius, the rim included.

        Parameters
        ----------
        ra, decl
            ICRS positions in degrees, shape (n,). A NaN matches nothing.
        """
        lon, lat = np.broadcast_arrays(np.asarray(ra, np.float64), np.asarray(decl, np.float64))
        cell29 = healpix29(lon, lat)
        # Neighbours on the sky look at the same rows: in order of cells these are still in the cache.
        by_cell = np.argsort(cell29)
        cells = cell29[by_cell]
        vectors = unit_vectors(np.ascontiguousarray(lon[by_cell]), np.ascontiguousarray(lat[by_cell]))
        positions, rows, arcsecs = [], [], []
        for part, start in zip(self._parts, self._starts[:-1], strict=True):
            position, row, arcsec = search_segment(part.segment, part.alive, cells, vectors)
            positions.append(by_cell[position])
            rows.append(row + start)
            arcsecs.append(arcsec)
        position = np.concatenate(positions) if positions else np.zeros(0, np.int64)
        row = np.concatenate(rows) if rows else np.zeros(0, np.int64)
        arcsec = np.concatenate(arcsecs) if arcsecs else np.zeros(0)
        order = np.lexsort((arcsec, position))
        return WatchlistMatches(position[order], row[order], arcsec[order])

    def take(self, row: Int64) -> pa.Table:
        """The rows a match gave, with columns wl_id, cone_id, name, ra, decl, radius."""
        part_of_row = np.searchsorted(self._starts, row, side="right") - 1
        pieces, places = [], []
        for k, part in enumerate(self._parts):
            place = np.flatnonzero(part_of_row == k)
            local = row[place] - self._starts[k]
            s = part.segment
            pieces.append(
                pa.table(
                    {
                        "wl_id": pa.array(s.wl_id[local].astype(np.int32)),
                        "cone_id": s.cone_id[local],
                        "name": part.names.take(pa.array(s.given[local])),
                        "ra": s.ra[local],
                        "decl": s.decl[local],
                        "radius": s.radius[local],
                    }
                )
            )
            places.append(place)
        if not pieces:
            return pa.schema([pa.field("wl_id", pa.int32()), *ROW_SCHEMA]).empty_table()
        back = np.argsort(np.concatenate(places), kind="stable")
        return pa.concat_tables(pieces).take(pa.array(back)).combine_chunks()

    def hits(self, diaObjectId: pa.Array, ra: npt.ArrayLike, decl: npt.ArrayLike) -> pa.Table:
        """The rows of table `watchlist_hits` for these objects: diaObjectId, wl_id, cone_id, arcsec, name."""
        matches = self.match(ra, decl)
        rows = self.take(matches.row)
        columns = [
            diaObjectId.take(pa.array(matches.position)),
            rows["wl_id"],
            rows["cone_id"],
            pa.array(matches.arcsec.astype(np.float32)),
            rows["name"],
        ]
        id_field = pa.field("diaObjectId", diaObjectId.type, nullable=False)
        return pa.table(columns, schema=pa.schema([id_field, *_HITS_SCHEMA]))

    def covering_ranges(self, gap: int = 0) -> npt.NDArray[np.int64]:
        """Ranges of healpix29 outside which nothing matches: (n, 2), half-open, ascending, disjoint.

        They let an archive skip what no row can match. Ranges at most `gap` cells apart are joined.
        """
        lows, highs = [], []
        for part in self._parts:
            s = part.segment
            if not part.living():
                continue
            order = block_order(s.radius[part.alive])
            for o in np.unique(order):
                own = order == o
                around = _blocks(s.ra[part.alive][own], s.decl[part.alive][own], int(o))
                lows.append(around << (2 * (ORDER - o)))
                highs.append((around + 1) << (2 * (ORDER - o)))
        if not lows:
            return np.zeros((0, 2), np.int64)
        return _join(np.concatenate(lows), np.concatenate(highs), gap)

    def _keep(self, keep: Callable[[Segment], npt.NDArray[np.bool_]]) -> WatchlistIndex:
        parts = []
        for part in self._parts:
            alive = part.alive & keep(part.segment)
            living = int(alive.sum())
            if living == len(alive):
                parts.append(part)
            elif 2 * living >= len(alive):
                parts.append(_Part(part.segment, part.names, alive))
            elif living:  # more dead than alive: sort the living anew
                parts.append(_merged([_Part(part.segment, part.names, alive)]))
        return WatchlistIndex(parts)

    def _with_part(self, part: _Part) -> WatchlistIndex:
        """Add a part, merging those not much larger: there are never more than log4 of the rows."""
        if not len(part.segment):
            return self
        parts = sorted(self._parts, key=lambda p: -len(p.segment))
        merging, size = [part], len(part.segment)
        while parts and len(parts[-1].segment) < 4 * size:
            merging.append(parts.pop())
            size += len(merging[-1].segment)
        return WatchlistIndex([*parts, part if len(merging) == 1 else _merged(merging)])


def _blocks(ra: Float64, decl: Float64, order: int) -> Int64:
    """The distinct cells of the blocks around positions."""
    return all_blocks(np.unique(healpix29(ra, decl) >> (2 * (ORDER - order))), order)


def _join(low: Int64, high: Int64, gap: int) -> Int64:
    """Unite ranges that overlap, touch, or lie at most `gap` apart."""
    by_low = np.argsort(low)
    low, high = low[by_low], np.maximum.accumulate(high[by_low])
    first = np.append(True, low[1:] > high[:-1] + gap)
    starts = np.flatnonzero(first)
    return np.stack([low[starts], high[np.append(starts[1:], len(low)) - 1]], axis=1)


def _part_of(lists: Mapping[int, pa.Table]) -> _Part:
    for number, rows in lists.items():
        missing = [f.name for f in ROW_SCHEMA if f.name not in rows.column_names]
        if missing:
            raise ValueError(f"the rows of watchlist {number} lack {', '.join(missing)}")
    wl_id = np.repeat(np.array(list(lists), np.int64), [rows.num_rows for rows in lists.values()])
    whole = pa.concat_tables(
        [rows.select(ROW_SCHEMA.names).cast(ROW_SCHEMA) for rows in lists.values()]
        or [ROW_SCHEMA.empty_table()]
    ).combine_chunks()
    columns = {f.name: np.ascontiguousarray(whole[f.name].to_numpy()) for f in ROW_SCHEMA if f.name != "name"}
    segment = build_segment(wl_id, columns["cone_id"], columns["ra"], columns["decl"], columns["radius"])
    names = whole["name"].chunk(0) if whole.num_rows else pa.array([], pa.string())
    return _Part(segment, names, np.ones(len(segment), np.bool_))


def _merged(parts: Sequence[_Part]) -> _Part:
    """One part of the living rows of several."""
    living = [np.flatnonzero(part.alive) for part in parts]
    names = pa.concat_arrays(
        [
            part.names.take(pa.array(part.segment.given[rows]))
            for part, rows in zip(parts, living, strict=True)
        ]
    )

    def gather(name: str) -> npt.NDArray[Any]:
        return np.concatenate(
            [getattr(part.segment, name)[rows] for part, rows in zip(parts, living, strict=True)]
        )

    segment = build_segment(
        gather("wl_id"), gather("cone_id"), gather("ra"), gather("decl"), gather("radius")
    )
    return _Part(segment, names, np.ones(len(segment), np.bool_))
