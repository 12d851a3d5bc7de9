"""Fits of transient models to the light curves that may be transients."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lasair_broker.lightcurve._blackbody import COOLEST, HOTTEST
from lasair_broker.lightcurve._curves import NUM_BANDS, Float64, Measurements
from lasair_broker.lightcurve._models import AMPLITUDE, GROWTH, LOG_FALL, LOG_TEMPERATURE, RATIO, TIME
from lasair_broker.lightcurve._problems import (
    Bool,
    Problems,
    band_problems,
    object_problems,
)
from lasair_broker.lightcurve._solver import Fitted, fit_bazins, fit_exponentials

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

_STEEPEST_RISE, _STEEPEST_FALL = 15.0, 2.0  # 1/d; Lasair's bounds of the surface fit
_STEEPEST_IN_BAND = 200.0  # 1/d; a flare of minutes
_LATEST_PEAK = 10.0  # d after the last measurement: beyond, the peak has not been seen
_MOST_RESIDUAL, _MOST_RESIDUAL_EXPONENTIAL = 0.25, 0.35
_FEWEST_IN_BAND = 8
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
    extinction where E(B-V) is known, and weighted by their errors and 5 % of the flux in quadrature. A weak
    prior of the ratio of the rates keeps a rise that was not seen from running away.

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
        Objects that may be fitted: `may_be_transient`, and not known to be something else.

    Returns
    -------
    Array of shape (len(SURFACE_VALUES), n) and BBBPeakMJD; NaN where there is no (acceptable) fit. Rates in
    1/d, temperatures in kK, fluxes in nJy as observed, chi2 per degree of freedom. Errors are from the
    covariance, scaled up by sqrt(chi2/dof) where that is above 1. An exponential has either a rise or a fall
    rate, no peak.
    """
    num_objects = len(detections.offsets) - 1
    out = np.full((len(SURFACE_VALUES), num_objects), np.nan)
    peak_mjd = np.full(num_objects, np.nan)
    if not eligible.any():
        return out, peak_mjd
    in_band = np.diff(detections.band_offsets).reshape(num_objects, NUM_BANDS) > 0
    known_bands = np.isfinite(wavelength[:NUM_BANDS])
    wanted = eligible & (in_band.sum(axis=1) >= 2)
    wanted &= ~(in_band & ~known_bands).any(axis=1)
    problems = object_problems(detections, forced, wanted)
    dust = np.nan_to_num(ebv)[problems.rows]
    bright = 10.0 ** (0.4 * np.nan_to_num(extinction)[problems.band] * problems.of_points(dust))
    problems.flux[:] *= bright
    with np.errstate(over="ignore", divide="ignore"):
        variance = (problems.error * bright) ** 2 + (_MODEL_ERROR * problems.flux) ** 2
    # A forced measurement in a band that the survey is not known to have says nothing.
    weight = np.where(known_bands[problems.band], 1.0 / variance, 0.0)
    squares = _squares(problems, weight)
    bazin = fit_bazins(problems, weight, wavelength, coloured=True)
    exponential = fit_exponentials(problems, weight, wavelength)
    seen = _is_seen(problems, bazin, _STEEPEST_RISE, _STEEPEST_FALL)
    bazin_chi2 = np.where(seen & (bazin.chi2 <= _MOST_RESIDUAL * squares), bazin.chi2, np.inf)
    growth = exponential.parameters[:, GROWTH]
    sound = (
        (exponential.parameters[:, AMPLITUDE] > 0.0)
        & (growth >= -_STEEPEST_FALL)
        & (growth <= _STEEPEST_RISE)
    )
    sound &= exponential.chi2 <= _MOST_RESIDUAL_EXPONENTIAL * squares
    exponential_chi2 = np.where(sound, exponential.chi2, np.inf)
    # Akaike's criterion: chi-squared plus twice the number of parameters.
    is_bazin = np.isfinite(bazin_chi2) & (bazin_chi2 + 10.0 <= exponential_chi2 + 6.0)
    is_exponential = np.isfinite(exponential_chi2) & ~is_bazin
    values = np.full((len(SURFACE_VALUES), len(problems.rows)), np.nan)
    peak = np.full(len(problems.rows), np.nan)
    dim = 10.0 ** (-0.4 * extinction[NUM_BANDS] * dust)
    _report_bazin(bazin, is_bazin, dim, values, peak)
    _report_exponential(exponential, is_exponential, values)
    out[:, problems.rows] = values
    peak_mjd[problems.rows] = peak + problems.reference
    return out, peak_mjd


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
    if not eligible.any():
        nothing = np.full((len(BAND_VALUES), NUM_BANDS, num_objects), np.nan)
        return nothing, nothing[0]
    out = np.full((len(BAND_VALUES), num_objects * NUM_BANDS), np.nan)
    peak_mjd = np.full(num_objects * NUM_BANDS, np.nan)
    problems = band_problems(detections, forced, eligible, _FEWEST_IN_BAND)
    with np.errstate(over="ignore", divide="ignore"):
        weight = 1.0 / problems.error**2
    fitted = fit_bazins(problems, weight, np.ones(NUM_BANDS + 1), coloured=False)
    good = fitted.chi2 <= _MOST_RESIDUAL * _squares(problems, weight)
    good &= _is_seen(problems, fitted, _STEEPEST_IN_BAND, _STEEPEST_IN_BAND)
    kr, kf, to_peak, peak_flux = _rates_and_peak(fitted)
    values = np.stack([kr, kf, peak_flux, fitted.chi2 / fitted.degrees])
    out[:, problems.rows] = np.where(good, values, np.nan)
    peak_mjd[problems.rows] = np.where(
        good, problems.reference + fitted.parameters[:, TIME] + to_peak, np.nan
    )
    by_band = np.ascontiguousarray(out.reshape(len(BAND_VALUES), num_objects, NUM_BANDS).transpose(0, 2, 1))
    return by_band, np.ascontiguousarray(peak_mjd.reshape(num_objects, NUM_BANDS).T)


