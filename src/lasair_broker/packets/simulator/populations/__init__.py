"""Populations of the synthetic sky: one class of object a module, each a table of numbers and a light curve.

Every population draws parameters for objects of a place and gives their flux at any time in any band, as
columns: usable by itself to make training sets, or by the simulation that observes them.
"""

from ._agn import AGN, ActiveNuclei
from ._artefacts import ARTEFACTS, RecurringArtefacts
from ._base import Extragalactic, Parameters, Place, Population, Situation
from ._eruptive import ERUPTIVE, FlaringDwarfs, YoungStars
from ._fast import FAST, Afterglow, Kilonova, TidalDisruption
from ._microlensing import MICROLENSING, Microlensing
from ._outbursts import OUTBURSTS, OutburstingBinaries
from ._periodic import PERIODIC, PeriodicStars
from ._supernovae import SUPERNOVAE, Supernova

__all__ = [
    "AGN",
    "ARTEFACTS",
    "ERUPTIVE",
    "FAST",
    "MICROLENSING",
    "OUTBURSTS",
    "PERIODIC",
    "POPULATIONS",
    "SUPERNOVAE",
    "ActiveNuclei",
    "Afterglow",
    "Extragalactic",
    "FlaringDwarfs",
    "Kilonova",
    "Microlensing",
    "OutburstingBinaries",
    "Parameters",
    "PeriodicStars",
    "Place",
    "Population",
    "RecurringArtefacts",
    "Situation",
    "Supernova",
    "TidalDisruption",
    "YoungStars",
]

POPULATIONS: tuple[Population, ...] = (
    *SUPERNOVAE,
    *FAST,
    *ERUPTIVE,
    *OUTBURSTS,
    MICROLENSING,
    PERIODIC,
    AGN,
    ARTEFACTS,
)
"""All populations whose objects stay in place; solar-system bodies are apart."""
