"""Models of a transient's flux in time and wavelength, with their derivatives.

Bazin et al. 2009, A&A 499, 653 (without its constant):

    f(t) = A exp(-kf (t - t0)) / (1 + exp(-kr (t - t0)))

Times a blackbody it becomes a surface in time and wavelength, as does A exp(k (t - t0)). The blackbody is
relative to a reference wavelength, so that A is a flux there. Parameters are held in a form in which every
value is allowed: p = (A, t0, q, ln kf, ln T) with kr = kf (1 + exp q), so that the rise is always the faster;
the peak is then at t0 + q/kr. The exponential is p = (A, k, -, -, ln T) with a fixed t0.
"""

from __future__ import annotations

import math

import numpy as np

from lasair_broker.lightcurve._blackbody import log_slope, relative_flux
from lasair_broker.lightcurve._kernel import summing_kernel

NUM_PARAMETERS = 5
AMPLITUDE, TIME, RATIO, LOG_FALL, LOG_TEMPERATURE = range(NUM_PARAMETERS)
GROWTH = 1
"""Place of k in the parameters of the exponential."""

BAZIN, EXPONENTIAL = np.int64(0), np.int64(1)
"""Kinds of model. NumPy's integers: numba would compile every fit once more for each Python literal."""

USUAL_RATIO, RATIO_SPREAD = 1.8, 1.5
"""A weak prior of q, Gaussian: a rise of seven times the rate of the fall, within a factor of four.

A rise that nobody saw, between the last non-detection and a first detection past the peak, has no upper bound
in the data alone, and the fit would run away with it.
"""

_STEEPEST = 100.0
"""Largest exponent: beyond it a step of the fit is hopeless, but must not overflow."""


@summing_kernel
def bazin_shape(dt: float, kr: float, kf: float) -> float:
    """The Bazin function of amplitude 1 at `dt` days after t0."""
    # 1 / (1 + e^x) is e^-max(x, 0) / (1 + e^-|x|), in which nothing overflows.
    x = -kr * dt
    return math.exp(min(_STEEPEST, -kf * dt - max(x, 0.0))) / (1.0 + math.exp(-abs(x)))


@summing_kernel
def colours(wavelength, temperature, flux, slope):  # type: ignore[no-untyped-def]  # float arrays of the six bands
    """Fill the blackbody's flux in each band relative to the last wavelength, and its d ln f / d ln T."""
    reference = wavelength[-1]
    reference_slope = log_slope(reference, temperature)
    for b in range(len(flux)):
        flux[b] = relative_flux(wavelength[b], reference, temperature)
        slope[b] = log_slope(wavelength[b], temperature) - reference_slope


@summing_kernel
def normal_equations(kind, time, flux, weight, band, wavelength, p, free, matrix, vector):  # type: ignore[no-untyped-def]  # see below
    """Chi-squared of model `kind` at parameters `p`, and J^T W J and J^T W r of its `free` parameters.

    The prior of the Bazin function's q counts as one more measurement.


    `time` is in days (for the exponential from its fixed t0), `weight` is 1/error^2, `band` indexes the first
    six of `wavelength` (µm), whose last is the reference; with no temperature among `free`, no colour is
    used.
    """
    num_free = len(free)
    coloured = free[num_free - 1] == LOG_TEMPERATURE
    relative, slope = np.ones(6), np.zeros(6)
    if coloured:
        colours(wavelength, math.exp(p[LOG_TEMPERATURE]), relative, slope)
    kf = math.exp(p[LOG_FALL])
    odds = math.exp(p[RATIO])
    kr = kf * (1.0 + odds)
    row = np.zeros(NUM_PARAMETERS)
    for m in range(num_free):
        vector[m] = 0.0
        for n in range(num_free):
            matrix[m, n] = 0.0
    chi2 = 0.0
    for k in range(len(time)):
        b = band[k]
        if kind == BAZIN:
            dt = time[k] - p[TIME]
            x = -kr * dt
            small = math.exp(-abs(x))
            below = 1.0 / (1.0 + small)
            logistic = below if x > 0.0 else small * below
            shape = relative[b] * math.exp(min(_STEEPEST, -kf * dt - max(x, 0.0))) * below
            model = p[AMPLITUDE] * shape
            row[TIME] = model * (kf - kr * logistic)
            row[RATIO] = model * dt * logistic * kf * odds
            row[LOG_FALL] = model * dt * (kr * logistic - kf)
        else:
            exponent = p[GROWTH] * time[k]
            shape = relative[b] * math.exp(max(-_STEEPEST, min(_STEEPEST, exponent)))
            model = p[AMPLITUDE] * shape
            row[GROWTH] = model * time[k]
        row[AMPLITUDE] = shape
        row[LOG_TEMPERATURE] = model * slope[b]
        residual = flux[k] - model
        w = weight[k]
        chi2 += w * residual * residual
        for m in range(num_free):
            scaled = w * row[free[m]]
            vector[m] += scaled * residual
            for n in range(m + 1):
                matrix[m, n] += scaled * row[free[n]]
    if kind == BAZIN:
        away = (p[RATIO] - USUAL_RATIO) / RATIO_SPREAD
        chi2 += away * away
        vector[RATIO] -= away / RATIO_SPREAD
        matrix[RATIO, RATIO] += 1.0 / (RATIO_SPREAD * RATIO_SPREAD)
    return chi2
