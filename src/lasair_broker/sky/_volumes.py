"""Where in space an event is: credible levels of volumes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lasair_broker.compiled import njit
from lasair_broker.sky._distances import ln_volume_density
from lasair_broker.sky._skymap import Float64, SkyMap

__all__ = ["VolumeLevels"]

_SQRT_2PI = math.sqrt(2.0 * math.pi)
_FARTHER_TAIL = -30.0
"""Below this ratio of distmu and distsigma what is left of the Gaussian above zero is an exponential."""

_NODES = 16_384
_NEGLIGIBLE = 3e-7
_DEPTH = 24.0
"""The grid of densities falls by this much (natural logarithm), or until what is left is negligible."""

_KNOT = 0.01
"""What a cell holds is known at so many standard deviations from its peak, and its multiples."""

_LONGEST_STRIDE = 10
"""Cells that hold little are known at every so manieth of these only."""

_DEEPEST = 9.0
_T = np.arange(0.0, _DEEPEST + 0.5 * _KNOT, _KNOT)
_TAIL = np.array([0.5 * math.erfc(t / math.sqrt(2.0)) for t in _T])
_BELL = np.exp(-0.5 * _T**2) / _SQRT_2PI

_REACH = 6.5
"""Standard deviations: 1e-10 of a Gaussian lies farther out."""

_GAUSS_NODES, _GAUSS_WEIGHTS = np.polynomial.legendre.leggauss(10)


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
    level: npt.NDArray[np.float32]

    @classmethod
    def of(cls, skymap: SkyMap) -> VolumeLevels | None:
        """Of a map; None if it has no distances.

        In each cell the places above some density are an interval of distance, whose probability is a closed
        expression of how far the density is below the cell's peak. It is taken at steps of 0.01 standard
        deviations and added up over the cells: good to some 1e-6.
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
        peak = ln_volume_density(density, mu, sigma, norm, np.maximum(mu, 0.0).astype(np.float64))
        top = float(peak.max())
        depth = _DEPTH
        while True:
            step = math.sqrt(depth) / (_NODES - 1)
            level, total = _held(top - peak, probability, mu, sigma, norm, step, _NODES, _T, _TAIL, _BELL)
            if depth > 1e3 or level[-1] >= total - 2 * _NEGLIGIBLE:
                return cls(top, step, level.astype(np.float32))
            depth *= 1.5

    def at(self, ln_density: Float64) -> Float64:
        """Credible level of places with these densities (natural logarithm, Mpc^-3); NaN in, NaN out."""
        return _at(np.ascontiguousarray(ln_density, np.float64), self.top, self.step, self.level)

    def expected(
        self, density: Float64, mu: Float64, sigma: Float64, norm: Float64, distance: Float64, error: Float64
    ) -> Float64:
        """Expected credible level of places whose distance is known with a normal error.

        Parameters
        ----------
        density, mu, sigma, norm
            The map in the direction of each place (1/sr, Mpc, Mpc, Mpc^-2).
        distance, error
            Mean and standard deviation of its distance, Mpc; what is left of it above zero.
        """
        ln_peak = ln_volume_density(density, mu, sigma, norm, mu)
        return _expected(
            ln_peak, mu, sigma, distance, error, self.top, self.step, self.level, _GAUSS_NODES, _GAUSS_WEIGHTS
        )


