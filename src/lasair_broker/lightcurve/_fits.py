"""Fits of transient models to the light curves that may be transients."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from numba import njit

from lasair_broker.lightcurve._blackbody import COOLEST, HOTTEST
from lasair_broker.lightcurve._curves import NUM_BANDS, Float64, Measurements
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
    TIME,
    bazin_shape,
)
from lasair_broker.lightcurve._transients import start_bazin, start_exponential

SURFACE_VALUES = (
    "BBBRiseRate",
    "BBBRiseRateErr",
    "BBBFallRate",
    "BBBFallRateErr",
    "BBBTemp",
    "BBBTempErr",
    "BBBPeakFlux",
    "BBBPeakFluxErr",
    "BBBPeakMJDErr",
    "BBBReducedChi2",
)
BAND_VALUES = ("bazinRiseRate", "bazinFallRate", "bazinPeakFlux", "bazinReducedChi2")

_RISE, _RISE_ERR, _FALL, _FALL_ERR, _TEMP, _TEMP_ERR, _PEAK, _PEAK_ERR, _PEAK_MJD_ERR, _CHI2 = range(10)

_FREE_SURFACE = np.array([AMPLITUDE, TIME, RATIO, LOG_FALL, LOG_TEMPERATURE])
_FREE_EXPONENTIAL = np.array([AMPLITUDE, GROWTH, LOG_TEMPERATURE])
_FREE_BAND = np.array([AMPLITUDE, TIME, RATIO, LOG_FALL])

_FEWEST_DETECTIONS, _FEWEST_IN_BAND = 5, 8
_BEFORE = 4  # forced measurements before the first detection that join a fit
_SHORTEST, _LONGEST = 0.02, 200.0  # d from the first to the last detection
_MOST_NEGATIVE = 0.2  # share of negative fluxes, beyond which it is not something new
_STEEPEST_RISE, _STEEPEST_FALL = 15.0, 2.0  # 1/d; Lasair's bounds of the surface fit
_STEEPEST_IN_BAND = 200.0  # 1/d; a flare of minutes
_LATEST_PEAK = 10.0  # d after the last measurement: beyond, the peak has not been seen
_MOST_RESIDUAL, _MOST_RESIDUAL_EXPONENTIAL = 0.25, 0.35
_MODEL_ERROR = 0.05
"""No transient is a blackbody to better than this share; else the brightest points decide alone."""


def surface_fits(
    detections: Measurements,
    forced: Measurements,
    wavelength: Float64,
    extinction: Float64,
    ebv: Float64,
    eligible: npt.NDArray[np.bool_],
) -> tuple[Float64, Float64]:
    """Bazin or exponential times blackbody, whichever has the lower Akaike criterion: Lasair's BBB features.

    Fitted are objects with 5 or more detections in 2 or more bands over 0.02 to 200 days, at most a fifth of
    them negative, plus up to 4 forced measurements before the first detection. Fluxes are corrected for
    extinction where E(B-V) is known, and weighted by their errors and 5 % of the flux in quadrature.

    Parameters
    ----------
    detections, forced
        Measurements of n objects.
    wavelength, extinction
        Effective wavelengths (µm) of the six bands and, seventh, the reference at which BBBPeakFlux is given;
        A/E(B-V) alike. NaN for bands that the survey has not.
    ebv
        E(B-V) in mag of each object, NaN if unknown (no correction).
    eligible
        False for objects that are known not to be transients.

    Returns
    -------
    Array of shape (len(SURFACE_VALUES), n) and BBBPeakMJD; NaN where there is no (acceptable) fit. Rates in
    1/d,
    temperatures in kK, fluxes in nJy as observed, chi2 per degree of freedom. Errors are from the covariance,
    scaled up by sqrt(chi2/dof) where that is above 1. An exponential has either a rise or a fall rate, no
    peak.
    """
    num_objects = len(detections.offsets) - 1
    out = np.full((len(SURFACE_VALUES), num_objects), np.nan)
    peak = np.full(num_objects, np.nan)
    _surface_fits(
        detections.offsets,
        detections.time,
        detections.flux,
        detections.error,
        detections.band,
        forced.offsets,
        forced.time,
        forced.flux,
        forced.error,
        forced.band,
        wavelength,
        extinction,
        ebv,
        eligible,
        out,
        peak,
    )
    return out, peak


def band_fits(
    detections: Measurements, forced: Measurements, eligible: npt.NDArray[np.bool_]
) -> tuple[Float64, Float64]:
    """Bazin functions fitted to single bands with 8 or more points, of objects as `surface_fits` takes.

    Returns
    -------
    Array of shape (len(BAND_VALUES), 6 bands, objects): rates in 1/d, peak flux in nJy, chi2 per degree of
    freedom; and the peak times, MJD TAI. NaN where there is no acceptable fit.
    """
    num_objects = len(detections.offsets) - 1
    out = np.full((len(BAND_VALUES), NUM_BANDS, num_objects), np.nan)
    peak = np.full((NUM_BANDS, num_objects), np.nan)
    _band_fits(
        detections.offsets,
        detections.time,
        detections.flux,
        detections.band_offsets,
        detections.band_time,
        detections.band_flux,
        detections.band_error,
        forced.band_offsets,
        forced.band_time,
        forced.band_flux,
        forced.band_error,
        eligible,
        out,
        peak,
    )
    return out, peak


@njit(cache=True, nogil=True)
def _may_be_transient(time, flux, start, stop):  # type: ignore[no-untyped-def]  # float64 arrays in time order
    """Whether the detections from `start` to `stop` may be one outburst."""
    if stop - start < _FEWEST_DETECTIONS:
        return False
    negative = 0
    for k in range(start, stop):
        if flux[k] < 0.0:
            negative += 1
    length = time[stop - 1] - time[start]
    return _SHORTEST <= length <= _LONGEST and negative <= _MOST_NEGATIVE * (stop - start)


@njit(cache=True, nogil=True)
def _points(  # type: ignore[no-untyped-def]  # see below
    time, flux, error, start, stop, forced_time, forced_flux, forced_error, forced_start, forced_stop
):
    """Detections `start` to `stop` after forced measurements, with errors; and the time of the brightest."""
    added = forced_stop - forced_start
    n = stop - start + added
    t, f, e = np.empty(n), np.empty(n), np.empty(n)
    for k in range(added):
        t[k] = forced_time[forced_start + k]
        f[k] = forced_flux[forced_start + k]
        e[k] = forced_error[forced_start + k]
    for k in range(stop - start):
        t[added + k] = time[start + k]
        f[added + k] = flux[start + k]
        e[added + k] = error[start + k]
    reference = t[_brightest(f)]
    for k in range(n):
        t[k] -= reference
    return t, f, e, reference


@njit(cache=True, nogil=True)
def _brightest(flux):  # type: ignore[no-untyped-def]  # float64 array
    best = 0
    for k in range(1, len(flux)):
        if flux[k] > flux[best]:
            best = k
    return best


@njit(cache=True, nogil=True)
def _before(forced_time, start, stop, first):  # type: ignore[no-untyped-def]  # float64 array in time order
    """The last few forced measurements before `first`, as a range."""
    end = start
    while end < stop and forced_time[end] < first:
        end += 1
    return max(start, end - _BEFORE), end


@njit(cache=True, nogil=True)
def fit_bazin(time, flux, weight, band, wavelength, free, p):  # type: ignore[no-untyped-def]  # see normal_equations
    """The best Bazin fit from up to three starts, into `p`; returns chi-squared (infinite if none)."""
    n = len(time)
    coloured = free[len(free) - 1] == LOG_TEMPERATURE
    length = max(time[n - 1] - time[0], _SHORTEST)
    brightest = _brightest(flux)
    best = math.inf
    trial = np.empty(NUM_PARAMETERS)
    for attempt in range(3):
        if attempt == 0:
            peak = time[brightest]
        elif attempt == 1:
            peak = time[n - 1] + 0.25 * length
        else:
            peak = time[brightest] - 0.15 * length
        if start_bazin(time, flux, weight, band, wavelength, coloured, peak, length, trial):
            chi2 = fit(BAZIN, time, flux, weight, band, wavelength, trial, free)
            if chi2 < best:
                best = chi2
                for k in range(NUM_PARAMETERS):
                    p[k] = trial[k]
        if best <= 1.5 * (n - len(free)):
            break
    return best


@njit(cache=True, nogil=True)
def _weighted_squares(flux, weight):  # type: ignore[no-untyped-def]  # float64 arrays
    """Chi-squared about the weighted mean: what is there to be explained."""
    total = sums = squares = 0.0
    for k in range(len(flux)):
        total += weight[k]
        sums += weight[k] * flux[k]
    for k in range(len(flux)):
        squares += weight[k] * (flux[k] - sums / total) ** 2
    return squares


@njit(cache=True, nogil=True)
def _accept_bazin(time, p, steepest_rise, steepest_fall):  # type: ignore[no-untyped-def]  # float64 arrays
    """Whether a Bazin fit describes a rise and a fall that the data can have seen."""
    kf = math.exp(p[LOG_FALL])
    kr = kf * (1.0 + math.exp(p[RATIO]))
    peak = p[TIME] + p[RATIO] / kr
    return (
        p[AMPLITUDE] > 0.0
        and kr <= steepest_rise
        and kf <= steepest_fall
        and time[0] <= peak <= time[len(time) - 1] + _LATEST_PEAK
    )


@njit(cache=True, nogil=True)
def _surface_fits(  # type: ignore[no-untyped-def]  # see surface_fits
    offsets,
    time,
    flux,
    error,
    band,
    forced_offsets,
    forced_time,
    forced_flux,
    forced_error,
    forced_band,
    wavelength,
    extinction,
    ebv,
    eligible,
    out,
    peak_mjd,
):
    p, q = np.empty(NUM_PARAMETERS), np.empty(NUM_PARAMETERS)
    wavelength = wavelength.copy()  # writeable like that of band_fits, so that one compiled fit serves both
    for i in range(len(offsets) - 1):
        start, stop = offsets[i], offsets[i + 1]
        if not eligible[i] or not _may_be_transient(time, flux, start, stop):
            continue
        forced_start, forced_stop = _before(
            forced_time, forced_offsets[i], forced_offsets[i + 1], time[start]
        )
        added = forced_stop - forced_start
        t, f, w, reference = _points(
            time, flux, error, start, stop, forced_time, forced_flux, forced_error, forced_start, forced_stop
        )
        n = len(t)
        b = np.empty(n, np.int8)
        in_band = np.zeros(NUM_BANDS, np.int64)
        usable = True
        for k in range(n):
            b[k] = forced_band[forced_start + k] if k < added else band[start + k - added]
            bright = 10.0 ** (0.4 * extinction[b[k]] * ebv[i]) if math.isfinite(ebv[i]) else 1.0
            f[k] *= bright
            w[k] = 1.0 / ((w[k] * bright) ** 2 + (_MODEL_ERROR * f[k]) ** 2)
            in_band[b[k]] = 1
            usable &= math.isfinite(wavelength[b[k]]) and 0.0 < w[k] < math.inf
        bands = 0
        for m in range(NUM_BANDS):
            bands += in_band[m]
        if not usable or bands < 2:
            continue
        dim = 10.0 ** (-0.4 * extinction[NUM_BANDS] * ebv[i]) if math.isfinite(ebv[i]) else 1.0
        squares = _weighted_squares(f, w)
        bazin = exponential = math.inf
        if n > len(_FREE_SURFACE):
            bazin = fit_bazin(t, f, w, b, wavelength, _FREE_SURFACE, p)
            if not (
                bazin <= _MOST_RESIDUAL * squares and _accept_bazin(t, p, _STEEPEST_RISE, _STEEPEST_FALL)
            ):
                bazin = math.inf
        if start_exponential(t, f, w, b, wavelength, max(t[n - 1] - t[0], _SHORTEST), q):
            exponential = fit(EXPONENTIAL, t, f, w, b, wavelength, q, _FREE_EXPONENTIAL)
            if not (
                exponential <= _MOST_RESIDUAL_EXPONENTIAL * squares
                and q[AMPLITUDE] > 0.0
                and -_STEEPEST_FALL <= q[GROWTH] <= _STEEPEST_RISE
            ):
                exponential = math.inf
        # Akaike's criterion: chi-squared plus twice the number of parameters.
        if bazin + 10.0 <= exponential + 6.0 and bazin < math.inf:
            cov = covariance(BAZIN, t, f, w, b, wavelength, p, _FREE_SURFACE)
            _report_bazin(p, cov, max(1.0, bazin / (n - 5)), dim, out, i)
            out[_CHI2, i] = bazin / (n - 5)
            kr = math.exp(p[LOG_FALL]) * (1.0 + math.exp(p[RATIO]))
            peak_mjd[i] = reference + p[TIME] + p[RATIO] / kr
        elif exponential < math.inf:
            cov = covariance(EXPONENTIAL, t, f, w, b, wavelength, q, _FREE_EXPONENTIAL)
            scale = max(1.0, exponential / (n - 3))
            rising = q[GROWTH] > 0.0
            out[_RISE if rising else _FALL, i] = abs(q[GROWTH])
            out[_RISE_ERR if rising else _FALL_ERR, i] = math.sqrt(scale * cov[1, 1])
            _report_temperature(q, scale * cov[2, 2], out, i)
            out[_CHI2, i] = exponential / (n - 3)


@njit(cache=True, nogil=True)
def _report_temperature(p, variance, out, i):  # type: ignore[no-untyped-def]  # float64 arrays
    temperature = math.exp(p[LOG_TEMPERATURE])
    if COOLEST <= temperature <= HOTTEST:
        out[_TEMP, i] = temperature
        out[_TEMP_ERR, i] = temperature * math.sqrt(variance)


@njit(cache=True, nogil=True)
def _report_bazin(p, cov, scale, dim, out, i):  # type: ignore[no-untyped-def]  # float64 arrays
    """Rates, temperature and peak of a surface fit with their errors by linear propagation."""
    kf, odds = math.exp(p[LOG_FALL]), math.exp(p[RATIO])
    kr = kf * (1.0 + odds)
    share = 1.0 / (1.0 + odds)  # kf/kr
    to_peak = p[RATIO] / kr
    peak = p[AMPLITUDE] * bazin_shape(to_peak, kr, kf) * dim
    # Derivatives by the parameters (A, t0, q, ln kf).
    gradient = np.zeros((3, 4))
    gradient[0, 2], gradient[0, 3] = kf * odds, kr
    gradient[1, 1], gradient[1, 3] = 1.0, -to_peak
    gradient[1, 2] = 1.0 / kr - to_peak * (1.0 - share)
    gradient[2, 0] = peak / p[AMPLITUDE]
    gradient[2, 2] = peak * p[RATIO] * share * (1.0 - share)
    errors = np.zeros(3)
    for m in range(3):
        for j in range(4):
            for k in range(4):
                errors[m] += gradient[m, j] * cov[j, k] * gradient[m, k]
    out[_RISE, i] = kr
    out[_RISE_ERR, i] = math.sqrt(scale * errors[0])
    out[_FALL, i] = kf
    out[_FALL_ERR, i] = kf * math.sqrt(scale * cov[3, 3])
    out[_PEAK, i] = peak
    out[_PEAK_ERR, i] = math.sqrt(scale * errors[2])
    out[_PEAK_MJD_ERR, i] = math.sqrt(scale * errors[1])
    _report_temperature(p, scale * cov[4, 4], out, i)


@njit(cache=True, nogil=True)
def _band_fits(  # type: ignore[no-untyped-def]  # see band_fits
    offsets,
    time,
    flux,
    band_offsets,
    band_time,
    band_flux,
    band_error,
    forced_offsets,
    forced_time,
    forced_flux,
    forced_error,
    eligible,
    out,
    peak_mjd,
):
    p = np.empty(NUM_PARAMETERS)
    no_wavelengths = np.ones(NUM_BANDS + 1)
    for i in range(len(offsets) - 1):
        if not eligible[i] or not _may_be_transient(time, flux, offsets[i], offsets[i + 1]):
            continue
        for b in range(NUM_BANDS):
            group = NUM_BANDS * i + b
            start, stop = band_offsets[group], band_offsets[group + 1]
            if stop == start:
                continue
            forced_start, forced_stop = _before(
                forced_time, forced_offsets[group], forced_offsets[group + 1], time[offsets[i]]
            )
            n = stop - start + forced_stop - forced_start
            if n < _FEWEST_IN_BAND:
                continue
            t, f, w, reference = _points(
                band_time,
                band_flux,
                band_error,
                start,
                stop,
                forced_time,
                forced_flux,
                forced_error,
                forced_start,
                forced_stop,
            )
            for k in range(n):
                w[k] = 1.0 / (w[k] * w[k])
            chi2 = fit_bazin(t, f, w, np.zeros(n, np.int8), no_wavelengths, _FREE_BAND, p)
            if not (
                chi2 <= _MOST_RESIDUAL * _weighted_squares(f, w)
                and _accept_bazin(t, p, _STEEPEST_IN_BAND, _STEEPEST_IN_BAND)
            ):
                continue
            kf = math.exp(p[LOG_FALL])
            kr = kf * (1.0 + math.exp(p[RATIO]))
            out[0, b, i] = kr
            out[1, b, i] = kf
            out[2, b, i] = p[AMPLITUDE] * bazin_shape(p[RATIO] / kr, kr, kf)
            out[3, b, i] = chi2 / (n - 4)
            peak_mjd[b, i] = reference + p[TIME] + p[RATIO] / kr
