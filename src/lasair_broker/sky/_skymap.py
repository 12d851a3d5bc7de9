"""Probability maps of the sky in cells of many sizes: where an event may have been, and how far away."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from astropy.io import fits

from lasair_broker.sky._healpix import CELLS, ORDER
from lasair_broker.sky._moc import Moc

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

__all__ = ["SkyMap", "SkyMapError"]

_CELL_SR = 4.0 * math.pi / CELLS
_SKY_DEG2 = 4.0 * math.pi * math.degrees(1.0) ** 2
_FARTHEST_SUM = 0.05
"""A map whose probabilities add up to less or more than 1 by this much is damaged, not rounded."""


class SkyMapError(ValueError):
    """A probability map cannot be read or made; the message says what is wrong."""


@dataclass(frozen=True, eq=False)
class SkyMap:
    """A probability map, ICRS: cells that do not overlap, ascending; what none covers has no probability.

    Attributes
    ----------
    start, order
        First nested order-29 cell of each cell of the map, shape (n,), and its order.
    density
        Probability a steradian, shape (n,).
    distmu, distsigma, distnorm
        The distance posterior ``p(r | cell) = distnorm N(r; distmu, distsigma) r**2`` (Mpc, Mpc, Mpc^-2;
        Singer et al. 2016, ApJL 829, L15), shape (n,), NaN where the map tells nothing; None of a map
        without distances.
    """

    start: Int64
    order: npt.NDArray[np.int8]
    density: Float64
    distmu: Float64 | None = None
    distsigma: Float64 | None = None
    distnorm: Float64 | None = None

    @classmethod
    def of_cells(
        cls,
        start: Int64,
        order: npt.NDArray[np.int8],
        density: Float64,
        distance: tuple[Float64, Float64, Float64] | None = None,
    ) -> SkyMap:
        """A map of cells in any order, normalised.

        Parameters
        ----------
        distance
            distmu, distsigma and distnorm.

        Raises
        ------
        SkyMapError
            If cells overlap or do not exist, or densities are no probabilities.
        """
        if not len(start):
            raise SkyMapError("the map has no cells")
        if not (np.isfinite(density).all() and (density >= 0.0).all()):
            raise SkyMapError("the map has probabilities that are negative or no numbers")
        by_place = np.argsort(start, kind="stable")
        start, order, density = start[by_place], order[by_place], density[by_place]
        size = np.int64(1) << (2 * (ORDER - order.astype(np.int64)))
        stop = start + size
        if start[0] < 0 or stop[-1] > CELLS or (stop[:-1] > start[1:]).any():
            raise SkyMapError("the map has cells that overlap or do not exist")
        total = float(np.sum(density * size * _CELL_SR))
        if not abs(total - 1.0) <= _FARTHEST_SUM:
            raise SkyMapError(f"the probabilities of the map add up to {total:.4g}, not to 1")
        if distance is None:
            return cls(start, order, density / total)
        mu, sigma, norm = (np.asarray(values, np.float64)[by_place] for values in distance)
        known = np.isfinite(mu) & np.isfinite(sigma) & (sigma > 0.0) & np.isfinite(norm) & (norm > 0.0)
        if not known.any():
            return cls(start, order, density / total)
        mu, sigma, norm = (np.where(known, values, np.nan) for values in (mu, sigma, norm))
        return cls(start, order, density / total, mu, sigma, norm)

    def __len__(self) -> int:
        return len(self.start)

    @property
    def size(self) -> Int64:
        """How many order-29 cells each cell holds."""
        return np.asarray(np.int64(1) << (2 * (ORDER - self.order.astype(np.int64))))

    @cached_property
    def probability(self) -> Float64:
        """Probability of each cell; 1 in all."""
        return np.asarray(self.density * self.size * _CELL_SR)

    @cached_property
    def level(self) -> Float64:
        """Credible level of each cell: the probability of it and of all cells that are denser.

        The cells with a level of at most p are the smallest region that holds the probability p. Cells
        of one density count in order of place.
        """
        densest_first = np.argsort(-self.density, kind="stable")
        level = np.empty(len(self))
        level[densest_first] = np.minimum(np.cumsum(self.probability[densest_first]), 1.0)
        level[self.density == 0.0] = 1.0
        return level

    def area_deg2(self, level: float) -> float:
        """Area of the credible region of this level, square degrees."""
        inside = self.level <= level
        return float(np.sum(self.size[inside], dtype=np.float64)) / CELLS * _SKY_DEG2

    def region(self, level: float) -> Moc:
        """The credible region of this level; of a map whose densest cell holds more, that cell."""
        inside = self.level <= max(level, float(self.level.min()))
        ranges = np.stack([self.start, self.start + self.size], axis=1)[inside]
        return Moc.from_ranges(ranges, int(self.order[inside].max()))

    def to_fits(self) -> bytes:
        """The map as LIGO, Virgo and KAGRA write multi-order maps (UNIQ, PROBDENSITY, …)."""
        order = self.order.astype(np.int64)
        uniq = (np.int64(4) << (2 * order)) + (self.start >> (2 * (ORDER - order)))
        columns = [
            fits.Column("UNIQ", "K", array=uniq),
            fits.Column("PROBDENSITY", "D", "sr-1", array=self.density),
        ]
        if self.distmu is not None:
            columns += [
                fits.Column("DISTMU", "D", "Mpc", array=self.distmu),
                fits.Column("DISTSIGMA", "D", "Mpc", array=self.distsigma),
                fits.Column("DISTNORM", "D", "Mpc-2", array=self.distnorm),
            ]
        table = fits.BinTableHDU.from_columns(columns)
        words = {
            "PIXTYPE": "HEALPIX", "ORDERING": "NUNIQ", "COORDSYS": "C", "MOCORDER": int(order.max()),
            "INDXSCHM": "EXPLICIT",
        }  # fmt: skip
        table.header.update(words)
        out = io.BytesIO()
        fits.HDUList([fits.PrimaryHDU(), table]).writeto(out)
        return out.getvalue()
