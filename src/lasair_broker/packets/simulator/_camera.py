"""The focal plane: 189 detectors of 4072 x 4000 pixels in 21 rafts, and how the sky falls on them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from lasair_broker.compiled import njit

__all__ = ["PIXEL_DEG", "cover", "pixel_on", "project", "sky_offset"]

Float64 = npt.NDArray[np.float64]

PIXEL_DEG = 0.2 / 3600.0
_NX, _NY = 4072, 4000
_PITCH = 0.2285  # degrees from one detector to the next, gap included


def _detector_grid() -> npt.NDArray[np.int16]:
    """Number of the detector at each place of the 15 x 15 grid, -1 in the four corner rafts."""
    grid = np.full((15, 15), -1, np.int16)
    raft = 0
    for row in range(5):
        for column in range(5):
            if row in (0, 4) and column in (0, 4):
                continue
            for ccd in range(9):
                grid[row * 3 + ccd // 3, column * 3 + ccd % 3] = raft * 9 + ccd
            raft += 1
    return grid


_GRID = _detector_grid()
_ROW, _COLUMN = (
    np.array([np.argwhere(d == _GRID)[0][axis] for d in range(189)], np.int64) for axis in (0, 1)
)


@njit(cache=True, inline="always")
def project(ra: float, decl: float, ra0: float, decl0: float) -> Any:
    """Gnomonic coordinates (east, north), degrees."""
    da = np.radians(ra - ra0)
    d, d0 = np.radians(decl), np.radians(decl0)
    sd, cd, s0, c0 = np.sin(d), np.cos(d), np.sin(d0), np.cos(d0)
    ca = np.cos(da)
    w = 1.0 / (sd * s0 + cd * c0 * ca)
    return np.degrees(cd * np.sin(da) * w), np.degrees((sd * c0 - cd * s0 * ca) * w)


@njit(cache=True)
def cover(position: Any, ra0: Any, decl0: Any, rotation: Any, out: Any) -> None:
    """Detector that sees each direction in each visit (-1: none).

    `position` holds unit vectors, shape (n, 3); `ra0`, `decl0`, `rotation` are degrees, one a visit; `out` is
    (n, visits).
    """
    for j in range(len(ra0)):
        a, d, r = np.radians(ra0[j]), np.radians(decl0[j]), np.radians(rotation[j])
        ca, sa, cd, sd, c, s = np.cos(a), np.sin(a), np.cos(d), np.sin(d), np.cos(r), np.sin(r)
        for i in range(len(position)):
            px, py, pz = position[i, 0], position[i, 1], position[i, 2]
            towards = np.degrees(1.0) / (px * ca * cd + py * sa * cd + pz * sd)
            xi = (py * ca - px * sa) * towards
            eta = (pz * cd - (px * ca + py * sa) * sd) * towards
            u, v = -c * xi + s * eta, s * xi + c * eta
            column, row = int(np.floor(u / _PITCH + 7.5)), int(np.floor(v / _PITCH + 7.5))
            out[i, j] = -1
            if 0 <= column <= 14 and 0 <= row <= 14:
                du, dv = abs(u - (column - 7) * _PITCH), abs(v - (row - 7) * _PITCH)
                if du < 0.5 * _NX * PIXEL_DEG and dv < 0.5 * _NY * PIXEL_DEG:
                    out[i, j] = _GRID[row, column]


@njit(cache=True, inline="always")
def pixel_on(detector: int, xi: float, eta: float, rotation: float) -> Any:
    """Pixel position, on a given detector or beside it, of tangent-plane coordinates in degrees."""
    c, s = np.cos(np.radians(rotation)), np.sin(np.radians(rotation))
    u = (-c * xi + s * eta - (_COLUMN[detector] - 7) * _PITCH) / PIXEL_DEG
    v = (s * xi + c * eta - (_ROW[detector] - 7) * _PITCH) / PIXEL_DEG
    return u + _NX / 2 - 0.5, v + _NY / 2 - 0.5


def sky_offset(dx: Float64, dy: Float64, rotation: float) -> tuple[Float64, Float64]:
    """Offsets east and north, in the unit of `dx` and `dy`, of a step along the pixel axes."""
    c, s = np.cos(np.radians(rotation)), np.sin(np.radians(rotation))
    return -c * dx + s * dy, s * dx + c * dy
