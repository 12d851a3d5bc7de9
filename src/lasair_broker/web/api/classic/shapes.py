"""Objects and contexts in the shapes that today's clients read."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from astropy.coordinates import BarycentricTrueEcliptic, SkyCoord
from astropy.time import Time
from rest_framework.request import Request

from lasair_broker.packets import CUTOUTS, mjd_tai_now
from lasair_broker.query import parse
from lasair_broker.schema import TABLES
from lasair_broker.web.archive import archive, rows_for
from lasair_broker.web.catalogue import catalogue_for
from lasair_broker.web.errors import NotFound

_SOURCE_LITE = ("diaSourceId", "midpointMjdTai", "band", "psfFlux", "psfFluxErr", "reliability")
_FORCED_LITE = ("midpointMjdTai", "band", "psfFlux", "psfFluxErr")
_DIA_OBJECT = ("ra", "decl", "firstDiaSourceMjdTai", "lastDiaSourceMjdTai")
_DATA_LITE = ("nDiaSources", "firstDiaSourceMjdTai", "lastDiaSourceMjdTai", "glat", "ebv")


def object_shape(
    request: Request, key: int | str, *, lite: bool, lasair_added: bool, reliability: float | None = None
) -> dict[str, Any]:
    """An object with its light curve, newest first, and with what Lasair adds.

    Parameters
    ----------
    lite
        Fewer columns.
    reliability
        Detections below it are left out.

    Raises
    ------
    NotFound
        If there is no such object, and what Lasair adds is wanted.
    """
    store = archive()
    row = next(iter(store.object(key).to_pylist()), None)
    if row is None:
        if lasair_added:
            raise NotFound(f"there is no object {key}")
        return {"diaObjectId": str(key), "diaSourcesList": [], "diaForcedSourcesList": []}
    number = row["diaObjectId"]
    columns = {"diaSources": [*_SOURCE_LITE], "diaForcedSources": [*_FORCED_LITE]} if lite else {}
    curve = store.light_curve(number, {**columns, "diaNondetectionLimits": ["diaObjectId"]})
    sources = [s for s in reversed(curve.diaSources.to_pylist()) if s["psfFlux"] is not None]
    if reliability is not None:
        sources = [s for s in sources if s["reliability"] is None or s["reliability"] >= reliability]
    forced = [s for s in reversed(curve.diaForcedSources.to_pylist()) if s["psfFlux"] is not None]
    shape: dict[str, Any] = {"diaObjectId": str(key)}
    if lasair_added:
        shape["lasairData"] = _lasair_data(request, row, sources, lite=lite)
        shape["diaObject"] = {name: row[name] for name in _DIA_OBJECT} if lite else row
    elif not lite:
        shape["diaObject"] = row
    return {**shape, "diaSourcesList": sources, "diaForcedSourcesList": forced}


def sherlock_shape(key: str, verdict: pa.Table, matches: pa.Table, *, lite: bool) -> dict[str, Any]:
    """What Sherlock says of something, under the name that it was asked by."""
    said = {}
    for row in verdict.to_pylist():  # one, or none
        said[key] = [row["classification"], row["description"]]
    crossmatches = [
        {"transient_object_id": key, **{k: v for k, v in row.items() if k != "diaObjectId"}}
        for row in matches.sort_by("rank").to_pylist()
    ]
    return {"classifications": said, "crossmatches": crossmatches[:1] if lite else crossmatches}


def _lasair_data(
    request: Request, row: dict[str, Any], sources: list[dict[str, Any]], *, lite: bool
) -> dict[str, Any]:
    number = row["diaObjectId"]
    data = {name: row[name] for name in _DATA_LITE} if lite else dict(row)
    now = mjd_tai_now()
    data |= _coordinates(row["ra"], row["decl"])
    data["now_mjd"] = f"{now:.2f}"
    for name, key in (("mjdmin_ago", "firstDiaSourceMjdTai"), ("mjdmax_ago", "lastDiaSourceMjdTai")):
        data[name] = None if row[key] is None else now - row[key]
    if sources:
        moments = {
            "disc": sources[-1],
            "latest": sources[0],
            "peak": max(sources, key=lambda source: source["psfFlux"]),
        }
        for name, source in moments.items():
            data |= _moment(name, source)
    verdict = rows_for(request.user, "sherlock_classifications", [number]).to_pylist()
    data["sherlock"] = {k: v for k, v in verdict[0].items() if k != "diaObjectId"} if verdict else {}
    data["TNS"] = _tns(row["tns_name"], request)
    wanted = [name for name in TABLES["annotations"].by_name if name != "diaObjectId"]
    annotations = rows_for(request.user, "annotations", [number]).select(wanted)
    data["annotations"] = annotations.sort_by([("timestamp", "descending")]).to_pylist()
    site = request.build_absolute_uri("/").rstrip("/")
    data["imageUrls"] = [
        {
            **{which: f"{site}/fits/{s['diaSourceId']}_cutout{which}/" for which in CUTOUTS},
            "diaSourceId": s["diaSourceId"],
        }
        for s in sources
    ]
    return data


def _coordinates(ra: float, decl: float) -> dict[str, Any]:
    """A position for people, and in ecliptic and galactic coordinates (degrees)."""
    place = SkyCoord(ra, decl, unit="deg")
    ecliptic, galactic = place.transform_to(BarycentricTrueEcliptic()), place.galactic
    return {
        "rasex": place.ra.to_string("hour", sep=":", precision=3, pad=True),
        "decsex": place.dec.to_string("deg", sep=":", precision=2, pad=True, alwayssign=True),
        "ec_lon": float(ecliptic.lon.deg),
        "ec_lat": float(ecliptic.lat.deg),
        "g_lon": float(galactic.l.deg),
        "g_lat": float(galactic.b.deg),
    }


def _moment(name: str, source: dict[str, Any]) -> dict[str, Any]:
    """A detection: when, how bright (a flux in nJy, though its name says Mag), in which band."""
    mjd, error = source["midpointMjdTai"], source["psfFluxErr"]
    utc = Time(mjd, format="mjd", scale="tai").utc.strftime("%Y-%m-%d %H:%M:%S")
    flux = f"{source['psfFlux']:.0f}" + ("" if error is None else f"±{error:.0f}")
    return {f"{name}Mjd": mjd, f"{name}Utc": utc, f"{name}Mag": flux, f"{name}Filter": source["band"]}


def _tns(name: str | None, request: Request) -> dict[str, Any]:
    if not name:
        return {}
    quoted = name.replace("'", "''")
    query = parse(f"SELECT * FROM crossmatch_tns WHERE tns_name = '{quoted}'", catalogue_for(request.user))  # noqa: S608 - our own language, which is parsed
    found = archive().query(query.render(archive().engine), max_rows=1).to_pylist()
    if not found:
        return {}
    row = {key: value for key, value in found[0].items() if key not in ("healpix29", "htm16")}
    for key in ("disc_date", "lastmodified_date", "lasairmodified_date"):
        if row[key] is not None:
            row[f"{key}_mjd" if key != "disc_date" else "disc_mjd"] = float(Time(row[key]).tai.mjd)
            row[key] = row[key].strftime("%Y-%m-%d %H:%M:%S")
    return row
