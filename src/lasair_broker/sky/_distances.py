"""How far an event is, by the distance posterior of its map in each direction."""

from __future__ import annotations

import math

import numpy as np

from lasair_broker.compiled import njit
from lasair_broker.sky._skymap import Float64

__all__ = ["distance_moments", "ln_volume_density"]

_LN_SQRT_2PI = 0.5 * math.log(2.0 * math.pi)
_FAR_TAIL = -5.0
"""Below this ratio of distmu and distsigma the formulas for moments lose digits, and a quadrature takes their
place."""

_NODES, _WEIGHTS = np.polynomial.laguerre.laggauss(24)


def distance_moments(mu: Float64, sigma: Float64, norm: Float64) -> tuple[Float64, Float64, Float64]:
    """Zeroth moment, mean and mean square of ``p(r) = norm N(r; mu, sigma) r**2``, r > 0.

    Parameters
    ----------
    mu, sigma, norm
        Mpc, Mpc, Mpc^-2; NaN in, NaN out.

    Returns
    -------
    The integral of p (1 for a map that is what it should be), the mean (Mpc) and the mean square (Mpc^2) of
    the normalised distribution.

    Notes
    -----
    Singer et al. 2016, ApJS 226, 10, section 3; the recursion of moments of a cut-off normal distribution.
    """
    return _moments(*(np.ascontiguousarray(a, np.float64) for a in (mu, sigma, norm)))


@njit(cache=True, nogil=True)
def _moments(mu: Float64, sigma: Float64, norm: Float64) -> tuple[Float64, Float64, Float64]:
    zeroth, first, second = np.empty(len(mu)), np.empty(len(mu)), np.empty(len(mu))
    for i in range(len(mu)):
        m, s = mu[i], sigma[i]
        a = m / s
        if not a > _FAR_TAIL:  # with t = r |mu| / sigma**2: exp(-t) and what is left of the Gaussian
            m2 = m3 = m4 = 0.0
            for k in range(len(_NODES)):
                t = _NODES[k]
                weight = _WEIGHTS[k] * math.exp(-0.5 * (t / a) ** 2)
                m2 += weight * t**2
                m3 += weight * t**3
                m4 += weight * t**4
            scale = -s / a
            ln_size = -0.5 * a * a - _LN_SQRT_2PI - math.log(s) + 3.0 * math.log(scale)
            zeroth[i] = m2 * math.exp(ln_size + math.log(norm[i])) if a == a else math.nan
            first[i] = m3 / m2 * scale
            second[i] = m4 / m2 * scale**2
            continue
        share = 0.5 * math.erfc(-a / math.sqrt(2.0))
        m1 = m + s * math.exp(-0.5 * a * a - _LN_SQRT_2PI) / share
        m2 = m * m1 + s * s
        m3 = m * m2 + 2.0 * s * s * m1
        m4 = m * m3 + 3.0 * s * s * m2
        zeroth[i] = norm[i] * share * m2
        first[i] = m3 / m2
        second[i] = m4 / m2
    return zeroth, first, second


def ln_volume_density(density: Float64, mu: Float64, sigma: Float64, norm: Float64, r: Float64) -> Float64:
    """Natural logarithm of the probability a Mpc^3, ``density norm N(r; mu, sigma)``; arrays broadcast."""
    with np.errstate(divide="ignore"):
        return np.asarray(
            np.log(density) + np.log(norm) - 0.5 * ((r - mu) / sigma) ** 2 - np.log(sigma) - _LN_SQRT_2PI
        )
