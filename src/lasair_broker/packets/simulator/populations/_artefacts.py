"""Places where image subtraction fails again and again: beside bright stars and on badly matched stars.

How often real streams have them differs from survey to survey and improves with time; the share here keeps
some fifteen per cent of alerts bogus together with the one-off artefacts of each visit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from lasair_broker.packets.simulator._random import hash_array, normal_array, uniform_array

from ._base import Parameters, Place, Population, Situation, stellar_magnitudes

__all__ = ["ARTEFACTS", "RecurringArtefacts"]

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
Int8 = npt.NDArray[np.int8]
UInt64 = npt.NDArray[np.uint64]


@dataclass(frozen=True, kw_only=True)
class RecurringArtefacts(Population):
    """A residual of either sign appears in one visit of ten; ``scale`` is its typical flux (nJy)."""

    difference_only: ClassVar[bool] = True
    per_deg2: float

    def natural_number(self, place: Place) -> float:
        """Surface density."""
        return self.per_deg2 * place.area_deg2 * float(np.sqrt(place.stars))

    def draw(self, rng: np.random.Generator, n: int, place: Place) -> Parameters:
        """Magnitude of the star that causes it, typical flux (nJy) and how often it appears."""
        return {
            "magnitude": stellar_magnitudes(rng, n, 14.5, 20.0),
            "scale": 1100.0 * np.exp(0.7 * rng.standard_normal(n)),
            "chance": 0.02 + 0.25 * rng.random(n) ** 2,
        }

    def flux(self, p: Parameters, key: UInt64, row: Int64, mjd: Float64, band: Int8) -> Float64:
        """Flux of the residual in nJy, of either sign."""
        keys = hash_array(key[row], (mjd * 86400.0).astype(np.uint64))
        appears = uniform_array(keys) < p["chance"][row]
        return np.where(appears, p["scale"][row] * normal_array(keys + np.uint64(5)), 0.0)


ARTEFACTS = RecurringArtefacts(
    name="artefact", situation=Situation.EMPTY, per_deg2=1500.0, subclasses=("residual",)
)
"""Recurring residuals of image subtraction."""
