"""The jump detector: how far the last days depart from the weeks before."""

from __future__ import annotations

import math

import numpy as np

from lasair_broker.lightcurve._curves import NUM_BANDS, Float64, Measurements
from lasair_broker.lightcurve._kernel import summing_kernel

_RECENT = 10.0  # d before the newest measurement of the object
_BASELINE = 70.0  # d
_ENOUGH = 5


def jumps(curves: Measurements) -> Float64:
    """The largest and second largest departure over the bands, shape (2, objects), in standard deviations.

    In each band the measurements older than 10 and up to 70 days, counted from the object's newest
    measurement in any band, are the baseline; five are needed. The departure is the largest |f - mean| of the
    others up to the newest, itself included, over the baseline's sample standard deviation or its root mean
    square error, whichever is larger. NaN where no (second) band has a baseline and a recent measurement.
    """
    out = np.full((2, len(curves.offsets) - 1), np.nan)
    _jumps(
        curves.offsets,
        curves.time,
        curves.band_offsets,
        curves.band_time,
        curves.band_flux,
        curves.band_error,
        out,
    )
    return out


@summing_kernel
def _jumps(offsets, all_times, band_offsets, time, flux, error, out):  # type: ignore[no-untyped-def]  # see jumps
    for i in range(len(offsets) - 1):
        if offsets[i + 1] == offsets[i]:
            continue
        newest = all_times[offsets[i + 1] - 1]
        first = second = -1.0
        for b in range(NUM_BANDS):
            group = NUM_BANDS * i + b
            departure = _departure(time, flux, error, band_offsets[group], band_offsets[group + 1], newest)
            if departure > first:
                first, second = departure, first
            elif departure > second:
                second = departure
        if first >= 0.0:
            out[0, i] = first
        if second >= 0.0:
            out[1, i] = second


@summing_kernel
def _departure(time, flux, error, start, stop, newest):  # type: ignore[no-untyped-def]  # see jumps
    """The departure in one band, -1 where there is none."""
    recent = stop
    while recent > start and newest - time[recent - 1] <= _RECENT:
        recent -= 1
    oldest = recent
    total = variances = 0.0
    while oldest > start and newest - time[oldest - 1] <= _BASELINE:
        oldest -= 1
        total += flux[oldest]
        variances += error[oldest] * error[oldest]
    n = recent - oldest
    if n < _ENOUGH or recent == stop:
        return -1.0
    mean = total / n
    squares = 0.0
    for k in range(oldest, recent):
        squares += (flux[k] - mean) ** 2
    sigma = math.sqrt(max(squares / (n - 1), variances / n))
    largest = 0.0
    for k in range(recent, stop):
        largest = max(largest, abs(flux[k] - mean))
    return largest / sigma
