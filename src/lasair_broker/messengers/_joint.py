"""Events of different messengers that may be of one origin: RAVEN's way for gravitational waves."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lasair_broker.messengers._index import MessengerIndex
from lasair_broker.sky import SkyMap

Float64 = npt.NDArray[np.float64]

__all__ = ["JointEvents", "joint_events", "raven_false_alarm_rate", "sky_overlap"]

_SECONDS_PER_YEAR = 365.25 * 86_400.0
_DAY_SECONDS = 86_400.0


@dataclass(frozen=True)
class _Partner:
    """How another kind of event is looked for beside a gravitational wave.

    Attributes
    ----------
    before, after
        Seconds before and after the merger, as RAVEN has them (Cho 2019; LVK user guide, "coincidence with
        external triggers"): gamma-ray bursts -1 to 5 s, neutrinos 500 s to either side.
    rate
        How many are announced a year.
    """

    before: float
    after: float
    rate: float


_PARTNERS: Mapping[str, _Partner] = {
    # Fermi 236, Swift 65, INTEGRAL 5, AGILE 5 a year.
    "grb": _Partner(1.0, 5.0, 310.0),
    # Gold and bronze alerts of IceCube: Blaufuss et al. 2019, arXiv:1908.04884.
    "neutrino": _Partner(500.0, 500.0, 30.0),
    "frb": _Partner(10.0, 3600.0, 500.0),
    "x-ray transient": _Partner(10.0, 300.0, 100.0),
}


def sky_overlap(one: SkyMap, other: SkyMap) -> float:
    """``4 pi integral of p q`` over the sky: how much more probable these two maps are with one origin than
    with two that have nothing to do with each other.

    Notes
    -----
    Ashton et al. 2018, ApJ 860, 6, for maps that suppose nothing of where on the sky.
    """
    edges = np.unique(
        np.concatenate([one.start, one.start + one.size, other.start, other.start + other.size])
    )
    if len(edges) < 2:
        return 0.0
    start, size = edges[:-1], np.diff(edges)
    density = _density_at(one, start) * _density_at(other, start)
    return float(np.sum(density * size) * 4.0 * math.pi * 4.0 * math.pi / (12 << 58))


def _density_at(skymap: SkyMap, cell: npt.NDArray[np.int64]) -> Float64:
    place = np.searchsorted(skymap.start, cell, "right") - 1
    inside = (place >= 0) & (cell < (skymap.start + skymap.size)[place])
    return np.where(inside, skymap.density[place], 0.0)


def raven_false_alarm_rate(
    rate: float, partner_rate: float, window: float, overlap: float | None = None
) -> float:
    """How often noise gives a gravitational wave with such a companion, a year.

    Parameters
    ----------
    rate
        Of gravitational waves like this one by noise, a year.
    partner_rate
        Of companions, a year.
    window
        Seconds in which they are looked for.
    overlap
        `sky_overlap`; None: of time alone.

    Notes
    -----
    Urban 2016 (PhD thesis), section 6; Piotrzkowski 2022 (PhD thesis), "untargeted search". Two rates that
    are both below a threshold are not the same thing: that takes account of trials, which a companion that
    is announced whatever happens does not need.
    """
    found = rate * partner_rate * window / _SECONDS_PER_YEAR
    return found if overlap is None else (found / overlap if overlap > 0.0 else math.inf)


@dataclass(frozen=True)
class JointEvents:
    """A gravitational wave and another event that may be of one origin.

    Attributes
    ----------
    first, second
        mw_id of the two.
    seconds
        The second after the first.
    overlap
        Of their maps.
    time_rate, rate
        How often noise does as well, a year: by time alone; by time and place. None: the sender of the
        gravitational wave states no rate.
    ln_odds
        Natural logarithm of how much more probable one origin is than two, before any prior: overlap of the
        maps times that of the times.
    chance
        Probability that an unrelated companion comes so near in time with such an overlap or a larger one.
    """

    first: int
    second: int
    seconds: float
    overlap: float
    time_rate: float | None
    rate: float | None
    ln_odds: float
    chance: float


def joint_events(index: MessengerIndex) -> list[JointEvents]:
    """All pairs of a gravitational wave and another event within the time in which a companion comes."""
    rows = index.events.to_pylist()
    newest = {int(e): i for i, e in enumerate(index.event) if index.newest[i]}
    found = []
    for i, wave in enumerate(rows):
        if wave["kind"] != "gw" or wave["retracted"]:
            continue
        for j, other in enumerate(rows):
            partner = _PARTNERS.get(other["kind"])
            if partner is None or other["retracted"]:
                continue
            seconds = (other["eventMjdTai"] - wave["eventMjdTai"]) * _DAY_SECONDS
            if -partner.before <= seconds <= partner.after:
                found.append(
                    _pair(wave, other, seconds, partner, index.maps[newest[i]], index.maps[newest[j]])
                )
    return sorted(found, key=lambda pair: -pair.ln_odds)


def _pair(
    wave: Mapping[str, Any],
    other: Mapping[str, Any],
    seconds: float,
    partner: _Partner,
    one: SkyMap,
    two: SkyMap,
) -> JointEvents:
    overlap = sky_overlap(one, two)
    window = partner.before + partner.after
    rate = wave["falseAlarmRate"]
    expected = partner.rate * window / _SECONDS_PER_YEAR
    odds = overlap / expected
    return JointEvents(
        first=wave["mw_id"],
        second=other["mw_id"],
        seconds=seconds,
        overlap=overlap,
        time_rate=None if rate is None else raven_false_alarm_rate(rate, partner.rate, window),
        rate=None if rate is None else raven_false_alarm_rate(rate, partner.rate, window, overlap),
        ln_odds=math.log(odds) if odds > 0.0 else -math.inf,
        # An overlap of x or more has a probability of at most 1 / x, as its mean over unrelated places is 1.
        chance=-math.expm1(-expected) * min(1.0, 1.0 / overlap if overlap > 0.0 else 1.0),
    )
