"""The tables among the parts of the page: they page and sort on the server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from django.http import HttpRequest
from django.urls import reverse

from lasair_broker import schema
from lasair_broker.web.archive import archive
from lasair_broker.web.objects.curves import CURVE_COLUMNS, FLAGS
from lasair_broker.web.objects.head import state_of
from lasair_broker.web.objects.provenance import alerts_of
from lasair_broker.web.site.contents import ArrowRows, ListedRows, shown
from lasair_broker.web.site.objects.pages import FORMATS
from lasair_broker.web.site.tables import Column, Table
from lasair_broker.web.site.templatetags.site import figure

Context = dict[str, Any]
_NEIGHBOURS_ARCSEC = 120.0
_MJD = "site/objects/_cell_mjd.html"


def detections(request: HttpRequest, key: str) -> Context:
    """The detections of an object."""
    number = state_of(key, ("diaObjectId",))["diaObjectId"]
    columns = [
        Column(
            "midpointMjdTai",
            "MJD",
            "TAI",
            "Middle of the exposure.",
            numeric=True,
            sortable=True,
            template=_MJD,
        ),
        Column("band", "Band", sortable=True, template="site/objects/_cell_band.html"),
        Column("psfFlux", "Difference flux", "nJy", numeric=True, digits=4, sortable=True),
        Column("psfFluxErr", "±", "nJy", numeric=True, digits=3),
        Column("magnitude", "Magnitude", "AB", "Of the difference flux.", numeric=True, digits=4),
        Column("scienceFlux", "Total flux", "nJy", numeric=True, digits=4, sortable=True),
        Column("snr", "S/N", numeric=True, digits=3, sortable=True),
        Column(
            "reliability",
            "Reliability",
            description="0 false, 1 real.",
            numeric=True,
            digits=2,
            sortable=True,
        ),
        Column("flags", "Flags", description="What the survey says against it."),
        Column("diaSourceId", "Detection", template="site/objects/_cell_detection.html"),
    ]
    wanted = [*dict.fromkeys([*CURVE_COLUMNS["diaSources"], "snr"])]
    rows = archive().light_curve(number, {"diaSources": wanted}).diaSources
    rows = rows.filter(pc.is_null(rows["timeWithdrawnMjdTai"]))
    table = shown(
        request,
        "detections",
        columns,
        ArrowRows(rows, _detections),
        caption="Detections",
        sort="midpointMjdTai",
        descending=True,
        size=25,
        downloads=downloads(key, "diaSources"),
        empty="The survey has withdrawn all detections of this object.",
        search_label="band = r, snr > 10",
        in_address=False,
    )
    return {"table": table}


def _detections(rows: pa.Table) -> list[dict[str, Any]]:
    page: list[dict[str, Any]] = rows.to_pylist()
    for row in page:
        row["flags"] = ", ".join(name for name in FLAGS if row.pop(name)) or None
        row["magnitude"] = _magnitude(row["psfFlux"])
    return page


def neighbours(request: HttpRequest, key: str) -> Context:
    """Other objects near it."""
    row = state_of(key, ("diaObjectId", "ra", "decl"))
    columns = [
        Column("objectName", "Object", template="site/objects/_cell_object.html"),
        Column("survey", "Survey", sortable=True),
        Column("separationArcsec", "Separation", "″", numeric=True, digits=3, sortable=True),
        Column("nDiaSources", "Detections", numeric=True, digits=4, sortable=True),
        Column("lastDiaSourceMjdTai", "Last seen", "MJD", numeric=True, template=_MJD, sortable=True),
    ]
    rows = archive().cone(row["ra"], row["decl"], _NEIGHBOURS_ARCSEC)
    rows = rows.filter(pc.not_equal(rows["diaObjectId"], row["diaObjectId"]))
    table = shown(
        request,
        "neighbours",
        columns,
        ArrowRows(rows),
        caption="Neighbours within 2′",
        sort="separationArcsec",
        size=25,
        empty="No other object of this broker lies within 2′.",
        in_address=False,
    )
    return {"table": table}


def matches(request: HttpRequest, rows: pa.Table) -> Table:
    """What the catalogues have there."""
    columns = [
        Column("rank", "Rank", numeric=True, sortable=True),
        Column("catalogue_table_name", "Catalogue", sortable=True),
        Column("catalogue_object_id", "Source", sortable=True),
        Column("catalogue_object_type", "Kind", sortable=True),
        Column("association_type", "Says", sortable=True),
        Column("separationArcsec", "Separation", "″", numeric=True, digits=3, sortable=True),
        Column("physical_separation_kpc", "Offset", "kpc", numeric=True, digits=3, sortable=True),
        Column("Mag", "Magnitude", numeric=True, sortable=True, template="site/objects/_cell_mag.html"),
        Column("z", "z", numeric=True, digits=4, sortable=True),
        Column("photoZ", "photo-z", numeric=True, sortable=True, template="site/objects/_cell_photo_z.html"),
        Column("ddlr", "Light radii", numeric=True, digits=3, sortable=True),
        Column(
            "hostProbability",
            "Host",
            numeric=True,
            sortable=True,
            template="site/objects/_cell_percent.html",
        ),
    ]
    return shown(
        request,
        "matches",
        columns,
        ArrowRows(rows),
        caption="Catalogue matches",
        sort="rank",
        size=25,
        search_label="Words, or z > 0.01",
        in_address=False,
    )


def similar(request: HttpRequest, rows: Sequence[Mapping[str, Any]]) -> Table:
    """The objects that are like it."""
    columns = [
        Column("objectName", "Object", sortable=True, template="site/objects/_cell_object.html"),
        Column("distance", "Distance", numeric=True, digits=3, sortable=True),
        Column("nDiaSources", "Detections", numeric=True, digits=4, sortable=True),
        Column("lastDiaSourceMjdTai", "Last seen", "MJD", numeric=True, template=_MJD, sortable=True),
        Column("absMag", "Absolute magnitude", numeric=True, digits=4, sortable=True),
        Column("tns_name", "TNS", sortable=True),
    ]
    return shown(
        request,
        "similar",
        columns,
        ListedRows(rows, columns),
        caption="Similar objects",
        sort="distance",
        size=25,
        in_address=False,
    )


def class_history(request: HttpRequest, rows: Sequence[Mapping[str, Any]]) -> Table:
    """All that classifiers have said of it."""
    columns = [
        Column("model", "Model", sortable=True),
        Column("version", "Version", sortable=True),
        Column("topClass", "Class", sortable=True),
        Column(
            "topProbability",
            "Probability",
            numeric=True,
            sortable=True,
            template="site/objects/_cell_percent.html",
        ),
        Column("newestSourceMjdTai", "Newest detection", "MJD", numeric=True, template=_MJD, sortable=True),
        Column("computedMjdTai", "Computed", "MJD", numeric=True, template=_MJD, sortable=True),
    ]
    return shown(
        request,
        "history",
        columns,
        ListedRows(rows, columns),
        caption="Class history",
        sort="newestSourceMjdTai",
        descending=True,
        size=25,
        in_address=False,
    )


def features(request: HttpRequest, key: str) -> Context:
    """Every column of `objects` that has a value."""
    row = state_of(key)
    columns = [
        Column("name", "Column", sortable=True, template="site/objects/_cell_code.html"),
        Column("value", "Value", numeric=True),
        Column("unit", "Unit", sortable=True),
        Column("description", "Meaning", sortable=True),
    ]
    found = [
        {"name": c.name, "value": _shown(row[c.name], c), "unit": c.unit or "", "description": c.description}
        for c in schema.table("objects").columns
        if row[c.name] is not None
    ]
    table = shown(
        request,
        "features",
        columns,
        ListedRows(found, columns),
        caption="Features",
        downloads=[("CSV, with definitions", reverse("objects:features", args=[key]))],
        empty="No column has these words.",
        search_label="Search columns",
        in_address=False,
    )
    return {"table": table}


def provenance(request: HttpRequest, key: str) -> Context:
    """The alerts that told of it."""
    row = state_of(key, ("diaObjectId", "survey", "timestamp", "validityStartMjdTai"))
    columns = [
        Column("midpointMjdTai", "Exposure", "MJD", numeric=True, template=_MJD, sortable=True),
        Column("arrivedMjdTai", "Arrived", "MJD", numeric=True, template=_MJD, sortable=True),
        Column(
            "latency",
            "After the exposure",
            "s",
            "From the end of the exposure to the arrival.",
            numeric=True,
            digits=3,
            sortable=True,
        ),
        Column("decoding", "Decoded after", "s", numeric=True, digits=3, sortable=True),
        Column(
            "commit",
            "In the archive after",
            "s",
            "From the arrival.",
            numeric=True,
            digits=3,
            sortable=True,
        ),
        Column("schema", "Schema", sortable=True),
        Column("topic", "Topic or file", sortable=True),
        Column("diaSourceId", "Packet", template="site/objects/_cell_packet.html"),
    ]
    sources = archive().light_curve(row["diaObjectId"], {"diaSources": ["diaSourceId"]}).diaSources
    alerts = alerts_of(sources["diaSourceId"].to_pylist())
    for alert in alerts:
        alert["latency"] = _seconds(alert["exposureEndMjdTai"], alert["arrivedMjdTai"])
        alert["decoding"] = _seconds(alert["arrivedMjdTai"], alert["decodedMjdTai"])
        alert["commit"] = _seconds(alert["arrivedMjdTai"], alert["committedMjdTai"])
    said = archive().rows_of_objects(
        "sherlock_classifications", [row["diaObjectId"]], ["annotator", "configuration"]
    )
    table = shown(
        request,
        "alerts",
        columns,
        ListedRows(alerts, columns),
        caption="Alerts",
        size=25,
        empty="No alert of this object is kept; it is known from the history in others' packets.",
        in_address=False,
    )
    return {"row": row, "said": (said.to_pylist() or [None])[0], "table": table}


def downloads(key: str, name: str) -> list[tuple[str, str]]:
    """Label and address of a table of the light curve in each format."""
    return [(label, reverse("objects:download", args=[key, name, ending])) for ending, label in FORMATS]


def _shown(value: Any, column: schema.Column) -> str:
    """A value with the digits that its column deserves."""
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    if not isinstance(value, float):
        return str(value)  # counts, and numbers of things, which nobody wants to have spaced
    if column.unit == "deg" and column.name in ("ra", "decl"):
        return f"{value:.6f}"
    return f"{value:.5f}" if column.unit == "d" and value > 10_000 else figure(value, 5)


def _seconds(begin: float | None, end: float | None) -> float | None:
    return None if begin is None or end is None else (end - begin) * 86_400.0


def _magnitude(flux: float | None) -> float | None:
    return 31.4 - 2.5 * float(np.log10(flux)) if flux is not None and flux > 0 else None
