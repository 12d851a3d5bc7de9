"""Rows of watchlists sorted by radius class and cell, and the search of positions in them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lasair_broker.compiled import njit
from lasair_broker.sky._healpix import ORDER, healpix29
from lasair_broker.sky._separation import ARCSEC_PER_RADIAN
from lasair_broker.sky._watchlist_block import block, block_order, unit_vectors

Int64 = npt.NDArray[np.int64]
Float64 = npt.NDArray[np.float64]

_ROWS_PER_BIN = 2.0
_FEW_ROWS = 16


@dataclass(frozen=True)
class Segment:
    """Some rows, sorted by (class, cell, row given): arrays that never change.

    A class holds the rows whose cones fit the block of one order. Within a class cells are found through a
    table of bins, each bin being the cells that share their leading bits.

    Attributes
    ----------
    given
        For each sorted row its place in the arrays the segment was built from.
    wl_id, cone_id, ra, decl, radius
        The rows, sorted; degrees and arcseconds.
    vector
        Unit vectors, shape (n, 3).
    chord2
        Squared chord of the radius.
    cell
        Cell of each row at its class's order.
    class_order, class_start
        Order of each class; ``class_start[i]:class_start[i + 1]`` are its rows.
    bin_shift, bin_start, bins
        Bin ``b = cell >> shift`` of class i holds rows ``bins[bin_start[i] + b]`` to ``[... + b + 1]``.
    """

    given: Int64
    wl_id: Int64
    cone_id: Int64
    ra: Float64
    decl: Float64
    radius: Float64
    vector: Float64
    chord2: Float64
    cell: Int64
    class_order: Int64
    class_start: Int64
    bin_shift: Int64
    bin_start: Int64
    bins: npt.NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.cell)


def build_segment(wl_id: Int64, cone_id: Int64, ra: Float64, decl: Float64, radius: Float64) -> Segment:
    """Sort rows into a segment.

    Raises
    ------
    ValueError
        If a position or a radius is not one.
    """
    cell29 = healpix29(ra, decl)
    if len(cell29) and cell29.min() < 0:
        bad = int(np.argmin(cell29))
        raise ValueError(f"row {bad} is not a position: ra={ra[bad]}, decl={decl[bad]}")
    order = block_order(radius)
    cell = cell29 >> (2 * (ORDER - order))
    # Cells of the finest order are 40 bits long, so class and cell sort as one number.
    given = np.argsort((order << 42) | cell, kind="stable")
    order, cell = order[given], cell[given]
    class_order, first = np.unique(order, return_index=True)
    class_start = np.append(first, len(order)).astype(np.int64)
    shifts, starts, tables = [], [0], []
    for k, o in enumerate(class_order):
        rows = class_start[k + 1] - class_start[k]
        bin_order = max(0, min(int(o), math.ceil(math.log(max(rows / _ROWS_PER_BIN / 12.0, 1.0), 4))))
        shift = 2 * (int(o) - bin_order)
        edges = np.arange(12 * 4**bin_order + 1, dtype=np.int64) << shift
        own = cell[class_start[k] : class_start[k + 1]]
        tables.append((class_start[k] + np.searchsorted(own, edges)).astype(np.int32))
        shifts.append(shift)
        starts.append(starts[-1] + len(edges))
    radius = np.ascontiguousarray(radius, np.float64)[given]
    return Segment(
        given=given,
        wl_id=wl_id[given],
        cone_id=cone_id[given],
        ra=ra[given],
        decl=decl[given],
        radius=radius,
        vector=unit_vectors(ra[given], decl[given]),
        chord2=4.0 * np.sin(np.radians(radius / 3600.0) / 2.0) ** 2,
        cell=cell,
        class_order=class_order.astype(np.int64),
        class_start=class_start,
        bin_shift=np.array(shifts, np.int64),
        bin_start=np.array(starts, np.int64),
        bins=np.concatenate(tables) if tables else np.zeros(0, np.int32),
    )


@njit(cache=True, nogil=True)
def _search(
    cell29: Int64,
    position: Float64,
    vector: Float64,
    chord2: Float64,
    cell: Int64,
    alive: npt.NDArray[np.bool_],
    class_order: Int64,
    bin_shift: Int64,
    bin_start: Int64,
    bins: npt.NDArray[np.int32],
) -> tuple[Int64, Int64, Float64]:
    """Pairs (position, row, squared chord) within the rows' radii; positions with cell29 < 0 have none."""
    room = max(1024, 2 * len(cell29))
    found_position = np.empty(room, np.int64)
    found_row = np.empty(room, np.int64)
    found_chord2 = np.empty(room, np.float64)
    found = 0
    around = np.empty(9, np.int64)
    bins_scanned = np.empty(9, np.int64)
    for i in range(len(cell29)):
        if cell29[i] < 0:
            continue
        px, py, pz = position[i, 0], position[i, 1], position[i, 2]
        for k in range(len(class_order)):
            order = class_order[k]
            count = block(cell29[i] >> (2 * (ORDER - order)), order, around)
            scanned = 0
            for j in range(count):
                b = around[j] >> bin_shift[k]
                row = np.int64(bins[bin_start[k] + b])
                stop = np.int64(bins[bin_start[k] + b + 1])
                if stop - row <= _FEW_ROWS:
                    # Cheaper to test every row of the bin, once, than to look for the block's cells in it.
                    known = False
                    for m in range(scanned):
                        known = known or bins_scanned[m] == b
                    if known:
                        continue
                    bins_scanned[scanned] = b
                    scanned += 1
                else:
                    low, high = row, stop
                    while low < high:
                        middle = (low + high) >> 1
                        if cell[middle] < around[j]:
                            low = middle + 1
                        else:
                            high = middle
                    row, high = low, stop
                    while low < high:
                        middle = (low + high) >> 1
                        if cell[middle] <= around[j]:
                            low = middle + 1
                        else:
                            high = middle
                    stop = low
                while row < stop:
                    dx, dy, dz = vector[row, 0] - px, vector[row, 1] - py, vector[row, 2] - pz
                    distance2 = dx * dx + dy * dy + dz * dz
                    if distance2 <= chord2[row] and alive[row]:
                        if found == room:
                            room *= 2
                            wider_position = np.empty(room, np.int64)
                            wider_position[:found] = found_position[:found]
                            found_position = wider_position
                            wider_row = np.empty(room, np.int64)
                            wider_row[:found] = found_row[:found]
                            found_row = wider_row
                            wider_chord2 = np.empty(room, np.float64)
                            wider_chord2[:found] = found_chord2[:found]
                            found_chord2 = wider_chord2
                        found_position[found] = i
                        found_row[found] = row
                        found_chord2[found] = distance2
                        found += 1
                    row += 1
    return found_position[:found], found_row[:found], found_chord2[:found]


def search_segment(
    segment: Segment, alive: npt.NDArray[np.bool_], cell29: Int64, position: Float64
) -> tuple[Int64, Int64, Float64]:
    """Pairs of positions (order-29 cells and unit vectors) and living rows: (position, row, arcseconds)."""
    at, row, chord2 = _search(
        cell29,
        position,
        segment.vector,
        segment.chord2,
        segment.cell,
        alive,
        segment.class_order,
        segment.bin_shift,
        segment.bin_start,
        segment.bins,
    )
    return at, row, 2.0 * np.arcsin(0.5 * np.sqrt(chord2)) * ARCSEC_PER_RADIAN
