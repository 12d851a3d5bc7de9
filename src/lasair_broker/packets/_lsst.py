"""Packets of Rubin's LSST, schemas 7.0 to 11.1 and on: fields by name, and the names of older versions.

What changed between versions (from the schemas themselves):

- 8.0: `isNegative` was `is_negative`; `time_processed` (timestamp in μs, UTC) became `timeProcessedMjdTai`
  in 9.0, and `validityStart` likewise `validityStartMjdTai`; `alertId` gave way to `diaSourceId`; upper
  limits and `ssObject` left.
- 10.0: `ssSource` was renamed throughout and `MPCORB` became `mpc_orbits`. Real packets of 9.0 show that
  the vectors were equatorial (ICRS) before too. `residualRa` and `residualDec` (degrees, without or with
  cos δ is not stated) are not taken for `ephOffsetRa` and `ephOffsetDec`.
- 7.x: the phase-curve fields of `ssObject` had other names.

Numbers that refer to another record (`diaObjectId`, `ssObjectId`, `parentDiaSourceId`) are 0 in the packets
where they refer to none; that becomes NULL.
"""

from __future__ import annotations

from ._columns import Column
from ._convert import micros, present, scaled, zero_is_null
from ._mapping import Part, Rule, Survey, same
from ._mpc import unpacked_designation

__all__ = ["LSST"]

SECONDS_A_DAY = 86400.0
LIMIT_SIGMAS = 5.0
"""A source is detected at five times the noise of the difference image."""


def limiting_flux(noise: Column) -> Column:
    """Faintest flux that would have been detected (nJy) where the noise is `noise` (nJy, 1 σ)."""
    return scaled(LIMIT_SIGMAS)(noise)


def _exposure_end(middle: Column, exposure: Column) -> Column:
    return Column(middle.values + 0.5 * exposure.values / SECONDS_A_DAY, present(middle) & present(exposure))


def _designation(packed: Column) -> Column:
    words = tuple(unpacked_designation(word) for word in packed.words or ())
    return Column(packed.values, packed.valid, words)


_TIMES = {
    "timeProcessedMjdTai": (*same("timeProcessedMjdTai"), Rule(("time_processed",), micros)),
    "validityStartMjdTai": (*same("validityStartMjdTai"), Rule(("validityStart",), micros)),
}
_LINKS = {name: (Rule((name,), zero_is_null),) for name in ("diaObjectId", "ssObjectId", "parentDiaSourceId")}

_SOURCE = {
    **_TIMES,
    **_LINKS,
    "decl": same("dec"),
    "isNegative": same("isNegative", "is_negative"),
    "exposureEndMjdTai": (Rule(("midpointMjdTai", "exposureTime"), _exposure_end),),
}
_FORCED = {**_TIMES, **_LINKS, "decl": same("dec")}
_LIMIT = {"limitingFlux": (Rule(("diaNoise",), limiting_flux),)}
_OBJECT = {**_TIMES, **_LINKS, "decl": same("dec")}

_SS_SOURCE = {
    **_LINKS,
    "eclLambda": same("eclLambda", "eclipticLambda"),
    "eclBeta": same("eclBeta", "eclipticBeta"),
    "galLon": same("galLon", "galacticL"),
    "galLat": same("galLat", "galacticB"),
    "helioRange": same("helioRange", "heliocentricDist"),
    "topoRange": same("topoRange", "topocentricDist"),
    "ephVmag": same("ephVmag", "predictedVMagnitude"),
    **{
        f"{new}_{axis.lower()}": same(f"{new}_{axis.lower()}", f"{old}centric{axis}")
        for new, old in (("helio", "helio"), ("topo", "topo"))
        for axis in ("X", "Y", "Z", "VX", "VY", "VZ")
    },
}

_SS_OBJECT = {
    "ssObjectId": (Rule(("ssObjectId",), zero_is_null),),
    "nObs": same("nObs", "numObs"),
    "firstObservationMjdTai": same("firstObservationMjdTai", "firstObservationDate"),
    "MOIDEarth": same("MOIDEarth", "MOID"),
    "MOIDEarthDeltaV": same("MOIDEarthDeltaV", "MOIDDeltaV"),
    "MOIDEarthEclipticLongitude": same("MOIDEarthEclipticLongitude", "MOIDEclipticLongitude"),
    "MOIDEarthTrueAnomaly": same("MOIDEarthTrueAnomaly", "MOIDTrueAnomaly"),
    "extendednessMedian": same("extendednessMedian", "medianExtendedness"),
    **{f"{band}_nObsUsed": same(f"{band}_nObsUsed", f"{band}_Ndata") for band in "ugrizy"},
}

# MPCORB of 8.0 and 9.0: the designation is the packed one.
_MPCORB = {
    "designation": (Rule(("mpcDesignation",), _designation),),
    "packed_primary_provisional_designation": same("mpcDesignation"),
    "unpacked_primary_provisional_designation": (Rule(("mpcDesignation",), _designation),),
    "h": same("mpcH"),
    "epoch_mjd": same("epoch"),
    "mean_anomaly": same("M"),
    "argperi": same("peri"),
    "i": same("incl"),
    "peri_time": same("t_p"),
}

LSST = Survey(
    name="lsst",
    signs=("diaSource.diaSourceId", "diaSource.midpointMjdTai"),
    detection=Part("", "diaSource.", _SOURCE),
    history=Part("prvDiaSources", "", _SOURCE),
    forced=Part("prvDiaForcedSources", "", _FORCED),
    limits=Part("prvDiaNondetectionLimits", "", _LIMIT),
    objects=Part("", "diaObject.", _OBJECT),
    ss_detection=Part("", "ssSource.", _SS_SOURCE),
    ss_body=Part("", "ssObject.", _SS_OBJECT),
    orbits=(Part("", "mpc_orbits.", {}), Part("", "MPCORB.", _MPCORB)),
    cutouts={
        "Difference": "cutoutDifference",
        "Science": "cutoutScience",
        "Template": "cutoutTemplate",
    },
)
