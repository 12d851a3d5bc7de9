"""Fits of many light curves by one kernel: starting points, Levenberg-Marquardt, covariances."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from lasair_broker.lightcurve._curves import Float64, float64
from lasair_broker.lightcurve._kernel import kernel
from lasair_broker.lightcurve._least_squares import covariance, fit
from lasair_broker.lightcurve._models import (
    AMPLITUDE,
    BAZIN,
    EXPONENTIAL,
    GROWTH,
    LOG_FALL,
    LOG_TEMPERATURE,
    NUM_PARAMETERS,
    RATIO,
    RATIO_SPREAD,
    TIME,
    USUAL_RATIO,
)
from lasair_broker.lightcurve._problems import SHORTEST, Problems
from lasair_broker.lightcurve._starts import start_bazin, start_exponential

_FREE_BAZIN = np.array([AMPLITUDE, TIME, RATIO, LOG_FALL, LOG_TEMPERATURE])
_FREE_EXPONENTIAL = np.array([AMPLITUDE, GROWTH, LOG_TEMPERATURE])

_WELL_FITTED, _EXPLAINED = 1.5, 0.1
"""At this chi-squared per degree of freedom, or this share of that about the mean, no other start is tried.

Another start would help one light curve in a hundred and double the time of all.
"""


@dataclass(frozen=True, slots=True)
class Fitted:
    """Fits of p problems with m free parameters.

    Attributes
    ----------
    parameters
        Shape (p, 5), in the order of the module of models.
    chi2
        Of the points, without the prior; infinite where there is no fit.
    degrees
        Degrees of freedom: points minus free parameters.
    covariance
        Of the free parameters in their order, shape (p, 5, 5), from the errors and the prior alone; NaN where
        undetermined.
    """

    parameters: Float64
    chi2: Float64
    degrees: Float64
    covariance: Float64


def fit_bazins(problems: Problems, weight: Float64, wavelength: Float64, coloured: bool) -> Fitted:
    """Bazin functions (A, t0, q, ln kf), with a blackbody also ln T, of the points' flux with these weights.

    `wavelength` (µm) is of the six bands and the reference.
    """
    return _fitted(problems, weight, wavelength, False, coloured, 4 + coloured)


def fit_exponentials(problems: Problems, weight: Float64, wavelength: Float64) -> Fitted:
    """Exponentials times blackbodies (A, k, ln T), alike; t0 is the problems' reference time."""
    return _fitted(problems, weight, wavelength, True, True, 3)


def _fitted(
    problems: Problems, weight: Float64, wavelength: Float64, exponential: bool, coloured: bool, free: int
) -> Fitted:
    count = len(problems.rows)
    out = Fitted(
        parameters=np.full((count, NUM_PARAMETERS), np.nan),
        chi2=np.full(count, np.inf),
        degrees=(np.diff(problems.offsets) - free).astype(np.float64),
        covariance=np.full((count, NUM_PARAMETERS, NUM_PARAMETERS), np.nan),
    )
    _fit_all(
        problems.offsets,
        problems.time,
        problems.flux,
        weight,
        problems.band,
        float64(wavelength),
        exponential,
        coloured,
        out.parameters,
        out.chi2,
        out.covariance,
    )
    return out


@kernel
def _fit_all(  # type: ignore[no-untyped-def]  # see Fitted
    offsets,
    time,
    flux,
    weight,
    band,
    wavelength,
    exponential,
    coloured,
    parameters,
    chi2,
    covariances,
):
    kind = EXPONENTIAL if exponential else BAZIN
    free = _FREE_EXPONENTIAL if exponential else _FREE_BAZIN[: 5 if coloured else 4]
    trial, best = np.empty(NUM_PARAMETERS), np.empty(NUM_PARAMETERS)
    for problem in range(len(offsets) - 1):
        start, stop = offsets[problem], offsets[problem + 1]
        n = stop - start
        if n <= len(free):
            continue
        t, f, w, b = time[start:stop], flux[start:stop], weight[start:stop], band[start:stop]
        length = max(t[n - 1] - t[0], SHORTEST)
        lowest = math.inf
        total = sums = squares = 0.0
        for k in range(n):
            total += w[k]
            sums += w[k] * f[k]
            squares += w[k] * f[k] * f[k]
        squares -= sums * sums / total
        # The brightest point, at time 0, is most likely the peak; or the flux still rises, or falls since.
        for attempt in range(1 if exponential else 3):
            if exponential:
                started = start_exponential(t, f, w, b, wavelength, length, trial)
            else:
                peak = 0.0 if attempt == 0 else (t[n - 1] + 0.25 * length if attempt == 1 else -0.15 * length)
                started = start_bazin(t, f, w, b, wavelength, coloured, peak, length, trial)
            if not started:
                continue
            found = fit(kind, t, f, w, b, wavelength, trial, free)
            if found < lowest:
                lowest = found
                for m in range(NUM_PARAMETERS):
                    best[m] = trial[m]
            if lowest <= max(_WELL_FITTED * (n - len(free)), _EXPLAINED * squares):
                break
        if lowest < math.inf:
            if not exponential:
                lowest -= ((best[RATIO] - USUAL_RATIO) / RATIO_SPREAD) ** 2
            chi2[problem] = lowest
            for m in range(NUM_PARAMETERS):
                parameters[problem, m] = best[m]
            covariance(kind, t, f, w, b, wavelength, best, free, covariances[problem])
