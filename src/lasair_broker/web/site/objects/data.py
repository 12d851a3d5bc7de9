"""What the scripts of the page fetch, and what people download."""

from __future__ import annotations

import csv
import io
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import pyarrow.compute as pc
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.views.decorators.http import require_safe

from lasair_broker.schema import table as schema_table
from lasair_broker.web.api import formats
from lasair_broker.web.archive import archive
from lasair_broker.web.errors import Invalid, NotFound
from lasair_broker.web.objects.curves import CURVE_COLUMNS, chart_data, curve_columns
from lasair_broker.web.objects.head import chart_columns, first_row, state_of
from lasair_broker.web.objects.periods import SHORTEST, periodogram
from lasair_broker.web.objects.provenance import packet_avro, packet_json
from lasair_broker.web.photometry import services as photometry

_Response = TypeVar("_Response", bound=HttpResponseBase)
_SURVEYS = {"lsst": "Rubin", "ztf": "ZTF"}


@require_safe
def light_curve(request: HttpRequest, key: str) -> HttpResponse:
    """Everything that the chart draws."""
    known = state_of(key, chart_columns())
    number = known["diaObjectId"]
    said = archive().rows_by_table(
        [number],
        {
            "sherlock_classifications": ["redshift", "best_distance"],
            "partners": ["partnerDiaObjectId", "partnerName", "partnerSurvey", "partnerRank"],
        },
    )
    host = first_row(said["sherlock_classifications"]) or {"redshift": None, "best_distance": None}
    others = [
        {
            "name": row["partnerName"] or str(row["partnerDiaObjectId"]),
            "survey": _SURVEYS.get(row["partnerSurvey"], row["partnerSurvey"]),
            **curve_columns(archive().light_curve(row["partnerDiaObjectId"], CURVE_COLUMNS)),
        }
        for row in said["partners"].to_pylist()
        if row["partnerRank"] == 1
    ]
    data = chart_data(
        known,
        archive().light_curve(number, CURVE_COLUMNS),
        host["redshift"],
        host["best_distance"],
        others,
        _sets_of_points(request, number),
    )
    return _private(HttpResponse(data, content_type="application/json"))


def _sets_of_points(request: HttpRequest, diaObjectId: int) -> list[dict[str, Any]]:
    """The points that users added, a set each, as far as the viewer sees them."""
    points = photometry.of_objects(request.user, [diaObjectId])
    said = photometry.visible(request.user).values_list("pk", "name", "flux_of")
    sets = {number: (name, flux_of) for number, name, flux_of in said}
    found = []
    for number in pc.unique(points["photometry"]).to_pylist():
        own = points.filter(pc.equal(points["photometry"], number))
        found.append(
            {
                "id": number,
                "name": sets.get(number, ("", ""))[0],
                "fluxOf": sets.get(number, ("", ""))[1],
                "owner": own["owner"][0].as_py(),
                "visibility": own["visibility"][0].as_py(),
                "provenance": own["provenance"][0].as_py(),
                **{
                    name: own[name].to_pylist()
                    for name in (
                        *("midpointMjdTai", "band", "psfFlux", "psfFluxErr", "is_limit"),
                        *("value", "error", "unit", "scale", "instrument"),
                    )
                },
            }
        )
    return found


@require_safe
def periods(request: HttpRequest, key: str) -> HttpResponse:
    """The periodogram of the light curve; `table`, `bands`, `from`, `to` choose points, `shortest` and
    `longest` periods."""
    number = state_of(key, ("diaObjectId",))["diaObjectId"]
    asked = request.GET
    name = asked.get("table", "diaSources")
    if name not in ("diaSources", "diaForcedSources"):
        raise Invalid({"table": "choose diaSources or diaForcedSources"})
    columns = ["midpointMjdTai", "band", "psfFlux", "psfFluxErr", "timeWithdrawnMjdTai"]
    rows = getattr(archive().light_curve(number, {name: columns}), name)
    rows = rows.filter(pc.is_null(rows["timeWithdrawnMjdTai"]))
    if bands := asked.get("bands"):
        rows = rows.filter(pc.is_in(rows["band"], pa.array(list(bands)[:20])))
    first, last = _real(asked.get("from"), -np.inf), _real(asked.get("to"), np.inf)
    time = _floats(rows["midpointMjdTai"])
    wanted = (time >= first) & (time <= last)
    found = periodogram(
        time[wanted],
        _floats(rows["psfFlux"])[wanted],
        _floats(rows["psfFluxErr"])[wanted],
        np.asarray([band or "?" for band in rows["band"].to_pylist()], str)[wanted],
        shortest=_real(asked.get("shortest"), SHORTEST),
        longest=_real(asked.get("longest"), np.inf),
    )
    return HttpResponse(
        orjson.dumps(found, option=orjson.OPT_SERIALIZE_NUMPY), content_type="application/json"
    )


@require_safe
def features(request: HttpRequest, key: str) -> HttpResponse:
    """Every column of the object with its value, unit and meaning, as CSV."""
    row = state_of(key)
    out = io.StringIO(newline="")
    lines = csv.writer(out, lineterminator="\r\n")
    lines.writerow(["name", "value", "unit", "description"])
    for column in schema_table("objects").columns:
        value = row[column.name]
        lines.writerow([column.name, "" if value is None else value, column.unit or "", column.description])
    return _file(out.getvalue().encode(), "text/csv; charset=utf-8", f"{_safe(row)}_features.csv")


@require_safe
def download(request: HttpRequest, key: str, name: str, ending: str) -> HttpResponseBase:
    """A table of the light curve as a file: diaSources, diaForcedSources, diaNondetectionLimits, or points,
    which users added."""
    row = state_of(key, ("diaObjectId", "objectName"))
    if ending not in formats.FORMATS:
        raise NotFound(f"there is no format {ending[:20]}; choose from {', '.join(formats.FORMATS)}")
    if name == "points":
        rows = photometry.of_objects(request.user, [row["diaObjectId"]])
    elif name in CURVE_COLUMNS:
        rows = getattr(archive().light_curve(row["diaObjectId"]), name)
    else:
        raise NotFound(f"there is no table {name[:40]} of a light curve")
    return _private(formats.download(rows, ending, f"{_safe(row)}_{name}"))


@require_safe
def packet(request: HttpRequest, diaSourceId: int, ending: str) -> HttpResponse:
    """The alert of a detection as it came, in an Avro container, or as JSON without its images."""
    if ending == "avro":
        return _file(packet_avro(diaSourceId), "application/avro", f"{diaSourceId}.avro")
    if ending == "json":
        content = orjson.dumps(packet_json(diaSourceId), default=str, option=orjson.OPT_INDENT_2)
        return _file(content, "application/json", f"{diaSourceId}.json")
    raise NotFound("a packet is given as avro or json")


def _file(content: bytes, media: str, name: str) -> HttpResponse:
    response = HttpResponse(content, content_type=media)
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _private(response: _Response) -> _Response:
    """What depends on who asks is kept by nobody."""
    response["Cache-Control"] = "private, no-store"
    return response


def _safe(row: dict[str, Any]) -> str:
    """A name for a file."""
    name = row["objectName"] or ""
    return name if name.isascii() and name.isalnum() else str(row["diaObjectId"])


def _floats(column: pa.ChunkedArray) -> npt.NDArray[np.float64]:
    values: npt.NDArray[np.float64] = column.cast(pa.float64()).to_numpy()
    return values


def _real(text: str | None, default: float) -> float:
    try:
        return float(text) if text else float(default)
    except ValueError:
        raise Invalid({"": f"{text!r} is no number"}) from None
