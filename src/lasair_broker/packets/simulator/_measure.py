"""Measuring: from true fluxes to difference-image photometry with noise, and which of it is a detection.

The error of a flux F in a visit of 5-sigma depth F5 is sigma^2 = (0.04 - g) F F5 + g F5^2 with g = 0.039
(Ivezic et al. 2019, ApJ 873, 111, equation 5, in flux), and 1 % of the difference flux for calibration and
subtraction.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from lasair_broker.compiled import njit
from lasair_broker.packets.simulator._random import hash2, normal, normal_pair, uniform

__all__ = ["SNR_THRESHOLD", "TEMPLATE_ERROR", "flux_error", "measure", "position_error_arcsec", "reliability"]

SNR_THRESHOLD = 5.0
_GAMMA = 0.039
_FLOOR = 0.01
TEMPLATE_ERROR = 12.0
"""1-sigma error of a point source in the template, nJy."""


@njit(cache=True, inline="always")
def flux_error(science: float, difference: float, five_sigma: float) -> float:
    """1-sigma error of a difference flux; all in nJy."""
    shot = (0.04 - _GAMMA) * max(science, 0.0) * five_sigma
    return float(np.sqrt(_GAMMA * five_sigma**2 + shot + (_FLOOR * difference) ** 2))


@njit(cache=True, inline="always")
def position_error_arcsec(seeing: float, snr: float) -> float:
    """1-sigma error of a coordinate: FWHM / (2.355 snr), at least 10 milliarcsec of calibration."""
    return float(np.sqrt((seeing / (2.355 * snr)) ** 2 + 1e-4))


@njit(cache=True, inline="always")
def reliability(snr: float, real: bool, key: Any) -> float:
    """A score like that of a good real-bogus network: real ones mostly near 1, artefacts mostly low."""
    typical, spread = (0.9 + 1.4 * np.sqrt(max(snr - 4.5, 0.0)), 1.1) if real else (-2.2, 1.3)
    logit = typical + spread * normal(key)
    return float(1.0 / (1.0 + np.exp(-logit)))


@njit(cache=True)
def measure(
    true: Any,
    template: Any,
    static: Any,
    key: Any,
    detector: Any,
    visit: Any,
    band: Any,
    five_sigma: Any,
    psf: Any,
    err: Any,
    science: Any,
    measured_template: Any,
    detected: Any,
) -> None:
    """Measure every object in every visit that covers it.

    Parameters
    ----------
    true, detector
        True flux (nJy, without static light) and detector (-1: not covered), shape (objects, visits).
    template, static
        Flux of the object in the template and of what else is there, nJy, shape (objects, 6).
    key
        One 64-bit key an object.
    visit, band, five_sigma
        Visit id, band code and 5-sigma flux (nJy) of each visit.
    psf, err, science, measured_template, detected
        Results, shape (objects, visits) but (objects, 6) for the template; fluxes NaN where not covered.
    """
    n, width = true.shape
    for i in range(n):
        for b in range(6):
            measured_template[i, b] = template[i, b] + static[i, b]
        for j in range(width):
            detected[i, j] = False
            if detector[i, j] < 0:
                psf[i, j] = np.nan
                err[i, j] = np.nan
                science[i, j] = np.nan
                continue
            b = band[j]
            difference = true[i, j] - template[i, b]
            total = true[i, j] + static[i, b]
            sigma = flux_error(total, difference, five_sigma[j])
            h = hash2(key[i], np.uint64(visit[j]))
            noise, other = normal_pair(h)
            flux = difference + sigma * noise
            error = sigma * (1.0 + 0.02 * (uniform(h + np.uint64(17)) - 0.5))
            psf[i, j] = flux
            err[i, j] = error
            science[i, j] = flux + measured_template[i, b] + 0.1 * sigma * other
            detected[i, j] = abs(flux) >= SNR_THRESHOLD * error
        for b in range(6):
            measured_template[i, b] += TEMPLATE_ERROR * normal(hash2(key[i], np.uint64(b + 1)))