def _squares(problems: Problems, weight: Float64) -> Float64:
    """Chi-squared about the weighted mean: what there is to be explained."""
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        mean = problems.sums(weight * problems.flux) / problems.sums(weight)
        return problems.sums(weight * (problems.flux - problems.of_points(mean)) ** 2)


def _rates_and_peak(fitted: Fitted) -> tuple[Float64, Float64, Float64, Float64]:
    """kr, kf, days from t0 to the peak, and the flux there."""
    with np.errstate(over="ignore", invalid="ignore"):
        kf, odds = np.exp(fitted.parameters[:, LOG_FALL]), np.exp(fitted.parameters[:, RATIO])
        kr = kf * (1.0 + odds)
        to_peak = fitted.parameters[:, RATIO] / kr
        peak = fitted.parameters[:, AMPLITUDE] * np.exp(-kf * to_peak) / (1.0 + 1.0 / odds)
    return kr, kf, to_peak, peak


def _is_seen(problems: Problems, fitted: Fitted, steepest_rise: float, steepest_fall: float) -> Bool:
    """Whether a Bazin fit describes a rise and a fall that the data can have seen."""
    if len(problems.rows) == 0:
        return np.zeros(0, np.bool_)
    kr, kf, to_peak, _ = _rates_and_peak(fitted)
    peak = fitted.parameters[:, TIME] + to_peak
    first, last = problems.time[problems.offsets[:-1]], problems.time[problems.offsets[1:] - 1]
    seen: Bool = (fitted.parameters[:, AMPLITUDE] > 0.0) & (kr <= steepest_rise) & (kf <= steepest_fall)
    return seen & (first <= peak) & (peak <= last + _LATEST_PEAK)


def _scaled(fitted: Fitted) -> Float64:
    """Covariances, larger where the scatter is larger than the errors say."""
    with np.errstate(invalid="ignore"):
        scaled: Float64 = fitted.covariance * np.maximum(1.0, fitted.chi2 / fitted.degrees)[:, None, None]
    return scaled


def _report_temperature(fitted: Fitted, place: int, chosen: Bool, values: Float64) -> None:
    """Fill the temperature, whose logarithm is free parameter number `place`, and its error."""
    kelvin = np.exp(fitted.parameters[:, LOG_TEMPERATURE])
    chosen = chosen & (kelvin >= COOLEST) & (kelvin <= HOTTEST)
    values[_TEMP, chosen] = kelvin[chosen]
    values[_TEMP_ERR, chosen] = (kelvin * np.sqrt(_scaled(fitted)[:, place, place]))[chosen]


def _report_bazin(fitted: Fitted, chosen: Bool, dim: Float64, values: Float64, peak: Float64) -> None:
    """Fill rates, temperature and peak of the chosen surface fits, with errors by linear propagation."""
    kr, kf, to_peak, peak_flux = _rates_and_peak(fitted)
    p, cov = fitted.parameters, _scaled(fitted)[:, :4, :4]
    with np.errstate(invalid="ignore"):
        share = kf / kr
        # Derivatives by (A, t0, q, ln kf) of kr, of the time of the peak, and of its flux.
        nothing = np.zeros_like(kr)
        of_rise = np.stack([nothing, nothing, kr - kf, kr], axis=1)
        of_time = np.stack([nothing, nothing + 1.0, 1.0 / kr - to_peak * (1.0 - share), -to_peak], axis=1)
        of_flux = np.stack(
            [
                peak_flux / p[:, AMPLITUDE],
                nothing,
                peak_flux * p[:, RATIO] * share * (1.0 - share),
                nothing,
            ],
            axis=1,
        )
        rise_err, time_err, flux_err = (
            np.sqrt(np.einsum("pi,pij,pj->p", g, cov, g)) for g in (of_rise, of_time, of_flux)
        )
        made = {
            _RISE: kr,
            _RISE_ERR: rise_err,
            _FALL: kf,
            _FALL_ERR: kf * np.sqrt(cov[:, 3, 3]),
            _PEAK: peak_flux * dim,
            _PEAK_ERR: flux_err * dim,
            _PEAK_MJD_ERR: time_err,
            _CHI2: fitted.chi2 / fitted.degrees,
        }
    for place, column in made.items():
        values[place, chosen] = column[chosen]
    peak[chosen] = (p[:, TIME] + to_peak)[chosen]
    _report_temperature(fitted, 4, chosen, values)


def _report_exponential(fitted: Fitted, chosen: Bool, values: Float64) -> None:
    """Fill the rate (of rise or fall) and temperature of the chosen exponential fits."""
    growth = fitted.parameters[:, GROWTH]
    error = np.sqrt(_scaled(fitted)[:, 1, 1])
    for rising, rate, rate_error in ((growth > 0.0, _RISE, _RISE_ERR), (growth <= 0.0, _FALL, _FALL_ERR)):
        values[rate, chosen & rising] = np.abs(growth)[chosen & rising]
        values[rate_error, chosen & rising] = error[chosen & rising]
    values[_CHI2, chosen] = (fitted.chi2 / fitted.degrees)[chosen]
    _report_temperature(fitted, 2, chosen, values)
