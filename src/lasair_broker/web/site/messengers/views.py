"""Pages of gravitational waves, neutrinos and bursts, and of their possible counterparts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from lasair_broker.sky import SkyMap
from lasair_broker.web.errors import Invalid, NotFound
from lasair_broker.web.messengers import CANDIDATES, coverage, event_of, map_of, versions_of
from lasair_broker.web.site.all_sky import Picture, Region
from lasair_broker.web.site.all_sky import region as cells_of
from lasair_broker.web.site.lists.common import OBJECT_CELL, archive_table, person, quoted
from lasair_broker.web.site.sparklines import bars, sparklines
from lasair_broker.web.site.tables import Column, Table
from lasair_broker.web.watchmaps import services as watchmaps

_KINDS = ("gw", "neutrino", "grb", "frb", "x-ray transient", "x-ray flare", "gamma-ray flare")
_EVENTS = (
    Column("eventName", "Event", sortable=True, template="site/messengers/_event.html"),
    Column("origin", "From", sortable=True),
    Column("kind", "Kind", sortable=True),
    Column("eventClass", "Class", sortable=True),
    Column("eventMjdTai", "Time", "MJD TAI", numeric=True, digits=9, sortable=True),
    Column("area90", "Area", "deg², 90 %", numeric=True, digits=4, sortable=True),
    Column("distance", "Distance", "Mpc", numeric=True, digits=4, sortable=True),
    Column("falseAlarmRate", "False alarms", "1/yr", numeric=True, digits=2, sortable=True),
    Column("latency", "Announced", "minutes after it", numeric=True, digits=3),
)
_ROWS = (
    Column("objectName", "Object", sortable=True, template=OBJECT_CELL),
    Column("tier", "Tier", sortable=True, template="site/messengers/_tier.html"),
    Column("curve", "Light curve"),
    Column("contour", "Contour", "%", numeric=True, digits=3, sortable=True),
    Column("contour3", "In space", "%", numeric=True, digits=3, sortable=True),
    Column("firstDays", "First seen", "days after it", numeric=True, digits=3, sortable=True),
    Column("distanceSigma", "Distance", "sigma", numeric=True, digits=2, sortable=True),
    Column("logBayesFactor", "log Bayes", numeric=True, digits=3, sortable=True),
    Column("chanceProbability", "Chance", numeric=True, digits=2, sortable=True),
)
_CHOICES = {
    "": ("Candidates", "mma_hits.state = 'current' AND mma_hits.seenBefore = FALSE"),
    "gold": ("Gold", "mma_hits.tier = 'gold'"),
    "silver": ("Gold and silver", "mma_hits.tier IN ('gold', 'silver')"),
    "before": ("Seen before the event", "mma_hits.seenBefore = TRUE"),
    "old": ("Superseded or retracted", "mma_hits.state IN ('superseded', 'retracted')"),
}
_DAYS = 14


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """The events."""
    kind = request.GET.get("kind", "")
    kinds = (kind,) if kind in _KINDS else _KINDS
    shown = archive_table(
        request,
        "t",
        _EVENTS,
        select="origin, eventName, kind, eventClass, eventMjdTai, area90, distance, falseAlarmRate, "
        "retracted, role, (noticeMjdTai - eventMjdTai) * 1440.0 AS latency",
        source="external_events",
        where=f"kind IN ({', '.join(quoted(each) for each in kinds)})",
        caption="Events",
        empty="No event fits. An operator takes them in from notices, or from Kafka as they are announced.",
        sort="eventMjdTai",
        descending=True,
        search_in="eventName",
        search_label="Name",
    )
    choices = [(each, each == kind) for each in _KINDS]
    return render(request, "site/messengers/index.html", {"table": shown, "kinds": choices})


@require_safe
def page(request: HttpRequest, origin: str, event: str) -> HttpResponse:
    """An event and its candidates."""
    row = event_of(request.user, origin, event)
    chosen = request.GET.get("show", "")
    chosen = chosen if chosen in _CHOICES else ""
    skymap = map_of(row)
    covered = coverage(request.user, row, skymap, _DAYS) if skymap and row["eventMjdTai"] else []
    context = {
        "event": row,
        "picture": None if skymap is None else _picture(row, skymap),
        "versions": versions_of(request.user, row),
        "choices": [(key, label, key == chosen) for key, (label, _) in _CHOICES.items()],
        "hits": _candidates(request, row, _CHOICES[chosen][1]),
        "covered": [round(100.0 * share, 1) for share in covered],
        "coverage": bars(
            [round(1000.0 * share) for share in covered],
            f"Share of the probability looked at within 1 to {_DAYS} days",
        ),
        "circulars": "https://gcn.nasa.gov/circulars?" + urlencode({"query": row["eventName"]}),
    }
    return render(request, "site/messengers/event.html", context)


@require_POST
@login_required
def watchmap(request: HttpRequest, origin: str, event: str) -> HttpResponse:
    """Make a watchmap of the 90 per cent region."""
    row = event_of(request.user, origin, event)
    skymap = map_of(row)
    if skymap is None:
        raise NotFound("this event has no map or region")
    name = f"{row['eventName']} 90 % ({row['alertType'] or 'notice'})"
    try:
        made = watchmaps.create_from_file(
            person(request),
            name,
            skymap.region(0.9).to_fits(),
            description=f"{row['kind']} of {row['origin']}",
        )
    except Invalid as error:
        messages.error(request, str(error))
        return redirect("messengers:event", origin, event)
    return redirect("lists:watchmap", made.pk)


def _candidates(request: HttpRequest, event: Mapping[str, Any], where: str) -> Table:
    names = (
        "tier", "state", "contour", "contour3", "firstDays", "distanceSigma", "logBayesFactor",
        "chanceProbability",
    )  # fmt: skip
    table = archive_table(
        request,
        "candidates",
        _ROWS,
        select="mma_hits.diaObjectId, objects.objectName, " + ", ".join(f"mma_hits.{n}" for n in names),
        source=CANDIDATES,
        where=f"mma_hits.mw_id = {int(event['mw_id'])} AND {where}",
        caption="Objects that may be its counterpart",
        empty="There are none so far.",
        sort="logBayesFactor",
        descending=True,
        orders={name: f"mma_hits.{name}" for name in names} | {"objectName": "objects.objectName"},
    )
    curves = sparklines([row["diaObjectId"] for row in table.rows])
    rows = [{**row, "curve": curves.get(row["diaObjectId"], "")} for row in table.rows]
    return replace(table, rows=rows)


def _picture(row: Mapping[str, Any], skymap: SkyMap) -> Picture:
    wide, ring = cells_of(skymap.region(0.9))
    dense, _ = cells_of(skymap.region(0.5))
    regions = [Region(each.path, "0.35") for each in wide] + [Region(each.path, "0.7") for each in dense]
    return Picture(
        label=f"The sky with the regions that hold {row['eventName']} with 90 and, darker, 50 per cent",
        regions=regions,
        rings=ring,
    )
