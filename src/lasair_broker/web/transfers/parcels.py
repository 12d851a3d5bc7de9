"""What is sent of an object: its name, its place, and the photometry that its sender may see."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyarrow.compute as pc
from astropy.time import Time

from lasair_broker.web.accounts.models import User
from lasair_broker.web.archive import archive
from lasair_broker.web.errors import NotFound
from lasair_broker.web.photometry import services as photometry
from lasair_broker.web.photometry.models import FluxOf
from lasair_broker.web.sharing import Visibility
from lasair_broker.web.transfers.destinations import Measurement, Parcel

_COLUMNS = ["midpointMjdTai", "band", "psfFlux", "psfFluxErr", "timeWithdrawnMjdTai"]
_PASSBANDS = {("ATLAS", band): f"atlas{band}" for band in "oc"} | {
    ("ZTF", band): f"ztf{band}" for band in "gri"
}
_PASSBANDS |= {("LSST", band): f"lsst{band}" for band in "ugrizy"}
_SURVEYS = {"lsst": "LSST", "ztf": "ZTF"}


def parcel_of(user: User, diaObjectId: int, *, private: bool) -> tuple[Parcel, int]:
    """What is sent of an object, and how many points are not: those of other passbands than are known,
    limits, fluxes that are not of differences, and what has none in the archive's units.

    Parameters
    ----------
    private
        Whether added points go along that not everybody sees.

    Raises
    ------
    NotFound
        If there is no such object.
    """
    rows = archive().object(diaObjectId, ["objectName", "survey", "ra", "decl"]).to_pylist()
    if not rows:
        raise NotFound(f"there is no object {diaObjectId} in the archive")
    row = rows[0]
    sources = archive().light_curve(diaObjectId, {"diaSources": _COLUMNS}).diaSources
    sources = sources.filter(pc.is_null(sources["timeWithdrawnMjdTai"]))
    survey = _SURVEYS.get(row["survey"], "")
    found: list[dict[str, Any]] = [{**source, "instrument": survey} for source in sources.to_pylist()]
    of_flux = dict(photometry.visible(user).values_list("pk", "flux_of"))
    for point in photometry.of_objects(user, [diaObjectId]).to_pylist():
        if not private and point["visibility"] != Visibility.PUBLIC:
            continue
        useless = point["is_limit"] or of_flux.get(point["photometry"]) == FluxOf.TOTAL
        found.append(point | ({"psfFlux": None} if useless else {}))
    good = [point for point in found if _usable(point)]
    tai = np.array([point["midpointMjdTai"] for point in good])
    utc = Time(tai, format="mjd", scale="tai").utc.mjd if good else tai
    points = [
        # To a tenth of a millisecond: the same point is the same number whenever it is sent.
        Measurement(round(float(mjd), 9), _passband(point), point["psfFlux"], point["psfFluxErr"])
        for mjd, point in zip(utc, good, strict=True)
    ]
    name = row["objectName"] or str(diaObjectId)
    return Parcel(name, row["ra"], row["decl"], points), len(found) - len(good)


def _usable(point: dict[str, Any]) -> bool:
    flux, error = point["psfFlux"], point["psfFluxErr"]
    if flux is None or error is None or not (math.isfinite(flux) and math.isfinite(error)):
        return False
    return error > 0.0 and bool(_passband(point))


def _passband(point: dict[str, Any]) -> str:
    return _PASSBANDS.get((str(point["instrument"]), str(point["band"])), "")
