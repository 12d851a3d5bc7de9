"""Pairs of detections in two bands within a night: colours, their temperatures and how they change."""

from __future__ import annotations

import math

import numpy as np

from lasair_broker.lightcurve._blackbody import colour_temperature, log_slope
from lasair_broker.lightcurve._curves import Float64, Int8, Measurements
from lasair_broker.lightcurve._kernel import kernel

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

# Places in the values.
_FIRST_COLOUR, _PEAK_COLOUR, _COLOUR_SLOPE, _COLOUR_SLOPE_ERR, _COLOUR_CHI2 = 8, 9, 10, 11, 12

_LONGEST_GAP = 40.0 / 1440.0  # d
_SLOPE_BASELINE = 0.02  # d; within one visit a colour has no slope
_MAG_FLOOR = 1e-6  # mag^2; no colour is good to better than 1 mmag
_MAG = 2.5 / math.log(10.0)


def pairs(
    curves: Measurements, wavelength: Float64, extinction: Float64, ebv: Float64
) -> tuple[Float64, Float64, Int8]:
    """Colours of pairs of consecutive detections of positive flux in two bands, less than 40 minutes apart.

    The order of the bands in time does not matter: the colour is always the bluer minus the redder magnitude.
    The pair's time is midway. The newest pair of two bands sets the bands whose colours enter colourSlope
    (weighted straight line, mag/d), its error, and colourReducedChi2 (about the weighted mean); for these,
    1 mmag is added to the errors.

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
    redder band code, -1 for none. Magnitudes in mag, temperatures in kK, times MJD TAI; NaN is missing.
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


@kernel
def _colour(flux, error, band, k):  # type: ignore[no-untyped-def]  # see pairs
    """Code of the bands, colour and its error of the pair k - 1 and k."""
    if band[k - 1] < band[k]:
        blue, red = k - 1, k
    else:
        blue, red = k, k - 1
    of_red, of_blue = error[red] / flux[red], error[blue] / flux[blue]
    colour = _MAG * math.log(flux[red] / flux[blue])
    return 6 * int(band[blue]) + int(band[red]), colour, _MAG * math.sqrt(of_red * of_red + of_blue * of_blue)


@kernel
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


@kernel
def _pairs(  # type: ignore[no-untyped-def]  # see pairs
    offsets, time, flux, error, band, wavelength, extinction, ebv, values, times, bands
):
    most = 0
    for i in range(len(offsets) - 1):
        most = max(most, offsets[i + 1] - offsets[i])
    place = np.empty(most, np.int64)
    for i in range(len(offsets) - 1):
        found = 0
        brightest = offsets[i]
        for k in range(offsets[i] + 1, offsets[i + 1]):
            if flux[k] > flux[brightest]:
                brightest = k
            near = time[k] - time[k - 1] < _LONGEST_GAP and band[k] != band[k - 1]
            if near and flux[k] > 0.0 and flux[k - 1] > 0.0:
                place[found] = k
                found += 1
        if found == 0:
            continue
        for m in range(min(2, found)):
            k = place[found - 1 - m]
            code, colour, err = _colour(flux, error, band, k)
            temperature, temperature_err = _temperature(code, colour, err, wavelength, extinction, ebv[i])
            values[4 * m, i] = colour
            values[4 * m + 1, i] = err
            values[4 * m + 2, i] = temperature
            values[4 * m + 3, i] = temperature_err
            times[m, i] = 0.5 * (time[k - 1] + time[k])
            bands[m, i] = code
        bands[2, i], values[_FIRST_COLOUR, i], _ = _colour(flux, error, band, place[0])
        times[2, i] = 0.5 * (time[place[0] - 1] + time[place[0]])
        nearest, distance = place[0], math.inf
        for m in range(found):
            k = place[m]
            away = abs(0.5 * (time[k - 1] + time[k]) - time[brightest])
            if away < distance:
                nearest, distance = k, away
        bands[3, i], values[_PEAK_COLOUR, i], _ = _colour(flux, error, band, nearest)
        _colour_slope(time, flux, error, band, place, found, bands[0, i], values, i)


@kernel
def _colour_slope(time, flux, error, band, place, found, bands, values, i):  # type: ignore[no-untyped-def]  # see pairs
    """Straight line through the colours of the pairs in the same `bands`."""
    same = 0
    weight = weighted_time = weighted_colour = 0.0
    newest = oldest = 0.0
    for m in range(found - 1, -1, -1):
        k = place[m]
        if 6 * min(band[k - 1], band[k]) + max(band[k - 1], band[k]) != bands:
            continue
        place[found - 1 - same] = k  # those already passed are not needed again
        middle = 0.5 * (time[k - 1] + time[k])
        if same == 0:
            newest = middle
        oldest = middle
        same += 1
        _, colour, err = _colour(flux, error, band, k)
        w = 1.0 / (err * err + _MAG_FLOOR)
        weight += w
        weighted_time += w * (middle - newest)
        weighted_colour += w * colour
    if same < 2:
        return
    centre, mean = weighted_time / weight, weighted_colour / weight
    variance = covariance = chi2 = 0.0
    for m in range(found - same, found):
        k = place[m]
        _, colour, err = _colour(flux, error, band, k)
        w = 1.0 / (err * err + _MAG_FLOOR)
        dt = 0.5 * (time[k - 1] + time[k]) - newest - centre
        variance += w * dt * dt
        covariance += w * dt * (colour - mean)
        chi2 += w * (colour - mean) ** 2
    values[_COLOUR_CHI2, i] = chi2 / (same - 1)
    if newest - oldest >= _SLOPE_BASELINE:
        values[_COLOUR_SLOPE, i] = covariance / variance
        values[_COLOUR_SLOPE_ERR, i] = 1.0 / math.sqrt(variance)
