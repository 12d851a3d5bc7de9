"""Counts, newest values and reliabilities of detections."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from lasair_broker.lightcurve._curves import NUM_BANDS, Float32, Float64, Rows
from lasair_broker.lightcurve._kernel import kernel

FLUXES = (
    "latest_psfFlux",
    *(f"{b}_psfFlux" for b in "ugrizy"),
    "medianR",
    "latestR",
    "fracNegative",
    "peakPsfFlux",
)
TIMES = (*(f"{b}_latestMJD" for b in "ugrizy"), "firstDiaSourceMjdTai", "lastDiaSourceMjdTai", "peakMJD")
COUNTS = (
    "nDiaSources",
    "nPosDiaSources",
    "nPosDiaSourcesNights",
    "nSourcesGood",
    *(f"n{b}Sources" for b in "ugrizy"),
    "nNights",
    "peakBand",
)
"""Integer outputs; `peakBand` is a band code, -1 if there is none."""

# Places in the outputs; those of bands are the first of six.
_LATEST, _BAND_FLUX, _MEDIAN_R, _LATEST_R, _NEGATIVE, _PEAK_FLUX = 0, 1, 7, 8, 9, 10
_BAND_TIME, _FIRST, _LAST, _PEAK_TIME = 0, 6, 7, 8
_N, _N_POSITIVE, _POSITIVE_NIGHTS, _N_GOOD, _N_BAND, _NIGHTS, _PEAK_BAND = 0, 1, 2, 3, 4, 10, 11

_GOOD_RELIABILITY = 0.5


def count(rows: Rows, reliability: Float32) -> tuple[Float64, Float64, npt.NDArray[np.int32]]:
    """Counts and newest values of detections.

    A detection counts when it is neither withdrawn nor without a time, even if its flux is missing. A night
    is floor(MJD + 0.5): it begins at noon of the time scale, TAI.

    Returns
    -------
    Arrays of shape (len(FLUXES), objects), (len(TIMES), objects) and (len(COUNTS), objects); NaN is missing.
    """
    num_objects = len(rows.offsets) - 1
    fluxes = np.full((len(FLUXES), num_objects), np.nan)
    times = np.full((len(TIMES), num_objects), np.nan)
    counts = np.zeros((len(COUNTS), num_objects), np.int32)
    _count(rows.offsets, rows.time, rows.band, rows.flux, reliability, fluxes, times, counts)
    return fluxes, times, counts


@kernel
def _median(values, n):  # type: ignore[no-untyped-def]  # float64 array, reordered in place
    """Median of the first n > 0 values, by selection that partitions without branches."""
    middle = n // 2
    low, high = 0, n
    while high - low > 1:
        pivot = values[(low + high) // 2]
        below = low
        for k in range(low, high):
            v = values[k]
            values[k] = values[below]
            values[below] = v
            below += v < pivot
        if middle < below:
            high = below
            continue
        equal = below
        for k in range(below, high):
            v = values[k]
            values[k] = values[equal]
            values[equal] = v
            equal += v <= pivot
        if middle < equal:
            break
        low = equal
    if n % 2 == 1:
        return values[middle]
    largest_below = values[0]
    for k in range(1, middle):
        largest_below = max(largest_below, values[k])
    return 0.5 * (largest_below + values[middle])


@kernel
def _count(offsets, time, band, flux, reliability, fluxes, times, counts):  # type: ignore[no-untyped-def]  # see count
    most = 0
    for i in range(len(offsets) - 1):
        most = max(most, offsets[i + 1] - offsets[i])
    scratch = np.empty(most)
    in_band, newest_in_band = np.empty(NUM_BANDS, np.int64), np.empty(NUM_BANDS, np.int64)
    for i in range(len(offsets) - 1):
        for b in range(NUM_BANDS):
            in_band[b] = 0
            newest_in_band[b] = -1
        number = nights = positive = positive_nights = good = known = negative = reliable = 0
        night = positive_night = -math.inf
        first = newest = newest_known = brightest = -1
        for j in range(offsets[i], offsets[i + 1]):
            t, f, r, b = time[j], flux[j], reliability[j], band[j]
            if not abs(t) < math.inf:
                continue
            number += 1
            if first < 0:
                first = j
            newest = j
            this_night = np.floor(t + 0.5)
            nights += this_night > night
            night = this_night
            if abs(r) < math.inf:
                scratch[reliable] = r
                reliable += 1
                good += r > _GOOD_RELIABILITY
            if b >= 0:
                in_band[b] += 1
            if not abs(f) < math.inf:
                continue
            known += 1
            newest_known = j
            if b >= 0:
                newest_in_band[b] = j
                if brightest < 0 or f > flux[brightest]:
                    brightest = j
            negative += f < 0.0
            if f > 0.0:
                positive += 1
                positive_nights += this_night > positive_night
                positive_night = this_night
        counts[_N, i] = number
        counts[_N_POSITIVE, i] = positive
        counts[_POSITIVE_NIGHTS, i] = positive_nights
        counts[_N_GOOD, i] = good
        counts[_NIGHTS, i] = nights
        counts[_PEAK_BAND, i] = -1
        for b in range(NUM_BANDS):
            counts[_N_BAND + b, i] = in_band[b]
            if newest_in_band[b] >= 0:
                fluxes[_BAND_FLUX + b, i] = flux[newest_in_band[b]]
                times[_BAND_TIME + b, i] = time[newest_in_band[b]]
        if number > 0:
            times[_FIRST, i] = time[first]
            times[_LAST, i] = time[newest]
            fluxes[_LATEST_R, i] = reliability[newest]
        if known > 0:
            fluxes[_LATEST, i] = flux[newest_known]
            fluxes[_NEGATIVE, i] = negative / known
        if brightest >= 0:
            fluxes[_PEAK_FLUX, i] = flux[brightest]
            times[_PEAK_TIME, i] = time[brightest]
            counts[_PEAK_BAND, i] = band[brightest]
        if reliable > 0:
            fluxes[_MEDIAN_R, i] = _median(scratch, reliable)


@kernel
def _weighted_means(offsets, time, band, flux, error, out):  # type: ignore[no-untyped-def]  # see weighted_means
    weights = np.empty(NUM_BANDS)
    sums = np.empty(NUM_BANDS)
    for i in range(len(offsets) - 1):
        for b in range(NUM_BANDS):
            weights[b] = sums[b] = 0.0
        for j in range(offsets[i], offsets[i + 1]):
            f, e = flux[j], error[j]
            if band[j] >= 0 and math.isfinite(time[j]) and math.isfinite(f) and 0.0 < e < math.inf:
                w = 1.0 / (float(e) * float(e))
                weights[band[j]] += w
                sums[band[j]] += w * f
        for b in range(NUM_BANDS):
            if weights[b] > 0.0:
                out[0, b, i] = sums[b] / weights[b]
                out[1, b, i] = 1.0 / math.sqrt(weights[b])


def weighted_means(rows: Rows, flux: Float32, error: Float32) -> Float64:
    """Inverse-variance weighted mean of `flux` and its standard error, nJy, shape (2, 6 bands, objects)."""
    out = np.full((2, NUM_BANDS, len(rows.offsets) - 1), np.nan)
    _weighted_means(rows.offsets, rows.time, rows.band, flux, error, out)
    return out
