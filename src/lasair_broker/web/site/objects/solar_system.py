"""The page of a body of the solar system: its orbit, its detections and its phase curve."""

from __future__ import annotations

from typing import Any

import numpy as np
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from lasair_broker.packets import BANDS
from lasair_broker.query import PUBLIC, parse
from lasair_broker.web.archive import archive
from lasair_broker.web.errors import NotFound
from lasair_broker.web.objects.head import key_of
from lasair_broker.web.site.contents import ListedRows, shown
from lasair_broker.web.site.tables import Column

_MOST = 5000
_ORBIT = (
    ("a", "semi-major axis", "au"),
    ("q", "perihelion", "au"),
    ("e", "eccentricity", ""),
    ("i", "inclination", "°"),
    ("node", "ascending node", "°"),
    ("argperi", "argument of perihelion", "°"),
    ("h", "absolute magnitude H", "mag"),
)
_SOURCES = (
    *(
        "diaSourceId",
        "midpointMjdTai",
        "band",
        "psfFlux",
        "psfFluxErr",
        "reliability",
        "designation",
        "ssObjectId",
    ),
    *("phaseAngle", "helioRange", "topoRange", "elongation", "ephVmag", "ephOffset", "ra", "decl"),
)

_DETECTIONS = (
    Column(
        "midpointMjdTai", "MJD", "TAI", numeric=True, sortable=True, template="site/objects/_cell_mjd.html"
    ),
    Column("band", "Band", sortable=True, template="site/objects/_cell_band.html"),
    Column("psfFlux", "Flux", "nJy", numeric=True, digits=4, sortable=True),
    Column(
        "magnitude",
        "Magnitude",
        "AB",
        numeric=True,
        template="site/objects/_cell_magnitude.html",
        filed=False,
    ),
    Column("phaseAngle", "Phase angle", "deg", numeric=True, digits=4, sortable=True),
    Column("helioRange", "From the Sun", "au", numeric=True, digits=4, sortable=True),
    Column("topoRange", "From Earth", "au", numeric=True, digits=4, sortable=True),
    Column("ephOffset", "Off the ephemeris", "″", numeric=True, digits=2, sortable=True),
    Column("ra", "RA", "deg", numeric=True, digits=8, sortable=True),
    Column("decl", "Dec", "deg", numeric=True, digits=8, sortable=True),
)


@require_safe
def page(request: HttpRequest, key: str) -> HttpResponse:
    """A body, by its number (ssObjectId) or its designation."""
    sources = _sources(key)
    number = sources[0]["ssObjectId"] if sources else key_of(key)
    found = _rows("ssObjects", f"ssObjectId = {number}") if isinstance(number, int) else []
    body = found[0] if found else {}
    name = next((r["designation"] for r in sources if r["designation"]), body.get("designation") or "")
    if not sources and not body:
        raise NotFound(f"there is no body {key[:40]} in the archive")
    orbit = (_rows("mpc_orbits", f"designation = {_text(name)}") if name else [])[:1]
    points = [reduced(row) for row in sources]
    context: dict[str, Any] = {
        "name": name or str(number),
        "number": number,
        "body": body,
        "orbit": [
            (label, orbit[0][column], unit)
            for column, label, unit in _ORBIT
            if orbit and orbit[0].get(column) is not None
        ],
        "bands": [
            {name: body.get(f"{band}_{name}") for name in ("H", "HErr", "G12", "G12Err", "nObsUsed")}
            | {"band": band}
            for band in BANDS
            if body.get(f"{band}_H") is not None
        ],
        "detections": shown(
            request,
            "detections",
            _DETECTIONS,
            ListedRows(sources, _DETECTIONS),
            caption="Detections",
            sort="midpointMjdTai",
            descending=True,
            search_label="band = r, phaseAngle < 5",
            title=True,
        ),
        "points": [point for point in points if point["magnitude"] is not None],
    }
    return render(request, "site/objects/solar_system.html", context)


def reduced(row: dict[str, Any]) -> dict[str, Any]:
    """A detection as its phase curve has it: the phase angle (degrees), and the AB magnitude brought to 1 au
    from Sun and Earth; None where something for it is missing."""
    flux, sun, earth = row["psfFlux"], row["helioRange"], row["topoRange"]
    magnitude = None
    if flux and flux > 0 and sun and earth and row["phaseAngle"] is not None:
        magnitude = 31.4 - 2.5 * float(np.log10(flux)) - 5.0 * float(np.log10(sun * earth))
    return {
        "phase": row["phaseAngle"],
        "magnitude": magnitude,
        "error": 1.0857 * row["psfFluxErr"] / flux if magnitude is not None and row["psfFluxErr"] else None,
        "band": row["band"],
        "mjd": row["midpointMjdTai"],
    }


def _sources(key: str) -> list[dict[str, Any]]:
    condition = f"designation = {_text(key)}"
    if key.isascii() and key.isdecimal():
        condition = f"ssObjectId = {key_of(key)}"
    return _rows("ssSources", f"{condition} ORDER BY midpointMjdTai DESC", ", ".join(_SOURCES))


def _rows(table: str, condition: str, columns: str = "*") -> list[dict[str, Any]]:
    text = f"SELECT {columns} FROM {table} WHERE {condition}"  # noqa: S608 - our own language, which is parsed, with numbers and quoted texts
    found: list[dict[str, Any]] = (
        archive().query(parse(text, PUBLIC).render(archive().engine), max_rows=_MOST).to_pylist()
    )
    return found


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
