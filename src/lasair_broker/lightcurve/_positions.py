"""How the positions of an object's detections scatter and move."""

from __future__ import annotations

import math

import numpy as np

from lasair_broker.lightcurve._curves import Float32, Float64, Int64
from lasair_broker.lightcurve._kernel import kernel

POSITION_VALUES = ("posScatter", "posReducedChi2", "posDrift", "posDriftErr")

_SCATTER, _CHI2, _DRIFT, _DRIFT_ERR = 0, 1, 2, 3
_BASELINE = 0.02  # d


def positions(
    offsets: Int64,
    time: Float64,
    ra: Float64,
    decl: Float64,
    ra_error: Float32,
    decl_error: Float32,
    object_ra: Float64,
    object_decl: Float64,
) -> Float64:
    """Scatter and drift of detections' positions, shape (len(POSITION_VALUES), objects), NaN if undefined.

    Parameters
    ----------
    offsets, time
        Detections of each object; a NaN time (MJD TAI) leaves one out.
    ra, decl, ra_error, decl_error
        Their positions and great-circle errors in degrees.
    object_ra, object_decl
        Mean positions in degrees; offsets are measured in the plane tangent there.

    Notes
    -----
    posScatter: root of the summed sample variances of both axes, arcsec. posReducedChi2: sum over both axes
    of (offset - weighted mean)^2 / error^2 over 2 (n - 1). posDrift: length of the weighted (all errors
    known, else equal weights) straight-line motion, arcsec/d, and the error of one axis of it.
    """
    out = np.full((len(POSITION_VALUES), len(offsets) - 1), np.nan)
    _positions(offsets, time, ra, decl, ra_error, decl_error, object_ra, object_decl, out)
    return out


@kernel
def _positions(offsets, time, ra, decl, ra_error, decl_error, object_ra, object_decl, out):  # type: ignore[no-untyped-def]  # see positions
    most = 1
    for i in range(len(offsets) - 1):
        most = max(most, offsets[i + 1] - offsets[i])
    t, x, y = np.empty(most), np.empty(most), np.empty(most)
    x_weight, y_weight = np.empty(most), np.empty(most)
    for i in range(len(offsets) - 1):
        scale = math.cos(math.radians(object_decl[i]))
        n = 0
        errors_known = True
        for j in range(offsets[i], offsets[i + 1]):
            if not (math.isfinite(time[j]) and math.isfinite(ra[j]) and math.isfinite(decl[j])):
                continue
            t[n] = time[j]
            turn = ra[j] - object_ra[i]
            if abs(turn) > 180.0:  # across right ascension 0
                turn = turn - 360.0 * math.floor(turn / 360.0 + 0.5)
            x[n] = turn * scale * 3600.0
            y[n] = (decl[j] - object_decl[i]) * 3600.0
            dx, dy = ra_error[j] * 3600.0, decl_error[j] * 3600.0
            errors_known &= 0.0 < dx < math.inf and 0.0 < dy < math.inf
            if errors_known:
                x_weight[n] = 1.0 / (dx * dx)
                y_weight[n] = 1.0 / (dy * dy)
            n += 1
        if n < 2:
            continue
        x_mean = y_mean = squares = 0.0
        for k in range(n):
            x_mean += x[k]
            y_mean += y[k]
        x_mean /= n
        y_mean /= n
        for k in range(n):
            squares += (x[k] - x_mean) ** 2 + (y[k] - y_mean) ** 2
        out[_SCATTER, i] = math.sqrt(squares / (n - 1))
        if not errors_known:
            for k in range(n):
                x_weight[k] = y_weight[k] = 1.0
        x_chi2, x_slope, x_variance = _line(t, x, x_weight, n)
        y_chi2, y_slope, y_variance = _line(t, y, y_weight, n)
        if errors_known:
            out[_CHI2, i] = (x_chi2 + y_chi2) / (2.0 * (n - 1))
        if t[n - 1] - t[0] >= _BASELINE:
            out[_DRIFT, i] = math.hypot(x_slope, y_slope)
            if errors_known:
                out[_DRIFT_ERR, i] = math.sqrt(0.5 * (x_variance + y_variance))


@kernel
def _line(t, x, weight, n):  # type: ignore[no-untyped-def]  # see positions
    """Chi2 about the weighted mean, and slope and its variance of the weighted straight line."""
    total = mean = centre = 0.0
    for k in range(n):
        total += weight[k]
        mean += weight[k] * x[k]
        centre += weight[k] * (t[k] - t[0])
    mean /= total
    centre /= total
    chi2 = covariance = variance = 0.0
    for k in range(n):
        dt = t[k] - t[0] - centre
        chi2 += weight[k] * (x[k] - mean) ** 2
        covariance += weight[k] * dt * (x[k] - mean)
        variance += weight[k] * dt * dt
    if variance <= 0.0:
        return chi2, math.nan, math.nan
    return chi2, covariance / variance, 1.0 / variance
