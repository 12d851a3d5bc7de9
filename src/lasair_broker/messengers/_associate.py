"""The rows of table `mma_hits`: which objects may be counterparts of which events, and how well they fit."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from lasair_broker.messengers._candidates import Candidates
from lasair_broker.messengers._fit import CLASS_FITS, Fit, fit
from lasair_broker.messengers._index import LEVEL, MessengerIndex
from lasair_broker.schema import conform
from lasair_broker.sky import distance_moments

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]

__all__ = ["associate"]

_GOLD, _SILVER = 1e-3, 1e-2
"""Chance probabilities below which a candidate is of these tiers."""

_INSIDE = 0.9
_LIGHT_FITS = 0.1
"""A light curve that is less probable than this of a class that counterparts have does not fit."""

_FALSE_ALARMS = 1.0
"""Events of which noise alone makes more than so many a year make no better tier than bronze, unless their
sender calls them significant."""


def associate(candidates: Candidates, index: MessengerIndex) -> pa.Table:
    """Rows of `mma_hits` for objects.

    Of each event an object has the row of the newest map that holds it: an older one's is marked superseded,
    that of a withdrawn event retracted.
    """
    found = index.skymaps.match(candidates.cell, LEVEL, index.may(candidates.first, candidates.last))
    event = index.event[found.skymap]
    order = np.lexsort((found.skymap, found.position, event))
    last = np.ones(len(order), np.bool_)
    if len(order) > 1:
        here, there = order[:-1], order[1:]
        last[:-1] = (event[here] != event[there]) | (found.position[here] != found.position[there])
    kept = order[last]
    position, skymap, cell = found.position[kept], found.skymap[kept], found.cell[kept]
    said = fit(candidates, index, position, skymap, cell)
    return _rows(candidates, index, position, skymap, cell, said)


def _rows(
    candidates: Candidates, index: MessengerIndex, position: Int64, skymap: Int64, cell: Int64, said: Fit
) -> pa.Table:
    event = index.event[skymap]
    level = index.skymaps.level[cell]
    expected = np.full(len(position), np.nan)
    for number, chances in enumerate(index.chances):
        mine = event == number
        if chances is not None and mine.any():
            expected[mine] = np.where(
                np.isfinite(said.ln_bayes[mine]), chances.at(said.ln_bayes[mine]), np.inf
            )
    retracted = index.events["retracted"].fill_null(False).to_numpy(zero_copy_only=False)[event]
    current = index.newest[skymap] & ~retracted
    state = np.where(retracted, "retracted", np.where(current, "current", "superseded"))
    chance = -np.expm1(-expected)
    _, mean, _ = distance_moments(
        *(getattr(index.skymaps, f"dist{x}")[cell] for x in ("mu", "sigma", "norm"))
    )
    since = index.events["eventMjdTai"].to_numpy()[event]
    finite = np.isfinite(expected)
    said_of_event = ("mw_id", "origin", "eventName", "kind")
    columns = {name: index.events[name].take(pa.array(event)) for name in said_of_event} | {
        "diaObjectId": pa.array(candidates.diaObjectId[position]),
        "eventVersion": pa.array(index.version[skymap]),
        "state": pa.array(state.tolist(), pa.string()),
        "tier": pa.array(_tiers(index, event, level, said, chance, current), pa.string()),
        "contour": _single(100.0 * level),
        "distance": _single(mean),
        "probdens2": _single(index.skymaps.density[cell]),
        "probdens3": _single(said.distance.density),
        "probdensVolume": _single(np.exp(said.distance.ln_volume_density)),
        "contour3": _single(100.0 * said.distance.volume_level),
        "distanceSigma": _single(said.distance.sigma),
        "firstDays": pa.array(said.since, from_pandas=True),
        "lastNondetectionDays": pa.array(candidates.nondetection[position] - since, from_pandas=True),
        "seenBefore": pa.array(said.seen_before),
        "skyFactor": _single(said.sky),
        "timeFactor": _single(said.time),
        "distanceFactor": _single(said.distance.factor),
        "classFactor": _single(said.kind),
        "photometricFactor": _single(said.light),
        "logBayesFactor": _single(np.where(np.isfinite(said.ln_bayes), said.ln_bayes / np.log(10.0), np.nan)),
        "expectedBackground": _single(np.where(finite, expected, np.nan)),
        "chanceProbability": _single(chance),
    }  # fmt: skip
    return conform(pa.table(columns), "mma_hits")


def _tiers(
    index: MessengerIndex, event: Int64, level: Float64, said: Fit, chance: Float64, current: Bool
) -> list[str | None]:
    held = np.where(np.isnan(said.distance.volume_level), level, said.distance.volume_level)
    fits = np.isnan(said.class_probability) | (said.class_probability >= CLASS_FITS)
    fits &= np.isnan(said.light_probability) | (said.light_probability >= _LIGHT_FITS)
    trusted = np.array([_trusted(row) for row in index.events.to_pylist()], np.bool_)[event]
    candidate = current & np.isfinite(said.ln_bayes) & (level <= _INSIDE)
    good = candidate & fits & trusted & (held <= _INSIDE)
    with np.errstate(invalid="ignore"):
        tier = np.where(candidate, 1, 0)
        tier[good & (chance < _SILVER)] = 2
        tier[good & (chance < _GOLD)] = 3
    return [(None, "bronze", "silver", "gold")[t] for t in tier]


def _trusted(event: dict[str, object]) -> bool:
    if event["significant"] is not None:
        return bool(event["significant"])
    rate = event["falseAlarmRate"]
    return not isinstance(rate, float) or rate <= _FALSE_ALARMS


def _single(values: Float64) -> pa.Array:
    """Single precision, NULL for NaN; what is too small for it is 0."""
    with np.errstate(over="ignore", under="ignore"):
        return pa.array(values.astype(np.float32), from_pandas=True)
