"""The focal plane: 189 detectors of 4072 x 4000 pixels in 21 rafts, and how the sky falls on them."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import numpy.typing as npt

__all__ = ["PIXEL_DEG", "on_detectors", "pixel_on", "project", "sky_offset"]

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
    np.array([np.argwhere(_GRID == d)[0][axis] for d in range(189)], np.int64) for axis in (0, 1)
)


@numba.njit(cache=True, inline="always")
def project(ra: float, decl: float, ra0: float, decl0: float) -> Any:
    """Gnomonic coordinates (east, north), degrees."""
    da = np.radians(ra - ra0)
    d, d0 = np.radians(decl), np.radians(decl0)
    sd, cd, s0, c0 = np.sin(d), np.cos(d), np.sin(d0), np.cos(d0)
    ca = np.cos(da)
    w = 1.0 / (sd * s0 + cd * c0 * ca)
    return np.degrees(cd * np.sin(da) * w), np.degrees((sd * c0 - cd * s0 * ca) * w)


@numba.njit(cache=True)
def on_detectors(xi: Any, eta: Any, rotation: float, detector: Any, x: Any, y: Any) -> None:
    """Detector (-1: none) and pixel position of tangent-plane coordinates in degrees, written into the last three.

    `rotation` is the position angle of +Y. East is to the left of north, as on the sky.
    """
    c, s = np.cos(np.radians(rotation)), np.sin(np.radians(rotation))
    for i in range(len(xi)):
        u = -c * xi[i] + s * eta[i]
        v = s * xi[i] + c * eta[i]
        column = int(np.floor(u / _PITCH + 7.5))
        row = int(np.floor(v / _PITCH + 7.5))
        detector[i] = -1
        if column < 0 or column > 14 or row < 0 or row > 14 or _GRID[row, column] < 0:
            continue
        px = (u - (column - 7) * _PITCH) / PIXEL_DEG + _NX / 2 - 0.5
        py = (v - (row - 7) * _PITCH) / PIXEL_DEG + _NY / 2 - 0.5
        if px < -0.5 or px > _NX - 0.5 or py < -0.5 or py > _NY - 0.5:
            continue
        detector[i] = _GRID[row, column]
        x[i] = px
        y[i] = py


@numba.njit(cache=True, inline="always")
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
