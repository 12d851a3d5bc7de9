"""Periods of a light curve: a Lomb-Scargle periodogram over all its bands."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lasair_broker.web.errors import Invalid

Float64 = npt.NDArray[np.float64]

FEWEST_POINTS = 10
SHORTEST, LONGEST_SHARE = 0.02, 1.0
"""The shortest period that is tried (days), and the longest, as a share of the time that the points span."""

_OVERSAMPLED = 5
_MOST_FREQUENCIES = 120_000
_PEAKS = 6
_DRAWN = 1500
_SIDEREAL = 0.99726957
"""A sidereal day in days: what is observed once a night returns to the same place of the sky after it."""


@dataclass(frozen=True, slots=True)
class Peak:
    """A period that stands out.

    Attributes
    ----------
    period
        Days.
    power
        Share of the variance, over all bands, that a sine of this period in each band takes away, 0 to 1.
    alias
        Whether it lies at a fraction of a day or at a day, where the rhythm of observing makes peaks.
    """

    period: float
    power: float
    alias: bool


@dataclass(frozen=True, slots=True)
class Periodogram:
    """A periodogram, and what stands out in it.

    Attributes
    ----------
    period, power
        To be drawn: in each of up to 1500 steps of log period the highest power.
    peaks
        The highest first.
    band, false_alarm
        The band with most points, and how often noise would give a peak as high as the highest of that band
        alone (Baluev 2008, MNRAS 385, 1279).
    points, shortest, longest
        How many points went in, and the periods that were tried, in days.
    """

    period: Float64
    power: Float64
    peaks: list[Peak]
    band: str
    false_alarm: float
    points: int
    shortest: float
    longest: float


def periodogram(
    time: Float64,
    flux: Float64,
    error: Float64,
    band: npt.NDArray[np.str_],
    *,
    shortest: float = SHORTEST,
    longest: float | None = None,
) -> Periodogram:
    """A periodogram with a sine of its own in each band (VanderPlas & Ivezić 2015, ApJ 812, 18).

    Parameters
    ----------
    time, flux, error
        Days, any unit, and the same; points without a positive error are left out.
    band
        The band of each point. Bands with fewer than three points are left out.
    shortest, longest
        Periods to try, days. The shortest grows if more than 120,000 frequencies were needed, and `shortest`
        of the result tells.

    Raises
    ------
    Invalid
        If there are fewer than ten points, or no period to try.
    """
    from astropy.timeseries import LombScargle

    time, flux, error, band = _usable(time, flux, error, band)
    span = float(np.ptp(time))
    longest = min(span * LONGEST_SHARE, longest or math.inf)
    step = 1.0 / (_OVERSAMPLED * span)
    lowest = 1.0 / longest
    count = min(_MOST_FREQUENCIES, int((1.0 / shortest - lowest) / step) + 1)
    if not 0.0 < shortest < longest or count < 2:
        raise Invalid(
            {"shortest": f"give periods between {SHORTEST} and {span:.4g} days, the shortest first"}
        )
    frequency: Float64 = lowest + step * np.arange(count, dtype=np.float64)
    names, counts = np.unique(band, return_counts=True)
    main = str(names[np.argmax(counts)])
    power: Float64 = np.zeros(count)
    weight, chance = 0.0, math.nan
    for name in names:
        mine = band == name
        single = LombScargle(time[mine], flux[mine], error[mine])
        variance = _chi2(flux[mine], error[mine])
        # With few points the fast method's rounding can give what is not finite: no power there.
        of_band = single.power(frequency, method="fast", assume_regular_frequency=True)
        of_band = np.clip(np.nan_to_num(of_band), 0.0, 1.0)
        power += variance * of_band
        weight += variance
        if name == main:
            highest = np.max(of_band)
            chance = float(single.false_alarm_probability(highest, maximum_frequency=frequency[-1]))
    power /= weight or 1.0
    drawn_period, drawn_power = _thinned(1.0 / frequency, power)
    return Periodogram(
        period=drawn_period,
        power=drawn_power,
        peaks=_peaks(frequency, power, span),
        band=main,
        false_alarm=min(1.0, max(0.0, chance)) if math.isfinite(chance) else 1.0,
        points=len(time),
        shortest=1.0 / float(frequency[-1]),
        longest=longest,
    )


def _usable(
    time: Float64, flux: Float64, error: Float64, band: npt.NDArray[np.str_]
) -> tuple[Float64, Float64, Float64, npt.NDArray[np.str_]]:
    with np.errstate(invalid="ignore"):
        good = np.isfinite(time) & np.isfinite(flux) & np.isfinite(error) & (error > 0.0)
    names, counts = np.unique(band[good], return_counts=True)
    good &= np.isin(band, names[counts >= 3])
    if good.sum() < FEWEST_POINTS:
        raise Invalid({"": f"a period needs {FEWEST_POINTS} points with errors; there are {int(good.sum())}"})
    if np.ptp(time[good]) < 3.0 * SHORTEST:
        raise Invalid({"": "the points span too short a time for a period"})
    return time[good], flux[good], error[good], band[good]


def _chi2(flux: Float64, error: Float64) -> float:
    """Chi-squared about the weighted mean."""
    weight = error**-2.0
    return float(np.sum(weight * (flux - np.average(flux, weights=weight)) ** 2))


def _peaks(frequency: Float64, power: Float64, span: float) -> list[Peak]:
    """The highest local maxima, none within a resolution of a higher one."""
    inner = (power[1:-1] >= power[:-2]) & (power[1:-1] > power[2:])
    places = np.concatenate([[0], np.flatnonzero(inner) + 1, [len(power) - 1]])
    found: list[Peak] = []
    taken: list[float] = []
    for place in places[np.argsort(-power[places], kind="stable")]:
        at = float(frequency[place])
        if any(abs(at - other) < 2.0 / span for other in taken):
            continue
        taken.append(at)
        cycles = at * _SIDEREAL
        near_day = abs(cycles - round(cycles)) < 1.5 / span and round(cycles) > 0
        found.append(Peak(1.0 / at, float(power[place]), near_day))
        if len(found) == _PEAKS:
            break
    return found


def _thinned(period: Float64, power: Float64) -> tuple[Float64, Float64]:
    """The highest power in each of equal steps of log period, in order of period."""
    if len(period) <= _DRAWN:
        return period[::-1].copy(), power[::-1].copy()
    log = np.log(period)
    step = np.minimum((_DRAWN * (log - log[-1]) / (log[0] - log[-1])).astype(np.int64), _DRAWN - 1)
    order = np.lexsort((-power, step))
    first = np.concatenate([[True], np.diff(step[order]) > 0])
    chosen = order[first]
    return period[chosen], power[chosen]
