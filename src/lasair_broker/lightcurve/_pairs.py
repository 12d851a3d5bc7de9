"""Pairs of detections in two bands within a night: colours, their temperatures and how they change."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from lasair_broker.lightcurve._blackbody import colour_temperature, log_slope
from lasair_broker.lightcurve._curves import Float64, Int8, Measurements

PAIR_FLUXES = (
    "latestPairColourMag",
    "latestPairColourMagErr",
    "latestPairColourTemp",
    "latestPairColourTempErr",
    "penultimatePairColourMag",
    "penultimatePairColourMagErr",
    "penultimatePairColourTemp",
    "penultimatePairColourTempErr",
    "firstPairColourMag",
    "peakPairColourMag",
    "colourSlope",
    "colourSlopeErr",
    "colourReducedChi2",
)
PAIR_TIMES = ("latestPairMJD", "penultimatePairMJD", "firstPairMJD")
PAIR_BANDS = (
    "latestPairColourBands",
    "penultimatePairColourBands",
    "firstPairColourBands",
    "peakPairColourBands",
)

_LONGEST_GAP = 40.0 / 1440.0  # d
_SLOPE_BASELINE = 0.02  # d; within one visit a colour has no slope
_MAG = 2.5 / math.log(10.0)


def pairs(
    curves: Measurements, wavelength: Float64, extinction: Float64, ebv: Float64
) -> tuple[Float64, Float64, Int8]:
    """Colours of pairs of consecutive detections of positive flux in two bands, less than 40 minutes apart.

    The order of the bands in time does not matter: the colour is always the bluer minus the redder magnitude.
    The pair's time is midway. The newest pair of two bands sets the bands whose colours enter colourSlope
    (weighted straight line, mag/d), its error, and colourReducedChi2 (about the weighted mean).

    Parameters
    ----------
    curves
        Measurements of n objects.
    wavelength, extinction
        Effective wavelength (µm) and A/E(B-V) of each of the six bands; NaN for bands the survey has not.
    ebv
        E(B-V) of each object in mag. Temperatures are corrected for it; NaN counts as 0.

    Returns
    -------
    Arrays of shape (len(PAIR_FLUXES), n), (len(PAIR_TIMES), n), and (len(PAIR_BANDS), n) with 6 x bluer +
    redder
    band code, -1 for none. Magnitudes in mag, temperatures in kK, times MJD TAI; NaN is missing.
    """
    num_objects = len(curves.offsets) - 1
    values = np.full((len(PAIR_FLUXES), num_objects), np.nan)
    times = np.full((len(PAIR_TIMES), num_objects), np.nan)
    bands = np.full((len(PAIR_BANDS), num_objects), -1, np.int8)
    _pairs(
        curves.offsets,
        curves.time,
        curves.flux,
        curves.error,
        curves.band,
        wavelength,
        extinction,
        ebv,
        values,
        times,
        bands,
    )
    return values, times, bands


@njit(cache=True, nogil=True)
def _is_pair(time, flux, band, k):  # type: ignore[no-untyped-def]  # see pairs
    """Whether measurements k - 1 and k are a pair."""
    return (
        band[k - 1] != band[k]
        and time[k] - time[k - 1] < _LONGEST_GAP
        and flux[k - 1] > 0.0
        and flux[k] > 0.0
    )


@njit(cache=True, nogil=True)
def _colour(flux, error, band, k):  # type: ignore[no-untyped-def]  # see pairs
    """Code of the bands, colour and its error of the pair k - 1 and k."""
    if band[k - 1] < band[k]:
        blue, red = k - 1, k
    else:
        blue, red = k, k - 1
    colour = _MAG * (math.log(flux[red]) - math.log(flux[blue]))
    relative = math.hypot(error[red] / flux[red], error[blue] / flux[blue])
    return 6 * int(band[blue]) + int(band[red]), colour, _MAG * relative


@njit(cache=True, nogil=True)
def _temperature(code, colour, err, wavelength, extinction, ebv):  # type: ignore[no-untyped-def]  # see pairs
    """Temperature of a colour corrected for extinction, and its error."""
    blue, red = code // 6, code % 6
    if math.isfinite(ebv):
        colour -= (extinction[blue] - extinction[red]) * ebv
    temperature = colour_temperature(wavelength[blue], wavelength[red], colour)
    if math.isnan(temperature):
        return math.nan, math.nan
    slope = _MAG * (log_slope(wavelength[blue], temperature) - log_slope(wavelength[red], temperature))
    return temperature, temperature * err / abs(slope)


@njit(cache=True, nogil=True)
def _pairs(offsets, time, flux, error, band, wavelength, extinction, ebv, values, times, bands):  # type: ignore[no-untyped-def]  # see pairs
    for i in range(len(offsets) - 1):
        start, stop = offsets[i], offsets[i + 1]
        found = 0
        first = 0
        for k in range(stop - 1, start, -1):
            if not _is_pair(time, flux, band, k):
                continue
            first = k
            if found < 2:
                code, colour, err = _colour(flux, error, band, k)
                temperature, temperature_err = _temperature(code, colour, err, wavelength, extinction, ebv[i])
                values[4 * found, i] = colour
                values[4 * found + 1, i] = err
                values[4 * found + 2, i] = temperature
                values[4 * found + 3, i] = temperature_err
                times[found, i] = 0.5 * (time[k - 1] + time[k])
                bands[found, i] = code
            found += 1
        if found == 0:
            continue
        brightest = start
        for k in range(start + 1, stop):
            if flux[k] > flux[brightest]:
                brightest = k
        nearest = first
        weight = weighted_time = weighted_colour = 0.0
        for k in range(first, stop):
            if not _is_pair(time, flux, band, k):
                continue
            middle = 0.5 * (time[k - 1] + time[k])
            if abs(middle - time[brightest]) < abs(
                0.5 * (time[nearest - 1] + time[nearest]) - time[brightest]
            ):
                nearest = k
            code, colour, err = _colour(flux, error, band, k)
            if code == bands[0, i]:
                w = 1.0 / (err * err)
                weight += w
                weighted_time += w * (middle - times[0, i])
                weighted_colour += w * colour
        code, colour, err = _colour(flux, error, band, first)
        values[8, i] = colour
        times[2, i] = 0.5 * (time[first - 1] + time[first])
        bands[2, i] = code
        code, colour, err = _colour(flux, error, band, nearest)
        values[9, i] = colour
        bands[3, i] = code
        centre, mean = weighted_time / weight, weighted_colour / weight
        same = 0
        oldest = math.inf
        variance = covariance = chi2 = 0.0
        for k in range(first, stop):
            if not _is_pair(time, flux, band, k):
                continue
            code, colour, err = _colour(flux, error, band, k)
            if code == bands[0, i]:
                same += 1
                w = 1.0 / (err * err)
                dt = 0.5 * (time[k - 1] + time[k]) - times[0, i] - centre
                oldest = min(oldest, dt + centre)
                variance += w * dt * dt
                covariance += w * dt * (colour - mean)
                chi2 += w * (colour - mean) ** 2
        if same > 1:
            values[12, i] = chi2 / (same - 1)
            if oldest <= -_SLOPE_BASELINE:
                values[10, i] = covariance / variance
                values[11, i] = 1.0 / math.sqrt(variance)
