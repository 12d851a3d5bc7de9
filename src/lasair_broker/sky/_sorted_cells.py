"""Cones in a catalogue of which only the sorted order-29 cells are known."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lasair_broker.compiled import njit
from lasair_broker.sky._healpix import NSIDE, ORDER, healpix29
from lasair_broker.sky._separation import ARCSEC_PER_RADIAN
from lasair_broker.sky._watchlist_block import BLOCK_RADIUS, _squeeze, block, block_order, unit_vectors

Int64 = npt.NDArray[np.int64]
Float64 = npt.NDArray[np.float64]

MARGIN_ARCSEC = 0.001
"""By so much a cone is widened: the centre of an order-29 cell is within half of it of every point inside."""

_ROWS_PER_BIN = 8.0
_FINEST_BIN_ORDER = 10
"""12.6 million bins, 50 MB: larger catalogues have more rows a bin, which lie in one page all the same."""

_WHOLE_SKY = -1
_LARGEST_RADIUS = 180.0 * 3600.0


@njit(cache=True, nogil=True)
def _fill_bins(cell: Int64, shift: int, bins: npt.NDArray[np.uint32]) -> int:
    """Count rows into bins and add up; returns the first row that is out of order, or -1."""
    for i in range(len(cell)):
        if i and cell[i] < cell[i - 1]:
            return i
        bins[(cell[i] >> shift) + 1] += np.uint32(1)
    for b in range(1, len(bins)):
        bins[b] += bins[b - 1]
    return -1


@njit(cache=True, nogil=True)
def _chord2_to_centre(cell: int, px: float, py: float, pz: float) -> float:
    """Squared chord from a unit vector to the centre of an order-29 cell.

    The inverse of the HEALPix projection as in Calabretta & Roukema 2007, MNRAS 381, 865, section 5.
    """
    face = cell >> (2 * ORDER)
    x = _squeeze(cell) & (NSIDE - 1)
    y = _squeeze(cell >> 1) & (NSIDE - 1)
    ring, quarter = face >> 2, face & 3
    east = (x - y) / NSIDE
    middle = 2.0 * quarter if ring == 1 else 2.0 * quarter + 1.0
    # Twice the height above the southern corner of the face is the sum of the two coordinates.
    from_pole = (2 * NSIDE - (x + y + 1)) / NSIDE if ring == 0 else (x + y + 1) / NSIDE
    if ring != 1 and from_pole < 1.0:
        rise = from_pole * from_pole / 3.0
        z = 1.0 - rise if ring == 0 else rise - 1.0
        cos_decl = math.sqrt(rise * (2.0 - rise))
        lon = 0.25 * math.pi * (middle + east / from_pole)
    else:
        z = ((x + y + 1) / NSIDE - ring) * (2.0 / 3.0)
        cos_decl = math.sqrt((1.0 - z) * (1.0 + z))
        lon = 0.25 * math.pi * (middle + east)
    dx, dy, dz = cos_decl * math.cos(lon) - px, cos_decl * math.sin(lon) - py, z - pz
    return dx * dx + dy * dy + dz * dz


@njit(cache=True, nogil=True)
def _search(
    cell29: Int64,
    vector: Float64,
    order: Int64,
    chord2: Float64,
    cell: Int64,
    bins: npt.NDArray[np.uint32],
    bin_shift: int,
) -> tuple[Int64, Int64]:
    """Pairs (position, row) whose cell centres lie within the chords; positions with cell29 < 0 have none."""
    room = max(1024, 2 * len(cell29))
    found_position = np.empty(room, np.int64)
    found_row = np.empty(room, np.int64)
    found = 0
    around = np.empty(9, np.int64)
    for i in range(len(cell29)):
        if cell29[i] < 0:
            continue
        px, py, pz = vector[i, 0], vector[i, 1], vector[i, 2]
        if order[i] < 0:
            count, shift = 12, 2 * ORDER
        else:
            shift = 2 * (ORDER - order[i])
            count = block(cell29[i] >> shift, order[i], around)
            for a in range(1, count):  # few, and touching cells are often in order already
                value, b = around[a], a
                while b and around[b - 1] > value:
                    around[b] = around[b - 1]
                    b -= 1
                around[b] = value
        j = 0
        while j < count:
            # Cells that follow each other are one run of rows.
            first = j if order[i] < 0 else around[j]
            last = first
            j += 1
            while j < count and (j if order[i] < 0 else around[j]) == last + 1:
                last += 1
                j += 1
            low_cell = first << shift
            inside = low_cell >> bin_shift
            row, high = np.int64(bins[inside]), np.int64(bins[inside + 1])
            while row < high:
                middle = (row + high) >> 1
                if cell[middle] < low_cell:
                    row = middle + 1
                else:
                    high = middle
            last_cell = ((last + 1) << shift) - 1
            while row < len(cell) and cell[row] <= last_cell:
                if _chord2_to_centre(cell[row], px, py, pz) <= chord2[i]:
                    if found == room:
                        room *= 2
                        wider_position = np.empty(room, np.int64)
                        wider_position[:found] = found_position[:found]
                        found_position = wider_position
                        wider_row = np.empty(room, np.int64)
                        wider_row[:found] = found_row[:found]
                        found_row = wider_row
                    found_position[found] = i
                    found_row[found] = row
                    found += 1
                row += 1
    return found_position[:found], found_row[:found]


@dataclass(frozen=True)
class SortedCells:
    """Rows known by their order-29 cells, ascending, and a table that finds them.

    Attributes
    ----------
    cell
        int64, shape (n,): in memory or mapped from a file. A search reads the few pages it needs.
    bins
        ``bins[b]:bins[b + 1]`` are the rows whose cells begin with bits ``b``; at most 50 MB, in memory.
    bin_shift
        ``b = cell >> bin_shift``.
    """

    cell: Int64
    bins: npt.NDArray[np.uint32]
    bin_shift: int

    @classmethod
    def build(cls, cell: Int64) -> SortedCells:
        """Make the table, in one pass over the cells.

        Raises
        ------
        ValueError
            If the cells are not in ascending order (the message names the row), or no cells.
        """
        if len(cell) >= 2**32:
            raise ValueError(f"{len(cell):,} rows are too many for one catalogue; split it")
        per_bin = max(len(cell) / _ROWS_PER_BIN / 12.0, 1.0)
        order = min(_FINEST_BIN_ORDER, math.ceil(math.log(per_bin, 4)))
        if len(cell) and not (cell[0] >= 0 and cell[-1] < 12 << (2 * ORDER)):
            raise ValueError("not cells of order 29")
        bins = np.zeros(12 * 4**order + 1, np.uint32)
        shift = 2 * (ORDER - order)
        bad = _fill_bins(cell, shift, bins)
        if bad >= 0:
            raise ValueError(f"row {bad} is out of order")
        return cls(cell, bins, shift)

    @classmethod
    def with_bins(cls, cell: Int64, bins: npt.NDArray[np.uint32]) -> SortedCells:
        """Put together cells and the table that `build` made of them, which is not made again.

        Raises
        ------
        ValueError
            If the table is for another number of rows, or of a size that no table has.
        """
        order = (len(bins) - 1).bit_length() // 2 - 2  # 3 × 4^(order + 1) bins
        if order < 0 or len(bins) != 12 * 4**order + 1 or bins[-1] != len(cell):
            raise ValueError(f"a table of {len(bins):,} bins does not belong to {len(cell):,} rows")
        return cls(cell, bins, 2 * (ORDER - order))

    def __len__(self) -> int:
        return len(self.cell)

    def near(self, ra: Float64, decl: Float64, radius_arcsec: Float64) -> tuple[Int64, Int64]:
        """Every pair of position and row closer than the radius, and a few that are up to a milliarcsecond
        farther: an exact test must follow.

        Parameters
        ----------
        ra, decl
            Degrees, shape (n,); what is not a position has no pairs.
        radius_arcsec
            Shape (n,), 0 or more; 648,000 or more is the whole sky.

        Returns
        -------
        Positions and rows, int64; pairs are in no particular order. Positions are visited in the order of the
        sky, so that a mapped file is read from its beginning to its end.
        """
        cell29 = healpix29(ra, decl)
        along = np.argsort(cell29, kind="stable")
        ra, decl = np.ascontiguousarray(ra)[along], np.ascontiguousarray(decl)[along]
        radius = np.minimum(np.ascontiguousarray(radius_arcsec)[along] + MARGIN_ARCSEC, _LARGEST_RADIUS)
        fits = radius <= BLOCK_RADIUS * ARCSEC_PER_RADIAN
        order = np.where(fits, block_order(np.where(fits, radius, 1.0)), _WHOLE_SKY)
        # Rounding of the chord matters for cones of nearly half the sky only, where its slope is zero.
        chord2 = 4.0 * np.sin(0.5 * radius / ARCSEC_PER_RADIAN) ** 2 * (1.0 + 1e-9)
        position, row = _search(
            cell29[along], unit_vectors(ra, decl), order, chord2, self.cell, self.bins, self.bin_shift
        )
        return along[position], row
