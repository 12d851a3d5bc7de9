"""Many probability maps at once: which positions lie within which credible regions, and what holds there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lasair_broker.compiled import njit
from lasair_broker.sky._healpix import ORDER
from lasair_broker.sky._skymap import Float64, Int64, SkyMap

__all__ = ["SkyMapIndex", "SkyMapMatches"]

_COARSE = 5
"""Order of the first look: 12,288 cells a map, which stay in the processor's cache."""

_FINE = 6
"""Order at which it is known where in the list of cells to look."""


@dataclass(frozen=True)
class SkyMapMatches:
    """Pairs of positions and maps, sorted by map, then position.

    Attributes
    ----------
    position, skymap
        Indices into the positions that were matched and the maps of the index.
    cell
        Index of the cell, among those of all maps: for `level`, `density` and the like of the index.
    """

    position: Int64
    skymap: Int64
    cell: Int64

    def __len__(self) -> int:
        return len(self.position)


@dataclass(frozen=True, eq=False)
class SkyMapIndex:
    """Maps one after the other in one array of cells.

    Attributes
    ----------
    level, density
        Credible level and probability a steradian of each cell.
    distmu, distsigma, distnorm
        The distance posterior, as in `SkyMap`; NaN of maps without.
    """

    level: Float64
    density: Float64
    distmu: Float64
    distsigma: Float64
    distnorm: Float64
    _start: Int64
    _stop: Int64
    _coarse: npt.NDArray[np.float32]
    _bins: npt.NDArray[np.int32]

    @classmethod
    def build(cls, maps: Sequence[SkyMap]) -> SkyMapIndex:
        """The index of some maps."""
        lengths = np.array([len(one) for one in maps], np.int64)
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
        nothing = np.zeros(0)
        start = np.concatenate([np.zeros(0, np.int64), *(one.start for one in maps)])
        stop = start + np.concatenate([np.zeros(0, np.int64), *(one.size for one in maps)])
        level = np.concatenate([nothing, *(one.level for one in maps)])
        density = np.concatenate([nothing, *(one.density for one in maps)])
        unknown = [np.full(n, np.nan) for n in lengths]

        def distances(name: str) -> Float64:
            given = (getattr(one, name) for one in maps)
            return np.concatenate(
                [nothing, *(b if a is None else a for a, b in zip(given, unknown, strict=True))]
            )

        edges = np.arange((12 << (2 * _FINE)) + 1, dtype=np.int64) << (2 * (ORDER - _FINE))
        bins = np.zeros((len(maps), len(edges)), np.int32)
        coarse = np.ones((len(maps), 12 << (2 * _COARSE)), np.float32)
        for row, one in enumerate(maps):
            # The cell that holds an edge begins before it.
            bins[row] = offsets[row] + np.maximum(np.searchsorted(one.start, edges, "right") - 1, 0)
            _lowest(one.start, one.start + one.size, one.level, 2 * (ORDER - _COARSE), coarse[row])
        mu, sigma, norm = (distances(f"dist{what}") for what in ("mu", "sigma", "norm"))
        return cls(level, density, mu, sigma, norm, start, stop, coarse, bins)

    def __len__(self) -> int:
        return len(self._bins)

    def match(
        self, healpix29: Int64, limit: float, may: npt.NDArray[np.bool_] | None = None
    ) -> SkyMapMatches:
        """The positions (order-29 cells; -1 lies nowhere) in the credible region `limit` of each map.

        Parameters
        ----------
        may
            Which pairs are looked at, shape (maps, positions); None: all.
        """
        cells = np.ascontiguousarray(healpix29, np.int64)
        allowed = np.ones((1, 1), np.bool_) if may is None else np.ascontiguousarray(may)
        position, skymap, cell = _match(
            cells, self._start, self._stop, self.level, self._coarse, self._bins, limit, allowed
        )
        return SkyMapMatches(position, skymap, cell)


@njit(cache=True, nogil=True)
def _lowest(start: Int64, stop: Int64, level: Float64, shift: int, coarse: npt.NDArray[np.float32]) -> None:
    """For each coarse cell the lowest level in it, rounded down."""
    for i in range(len(start)):
        low = np.float32(level[i])
        if low > level[i]:
            low = np.nextafter(low, np.float32(0.0))
        for c in range(start[i] >> shift, ((stop[i] - 1) >> shift) + 1):
            coarse[c] = min(coarse[c], low)


@njit(cache=True, nogil=True)
def _match(
    cells: Int64,
    start: Int64,
    stop: Int64,
    level: Float64,
    coarse: npt.NDArray[np.float32],
    bins: npt.NDArray[np.int32],
    limit: float,
    may: npt.NDArray[np.bool_],
) -> tuple[Int64, Int64, Int64]:
    coarse_shift, fine_shift = 2 * (ORDER - _COARSE), 2 * (ORDER - _FINE)
    every = may.shape[0] != len(bins) or may.shape[1] != len(cells)
    room = 1024
    position, skymap, found = np.empty(room, np.int64), np.empty(room, np.int64), np.empty(room, np.int64)
    count = 0
    for m in range(len(bins)):
        first_look, here = coarse[m], bins[m]
        for i in range(len(cells)):
            cell = cells[i]
            if cell < 0 or first_look[cell >> coarse_shift] > limit:
                continue
            if not every and not may[m, i]:
                continue
            b = cell >> fine_shift
            low, high = np.int64(here[b]), np.int64(here[b + 1])
            while low < high:  # the last cell that does not begin after this one
                middle = (low + high + 1) >> 1
                if start[middle] <= cell:
                    low = middle
                else:
                    high = middle - 1
            if start[low] <= cell < stop[low] and level[low] <= limit:
                if count == room:
                    room *= 2
                    position, skymap, found = _grown(position), _grown(skymap), _grown(found)
                position[count], skymap[count], found[count] = i, m, low
                count += 1
    return position[:count].copy(), skymap[:count].copy(), found[:count].copy()


@njit(cache=True, nogil=True)
def _grown(values: Int64) -> Int64:
    larger = np.empty(2 * len(values), np.int64)
    larger[: len(values)] = values
    return larger
