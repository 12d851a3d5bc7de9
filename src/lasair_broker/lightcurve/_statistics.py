"""Statistics of the flux in one band."""

from __future__ import annotations

import math

import numpy as np

from lasair_broker.lightcurve._curves import NUM_BANDS, Float64, Measurements
from lasair_broker.lightcurve._kernel import summing_kernel

SURVEY_STATISTICS = (
    "psfFluxMean",
    "psfFluxMeanErr",
    "psfFluxSigma",
    "psfFluxMin",
    "psfFluxMax",
    "psfFluxMaxSlope",
    "psfFluxErrMean",
)
"""What Rubin computes itself; here for surveys that do not."""

OWN_STATISTICS = (
    "snrMax",
    "excessVariance",
    "skew",
    "kurtosis",
    "stetsonK",
    "vonNeumann",
    "reducedChi2",
    "slope",
    "slopeErr",
    "magSlope",
    "magSlopeErr",
    "riseSlope",
    "fadeSlope",
    "maxJump",
)

STATISTICS = SURVEY_STATISTICS + OWN_STATISTICS

# Their places in the output.
(
    _MEAN,
    _MEAN_ERR,
    _SIGMA,
    _MIN,
    _MAX,
    _MAX_SLOPE,
    _ERR_MEAN,
    _SNR_MAX,
    _EXCESS_VARIANCE,
    _SKEW,
    _KURTOSIS,
    _STETSON_K,
    _VON_NEUMANN,
    _REDUCED_CHI2,
    _SLOPE,
    _SLOPE_ERR,
    _MAG_SLOPE,
    _MAG_SLOPE_ERR,
    _RISE_SLOPE,
    _FADE_SLOPE,
    _MAX_JUMP,
) = range(len(STATISTICS))

_MAG = 2.5 / math.log(10.0)
_RATE_WINDOW = 7.0  # d
_RATE_SNR = 3.0
_RATE_BASELINE = 0.02  # d; the two exposures of one visit say nothing of a rate
_MAG_FLOOR = 1e-6  # mag^2; no magnitude is good to better than 1 mmag
_ZERO_MEAN = 1e-6  # of the largest flux: below, the mean is rounding and the excess variance means nothing


def band_statistics(curves: Measurements) -> Float64:
    """Statistics of each object in each band, shape (len(STATISTICS), 6 bands, objects), NaN where undefined.

    With n measurements f of error e at times t, weights w = 1/e^2, weighted mean m and sample variance s^2
    (n - 1 in the denominator):

    - psfFluxMean, psfFluxMeanErr: m and 1/sqrt(sum w); psfFluxSigma: s; psfFluxErrMean: mean of e;
    psfFluxMin,
      psfFluxMax; psfFluxMaxSlope: largest (f_k+1 - f_k)/(t_k+1 - t_k), nJy/d, over steps that take time.
    - snrMax: largest f/e.
    - excessVariance: (s^2 - mean of e^2) / (mean of f)^2 (Sanchez et al. 2017, ApJ 849, 110).
    - skew, kurtosis: the unbiased estimators G1 and G2 (excess) of Joanes & Gill 1998; from 3 and 4 points.
    - stetsonK: sum|d| / sqrt(n sum d^2) with d = (f - m)/e (Stetson 1996, PASP 108, 851).
    - vonNeumann: sum (f_k+1 - f_k)^2 / ((n - 1) s^2) (von Neumann 1941).
    - reducedChi2: sum d^2 / (n - 1).
    - slope, slopeErr: weighted straight line, nJy/d.
    - magSlope, magSlopeErr: weighted straight line through the magnitudes of the 7 days before the newest
      measurement, from points with f/e >= 3, mag/d, positive when fading; 1 mmag is added to their errors.
    - riseSlope, fadeSlope: magnitudes gained a day between the first such point and the brightest, and lost
      between the brightest and the last; at least 0.02 d apart.
    - maxJump: largest |f_k+1 - f_k| / sqrt(e_k^2 + e_k+1^2).
    """
    num_objects = len(curves.offsets) - 1
    out = np.empty((len(STATISTICS), NUM_BANDS, num_objects))
    _statistics(curves.band_offsets, curves.band_time, curves.band_flux, curves.band_error, out)
    return out


@summing_kernel
def _statistics(offsets, time, flux, error, out):  # type: ignore[no-untyped-def]  # see band_statistics
    most = 0
    for group in range(len(offsets) - 1):
        most = max(most, offsets[group + 1] - offsets[group])
    inverse, good = np.empty(most), np.empty(most + 1, np.int64)
    row = np.empty(out.shape[0])
    for group in range(len(offsets) - 1):
        start, stop = offsets[group], offsets[group + 1]
        for m in range(len(row)):
            row[m] = math.nan
        if stop > start:
            _moments(time, flux, error, start, stop, inverse, row)
            _slopes_of_magnitude(time, flux, error, start, stop, good, row)
        i, b = group // NUM_BANDS, group % NUM_BANDS
        for m in range(len(row)):
            out[m, b, i] = row[m]


