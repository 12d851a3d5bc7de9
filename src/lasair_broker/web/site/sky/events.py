"""Pages of events that others announced, and of the objects that match them."""

from __future__ import annotations

from typing import Any

import numpy as np
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from lasair_broker.query import parse
from lasair_broker.sky import Moc, MocError
from lasair_broker.web.archive import ask
from lasair_broker.web.catalogue import catalogue_for
from lasair_broker.web.errors import NotFound
from lasair_broker.web.site.all_sky import Picture, Region, places, region
from lasair_broker.web.site.lists.common import OBJECT_CELL, archive_table, quoted
from lasair_broker.web.site.tables import Column

_EVENTS = (
    Column("eventName", "Event", sortable=True, template="site/sky/_event_name.html"),
    Column("origin", "From", sortable=True),
    Column("kind", "Kind", sortable=True),
    Column("eventClass", "Class", sortable=True),
    Column("regime", "Seen in", sortable=True),
    Column("eventMjdTai", "Time", "MJD TAI", numeric=True, digits=9, sortable=True),
    Column("ra", "RA", "deg", numeric=True, digits=8, sortable=True),
    Column("decl", "Dec", "deg", numeric=True, digits=7, sortable=True),
    Column("errorRadius", "Error", "deg, 90 %", numeric=True, digits=3, sortable=True),
)
_HITS = (
    Column("objectName", "Object", sortable=True, template=OBJECT_CELL),
    Column("separationArcsec", "Distance", "arcsec", numeric=True, digits=3, sortable=True),
    Column("offsetSigma", "Distance", "sigma", numeric=True, digits=3, sortable=True),
    Column("firstDays", "First detection", "days after it", numeric=True, digits=4, sortable=True),
    Column("lastDays", "Last detection", "days after it", numeric=True, digits=4, sortable=True),
    Column("nDiaSources", "Detections", numeric=True, sortable=True),
)
_FILTERS = ("origin", "kind", "regime")


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """The events of others."""
    chosen = {name: request.GET.get(name, "").replace("\0", "")[:100] for name in _FILTERS}
    conditions = [f"{name} = {quoted(value)}" for name, value in chosen.items() if value]
    shown = archive_table(
        request,
        "t",
        _EVENTS,
        select="origin, eventName, kind, eventClass, regime, eventMjdTai, ra, decl, errorRadius, "
        "retracted, role",
        source="external_events",
        where=" AND ".join(conditions) or "origin IS NOT NULL",
        caption="Events",
        empty="No event fits. An operator takes them in from notices and tables.",
        sort="eventMjdTai",
        descending=True,
        search_in="eventName",
        search_label="Name",
    )
    choices = {
        name: [(value, value == chosen[name]) for value in _values(request, name)] for name in _FILTERS
    }
    return render(request, "site/sky/events.html", {"table": shown, "choices": choices, "chosen": chosen})


@require_safe
def page(request: HttpRequest, origin: str, event: str) -> HttpResponse:
    """An event, and the objects that match it."""
    text = f"SELECT * FROM external_events WHERE origin = {quoted(origin)} AND eventName = {quoted(event)}"  # noqa: S608 - our own language, which is parsed
    found, _ = ask(request.user, parse(text, catalogue_for(request.user)), limit=1)
    if not found.num_rows:
        raise NotFound(f"there is no event {event[:60]} of {origin[:60]}")
    row = found.to_pylist()[0]
    context = {
        "event": row,
        "picture": _picture(row),
        "hits": archive_table(
            request,
            "hits",
            _HITS,
            select="event_hits.diaObjectId, event_hits.separationArcsec, event_hits.offsetSigma, "
            "event_hits.firstDays, event_hits.lastDays, objects.objectName, objects.nDiaSources",
            source="event_hits JOIN objects ON event_hits.diaObjectId = objects.diaObjectId",
            where=f"event_hits.mw_id = {int(row['mw_id'])}",
            caption="Objects that match",
            empty="No object matches it so far.",
            sort="offsetSigma",
            orders={
                n: f"event_hits.{n}" for n in ("separationArcsec", "offsetSigma", "firstDays", "lastDays")
            }
            | {n: f"objects.{n}" for n in ("objectName", "nDiaSources")},
        ),
    }
    return render(request, "site/sky/event.html", context)


def _values(request: HttpRequest, name: str) -> list[str]:
    """The different values of a column of the events."""
    text = f"SELECT DISTINCT {name} FROM external_events WHERE {name} IS NOT NULL ORDER BY {name}"  # noqa: S608 - our own names
    found, _ = ask(request.user, parse(text, catalogue_for(request.user)), limit=200)
    return [str(value) for value in found.column(0).to_pylist()]


def _picture(row: dict[str, Any]) -> Picture | None:
    if row["ra"] is None or row["decl"] is None:
        return None
    regions: list[Region] = []
    marks = places(np.array([row["ra"]]), np.array([row["decl"]]))
    radius = row["errorRadius"] or 0.0
    if 0.0 < radius < 180.0:
        try:
            regions, _ = region(Moc.circle(row["ra"], row["decl"], radius))
        except MocError:
            regions = []
    return Picture(
        label=f"The sky with {row['eventName']} at {row['ra']:.4f} {row['decl']:.4f}",
        regions=regions,
        rings=marks if radius < 3.0 else (),
        points=marks,
    )
