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

__all__ = ["Fit", "fit"]

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
    sky, time, kind
        Factors of its place, of the time of its first detection and of its class, shape (n,).
    class_probability
        Share of counterparts of the event that have the object's class; NaN if that tells nothing.
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
    class_probability: Float64
    distance: DistanceAgreement
    ln_bayes: Float64


def fit(candidates: Candidates, index: MessengerIndex, position: Int64, skymap: Int64, cell: Int64) -> Fit:
    """Compare pairs.

    Parameters
    ----------
    position, skymap, cell
        The pairs, as `SkyMapIndex.match` gives them.

    Notes
    -----
    Ashton et al. 2018, ApJ 860, 6: ``O = prior * I_sky * I_distance * I_time * L_class``, with the overlap
    integrals taken against objects spread evenly over the sphere, over space up to the horizon, over the time
    in which counterparts are looked for, and over classes as our own stream has them.
    """
    event = index.event[skymap]
    since = candidates.first[position] - index.events["eventMjdTai"].to_numpy()[event]
    before_forced = np.nan_to_num(candidates.pre_snr[position]) > _SIGNIFICANT
    time, both, of_class = _models(index, event, since, before_forced, candidates.kind[position])
    share = index.class_shares[candidates.kind[position]]
    sky = 4.0 * np.pi * index.skymaps.density[cell]
    distance = distance_agreement(
        candidates, position, index.skymaps, skymap, cell, index.volumes, index.horizon
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        kind = np.where(time > 0.0, both / time / share, np.nan)
        kind = np.where(np.isnan(of_class), 1.0, kind)
        ln_bayes = np.log(sky) + np.log(time) + np.log(kind) + np.log(distance.factor)
        probability = np.where(time > 0.0, of_class / time, np.nan)
    ln_bayes = np.where(np.isnan(ln_bayes), -np.inf, ln_bayes)
    before = (since < 0.0) | before_forced
    return Fit(since, before, sky, time, kind, probability, distance, ln_bayes)


def _models(
    index: MessengerIndex,
    event: Int64,
    since: Float64,
    before: npt.NDArray[np.bool_],
    kind: npt.NDArray[np.int8],
) -> tuple[Float64, Float64, Float64]:
    """The factor of time, its sum with the probability of the class over all models, and that sum again, NaN
    where the class tells nothing."""
    time, both = np.zeros(len(event)), np.zeros(len(event))
    tells = np.ones(len(event), np.bool_)
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
            probability = np.append(model.class_probability(), np.nan)[kind[mine]]
            tells[mine] &= ~np.isnan(probability)
            time[mine] += weight * density
            both[mine] += weight * density * np.nan_to_num(probability)
    tells &= kind != UNKNOWN
    return time, both, np.where(tells, both, np.nan)
