"""What the feature stage needs beside the batch: passbands of the surveys and a cosmology."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]

SPEED_OF_LIGHT = 299792.458
"""km/s"""


@dataclass(frozen=True, slots=True)
class Passbands:
    """The passbands of a survey, in the order of `BANDS` (ugrizy); NaN for a band that it has not.

    Attributes
    ----------
    wavelength
        Effective wavelengths in µm.
    extinction
        A/E(B-V) in mag for the E(B-V) of Schlegel, Finkbeiner & Davis 1998.
    """

    wavelength: tuple[float, ...]
    extinction: tuple[float, ...]


_NAN = float("nan")

LSST = Passbands(
    # Effective wavelengths of the LSST total throughputs; extinction of Schlafly & Finkbeiner 2011,
    # ApJ 737, 103, for R_V = 3.1.
    wavelength=(0.36707, 0.48269, 0.62232, 0.75460, 0.86901, 0.97103),
    extinction=(4.145, 3.237, 2.273, 1.684, 1.323, 1.088),
)
ZTF = Passbands(
    # Pivot wavelengths; extinction of the Pan-STARRS bands, the nearest in Schlafly & Finkbeiner 2011.
    wavelength=(_NAN, 0.47465, 0.63664, 0.78290, _NAN, _NAN),
    extinction=(_NAN, 3.172, 2.271, 1.682, _NAN, _NAN),
)

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(32)

REFERENCE_BAND = 2
"""The band at whose wavelength BBBPeakFlux is given: r, which every survey has."""


@dataclass(frozen=True, slots=True)
class FeatureResources:
    """What `enrich` needs beside the batch.

    Attributes
    ----------
    passbands
        By survey; a survey that is not named is taken to have LSST's.
    hubble
        Hubble constant, km/s/Mpc. The default is what Sherlock and Lasair use.
    omega_matter
        Matter density of a flat universe.
    fits
        Whether to fit transient models. Without, their columns are NULL.
    """

    passbands: Mapping[str, Passbands] = field(
        default_factory=lambda: MappingProxyType({"lsst": LSST, "ztf": ZTF})
    )
    hubble: float = 70.0
    omega_matter: float = 0.3
    fits: bool = True

    def of_survey(self, survey: str) -> Passbands:
        """The passbands of `survey`."""
        return self.passbands.get(survey, LSST)

    def luminosity_distance(self, z: npt.ArrayLike) -> Float64:
        """Luminosity distance in Mpc at redshift `z` (0 to 10) in a flat universe; NaN in, NaN out.

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
