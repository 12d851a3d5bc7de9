"""What the counterpart of an event looks like: when it appears, and as what contextual class.

The windows are those in which others look (Andreoni et al. 2021, ApJ 918, 63 for kilonovae; Graham et al.
2020, PRL 124, 251102 for flares of active nuclei; Stein et al. 2023, MNRAS 521, 5046 for neutrinos), the
shares of classes our own reading of where such objects are found.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["CLASSES", "LIGHT_CURVE_CLASSES", "UNKNOWN", "Model", "class_codes", "is_messenger", "models_of"]

CLASSES = ("SN", "NT", "AGN", "ORPHAN", "UNCLEAR", "CV", "VS", "BS", "HPMS")
"""Contextual classes, by which objects are coded; an object without one has the code after them."""

UNKNOWN = len(CLASSES)

LIGHT_CURVE_CLASSES: Mapping[str, tuple[str, ...]] = {
    "SN": ("SN",),
    "kilonova": ("kilonova",),
    "afterglow": ("afterglow", "orphanAfterglow"),
    "TDE": ("TDE",),
    "AGN": ("AGN",),
    "galactic": ("galactic",),
}
"""What light curves tell apart here, and the columns of table `classifications` that each is the sum of."""

_LEAST = 0.002
"""Share of counterparts in classes that no model expects: classes are sometimes wrong."""


_LEAST_SHARE = 0.05
"""Kinds of counterpart that are less likely than this are not looked for: a long window would bring very many
objects for little."""


@dataclass(frozen=True)
class Model:
    """One kind of counterpart.

    Attributes
    ----------
    first_day, last_day
        When it is first detected, days since the event; equally likely at any time between.
    old
        Whether it may have been there before: then its detections before the event do not count against it.
    shares
        The share of such counterparts in each of CLASSES; empty: the class tells nothing.
    light
        The same for LIGHT_CURVE_CLASSES. They leave room for classifiers that take one for another.
    """

    name: str
    first_day: float
    last_day: float
    shares: Mapping[str, float]
    light: Mapping[str, float]
    old: bool = False

    def class_probability(self) -> npt.NDArray[np.float64]:
        """Probability of each class, shape (len(CLASSES),); NaN if the class tells nothing."""
        if not self.shares:
            return np.full(len(CLASSES), np.nan)
        return _probabilities(self.shares, CLASSES)

    def light_probability(self) -> npt.NDArray[np.float64]:
        """Probability of each of LIGHT_CURVE_CLASSES; ones if they tell nothing."""
        if not self.light:
            return np.ones(len(LIGHT_CURVE_CLASSES))
        return _probabilities(self.light, LIGHT_CURVE_CLASSES)


def _probabilities(shares: Mapping[str, float], names: Iterable[str]) -> npt.NDArray[np.float64]:
    given = np.array([max(shares.get(name, 0.0), _LEAST) for name in names])
    return np.asarray(given / given.sum())


KILONOVA = Model(
    "kilonova", 0.0, 5.0,
    {"SN": 0.6, "ORPHAN": 0.2, "NT": 0.1, "UNCLEAR": 0.08, "AGN": 0.02},
    {"kilonova": 0.7, "SN": 0.2, "afterglow": 0.1},
)  # fmt: skip
NUCLEAR_FLARE = Model(
    "flare of an active nucleus", 0.0, 200.0,
    {"AGN": 0.85, "NT": 0.12, "ORPHAN": 0.03},
    {"AGN": 0.7, "TDE": 0.2, "SN": 0.1},
)  # fmt: skip
AFTERGLOW = Model(
    "afterglow", 0.0, 3.0,
    {"SN": 0.45, "ORPHAN": 0.4, "NT": 0.08, "UNCLEAR": 0.06, "AGN": 0.01},
    {"afterglow": 0.7, "SN": 0.2, "kilonova": 0.1},
)  # fmt: skip
STRIPPED_SUPERNOVA = Model(
    "supernova", -1.0, 20.0, {"SN": 0.8, "NT": 0.1, "ORPHAN": 0.08, "UNCLEAR": 0.02}, {"SN": 1.0}
)
ACCRETION = Model(
    "accreting black hole", -365.0, 30.0, {"AGN": 0.7, "NT": 0.3}, {"AGN": 0.6, "TDE": 0.4}, old=True
)
NEARBY_SUPERNOVA = Model("supernova nearby", 0.0, 3.0, {}, {})
XRAY_FLARE = Model(
    "flare", -1.0, 10.0, {"VS": 0.4, "CV": 0.4, "AGN": 0.2}, {"galactic": 0.8, "AGN": 0.2}, old=True
)

_OF_KIND: Mapping[str, tuple[tuple[float, Model], ...]] = {
    "neutrino": ((0.5, STRIPPED_SUPERNOVA), (0.5, ACCRETION)),
    "supernova neutrinos": ((1.0, NEARBY_SUPERNOVA),),
    "grb": ((0.9, AFTERGLOW), (0.1, STRIPPED_SUPERNOVA)),
    "frb": ((1.0, AFTERGLOW),),
    "x-ray transient": ((0.6, AFTERGLOW), (0.4, XRAY_FLARE)),
    "x-ray flare": ((1.0, XRAY_FLARE),),
    "gamma-ray flare": ((1.0, ACCRETION),),
}
"""For each kind of event its counterparts and their shares."""


def is_messenger(kind: str | None) -> bool:
    """Whether events of this kind have models; others are only matched by place."""
    return kind == "gw" or kind in _OF_KIND


def models_of(event: Mapping[str, Any]) -> tuple[tuple[float, Model], ...]:
    """The kinds of counterpart of an event with their probabilities, which may leave room for none at all.

    Parameters
    ----------
    event
        A row of `external_events`.
    """
    kind = event["kind"]
    if kind != "gw":
        return _OF_KIND.get(kind, ())
    shares = {name: event[name] for name in ("BNS", "NSBH", "BBH", "Terrestrial")}
    if all(value is None for value in shares.values()):
        return ((0.5, KILONOVA), (0.5, NUCLEAR_FLARE))  # a burst, or a notice that says nothing
    real = {name: value or 0.0 for name, value in shares.items()}
    # Only matter that is left outside shines; HasRemnant is given the signal is real.
    with_star = real["BNS"] + real["NSBH"]
    remnant = event["HasRemnant"]
    bright = with_star if remnant is None else min(remnant * (1.0 - real["Terrestrial"]), with_star)
    kinds = ((bright, KILONOVA), (real["BBH"], NUCLEAR_FLARE))
    return tuple((weight, model) for weight, model in kinds if weight >= _LEAST_SHARE)


def class_codes(names: npt.NDArray[np.object_]) -> npt.NDArray[np.int8]:
    """Index into CLASSES of each name; UNKNOWN for others and None."""
    codes = np.full(len(names), UNKNOWN, np.int8)
    for code, name in enumerate(CLASSES):
        codes[names == name] = code
    return codes
