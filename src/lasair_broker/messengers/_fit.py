"""How well objects fit events: the factors by which a common origin is more probable than chance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lasair_broker.messengers._candidates import Candidates
from lasair_broker.messengers._distance import DistanceAgreement, distance_agreement
from lasair_broker.messengers._index import MessengerIndex
from lasair_broker.messengers._models import UNKNOWN

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

__all__ = ["CLASS_FITS", "Fit", "fit"]

CLASS_FITS = 0.02
"""A class that fewer counterparts than this have does not fit."""

_SIGNIFICANT = 5.0
"""Forced flux before the first detection that is as significant as this was the object."""


@dataclass(frozen=True)
class Fit:
    """Of n pairs of an object and a map.

    Attributes
    ----------
    since
        First detection, days since the event.
    seen_before
        Whether the object was there before the event.
    sky, time, kind, light
        Factors of its place, of the time of its first detection, of its class and of its light curve,
        shape (n,).
    class_probability
        Share of counterparts of the event that have the object's class; NaN if that tells nothing.
    light_probability
        Probability by its light curve that it is of a class that counterparts have; NaN: unknown.
    distance
        Agreement of distances; `factor` is one of the factors.
    ln_bayes
        Natural logarithm of the product of the factors; minus infinity if the object cannot belong to the
        event.
    """

    since: Float64
    seen_before: npt.NDArray[np.bool_]
    sky: Float64
    time: Float64
    kind: Float64
    light: Float64
    class_probability: Float64
    light_probability: Float64
    distance: DistanceAgreement
    ln_bayes: Float64


def fit(
    candidates: Candidates,
    index: MessengerIndex,
    position: Int64,
    skymap: Int64,
    cell: Int64,
    *,
    with_levels: bool = True,
) -> Fit:
    """Compare pairs.

    Parameters
    ----------
    position, skymap, cell
        The pairs, as `SkyMapIndex.match` gives them.
    with_levels
        Whether credible levels in space are wanted, which take the longest.

    Notes
    -----
    Ashton et al. 2018, ApJ 860, 6: ``O = prior * I_sky * I_distance * I_time * L_class``, with the overlap
    integrals taken against objects spread evenly over the sphere, over space up to the horizon, over the time
    in which counterparts are looked for, and over classes as our own stream has them. Of what a classifier
    that is calibrated on our stream says of a light curve, a class is the more probable by the ratio of its
    probability and its mean over the stream.
    """
    event = index.event[skymap]
    since = candidates.first[position] - index.events["eventMjdTai"].to_numpy()[event]
    before_forced = np.nan_to_num(candidates.pre_snr[position]) > _SIGNIFICANT
    odds = _models(index, event, since, before_forced, candidates, position)
    time = odds.time
    share = index.class_shares[candidates.kind[position]]
    sky = 4.0 * np.pi * index.skymaps.density[cell]
    distance = distance_agreement(
        candidates,
        position,
        index.skymaps,
        skymap,
        cell,
        index.volumes,
        index.horizon,
        with_levels=with_levels,
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        kind = np.where(odds.class_tells, odds.of_class / time / share, np.where(time > 0.0, 1.0, np.nan))
        light = np.where(odds.light_tells, odds.of_both / odds.of_class, np.where(time > 0.0, 1.0, np.nan))
        ln_bayes = np.log(sky) + np.log(time) + np.log(kind) + np.log(light) + np.log(distance.factor)
        probability = np.where(odds.class_tells, odds.of_class / time, np.nan)
        light_probability = np.where(odds.light_tells, odds.light_fits / time, np.nan)
    ln_bayes = np.where(np.isnan(ln_bayes), -np.inf, ln_bayes)
    before = (since < 0.0) | before_forced
    return Fit(since, before, sky, time, kind, light, probability, light_probability, distance, ln_bayes)


@dataclass(frozen=True)
class _Odds:
    """Sums over the models of an event, by their weights and the density of the time of first detection:
    alone, times the probability of the class, times that and how well the light curve fits, and times the
    probability that the light curve is of a class that the model has. And where these tell anything."""

    time: Float64
    of_class: Float64
    of_both: Float64
    light_fits: Float64
    class_tells: npt.NDArray[np.bool_]
    light_tells: npt.NDArray[np.bool_]


def _models(
    index: MessengerIndex,
    event: Int64,
    since: Float64,
    before: npt.NDArray[np.bool_],
    candidates: Candidates,
    position: Int64,
) -> _Odds:
    kind, light = candidates.kind[position], candidates.light[position]
    time, of_class, of_both, fits = (np.zeros(len(event)) for _ in range(4))
    has_light = ~np.isnan(light[:, 0])
    light = np.where(has_light[:, None], light, 0.0)
    class_tells = kind != UNKNOWN
    begin, end = index.window()
    span = end - begin
    for number, models in enumerate(index.models):
        mine = np.flatnonzero(event == number)
        if not len(mine):
            continue
        for weight, model in models:
            inside = (since[mine] >= model.first_day) & (since[mine] <= model.last_day)
            if model.old:
                density = np.where(since[mine] <= model.last_day, 1.0, 0.0)
            else:
                density = np.where(
                    inside & ~before[mine], span[number] / (model.last_day - model.first_day), 0.0
                )
            density = weight * density
            if model.shares:
                probability = np.append(model.class_probability(), 1.0)[kind[mine]]
            else:
                probability = np.ones(len(mine))
                class_tells[mine] = False
            expected = model.light_probability()
            ratio = expected / index.light_shares if model.light else np.ones(len(expected))
            bright = np.where(has_light[mine], light[mine] @ np.append(ratio, 1.0), 1.0)
            time[mine] += density
            of_class[mine] += density * probability
            of_both[mine] += density * probability * bright
            fits[mine] += density * (light[mine] @ np.append(expected >= CLASS_FITS, True))
    some = time > 0.0
    return _Odds(time, of_class, of_both, fits, class_tells & some, has_light & some)
