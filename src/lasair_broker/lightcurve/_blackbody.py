"""Planck's law in the passbands of a survey."""

from __future__ import annotations

import math

from numba import njit

PLANCK = 14.387768775
"""hc/k in µm kK (CODATA 2018)."""

COOLEST, HOTTEST = 1.0, 100.0
"""Temperatures (kK) that colours are inverted for; hotter, a colour no longer depends on temperature."""


@njit(cache=True, nogil=True)
def relative_flux(wavelength: float, reference: float, temperature: float) -> float:
    """Blackbody flux density per frequency at `wavelength` over that at `reference` (both µm; kK)."""
    x = PLANCK / (wavelength * temperature)
    y = PLANCK / (reference * temperature)
    # (e^y - 1)/(e^x - 1), written so that no exponent is positive.
    return (reference / wavelength) ** 3 * math.exp(y - x) * math.expm1(-y) / math.expm1(-x)


@njit(cache=True, nogil=True)
def log_slope(wavelength: float, temperature: float) -> float:
    """d ln B / d ln T of the Planck function at `wavelength` (µm) and `temperature` (kK)."""
    x = PLANCK / (wavelength * temperature)
    return x / -math.expm1(-x)


@njit(cache=True, nogil=True)
def colour_temperature(blue: float, red: float, colour: float) -> float:
    """The temperature (kK) at which a blackbody has the colour blue minus red (mag); NaN outside 1 to 100 kK.

    `blue` and `red` are wavelengths in µm. The colour falls steadily with temperature, so bisection in ln T
    always ends; 40 halvings leave 4e-12.
    """
    low, high = math.log(COOLEST), math.log(HOTTEST)
    ratio = 10.0 ** (-0.4 * colour)
    if not (relative_flux(blue, red, COOLEST) <= ratio <= relative_flux(blue, red, HOTTEST)):
        return math.nan
    for _ in range(40):
        middle = 0.5 * (low + high)
        if relative_flux(blue, red, math.exp(middle)) < ratio:
            low = middle
        else:
            high = middle
    return math.exp(0.5 * (low + high))
