"""Packets of the ELAsTiCC challenge, schema elasticc 0.9.

Fluxes have zero point 27.5, as SNANA writes them. The real files agree: read so, their errors put the 5 σ
limit of a visit at LSST's depth; read as nJy they would be three to four magnitudes deeper. Times are MJD
TAI. Numbers of objects and sources are small and only unique within the challenge: keep it in an archive of
its own.
"""

from __future__ import annotations

from ._convert import FLUX_ZERO_POINT, renamed, scaled, zero_is_null
from ._lsst import LIMIT_SIGMAS
from ._mapping import Part, Rule, Survey, same

__all__ = ["ELASTICC"]

_NANOJANSKY = 10.0 ** (0.4 * (FLUX_ZERO_POINT - 27.5))

_flux = scaled(_NANOJANSKY)
_POINT = {
    "midpointMjdTai": same("midPointTai"),
    "band": (Rule(("filterName",), renamed({"Y": "y"})),),
    "psfFlux": (Rule(("psFlux",), _flux),),
    "psfFluxErr": (Rule(("psFluxErr",), _flux),),
    "scienceFlux": (Rule(("totFlux",), _flux),),
    "scienceFluxErr": (Rule(("totFluxErr",), _flux),),
    "diaObjectId": (Rule(("diaObjectId",), zero_is_null),),
    "parentDiaSourceId": (Rule(("parentDiaSourceId",), zero_is_null),),
    "diaNoise": (Rule(("diaNoise",), _flux),),
    "limitingFlux": (Rule(("diaNoise",), scaled(LIMIT_SIGMAS * _NANOJANSKY)),),
}

ELASTICC = Survey(
    name="elasticc",
    signs=(
        "alertId",
        "diaSource.diaSourceId",
        "diaSource.midPointTai",
        "diaSource.psFlux",
        "diaObject.mwebv",
    ),
    detection=Part("", "diaSource.", _POINT),
    history=Part("prvDiaSources", "", _POINT),
    forced=Part("prvDiaForcedSources", "", _POINT),
    limits=Part("prvDiaNondetectionLimits", "", _POINT),
    objects=Part("", "diaObject.", {}),
    cutouts={"Difference": "cutoutDifference", "Template": "cutoutTemplate"},
)
