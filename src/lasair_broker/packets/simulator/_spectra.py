"""Spectra as few numbers: black bodies, power laws and dust at the effective wavelengths of ugrizy."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lasair_broker.packets.simulator._cosmology import luminosity_distance_mpc

__all__ = [
    "EXTINCTION",
    "WAVELENGTH_NM",
    "ab_flux",
    "ab_magnitude",
    "blackbody_flux",
    "blackbody_log_ratio",
    "luminosity_flux",
]

Float64 = npt.NDArray[np.float64]

WAVELENGTH_NM = np.array([367.1, 482.7, 622.3, 754.6, 869.1, 971.2])
"""Effective wavelengths of LSST ugrizy, nm (Bianco et al. 2022, ApJS 258, 1)."""

EXTINCTION = np.array([4.145, 3.237, 2.273, 1.684, 1.323, 1.088])
"""A / E(B-V) of LSST ugrizy for R_V = 3.1 (Schlafly & Finkbeiner 2011, ApJ 737, 103, table 6)."""

_HC_K = 1.438776877e7  # nm K
_SIGMA_SB = 5.670374419e-5  # erg cm^-2 s^-1 K^-4
_H, _C = 6.62607015e-27, 2.99792458e10  # erg s, cm/s
_MPC_CM = 3.0856775814913673e24
_NJY = 1e-32  # erg s^-1 cm^-2 Hz^-1


def ab_flux(magnitude: npt.ArrayLike) -> Float64:
    """AB magnitude to nJy."""
    return 10.0 ** (0.4 * (31.4 - np.asarray(magnitude, np.float64)))


def ab_magnitude(flux: npt.ArrayLike) -> Float64:
    """nJy to AB magnitude; infinity where the flux is not positive."""
    flux = np.asarray(flux, np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(flux > 0, 31.4 - 2.5 * np.log10(np.where(flux > 0, flux, 1.0)), np.inf)


def _log_planck(wavelength_nm: Float64, temperature: Float64) -> Float64:
    """ln of the Planck law per unit frequency, without its constant."""
    x = np.minimum(_HC_K / (wavelength_nm * temperature), 600.0)
    return -3.0 * np.log(wavelength_nm) - np.log(np.expm1(x))


def blackbody_log_ratio(wavelength_nm: Float64, reference_nm: float, temperature: Float64) -> Float64:
    """log10 of the ratio of f_nu at `wavelength_nm` to that at `reference_nm`."""
    reference = np.full_like(np.asarray(temperature, np.float64), reference_nm)
    ratio = _log_planck(wavelength_nm, temperature) - _log_planck(reference, temperature)
    return np.asarray(ratio / np.log(10.0), np.float64)


def blackbody_flux(
    luminosity: Float64, temperature: Float64, redshift: Float64, wavelength_nm: Float64
) -> Float64:
    """Observed f_nu (nJy) of a black body of bolometric luminosity (erg/s) and temperature (K) at
    `redshift`."""
    rest = wavelength_nm / (1.0 + redshift)
    frequency = _C / (rest * 1e-7)
    x = np.minimum(_HC_K / (rest * temperature), 600.0)
    surface = np.pi * 2.0 * _H * frequency**3 / _C**2 / np.expm1(x)
    radius2 = luminosity / (4.0 * np.pi * _SIGMA_SB * temperature**4)
    distance = luminosity_distance_mpc(redshift) * _MPC_CM
    return np.asarray((1.0 + redshift) * surface * radius2 / distance**2 / _NJY, np.float64)


def luminosity_flux(absolute_magnitude: Float64, redshift: Float64) -> Float64:
    """Observed f_nu (nJy) from the absolute AB magnitude at the emitted wavelength (Hogg 1999, equation
    22)."""
    ratio = (10.0 * 1e-6 / luminosity_distance_mpc(redshift)) ** 2
    return np.asarray(ab_flux(absolute_magnitude) * (1.0 + redshift) * ratio, np.float64)
