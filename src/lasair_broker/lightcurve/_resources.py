"""What the feature stage needs beside the batch: passbands of the surveys and a cosmology."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from lasair_broker.lightcurve._cosmology import Cosmology


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

REFERENCE_BAND = 2
"""The band at whose wavelength BBBPeakFlux is given: r, which every survey has."""


@dataclass(frozen=True, slots=True)
class FeatureResources(Cosmology):
    """What `enrich` needs beside the batch: a cosmology, passbands, and what to do.

    Attributes
    ----------
    passbands
        By survey; a survey that is not named is taken to have LSST's.
    fits
        Whether to fit transient models. Without, their columns are NULL.
    """

    passbands: Mapping[str, Passbands] = field(
        default_factory=lambda: MappingProxyType({"lsst": LSST, "ztf": ZTF})
    )
    fits: bool = True

    def of_survey(self, survey: str) -> Passbands:
        """The passbands of `survey`."""
        return self.passbands.get(survey, LSST)
