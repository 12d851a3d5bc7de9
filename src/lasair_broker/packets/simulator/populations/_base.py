"""What a population is: how many objects a place has, what they are like, and how bright at any time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from lasair_broker.packets.simulator._cosmology import draw_redshifts, events_per_year

__all__ = ["Extragalactic", "Parameters", "Place", "Population", "Situation", "stellar_magnitudes"]

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
Int8 = npt.NDArray[np.int8]
UInt64 = npt.NDArray[np.uint64]
Parameters = dict[str, Float64]

_YEAR = 365.25


class Situation(StrEnum):
    """Where objects are found, which decides what else is at their place."""

    STAR = "star"  # a star of our galaxy, visible when quiet
    HOST = "host"  # somewhere in a galaxy
    NUCLEUS = "nucleus"  # at the centre of a galaxy
    EMPTY = "empty"  # nothing there: artefacts


@dataclass(frozen=True, slots=True)
class Place:
    """A patch of sky and a stretch of time to populate.

    Attributes
    ----------
    area_deg2
        Its area.
    galactic_latitude
        Of its centre, degrees.
    mjd_first, mjd_last
        The stretch of time, MJD TAI, in which events shall be complete.
    """

    area_deg2: float
    galactic_latitude: float
    mjd_first: float
    mjd_last: float

    @property
    def stars(self) -> float:
        """Star counts relative to 40 degrees of galactic latitude, as exp(-|b| / 25 deg) (Bahcall & Soneira
        1980)."""
        return float(np.exp(-(abs(self.galactic_latitude) - 40.0) / 25.0))

    @property
    def years(self) -> float:
        """Length of the stretch of time."""
        return (self.mjd_last - self.mjd_first) / _YEAR


@dataclass(frozen=True, kw_only=True)
class Population(ABC):
    """A class of objects.

    Attributes
    ----------
    name
        The class, a leaf of the taxonomy.
    situation
        Where its objects are found.
    boost
        How many times more of them there are than in nature, so that a night has some of the rare ones too.
    subclasses
        Names of the values of the parameter ``subclass``.
    """

    name: str
    situation: Situation
    boost: float = 1.0
    subclasses: tuple[str, ...] = ()

    difference_only: ClassVar[bool] = False

    @abstractmethod
    def natural_number(self, place: Place) -> float:
        """How many objects nature puts there (not yet times `boost`)."""

    @abstractmethod
    def draw(self, rng: np.random.Generator, n: int, place: Place) -> Parameters:
        """Parameters of `n` objects, one array each; ``redshift`` for what is outside our galaxy."""

    @abstractmethod
    def flux(self, p: Parameters, key: UInt64, row: Int64, mjd: Float64, band: Int8) -> Float64:
        """Flux in nJy, without dust, for measurements of objects `row` (index into `p` and `key`) at `mjd` in
        `band`."""

    def window(self, p: Parameters) -> tuple[Float64, Float64] | None:
        """First and last MJD at which each object can be seen; None if always."""
        return None

    def light_curves(self, p: Parameters, key: UInt64, mjd: Float64, band: Int8) -> Float64:
        """Flux in nJy of all objects at all of the given times (ascending), shape (objects, times)."""
        n, width = len(key), len(mjd)
        out = np.zeros((n, width))
        limits = self.window(p)
        if limits is None:
            chunk = max(1, 400_000 // max(width, 1))
            for start in range(0, n, chunk):
                rows = np.arange(start, min(start + chunk, n))
                flat = np.repeat(rows, width)
                values = self.flux(p, key, flat, np.tile(mjd, len(rows)), np.tile(band, len(rows)))
                out[rows] = values.reshape(len(rows), width)
            return out
        first, last = limits
        row, column = np.nonzero((mjd[None, :] >= first[:, None]) & (mjd[None, :] <= last[:, None]))
        if len(row):
            out[row, column] = self.flux(p, key, row, mjd[column], band[column])
        return out


@dataclass(frozen=True, kw_only=True)
class Extragalactic(Population):
    """Events outside our galaxy, at a rate by volume.

    Attributes
    ----------
    rate
        Events Mpc^-3 yr^-1 today.
    evolution
        The rate grows as (1 + z)^evolution.
    z_max
        Beyond it none is bright enough.
    before, after
        Days in the rest frame around ``mjd0`` in which an event can be seen.
    host_luminosity
        Luminosities of the hosts relative to galaxies weighted by their light.
    offset_scale
        Distances from the host's centre relative to its light.
    """

    situation: Situation = Situation.HOST
    rate: float
    evolution: float = 1.5
    z_max: float
    before: float
    after: float
    host_luminosity: float = 1.0
    offset_scale: float = 1.0

    z_min: ClassVar[float] = 0.003

    def natural_number(self, place: Place) -> float:
        """Events seen in the stretch of time, and before it as long as they stay visible."""
        years = place.years + (self.before + 0.5 * self.after) * (1.0 + 0.6 * self.z_max) / _YEAR
        return events_per_year(self.rate, self.evolution, self.z_max, place.area_deg2, self.z_min) * years

    def draw_events(self, rng: np.random.Generator, n: int, place: Place) -> Parameters:
        """Redshift and time of peak (``mjd0``)."""
        early = (self.before + 0.5 * self.after) * (1.0 + 0.6 * self.z_max)
        return {
            "redshift": draw_redshifts(rng, n, self.evolution, self.z_max, self.z_min),
            "mjd0": place.mjd_first - early + rng.random(n) * (place.mjd_last - place.mjd_first + early),
        }

    def window(self, p: Parameters) -> tuple[Float64, Float64]:
        """From `before` to `after` the peak, stretched by 1 + z."""
        stretch = 1.0 + p["redshift"]
        return p["mjd0"] - self.before * stretch, p["mjd0"] + self.after * stretch


def stellar_magnitudes(
    rng: np.random.Generator, n: int, brightest: float, faintest: float, slope: float = 0.15
) -> Float64:
    """`n` magnitudes with counts that grow as 10^(slope m), the flat halo and disc counts of faint stars."""
    low, high = 10.0 ** (slope * brightest), 10.0 ** (slope * faintest)
    return np.asarray(np.log10(low + (high - low) * rng.random(n)) / slope, np.float64)
