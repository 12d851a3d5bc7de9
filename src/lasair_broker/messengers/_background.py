"""Unrelated objects as our own stream has them, and how many of them would fit an event by chance."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import numpy.typing as npt
from astropy_healpix import HEALPix

from lasair_broker.messengers._candidates import Candidates
from lasair_broker.messengers._fit import fit
from lasair_broker.messengers._index import LEVEL, Chances, MessengerIndex
from lasair_broker.messengers._models import CLASSES
from lasair_broker.sky import SkyMap, galactic_latitude

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

__all__ = ["Background"]

_ORDER = 4
"""Cells of 13 square degrees, by which it is known where the stream has new objects at all."""

_SHIFT = 2 * (29 - _ORDER)
_CELL_DEG2 = 4.0 * np.pi * np.degrees(1.0) ** 2 / (12 << (2 * _ORDER))
_ZONES = (15.0, 30.0)
"""Galactic latitudes at which there are other objects, and more or fewer of them."""

_DRAWS = 40_000
_LEAST_SAMPLE = 30
"""With fewer objects nothing is said of how many there are."""


@dataclass(frozen=True, eq=False)
class Background:
    """Objects first detected within some days, and where and how often the stream has such.

    Attributes
    ----------
    sample
        The objects.
    zone
        Zone of galactic latitude of each.
    covered
        Which cells of order 4 have any.
    rate
        New objects a square degree and day in each zone.
    since, until
        The time, MJD TAI.
    """

    sample: Candidates
    zone: Int64
    covered: npt.NDArray[np.bool_]
    rate: Float64
    since: float
    until: float

    @classmethod
    def measure(
        cls, candidates: Candidates, since: float, until: float, source: MessengerIndex | None = None
    ) -> Background | None:
        """Measure with objects first detected between two times (MJD TAI); None if there are too few.

        Parameters
        ----------
        source
            Events: objects in the 90 per cent region of one and in its time are no background.
        """
        new = (candidates.first >= since) & (candidates.first < until) & (candidates.cell >= 0)
        if source is not None and len(source):
            begin, end = source.window()
            here = source.skymaps.match(candidates.cell, 0.9)
            event = source.event[here.skymap]
            first = candidates.first[here.position]
            on_source = (first >= begin[event]) & (first <= end[event]) & source.newest[here.skymap]
            new[here.position[on_source]] = False
        sample = candidates.take(np.flatnonzero(new))
        if len(sample) < _LEAST_SAMPLE or until <= since:
            return None
        covered = np.bincount(sample.cell >> _SHIFT, minlength=12 << (2 * _ORDER)) > 0
        zone = _zone(sample.ra, sample.decl)
        area = np.bincount(_zone_of_cells()[covered], minlength=len(_ZONES) + 1) * _CELL_DEG2
        counts = np.bincount(zone, minlength=len(_ZONES) + 1)
        rate = np.divide(counts, area * (until - since), out=np.zeros(len(area)), where=area > 0.0)
        return cls(sample, zone, covered, rate, since, until)

    def class_shares(self) -> Float64:
        """Share of the objects in each class and, last, in none; never 0."""
        counts = np.bincount(self.sample.kind, minlength=len(CLASSES) + 1) + 0.5
        return np.asarray(counts / counts.sum())

    def light_shares(self) -> Float64:
        """Share of the objects in each class by their light curves, of those that are in any; never 0."""
        light = self.sample.light[np.isfinite(self.sample.light[:, 0]), :-1]
        counts = light.sum(axis=0) + 0.5
        return np.asarray(counts / counts.sum())

    def applied(
        self, index: MessengerIndex, known: dict[object, Chances | None] | None = None
    ) -> MessengerIndex:
        """The index with what is expected by chance for each of its events.

        Parameters
        ----------
        known
            What was found before for the same background, by event and version; added to.
        """
        shared = index.with_background(self.class_shares(), self.light_shares(), index.chances)
        known = {} if known is None else known
        chances = []
        names = zip(*(index.events[n].to_pylist() for n in ("origin", "eventName")), strict=True)
        for number, name in enumerate(names):
            newest = int(np.flatnonzero((index.event == number) & index.newest)[0])
            models = tuple((weight, model.name) for weight, model in index.models[number])
            key = (name, int(index.version[newest]), self.until, models)
            if key not in known:
                known[key] = self._chances(shared, number, newest, zlib.crc32(repr(name).encode()))
            chances.append(known[key])
        return shared.with_background(shared.class_shares, shared.light_shares, tuple(chances))

    def expected_objects(self, skymap: SkyMap, days: float) -> float:
        """How many unrelated objects are first detected in the credible region in so many days."""
        cells, area, where = self._region(skymap)
        return float(np.sum(area * self.rate[_zone_of_cells()[where]]) * days) if len(cells) else 0.0

    def _region(self, skymap: SkyMap) -> tuple[Int64, Float64, Int64]:
        """Cells of the region that the stream sees, cut so that none is larger than those of order 4: first
        order-29 cell, area in square degrees, and the cell of order 4 each lies in."""
        inside = np.flatnonzero(skymap.level <= max(LEVEL, float(skymap.level.min())))
        pieces = np.maximum(skymap.size[inside] >> _SHIFT, 1)
        which = np.repeat(inside, pieces)
        step = np.arange(len(which)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
        size = np.minimum(skymap.size[which], np.int64(1) << _SHIFT)
        start = skymap.start[which] + step * size
        seen = self.covered[start >> _SHIFT]
        start, size = start[seen], size[seen]
        area = size / (1 << _SHIFT) * _CELL_DEG2
        return start, area, start >> _SHIFT

    def _chances(self, index: MessengerIndex, number: int, newest: int, seed: int) -> Chances | None:
        """Draw unrelated objects over the region and the time of an event, and see how well they fit."""
        one = index.only({index.events["mw_id"][number].as_py()})
        skymap = index.maps[newest]
        begin, end = (float(times[number]) for times in index.window())
        start, area, where = self._region(skymap)
        zone = _zone_of_cells()[where] if len(where) else np.zeros(0, np.int64)
        expected = area * self.rate[zone] * (end - begin)
        total = float(expected.sum())
        if total <= 0.0:
            return None
        random = np.random.default_rng(seed)
        # Half of the draws where the map is dense, so that the best fits are well known too.
        dense = expected * np.interp(start, skymap.start, skymap.density)
        mixed = 0.5 * expected / total + 0.5 * dense / dense.sum() if dense.sum() > 0.0 else expected / total
        # One of each part of the whole: fewer repeats than by drawing freely, and in order of place.
        parts = (np.arange(_DRAWS) + random.random(_DRAWS)) / _DRAWS
        summed = np.cumsum(mixed)
        chosen = np.minimum(np.searchsorted(summed, parts * summed[-1]), len(start) - 1)
        weight = expected[chosen] / mixed[chosen] / _DRAWS
        size = np.rint(area[chosen] / _CELL_DEG2 * (1 << _SHIFT)).astype(np.int64)
        cell = start[chosen] + (random.random(_DRAWS) * size).astype(np.int64)
        drawn = self.sample.take(self._alike(zone[chosen], random))
        first = begin + random.random(_DRAWS) * (end - begin)
        drawn = replace(drawn, cell=cell, first=first, last=first)
        return _table(drawn, one, weight)

    def _alike(self, zone: Int64, random: np.random.Generator) -> Int64:
        """Objects of the sample of these zones, at random."""
        order = np.argsort(self.zone, kind="stable")
        starts = np.searchsorted(self.zone[order], np.arange(len(_ZONES) + 2))
        counts = np.diff(starts)[zone]
        return np.asarray(order[starts[zone] + (random.random(len(zone)) * counts).astype(np.int64)])


def _table(drawn: Candidates, index: MessengerIndex, weight: Float64) -> Chances:
    newest = int(np.flatnonzero(index.newest)[0])
    found = index.skymaps.match(drawn.cell, 1.0)
    mine = found.skymap == newest
    position, cell = found.position[mine], found.cell[mine]
    skymap = np.full(len(position), newest)
    ln_bayes = fit(drawn, index, position, skymap, cell, with_levels=False).ln_bayes
    fits = np.isfinite(ln_bayes)
    ln_bayes, weight = ln_bayes[fits], weight[position[fits]]
    order = np.argsort(ln_bayes)
    expected = np.cumsum(weight[order][::-1])[::-1]
    return Chances(ln_bayes[order], expected, float(weight.min()) if len(weight) else 0.0)


def _zone(ra: Float64, decl: Float64) -> Int64:
    return np.searchsorted(np.array(_ZONES), np.abs(galactic_latitude(ra, decl)))


@cache
def _zone_of_cells() -> Int64:
    """Zone of the middle of each cell of order 4."""
    lon, lat = HEALPix(1 << _ORDER, order="nested").healpix_to_lonlat(np.arange(12 << (2 * _ORDER)))
    return _zone(lon.deg, lat.deg)
