"""Real light curves as they might have been with fewer and worse measurements, or seen earlier."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from lasair_broker.classify.training._curves import LabelledCurves

__all__ = ["thinned"]

_KEPT = (0.5, 1.0)  # share of an object's measurements
_FEWEST = 5
_NOISE = 1.5  # most that is added to errors, in their own units
_CUT = 0.5  # share of the objects that are cut off
_AGES = (20.0, 300.0)  # days


def thinned(curves: LabelledCurves, seed: int) -> LabelledCurves:
    """The same objects once more, as further examples of their classes.

    Of each object a share of the measurements stays, half to all of them but at least five; noise of up to
    1.5 times the errors is added to fluxes and errors; and half of the objects are cut off at an age of 20 to
    300 days. An object and its copies have one name, and belong into one split.
    """
    rng = np.random.default_rng(seed)
    number = len(curves)
    of_point = np.repeat(np.arange(number), np.diff(curves.offsets))
    kept = rng.random(len(of_point)) < rng.uniform(*_KEPT, number)[of_point]
    kept |= (np.bincount(of_point[kept], minlength=number) < _FEWEST)[of_point]
    added = rng.uniform(0.0, _NOISE, number)[of_point] * curves.error
    ages = 10.0 ** rng.uniform(np.log10(_AGES[0]), np.log10(_AGES[1]), number)
    worse = replace(
        curves,
        offsets=np.concatenate([[0], np.cumsum(np.bincount(of_point[kept], minlength=number))]).astype(
            np.int64
        ),
        time=curves.time[kept],
        band=curves.band[kept],
        flux=(curves.flux + added * rng.standard_normal(len(added)))[kept],
        error=np.hypot(curves.error, added)[kept],
        detected=curves.detected[kept],
    )
    return worse.up_to(np.where(rng.random(number) < _CUT, ages, np.inf))
