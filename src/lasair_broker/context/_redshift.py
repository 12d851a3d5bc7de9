"""The redshift of an object as a mixture over its possible hosts and what is known of each."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lasair_broker.context._kernel import kernel
from lasair_broker.lightcurve import SPEED_OF_LIGHT, Cosmology

__all__ = [
    "KINDS",
    "PECULIAR",
    "Mixture",
    "Redshifts",
    "host_redshifts",
    "mixture_percentiles",
    "of_transients",
]

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

KINDS = ("spec", "direct", "phot", "tns")
"""How a redshift is known: by a spectrum of the host, its distance, its colours, or of the transient
itself."""

PECULIAR = 300.0 / SPEED_OF_LIGHT
"""Galaxies move at about 300 km/s besides the expansion: the least error of a redshift as a measure of
distance."""

_DIRECT_LIMIT = 0.01
"""Below this redshift a direct distance tells more than the redshift does."""

_PHOTOMETRIC_FLOOR = 0.03
_OUTLIERS, _OUTLIER_REACH = 0.1, 1.5
"""One photometric redshift in ten is wrong altogether, anywhere from 0 to 1.5."""

_PRIOR_SCALE = 0.3
"""Without a host: half-normal of this scale, wide enough for what a survey of 24 mag finds."""

_MOST = 10.0


@dataclass(frozen=True)
class Redshifts:
    """The redshift of each of n galaxies: value, error (never below what peculiar velocities make), index of
    KINDS.

    NaN, NaN, -1 where nothing is known.
    """

    value: Float64
    error: Float64
    kind: npt.NDArray[np.int8]


@dataclass(frozen=True)
class Mixture:
    """Percentiles of the redshift of each position; NaN where nothing is known beyond the prior."""

    p16: Float64
    p50: Float64
    p84: Float64
    mean: Float64
    error: Float64


def host_redshifts(
    redshift: Float64,
    redshift_error: Float64,
    photoz: Float64,
    photoz_error: Float64,
    distance: Float64,
    distance_error: Float64,
    cosmology: Cosmology,
) -> Redshifts:
    """The best redshift of each galaxy.

    A direct distance (Mpc) stands first as long as it puts the galaxy nearer than z = 0.01, then a
    spectroscopic redshift, then a farther direct distance, then a photometric one.
    """
    n = len(redshift)
    value, error, kind = np.full(n, np.nan), np.full(n, np.nan), np.full(n, -1, np.int8)
    of_distance = np.full(n, np.nan)
    some = np.isfinite(distance)
    of_distance[some] = cosmology.redshift_at(distance[some])
    # Distance moduli of standard candles are good to some 0.2 mag where nothing else is said.
    relative = np.where(distance_error > 0.0, distance_error / distance, 0.1)
    near = of_distance < _DIRECT_LIMIT
    spec, direct, phot = np.isfinite(redshift), np.isfinite(of_distance), np.isfinite(photoz)

    def fill(where: npt.NDArray[np.bool_], z: Float64, sigma: Float64, code: int) -> None:
        new = where & (kind < 0)
        value[new], error[new], kind[new] = z[new], sigma[new], code

    fill(near, of_distance, np.maximum(of_distance * relative, 1e-5), KINDS.index("direct"))
    fill(spec, redshift, np.hypot(np.nan_to_num(redshift_error), PECULIAR), KINDS.index("spec"))
    fill(direct, of_distance, of_distance * relative, KINDS.index("direct"))
    floor = _PHOTOMETRIC_FLOOR * (1.0 + photoz)
    fill(phot, photoz, np.fmax(photoz_error, floor), KINDS.index("phot"))
    return Redshifts(value, error, kind)


def mixture_percentiles(position: Int64, weight: Float64, hosts: Redshifts, num_positions: int) -> Mixture:
    """Percentiles of ``sum_i weight_i p_i(z) + (1 - sum) prior(z)`` for each position.

    Parameters
    ----------
    position
        The position each galaxy belongs to, ascending.
    weight
        Its probability to be the host. Galaxies without a redshift count with those that no catalogue has.
    hosts
        Their redshifts.
    num_positions
        How many positions there are.

    Notes
    -----
    Each component is a normal distribution cut off at z = 0; a photometric one has a tenth of its weight
    spread evenly over 0 to 1.5; the prior is half a normal one. The percentiles are those of the joint
    distribution, found by halving.
    """
    some = (hosts.kind >= 0) & (weight > 1e-4)
    position, weight = position[some], weight[some]
    value, error, kind = hosts.value[some], hosts.error[some], hosts.kind[some]
    bounds = np.searchsorted(position, np.arange(num_positions + 1)).astype(np.int64)
    out = np.full((5, num_positions), np.nan)
    _percentiles(bounds, weight, value, error, kind == KINDS.index("phot"), out)
    return Mixture(*out)


def of_transients(mixture: Mixture, redshift: Float64) -> Mixture:
    """The mixture, but of transients whose own redshift is known (NaN: not) that one, whatever the host may
    be."""
    known = np.isfinite(redshift)

    def either(measured: Float64, otherwise: Float64) -> Float64:
        return np.where(known, measured, otherwise)

    # The 16th and 84th percentile of a normal distribution lie a standard error, but for 0.6 per cent, away.
    return Mixture(
        p16=either(np.maximum(redshift - PECULIAR, 0.0), mixture.p16),
        p50=either(redshift, mixture.p50),
        p84=either(redshift + PECULIAR, mixture.p84),
        mean=either(redshift, mixture.mean),
        error=either(np.full(len(redshift), PECULIAR), mixture.error),
    )


@kernel
def _cumulative(z, start, stop, weight, value, error, photometric):  # type: ignore[no-untyped-def]  # numba
    total, rest = 0.0, 1.0
    for k in range(start, stop):
        below = 0.5 * math.erfc(value[k] / (error[k] * math.sqrt(2.0)))
        part = 0.5 * math.erfc((value[k] - z) / (error[k] * math.sqrt(2.0)))
        normal = (part - below) / (1.0 - below)
        if photometric[k]:
            normal = (1.0 - _OUTLIERS) * normal + _OUTLIERS * min(z / _OUTLIER_REACH, 1.0)
        total += weight[k] * normal
        rest -= weight[k]
    return total + max(rest, 0.0) * math.erf(z / (_PRIOR_SCALE * math.sqrt(2.0)))


@kernel
def _percentiles(bounds, weight, value, error, photometric, out):  # type: ignore[no-untyped-def]  # numba
    for p in range(len(bounds) - 1):
        start, stop = bounds[p], bounds[p + 1]
        if start == stop:
            continue
        for which in range(3):
            wanted = (0.16, 0.5, 0.84)[which]
            low, high = 0.0, _MOST
            for _ in range(45):
                middle = 0.5 * (low + high)
                if _cumulative(middle, start, stop, weight, value, error, photometric) < wanted:
                    low = middle
                else:
                    high = middle
            out[which, p] = 0.5 * (low + high)
        # The most probable host alone, for those who want one number with an error.
        top = start
        for k in range(start + 1, stop):
            if weight[k] > weight[top]:
                top = k
        out[3, p], out[4, p] = value[top], error[top]
