"""The 3 × 3 block of HEALPix cells around a cell, and the order at which a cone surely fits into it."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from lasair_broker.compiled import njit
from lasair_broker.sky._healpix import ORDER, _spread

FINEST_ORDER = 18
"""Cells of 0.8 arcseconds: no cone asks for smaller ones."""

BLOCK_RADIUS = 0.65
"""A cone of this radius, in units of 1/nside radians, around any point of a cell stays in the cell's block.

The narrowest cells lie at the edges of the polar faces. There the cell's side is, with s = 1 − |sin δ|,
(1/nside) √((π²/4) (2 − s)/3 + (4/3)/(2 − s)) long, at most 1.520/nside (at the pole), and the cell's area
is π/(3 nside²): opposite sides are at least 0.689/nside apart. The rest is margin for rounding.
"""


def block_order(radius_arcsec: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """The finest order (0 to FINEST_ORDER) whose blocks hold cones of these radii.

    Beyond order 8 only even ones: half as many look-ups, while blocks are so small that few rows share them.

    Raises
    ------
    ValueError
        If a radius is not above zero, or too large for the blocks of order 0 (37 degrees).
    """
    radians = np.radians(np.asarray(radius_arcsec, np.float64) / 3600.0)
    if not np.all((radians > 0.0) & (radians <= BLOCK_RADIUS)):
        raise ValueError("radii must be above 0 and at most 37 degrees (134,000 arcseconds)")
    order = np.floor(np.log2(BLOCK_RADIUS / radians)).astype(np.int64)
    order = np.minimum(order, FINEST_ORDER)
    return np.where(order > 8, order & ~1, order)


@njit(cache=True, nogil=True)
def _squeeze(value: int) -> int:
    """The even bits of `value` side by side: the inverse of _spread."""
    v = np.uint64(value) & np.uint64(0x5555555555555555)
    v = (v | (v >> np.uint64(1))) & np.uint64(0x3333333333333333)
    v = (v | (v >> np.uint64(2))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    v = (v | (v >> np.uint64(4))) & np.uint64(0x00FF00FF00FF00FF)
    v = (v | (v >> np.uint64(8))) & np.uint64(0x0000FFFF0000FFFF)
    v = (v | (v >> np.uint64(16))) & np.uint64(0x00000000FFFFFFFF)
    return np.int64(v)  # type: ignore[return-value]  # numba's int64 is Python's int


@njit(cache=True, nogil=True)
def _across(face: int, x: int, y: int, n: int) -> tuple[int, int, int]:
    """Face and coordinates of a point one step outside `face`; face -1 where only three cells meet.

    x grows to the north-east and y to the north-west, from the southern corner of a face. Faces 0-3 lie
    round the north pole, 4-7 along the equator (4 at right ascension 0), 8-11 round the south pole.
    """
    low_x, high_x, low_y, high_y = x < 0, x >= n, y < 0, y >= n
    ring, i = face >> 2, face & 3
    after, before, opposite = (i + 1) & 3, (i + 3) & 3, (i + 2) & 3
    if ring == 0:
        if (high_x and low_y) or (low_x and high_y):
            return -1, 0, 0
        if high_x and high_y:
            return opposite, n - 1, n - 1
        if low_x and low_y:
            return 8 + i, n - 1, n - 1
        if high_x:  # round the pole the axes turn by a quarter
            return after, y, 2 * n - 1 - x
        if high_y:
            return before, 2 * n - 1 - y, x
        if low_x:
            return 4 + i, x + n, y
        return 4 + after, x, y + n
    if ring == 1:
        if (high_x and high_y) or (low_x and low_y):
            return -1, 0, 0
        if high_x and low_y:
            return 4 + after, 0, n - 1
        if low_x and high_y:
            return 4 + before, n - 1, 0
        if high_x:
            return i, x - n, y
        if high_y:
            return before, x, y - n
        if low_x:
            return 8 + before, x + n, y
        return 8 + i, x, y + n
    if (high_x and low_y) or (low_x and high_y):
        return -1, 0, 0
    if low_x and low_y:
        return 8 + opposite, 0, 0
    if high_x and high_y:
        return i, 0, 0
    if low_x:
        return 8 + before, y, -1 - x
    if low_y:
        return 8 + after, -1 - y, x
    if high_x:
        return 4 + after, x - n, y
    return 4 + i, x, y - n


@njit(cache=True, nogil=True)
def block(cell: int, order: int, out: npt.NDArray[np.int64]) -> int:
    """Write the distinct cells of the 3 × 3 block around nested `cell` of `order` to `out`; returns how many.

    There are nine, eight where three cells meet, fewer at order 0 only.
    """
    n = 1 << order
    face = cell >> (2 * order)
    x = _squeeze(cell)
    y = _squeeze(cell >> 1)
    if order < ORDER:
        x &= n - 1
        y &= n - 1
    count = 0
    for dy in range(-1, 2):
        for dx in range(-1, 2):
            fx, px, py = face, x + dx, y + dy
            if px < 0 or py < 0 or px >= n or py >= n:
                fx, px, py = _across(face, px, py, n)
                if fx < 0:
                    continue
            neighbour = (fx << (2 * order)) | _spread(px) | (_spread(py) << 1)
            known = False
            if order == 0:
                for k in range(count):
                    known = known or out[k] == neighbour
            if not known:
                out[count] = neighbour
                count += 1
    return count


@njit(cache=True, nogil=True)
def all_blocks(cells: npt.NDArray[np.int64], order: int) -> npt.NDArray[np.int64]:
    """The cells of the blocks around nested `cells` of `order`, one after another; a cell may come twice."""
    out = np.empty(9 * len(cells), np.int64)
    used = 0
    for i in range(len(cells)):
        used += block(cells[i], order, out[used:])
    return out[:used]


@njit(cache=True, nogil=True)
def unit_vectors(ra: npt.NDArray[np.float64], decl: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Cartesian unit vectors, shape (n, 3), of positions in degrees."""
    out = np.empty((len(ra), 3))
    for i in range(len(ra)):
        cos_decl = math.cos(math.radians(decl[i]))
        out[i, 0] = cos_decl * math.cos(math.radians(ra[i]))
        out[i, 1] = cos_decl * math.sin(math.radians(ra[i]))
        out[i, 2] = math.sin(math.radians(decl[i]))
    return out