@summing_kernel
def _moments(time, flux, error, start, stop, inverse, row):  # type: ignore[no-untyped-def]  # see band_statistics
    """Fill `row` with what needs only sums; `inverse` is scratch for 1/error."""
    n = stop - start
    weight = weighted = total = errors = variances = weighted_time = 0.0
    low, high, snr = math.inf, -math.inf, -math.inf
    begin = time[start]
    for k in range(n):
        f, e = flux[start + k], error[start + k]
        v = 1.0 / e
        inverse[k] = v
        w = v * v
        weight += w
        weighted += w * f
        weighted_time += w * (time[start + k] - begin)
        total += f
        errors += e
        variances += e * e
        low = min(low, f)
        high = max(high, f)
        snr = max(snr, f * v)
    mean = total / n
    centre = weighted / weight
    row[_MEAN] = centre
    row[_MEAN_ERR] = 1.0 / math.sqrt(weight)
    row[_MIN] = low
    row[_MAX] = high
    row[_ERR_MEAN] = errors / n
    row[_SNR_MAX] = snr
    if n < 2:
        return
    middle = weighted_time / weight
    second = third = fourth = 0.0
    chi2 = absolute = time_variance = covariance = 0.0
    for k in range(n):
        d = flux[start + k] - mean
        second += d * d
        third += d * d * d
        fourth += d * d * d * d
        residual = flux[start + k] - centre
        s = residual * inverse[k]
        chi2 += s * s
        absolute += abs(s)
        dt = time[start + k] - begin - middle
        leverage = inverse[k] * inverse[k] * dt
        time_variance += leverage * dt
        covariance += leverage * residual
    steps = max_jump = 0.0
    max_slope = -math.inf
    for k in range(start + 1, stop):
        step = flux[k] - flux[k - 1]
        steps += step * step
        max_jump = max(max_jump, step * step / (error[k] * error[k] + error[k - 1] * error[k - 1]))
        if time[k] > time[k - 1]:
            max_slope = max(max_slope, step / (time[k] - time[k - 1]))
    row[_MAX_JUMP] = math.sqrt(max_jump)
    row[_REDUCED_CHI2] = chi2 / (n - 1)
    if max_slope > -math.inf:
        row[_MAX_SLOPE] = max_slope
    if time[stop - 1] > begin:
        row[_SLOPE] = covariance / time_variance
        row[_SLOPE_ERR] = 1.0 / math.sqrt(time_variance)
    if high == low:  # sums of squares would be rounding
        second = third = fourth = 0.0
    variance = second / (n - 1)
    row[_SIGMA] = math.sqrt(variance)
    if abs(mean) > _ZERO_MEAN * max(abs(low), abs(high)):
        row[_EXCESS_VARIANCE] = (variance - variances / n) / (mean * mean)
    if high == low:
        return
    row[_STETSON_K] = absolute / math.sqrt(n * chi2)
    row[_VON_NEUMANN] = steps / second
    if n > 2:
        row[_SKEW] = n / ((n - 1.0) * (n - 2.0)) * third / (variance * math.sqrt(variance))
    if n > 3:
        scale = n * (n + 1.0) / ((n - 1.0) * (n - 2.0) * (n - 3.0))
        row[_KURTOSIS] = scale * fourth / (variance * variance) - 3.0 * (n - 1.0) ** 2 / (
            (n - 2.0) * (n - 3.0)
        )


@summing_kernel
def _slopes_of_magnitude(time, flux, error, start, stop, good, row):  # type: ignore[no-untyped-def]  # see band_statistics
    """Fill `row` with changes of magnitude; `good` is scratch for the points that have one."""
    number = 0
    for k in range(start, stop):
        good[number] = k
        number += flux[k] >= _RATE_SNR * error[k]
    if number == 0:
        return
    first, last = good[0], good[number - 1]
    brightest = first
    for m in range(1, number):
        brightest = good[m] if flux[good[m]] > flux[brightest] else brightest
    if time[brightest] - time[first] >= _RATE_BASELINE:
        row[_RISE_SLOPE] = _MAG * math.log(flux[brightest] / flux[first]) / (time[brightest] - time[first])
    if time[last] - time[brightest] >= _RATE_BASELINE:
        row[_FADE_SLOPE] = _MAG * math.log(flux[brightest] / flux[last]) / (time[last] - time[brightest])
    recent = number
    while recent > 0 and time[good[recent - 1]] >= time[stop - 1] - _RATE_WINDOW:
        recent -= 1
    if recent == number or time[last] - time[good[recent]] < _RATE_BASELINE:
        return
    weight = weighted_time = weighted_mag = 0.0
    for m in range(recent, number):
        k = good[m]
        w = 1.0 / ((_MAG * error[k] / flux[k]) ** 2 + _MAG_FLOOR)
        weight += w
        weighted_time += w * (time[k] - time[last])
        weighted_mag -= w * _MAG * math.log(flux[k])
    middle, mean = weighted_time / weight, weighted_mag / weight
    variance = covariance = 0.0
    for m in range(recent, number):
        k = good[m]
        w = 1.0 / ((_MAG * error[k] / flux[k]) ** 2 + _MAG_FLOOR)
        dt = time[k] - time[last] - middle
        variance += w * dt * dt
        covariance += w * dt * (-_MAG * math.log(flux[k]) - mean)
    row[_MAG_SLOPE] = covariance / variance
    row[_MAG_SLOPE_ERR] = 1.0 / math.sqrt(variance)