@njit(cache=True, nogil=True)
def _held(
    below: Float64, probability: Float64, mu: Float64, sigma: Float64, norm: Float64, step: float, nodes: int,
    knots: Float64, tail: Float64, bell: Float64,
) -> tuple[Float64, float]:  # fmt: skip
    """Probability of all places denser than at each node, and of all.

    What each cell holds is a line with bends at the knots. Lines are added up as what their slopes change by
    and where: at a node w the sum is ``w sum(change) - sum(change place)`` over all bends before it.
    """
    change, moment = np.zeros(nodes + 1), np.zeros(nodes + 1)
    mean, per_step = probability.mean(), 1.0 / step
    last, total = step * (nodes - 1), 0.0
    for i in range(len(below)):
        m, s = mu[i], sigma[i]
        a = m / s
        scale = probability[i] * norm[i]
        both, whole = m * m + s * s, 0.0
        if a >= _FARTHER_TAIL:
            whole = both * 0.5 * math.erfc(-a / math.sqrt(2.0)) + m * s * math.exp(-0.5 * a * a) / _SQRT_2PI
        total += scale * whole if a >= _FARTHER_TAIL else probability[i]
        before_w, before_f, slope = math.sqrt(below[i]), 0.0, 0.0
        # An error goes with the probability and the square of the stride.
        stride = min(max(int((mean / probability[i]) ** (1.0 / 3.0)), 1), _LONGEST_STRIDE)
        for k in range(stride, len(knots), stride):
            t = knots[k]
            x = 0.5 * t * t
            if a < _FARTHER_TAIL:  # the density falls as exp(-x): a gamma distribution of distance
                f = probability[i] * (1.0 - math.exp(-x) * (1.0 + x + 0.5 * x * x))
            elif a < 0.0:  # the peak of the Gaussian is below zero: x counts from its value at zero
                z = math.sqrt(2.0 * x + a * a)
                upper = both * 0.5 * math.erfc(z / math.sqrt(2.0))
                f = scale * (whole - upper - (2.0 * m + z * s) * s * math.exp(-0.5 * z * z) / _SQRT_2PI)
            elif t < a:
                f = scale * (both * (1.0 - 2.0 * tail[k]) - 2.0 * t * s * s * bell[k])
            else:
                f = scale * (whole - both * tail[k] - (2.0 * m + t * s) * s * bell[k])
            done = a >= _FARTHER_TAIL and scale * whole - f < _NEGLIGIBLE * probability[i]
            if done:
                f = scale * whole
            w = math.sqrt(below[i] + x)
            risen = (f - before_f) / (w - before_w)
            bin_of = min(int(before_w * per_step) + 1, nodes)
            change[bin_of] += risen - slope
            moment[bin_of] += (risen - slope) * before_w
            before_w, before_f, slope = w, f, risen
            if done or w > last:
                break
        bin_of = min(int(before_w * per_step) + 1, nodes)
        change[bin_of] -= slope
        moment[bin_of] -= slope * before_w
    held = np.empty(nodes)
    slope = offset = 0.0
    for n in range(nodes):
        slope += change[n]
        offset += moment[n]
        held[n] = min(max(slope * n * step - offset, 0.0), 1.0)
    return held, min(total, 1.0)


@njit(cache=True, nogil=True)
def _level(below: float, step: float, level: npt.NDArray[np.float32]) -> float:
    """The level so much below the largest density."""
    if below <= 0.0:
        return 0.0
    place = math.sqrt(below) / step
    if place >= len(level) - 1:
        return 1.0
    k = int(place)
    return float(level[k] + (place - k) * (level[k + 1] - level[k]))


@njit(cache=True, nogil=True)
def _at(ln_density: Float64, top: float, step: float, level: npt.NDArray[np.float32]) -> Float64:
    found = np.empty(len(ln_density))
    for i in range(len(ln_density)):
        known = not math.isnan(ln_density[i])
        found[i] = _level(top - ln_density[i], step, level) if known else math.nan
    return found


@njit(cache=True, nogil=True)
def _expected(
    ln_peak: Float64, mu: Float64, sigma: Float64, distance: Float64, error: Float64, top: float, step: float,
    level: npt.NDArray[np.float32], nodes: Float64, weights: Float64,
) -> Float64:  # fmt: skip
    """One less what the levels lack to one: Gauss-Legendre in pieces of two standard deviations, with an
    edge at distmu, where the level bends."""
    found = np.ones(len(ln_peak))
    deepest = (step * (len(level) - 1)) ** 2
    for i in range(len(ln_peak)):
        room = ln_peak[i] - top + deepest
        if math.isnan(room):
            found[i] = math.nan
            continue
        if room <= 0.0:
            continue
        m, s, d, e = mu[i], sigma[i], distance[i], error[i]
        reach = s * math.sqrt(2.0 * room)
        low, high = max(0.0, d - _REACH * e, m - reach), min(d + _REACH * e, m + reach)
        lacking = 0.0
        for side in range(2):
            begin, end = (low, min(high, m)) if side == 0 else (max(low, m), high)
            if end <= begin:
                continue
            pieces = math.ceil((end - begin) / (2.0 * min(s, e)))
            half = 0.5 * (end - begin) / pieces
            for piece in range(pieces):
                middle = begin + (2 * piece + 1) * half
                for k in range(len(nodes)):
                    r = middle + half * nodes[k]
                    below = top - ln_peak[i] + 0.5 * ((r - m) / s) ** 2
                    bell = math.exp(-0.5 * ((r - d) / e) ** 2)
                    lacking += weights[k] * half * bell * (1.0 - _level(below, step, level))
        found[i] = 1.0 - lacking / (e * _SQRT_2PI * 0.5 * math.erfc(-d / e / math.sqrt(2.0)))
    return found
