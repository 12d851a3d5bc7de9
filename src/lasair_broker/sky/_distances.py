"""How far an event is, by the distance posterior of its map in each direction, and where in space it is."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lasair_broker.compiled import njit
from lasair_broker.sky._skymap import Float64, SkyMap

__all__ = ["VolumeLevels", "distance_moments", "ln_volume_density"]

_LN_SQRT_2PI = 0.5 * math.log(2.0 * math.pi)
_FAR_TAIL = -5.0
"""Below this ratio of distmu and distsigma the formulas for moments lose digits, and a quadrature takes their
place."""

_FARTHER_TAIL = -30.0
"""Below this one, what is left of the Gaussian above zero is an exponential."""

_NODES, _WEIGHTS = np.polynomial.laguerre.laggauss(24)
_GRID = 512
_NEGLIGIBLE = 1e-6
_DEPTH = 24.0
"""The grid of densities falls by this much (natural logarithm), or until what is left is negligible."""


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


@dataclass(frozen=True, eq=False)
class VolumeLevels:
    """Credible levels in space of a map with distances: of the densest volumes, as those of the sky are.

    Attributes
    ----------
    top, step
        Natural logarithm of the largest density (Mpc^-3); node k is at ``top - (k step)**2``, as the level
        rises with a power of 3/2 there.
    level
        Probability of all places that are denser, at each node.
    """

    top: float
    step: float
    level: Float64

    @classmethod
    def of(cls, skymap: SkyMap) -> VolumeLevels | None:
        """Of a map; None if it has no distances.

        Exact at the nodes: in each cell the places above some density are an interval of distance, whose
        probability is a closed expression.
        """
        if skymap.distmu is None or skymap.distsigma is None or skymap.distnorm is None:
            return None
        some = np.isfinite(skymap.distmu) & (skymap.density > 0.0)
        densest_first = np.argsort(-skymap.probability[some], kind="stable")
        held = np.cumsum(skymap.probability[some][densest_first])
        kept = densest_first[: np.searchsorted(held, held[-1] - _NEGLIGIBLE) + 1]
        density, mu, sigma, norm, probability = (
            values[some][kept]
            for values in (
                skymap.density, skymap.distmu, skymap.distsigma, skymap.distnorm, skymap.probability
            )
        )  # fmt: skip
        at_peak = np.maximum(mu, 0.0).astype(np.float64)
        peak = ln_volume_density(density, mu, sigma, norm, at_peak)
        by_peak = np.argsort(-peak, kind="stable")
        cells = tuple(values[by_peak] for values in (peak, probability, mu, sigma, norm))
        depth = _DEPTH
        while depth < 1e3 and _held(cells[0][:1] - depth, *cells)[0] < held[-1] - 3 * _NEGLIGIBLE:
            depth *= 1.5
        top = float(cells[0][0])
        step = math.sqrt(depth) / _GRID
        return cls(top, step, _held(top - (step * np.arange(_GRID + 1.0)) ** 2, *cells))

    def at(self, ln_density: Float64) -> Float64:
        """Credible level of places with these densities (natural logarithm, Mpc^-3); NaN in, NaN out."""
        return _at(np.ascontiguousarray(ln_density, np.float64), self.top, self.step, self.level)


@njit(cache=True, nogil=True)
def _held(
    ln_density: Float64, peak: Float64, probability: Float64, mu: Float64, sigma: Float64, norm: Float64
) -> Float64:
    """Probability of all places denser than each density; cells by falling peak."""
    held = np.zeros(len(ln_density))
    for g in range(len(ln_density)):
        total = 0.0
        for i in range(len(peak)):
            above = peak[i] - ln_density[g]
            if above <= 0.0:
                break
            m, s = mu[i], sigma[i]
            a = m / s
            if a < _FARTHER_TAIL:
                x = above  # the density falls as exp(-x): a gamma distribution of distance
                total += probability[i] * (1.0 - math.exp(-x) * (1.0 + x + 0.5 * x * x))
                continue
            # Of a cell whose Gaussian has its peak below zero, `above` counts from its value at zero.
            reach = math.sqrt(2.0 * above + (a * a if a < 0.0 else 0.0)) * s
            low, high = max(0.0, m - reach), m + reach
            total += probability[i] * norm[i] * (_upper(low, m, s) - _upper(high, m, s))
        held[g] = min(total, 1.0)
    return held


@njit(cache=True, nogil=True)
def _upper(x: float, m: float, s: float) -> float:
    """Integral of ``r**2 N(r; m, s)`` from x on."""
    z = (x - m) / s
    tail = 0.5 * math.erfc(z / math.sqrt(2.0))
    return (m * m + s * s) * tail + (x + m) * s * math.exp(-0.5 * z * z - _LN_SQRT_2PI)


@njit(cache=True, nogil=True)
def _at(ln_density: Float64, top: float, step: float, level: Float64) -> Float64:
    found = np.empty(len(ln_density))
    last = len(level) - 1
    for i in range(len(ln_density)):
        if math.isnan(ln_density[i]):
            found[i] = math.nan
            continue
        place = math.sqrt(max(top - ln_density[i], 0.0)) / step
        if place <= 0.0:
            found[i] = 0.0
        elif place >= last:
            found[i] = 1.0
        else:
            found[i] = _between(level, int(place), place - int(place))
    return found


@njit(cache=True, nogil=True)
def _between(level: npt.NDArray[np.float64], k: int, t: float) -> float:
    """Cubic interpolation between nodes k and k + 1."""
    low, high = level[k], level[k + 1]
    before = high - low if k == 0 else 0.5 * (high - level[k - 1])
    after = high - low if k + 2 == len(level) else 0.5 * (level[k + 2] - low)
    u = 1.0 - t
    value = (low * (1.0 + 2.0 * t) + before * t) * u * u + (high * (3.0 - 2.0 * t) - after * u) * t * t
    return float(min(max(value, 0.0), 1.0))
