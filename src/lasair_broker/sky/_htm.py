"""Cells of the Hierarchical Triangular Mesh, level 16: Lasair's public column `htm16`."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from lasair_broker.compiled import njit

LEVEL = 16

# Corners of the octahedron, and for each of the eight root triangles S0..S3, N0..N3 its three corners
# (Kunszt, Szalay & Thakar 2001, "The Hierarchical Triangular Mesh"). Root i has the id 8 + i.
_CORNERS = np.array(
    [[0.0, 0, 1], [1.0, 0, 0], [0.0, 1, 0], [-1.0, 0, 0], [0.0, -1, 0], [0.0, 0, -1]], np.float64
)
_ROOTS = np.array(
    [[1, 5, 2], [2, 5, 3], [3, 5, 4], [4, 5, 1], [1, 0, 4], [4, 0, 3], [3, 0, 2], [2, 0, 1]], np.int64
)


@njit(cache=True, nogil=True)
def _htm_of_point(ra: float, decl: float) -> int:
    """The HTM id of one position; -1 if it is not a position."""
    if not (math.isfinite(ra) and abs(decl) <= 90.0):
        return -1
    cos_decl = math.cos(math.radians(decl))
    px = cos_decl * math.cos(math.radians(ra))
    py = cos_decl * math.sin(math.radians(ra))
    pz = math.sin(math.radians(decl))
    # The octant decides the root; points on an edge belong to the first root that has the edge.
    if py >= 0.0:
        south, north = (0, 7) if px >= 0.0 else (1, 6)
    else:
        south, north = (2, 5) if px < 0.0 else (3, 4)
    root = south if pz < 0.0 else north
    ax, ay, az = _CORNERS[_ROOTS[root, 0]]
    bx, by, bz = _CORNERS[_ROOTS[root, 1]]
    cx, cy, cz = _CORNERS[_ROOTS[root, 2]]
    cell = 8 + root
    for _ in range(LEVEL):
        # u, v, w: midpoints of the edges opposite a, b, c.
        ux, uy, uz = bx + cx, by + cy, bz + cz
        s = 1.0 / math.sqrt(ux * ux + uy * uy + uz * uz)
        ux, uy, uz = ux * s, uy * s, uz * s
        vx, vy, vz = ax + cx, ay + cy, az + cz
        s = 1.0 / math.sqrt(vx * vx + vy * vy + vz * vz)
        vx, vy, vz = vx * s, vy * s, vz * s
        wx, wy, wz = ax + bx, ay + by, az + bz
        s = 1.0 / math.sqrt(wx * wx + wy * wy + wz * wz)
        wx, wy, wz = wx * s, wy * s, wz * s
        # Corners run counter-clockwise, so (w x v) . p > 0 means: on a's side of the edge from w to v.
        if (wy * vz - wz * vy) * px + (wz * vx - wx * vz) * py + (wx * vy - wy * vx) * pz >= 0.0:
            child = 0
            bx, by, bz = wx, wy, wz
            cx, cy, cz = vx, vy, vz
        elif (uy * wz - uz * wy) * px + (uz * wx - ux * wz) * py + (ux * wy - uy * wx) * pz >= 0.0:
            child = 1
            ax, ay, az = bx, by, bz
            bx, by, bz = ux, uy, uz
            cx, cy, cz = wx, wy, wz
        elif (vy * uz - vz * uy) * px + (vz * ux - vx * uz) * py + (vx * uy - vy * ux) * pz >= 0.0:
            child = 2
            ax, ay, az = cx, cy, cz
            bx, by, bz = vx, vy, vz
            cx, cy, cz = ux, uy, uz
        else:
            child = 3
            ax, ay, az = ux, uy, uz
            bx, by, bz = vx, vy, vz
            cx, cy, cz = wx, wy, wz
        cell = cell * 4 + child
    return cell


@njit(cache=True, nogil=True)
def _htm16(ra: npt.NDArray[np.float64], decl: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    out = np.empty(len(ra), np.int64)
    for i in range(len(ra)):
        out[i] = _htm_of_point(ra[i], decl[i])
    return out


def htm16(ra: npt.ArrayLike, decl: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """HTM level-16 ids (2**35 to 2**36 - 1; triangles of about 5") of positions in degrees.

    Returns an int64 array of the broadcast shape; -1 where a position is NaN, infinite or beyond a pole.
    Source: Kunszt, Szalay & Thakar 2001.
    """
    lon, lat = np.broadcast_arrays(np.asarray(ra, np.float64), np.asarray(decl, np.float64))
    cells: npt.NDArray[np.int64] = _htm16(
        np.ascontiguousarray(lon).ravel(), np.ascontiguousarray(lat).ravel()
    )
    return cells.reshape(lon.shape)
