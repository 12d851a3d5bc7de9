"""Distances in a flat universe of matter and a cosmological constant."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]

SPEED_OF_LIGHT = 299792.458
"""km/s"""

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(32)


@dataclass(frozen=True, slots=True)
class Cosmology:
    """A flat universe.

    Attributes
    ----------
    hubble
        Hubble constant, km/s/Mpc. The default is what Sherlock and Lasair use.
    omega_matter
        Matter density.
    """

    hubble: float = 70.0
    omega_matter: float = 0.3

    def luminosity_distance(self, z: npt.ArrayLike) -> Float64:
        """Luminosity distance in Mpc at redshift `z` (0 to 10); NaN in, NaN out.

        Hogg 1999, astro-ph/9905116, equations 15 and 21, by Gauss-Legendre quadrature of 32 points.
        """
        redshift = np.asarray(z, np.float64)
        at = 0.5 * redshift[..., None] * (_NODES + 1.0)
        expansion = np.sqrt(self.omega_matter * (1.0 + at) ** 3 + 1.0 - self.omega_matter)
        comoving = 0.5 * redshift * np.sum(_WEIGHTS / expansion, axis=-1)
        distance: Float64 = SPEED_OF_LIGHT / self.hubble * (1.0 + redshift) * comoving
        return distance

    def redshift_at(self, distance: npt.ArrayLike) -> Float64:
        """The redshift (0 to 10) of a luminosity distance in Mpc: the inverse of `luminosity_distance`.

        By interpolation in a table, good to 1e-7; NaN in, NaN out.
        """
        grid = np.expm1(np.linspace(0.0, np.log(11.0), 4096))
        redshift: Float64 = np.interp(np.asarray(distance, np.float64), self.luminosity_distance(grid), grid)
        return redshift
