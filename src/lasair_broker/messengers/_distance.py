"""How well the distances of an object's possible hosts agree with an event's distance in that direction."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lasair_broker.compiled import njit
from lasair_broker.messengers._candidates import Candidates
from lasair_broker.sky import SkyMapIndex, VolumeLevels

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

__all__ = ["DistanceAgreement", "distance_agreement"]

_LN_SQRT_2PI = 0.5 * math.log(2.0 * math.pi)


@dataclass(frozen=True)
class DistanceAgreement:
    """Of pairs of an object and a map, shape (n,); NaN where either says nothing of distance.

    Attributes
    ----------
    factor
        ``integral of p(r | direction) p_host(r) / prior(r)`` over all possible hosts, the prior that of
        unrelated objects spread evenly in space up to the horizon. A host of which nothing is known counts
        1, and so do pairs without distances.
    sigma
        Distance of the most probable host less distmu, in units of both errors.
    density
        Expected probability a steradian and Mpc at the hosts' distances.
    ln_volume_density
        Logarithm of the expected probability a Mpc^3.
    volume_level
        Expected credible level in space.
    """

    factor: Float64
    sigma: Float64
    density: Float64
    ln_volume_density: Float64
    volume_level: Float64


def distance_agreement(
    candidates: Candidates,
    position: Int64,
    skymaps: SkyMapIndex,
    skymap: Int64,
    cell: Int64,
    volumes: list[VolumeLevels | None],
    horizon: Float64,
    *,
    with_levels: bool = True,
) -> DistanceAgreement:
    """Compare distances of pairs.

    Parameters
    ----------
    position, skymap, cell
        The pairs, as `SkyMapIndex.match` gives them.
    volumes, horizon
        Of each map: its credible volumes, and how far (Mpc) unrelated objects are seen.
    with_levels
        Whether the level in space is wanted; else it is NaN.

    Notes
    -----
    Ashton et al. 2018, ApJ 860, 6. Both distances are normal distributions, so that all but the credible
    level is a closed expression.
    """
    factor, sigma, density, ln_volume = _agreement(
        position, skymap, cell, candidates.offset, candidates.weight, candidates.distance,
        candidates.distance_error, skymaps.density, skymaps.distmu, skymaps.distsigma, skymaps.distnorm,
        horizon,
    )  # fmt: skip
    level = np.full(len(position), np.nan)
    for number in np.unique(skymap) if with_levels else ():
        volume = volumes[number]
        if volume is not None:
            mine = np.flatnonzero((skymap == number) & ~np.isnan(sigma))
            level[mine] = _levels(candidates, position[mine], skymaps, cell[mine], volume)
    return DistanceAgreement(factor, sigma, density, ln_volume, level)


def _levels(
    candidates: Candidates, position: Int64, skymaps: SkyMapIndex, cell: Int64, volume: VolumeLevels
) -> Float64:
    """Expected level of pairs with one map, over the possible hosts by their probabilities."""
    host = _hosts_of(candidates.offset, position)
    pair = np.repeat(np.arange(len(position)), candidates.offset[position + 1] - candidates.offset[position])
    there = cell[pair]
    of_host = volume.expected(
        skymaps.density[there], skymaps.distmu[there], skymaps.distsigma[there], skymaps.distnorm[there],
        candidates.distance[host], candidates.distance_error[host],
    )  # fmt: skip
    weight = candidates.weight[host]
    return np.bincount(pair, weight * of_host, len(position)) / np.bincount(pair, weight, len(position))


def _hosts_of(offset: Int64, position: Int64) -> Int64:
    counts = offset[position + 1] - offset[position]
    ends = np.cumsum(counts)
    return np.asarray(
        np.repeat(offset[position] - ends + counts, counts) + np.arange(ends[-1] if len(ends) else 0)
    )


@njit(cache=True, nogil=True)
def _cut(x: float) -> float:
    """Share of a standard normal distribution below x."""
    return 0.5 * math.erfc(-x / math.sqrt(2.0))


@njit(cache=True, nogil=True)
def _agreement(
    position: Int64, skymap: Int64, cell: Int64, offset: Int64, weight: Float64, distance: Float64,
    distance_error: Float64, density: Float64, distmu: Float64, distsigma: Float64, distnorm: Float64,
    horizon: Float64,
) -> tuple[Float64, Float64, Float64, Float64]:  # fmt: skip
    factor, sigma = np.ones(len(position)), np.full(len(position), np.nan)
    areal, volume = np.full(len(position), np.nan), np.full(len(position), np.nan)
    for i in range(len(position)):
        low, high = offset[position[i]], offset[position[i] + 1]
        mu, s, norm = distmu[cell[i]], distsigma[cell[i]], distnorm[cell[i]]
        if math.isnan(mu) or low == high:
            continue
        volume_of_prior = horizon[skymap[i]] ** 3 / 3.0
        ln_norm = math.log(norm) - _LN_SQRT_2PI
        total = best = sum_factor = sum_areal = sum_volume = 0.0
        for h in range(low, high):
            w, d, e = weight[h], distance[h], distance_error[h]
            both = math.hypot(s, e)
            z = (d - mu) / both
            together = math.exp(ln_norm - 0.5 * z * z - math.log(both))
            # What is left of both above zero, and of the host's alone.
            middle = (mu * e * e + d * s * s) / (both * both)
            spread = s * e / both
            together *= _cut(middle / spread) / _cut(d / e)
            total += w
            sum_factor += w * together * volume_of_prior
            sum_areal += w * together * density[cell[i]] * (middle * middle + spread * spread)
            sum_volume += w * together * density[cell[i]]
            if w > best:
                best, sigma[i] = w, z
        factor[i] = sum_factor + max(1.0 - total, 0.0)
        areal[i] = sum_areal / total
        volume[i] = math.log(sum_volume / total) if sum_volume > 0.0 else -math.inf
    return factor, sigma, areal, volume
