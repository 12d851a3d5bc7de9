"""Pages of gravitational waves, neutrinos and bursts, and of their possible counterparts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from lasair_broker.archive import QueryError
from lasair_broker.sky import SkyMap
from lasair_broker.web.errors import Invalid, NotFound
from lasair_broker.web.messenger_coverage import Night, coverage
from lasair_broker.web.messengers import event_of, map_of, versions_of
from lasair_broker.web.site.all_sky import Picture, Region
from lasair_broker.web.site.all_sky import region as cells_of
from lasair_broker.web.site.contents import ListedRows, shown
from lasair_broker.web.site.lists.common import archive_table, quoted
from lasair_broker.web.site.messengers import candidates
from lasair_broker.web.site.messengers.candidates import passed_filters
from lasair_broker.web.site.messengers.drawing import coverage_chart
from lasair_broker.web.site.people import person
from lasair_broker.web.site.tables import Column
from lasair_broker.web.watchmaps import services as watchmaps

_KINDS = ("gw", "neutrino", "grb", "frb", "x-ray transient", "x-ray flare", "gamma-ray flare")
_NAMES = {
    "gw": "gravitational wave",
    "grb": "gamma-ray burst",
    "frb": "fast radio burst",
}
"""What kinds are called, where not by their own name."""

_EVENTS = (
    Column("eventName", "Event", sortable=True, template="site/messengers/_event.html"),
    Column("origin", "From", sortable=True),
    Column("kind", "Kind", sortable=True),
    Column("eventClass", "Class", sortable=True),
    Column("eventMjdTai", "Time", "MJD TAI", numeric=True, digits=9, sortable=True),
    Column("area90", "Area", "deg², 90 %", numeric=True, digits=4, sortable=True),
    Column("distance", "Distance", "Mpc", numeric=True, digits=4, sortable=True),
    Column("falseAlarmRate", "False alarms", "1/yr", numeric=True, digits=2, sortable=True),
    Column(
        "latency", "Announced", "minutes after it", "Its first notice", numeric=True, digits=3, sortable=True
    ),
)
_NOTICES = (
    Column("version", "Version", numeric=True, sortable=True),
    Column("alertType", "Notice", sortable=True),
    Column("noticeMjdTai", "Sent", "MJD TAI", numeric=True, digits=10, sortable=True),
    Column("eventClass", "Class", sortable=True),
    Column("skymap", "Map", template="site/messengers/_map_is.html", plain=lambda row: map_is(row)),
    Column("area90", "Area", "deg², 90 %", numeric=True, digits=4, sortable=True),
    Column("distance", "Distance", "Mpc", numeric=True, digits=4, sortable=True),
)
_COVERAGE = (
    Column("day", "Day", numeric=True, sortable=True),
    Column("that_day_percent", "That day", "%", numeric=True, digits=3, sortable=True),
    Column("so_far_percent", "So far", "%", numeric=True, digits=3, sortable=True),
    Column("area", "90 % region", "deg²", numeric=True, digits=3, sortable=True),
    Column("times", "Images of a place", numeric=True, digits=2, sortable=True),
)
_DAYS = 14


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """The events."""
    kind = request.GET.get("kind", "")
    kinds = (kind,) if kind in _KINDS else _KINDS
    table = archive_table(
        request,
        "t",
        _EVENTS,
        select="origin, eventName, kind, eventClass, eventMjdTai, area90, distance, falseAlarmRate, "
        "retracted, role, (first.told - eventMjdTai) * 1440.0 AS latency",
        source="external_events LEFT JOIN "
        "(SELECT origin AS whose, eventName AS name, MIN(noticeMjdTai) AS told FROM event_versions "
        "GROUP BY origin, eventName) AS first "
        "ON first.whose = external_events.origin AND first.name = external_events.eventName",
        where=f"kind IN ({', '.join(quoted(each) for each in kinds)})",
        caption="Events",
        empty="No event fits. An operator takes them in from notices, or from Kafka as they are announced.",
        sort="eventMjdTai",
        descending=True,
        search_in="eventName",
        search_label="Name",
    )
    choices = [(each, each == kind) for each in _KINDS]
    return render(request, "site/messengers/index.html", {"table": table, "kinds": choices})


@require_safe
def page(request: HttpRequest, origin: str, event: str) -> HttpResponse:
    """An event and its candidates."""
    row = event_of(request.user, origin, event)
    passed = passed_filters(request.user, row["mw_id"])
    asked = candidates.wanted(request, passed)
    skymap = map_of(row)
    versions = versions_of(request.user, row)
    newest = versions[0] if versions else {"skymap": None, "skymapUrl": None}
    context = {
        "event": row,
        "what": _NAMES.get(row["kind"], row["kind"] or "event"),
        "picture": None if skymap is None else _picture(row, skymap),
        "versions": shown(
            request,
            "notices",
            _NOTICES,
            ListedRows(versions, _NOTICES),
            caption="Notices",
            title=True,
            sort="version",
            descending=True,
            size=25,
        ),
        "waiting": None if newest["skymap"] else newest["skymapUrl"],
        "asked": asked,
        "passed": passed,
        "hits": candidates.table(request, row, asked, passed),
        "circulars": "https://gcn.nasa.gov/circulars?" + urlencode({"query": row["eventName"]}),
    }
    return render(request, "site/messengers/event.html", context)


@require_safe
def covered(request: HttpRequest, origin: str, event: str) -> HttpResponse:
    """What our survey has looked at of its region: a part of the page that takes longer than the rest."""
    row = event_of(request.user, origin, event)
    skymap = map_of(row)
    nights: list[Night] = []
    why = "Nothing of it was looked at within so many days, or nothing is known to be there."
    if skymap is None or row["eventMjdTai"] is None:
        why = "The event has no region or time."
    else:
        try:
            nights = coverage(row, skymap, _DAYS)
        except QueryError as error:
            why = f"It could not be found out in time: {error}"
    if nights and not nights[-1].so_far:
        nights = []
    context = {
        "event": row,
        "nights": shown(
            request,
            "coverage",
            _COVERAGE,
            ListedRows(nights, _COVERAGE),
            caption="Coverage by day",
            sort="day",
            size=25,
            searchable=False,
            in_address=False,
        ),
        "why": why,
        "chart": coverage_chart(nights) if nights else "",
    }
    part = request.htmx  # type: ignore[attr-defined]  # set by django_htmx's middleware
    response = render(request, f"site/messengers/{'_coverage' if part else 'coverage'}.html", context)
    response["Vary"] = "HX-Request"
    return response


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


def map_is(notice: Mapping[str, Any]) -> str | None:
    """Where the map of a notice is: here, or missing; None if it has none."""
    if notice["skymap"]:
        return "here"
    return "missing" if notice["skymapUrl"] else None


def _picture(row: Mapping[str, Any], skymap: SkyMap) -> Picture:
    wide, ring = cells_of(skymap.region(0.9))
    dense, _ = cells_of(skymap.region(0.5))
    regions = [Region(each.path, "0.35") for each in wide] + [Region(each.path, "0.7") for each in dense]
    return Picture(
        label=f"The sky with the regions that hold {row['eventName']} with 90 and, darker, 50 per cent",
        regions=regions,
        rings=ring,
    )
