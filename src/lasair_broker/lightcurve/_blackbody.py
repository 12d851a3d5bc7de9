"""Planck's law in the passbands of a survey."""

from __future__ import annotations

import math

from lasair_broker.lightcurve._kernel import kernel

PLANCK = 14.387768775
"""hc/k in µm kK (CODATA 2018)."""

COOLEST, HOTTEST = 1.0, 100.0
"""Temperatures (kK) that colours are inverted for; hotter, a colour no longer depends on temperature."""


@kernel
def relative_flux(wavelength: float, reference: float, temperature: float) -> float:
    """Blackbody flux density per frequency at `wavelength` over that at `reference` (both µm; kK)."""
    x = PLANCK / (wavelength * temperature)
    y = PLANCK / (reference * temperature)
    # (e^y - 1)/(e^x - 1), written so that no exponent is positive.
    return (reference / wavelength) ** 3 * math.exp(y - x) * math.expm1(-y) / math.expm1(-x)


@kernel
def log_slope(wavelength: float, temperature: float) -> float:
    """d ln B / d ln T of the Planck function at `wavelength` (µm) and `temperature` (kK)."""
    x = PLANCK / (wavelength * temperature)
    return x / -math.expm1(-x)


@kernel
def colour_temperature(blue: float, red: float, colour: float) -> float:
    """The temperature (kK) at which a blackbody has the colour blue minus red (mag); NaN outside 1 to 100 kK.

    `blue` and `red` are wavelengths in µm. The colour falls steadily with temperature: Newton's method in the
    inverse temperature, in which it is almost a straight line, kept within the bracket by halving it.
    """
    target = -0.4 * math.log(10.0) * colour
    cool, hot = 1.0 / COOLEST, 1.0 / HOTTEST
    if not (
        math.log(relative_flux(blue, red, COOLEST)) <= target <= math.log(relative_flux(blue, red, HOTTEST))
    ):
        return math.nan
    # Wien's law gives the first guess.
    inverse = (3.0 * math.log(red / blue) - target) / (PLANCK * (1.0 / blue - 1.0 / red))
    inverse = min(max(inverse, hot), cool)
    for _ in range(60):
        excess = math.log(relative_flux(blue, red, 1.0 / inverse)) - target
        if excess > 0.0:
            hot = inverse
        else:
            cool = inverse
        # d ln(ratio) / d(1/T) = -T d ln(ratio) / d ln T
        slope = -(log_slope(blue, 1.0 / inverse) - log_slope(red, 1.0 / inverse)) / inverse
        following = inverse - excess / slope
        if not hot < following < cool:
            following = 0.5 * (hot + cool)
        if abs(following - inverse) <= 1e-9 * inverse:
            break
        inverse = following
    return 1.0 / inverse
