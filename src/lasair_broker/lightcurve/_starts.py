"""Starting points of fits: the best of coarse grids."""

from __future__ import annotations

import math

import numpy as np

from lasair_broker.lightcurve._kernel import kernel
from lasair_broker.lightcurve._models import (
    AMPLITUDE,
    LOG_FALL,
    LOG_TEMPERATURE,
    RATIO,
    TIME,
    bazin_shape,
    colours,
)

# Starting temperatures, kK.
_TEMPERATURES = np.array([4.5, 7.0, 11.0, 20.0])
# Fall rates in units of the inverse length of the light curve, and q = ln(kr/kf - 1).
_FALLS = np.array([1.0, 3.5, 12.0])
_RATIOS = np.array([0.5, 2.0, 3.5])


@kernel
def start_bazin(time, flux, weight, band, wavelength, coloured, peak, length, p):  # type: ignore[no-untyped-def]  # see below
    """Fill `p` with the best of a coarse grid of Bazin functions that peak at `peak`.

    For each shape in time the amplitude, and for each temperature too, follow from sums by band (linear least
    squares), so that temperatures cost nothing. `length` (d) sets the scale of the rates.
    """
    shape_flux, shape_shape = np.empty(6), np.empty(6)
    temperatures = len(_TEMPERATURES) if coloured else 1
    relative, slope = np.ones((temperatures, 6)), np.empty(6)
    if coloured:
        for m in range(temperatures):
            colours(wavelength, _TEMPERATURES[m], relative[m], slope)
    best = 0.0
    p[AMPLITUDE], p[TIME], p[RATIO] = 0.0, peak, 2.0
    p[LOG_FALL], p[LOG_TEMPERATURE] = math.log(3.0 / length), math.log(8.0)
    for fall in _FALLS:
        kf = fall / length
        for q in _RATIOS:
            kr = kf * (1.0 + math.exp(q))
            t0 = peak - q / kr
            for b in range(6):
                shape_flux[b] = shape_shape[b] = 0.0
            for k in range(len(time)):
                g = bazin_shape(time[k] - t0, kr, kf)
                shape_flux[band[k]] += weight[k] * g * flux[k]
                shape_shape[band[k]] += weight[k] * g * g
            for m in range(temperatures):
                top = bottom = 0.0
                for b in range(6):
                    if shape_shape[b] == 0.0:  # and the survey may not have the band: no wavelength
                        continue
                    top += relative[m, b] * shape_flux[b]
                    bottom += relative[m, b] ** 2 * shape_shape[b]
                # Chi-squared falls by top^2 / bottom against no transient at all.
                if top > 0.0 and top * top > best * bottom:
                    best = top * top / bottom
                    p[AMPLITUDE], p[TIME], p[RATIO], p[LOG_FALL] = top / bottom, t0, q, math.log(kf)
                    if coloured:
                        p[LOG_TEMPERATURE] = math.log(_TEMPERATURES[m])
    return best > 0.0


@kernel
def start_exponential(time, flux, weight, band, wavelength, length, p):  # type: ignore[no-untyped-def]  # see below
    """Fill `p` with the best of a coarse grid of exponentials; `time` is counted from their t0."""
    relative, slope = np.ones(6), np.empty(6)
    best = 0.0
    for k in range(len(p)):
        p[k] = 0.0
    p[LOG_TEMPERATURE] = math.log(8.0)
    for temperature in _TEMPERATURES:
        colours(wavelength, temperature, relative, slope)
        for rate in (-3.0, -1.0, -0.3, 0.3, 1.0, 3.0, 10.0):
            growth = rate / length
            top = bottom = 0.0
            for k in range(len(time)):
                s = relative[band[k]] * math.exp(max(-100.0, min(100.0, growth * time[k])))
                top += weight[k] * s * flux[k]
                bottom += weight[k] * s * s
            if top > 0.0 and top * top > best * bottom:
                best = top * top / bottom
                p[AMPLITUDE], p[1], p[LOG_TEMPERATURE] = top / bottom, growth, math.log(temperature)
    return best > 0.0
