"""The parts of the page that are fetched after it: each is a fragment, or by itself a page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from lasair_broker.classify import taxonomy
from lasair_broker.packets import CUTOUTS, mjd_tai_now
from lasair_broker.query import QueryError
from lasair_broker.settings import load
from lasair_broker.web._aladin import aladin_folder
from lasair_broker.web.accounts.models import User
from lasair_broker.web.archive import archive, rows_for
from lasair_broker.web.comments import services as comments
from lasair_broker.web.errors import Invalid, NotFound
from lasair_broker.web.filters import trying
from lasair_broker.web.objects import belongings
from lasair_broker.web.objects.backgrounds import bands_with_images
from lasair_broker.web.objects.finding_chart import finding_chart
from lasair_broker.web.objects.finding_file import FIELDS, OWN, surveys_at
from lasair_broker.web.objects.head import first_row, head_of, key_of, newest_classes, state_of
from lasair_broker.web.objects.observability import OBSERVATORIES, night_at
from lasair_broker.web.objects.other_surveys import other_surveys
from lasair_broker.web.objects.pictures import LIMITS, STRETCHES
from lasair_broker.web.objects.provenance import with_images
from lasair_broker.web.objects.similar import similar_to
from lasair_broker.web.photometry import rows as photometry_rows
from lasair_broker.web.photometry import services as photometry
from lasair_broker.web.sharing import Visibility
from lasair_broker.web.site.objects import belonging_tables, drawings, panel_tables
from lasair_broker.web.site.objects.pages import PANELS
from lasair_broker.web.site.objects.pictures import three_bands
from lasair_broker.web.transfers import sending
from lasair_broker.web.transfers import services as transfers
from lasair_broker.web.transfers.models import Destination

_Context = dict[str, Any]
_COOKIE = "lasair-observatory"
_TAI_TO_UTC = 37.0 / 86_400.0


@require_safe
def show(request: HttpRequest, key: str, name: str) -> HttpResponse:
    """A part of the page of an object."""
    return panel(request, key, name)


def panel(
    request: HttpRequest, key: str, name: str, more: Mapping[str, object] | None = None
) -> HttpResponse:
    """The answer with a part of the page; `more` goes into its template, what an action came to, say."""
    made = _PANELS.get(name)
    if made is None:
        raise NotFound(f"there is no panel {name[:40]}")
    context: _Context = {"key": key, "panel": name, **made(request, key), **(more or {})}
    template = f"site/objects/_{name}.html"
    if not request.htmx:  # type: ignore[attr-defined]  # set by django_htmx's middleware
        titles = {"cutouts": "Images", "sky": "The sky around it", **dict(PANELS)}
        context |= {"fragment": template, "title": titles[name]}
        template = "site/objects/panel.html"
    response = render(request, template, context)
    response["Cache-Control"] = "private, no-store"
    response["Vary"] = "HX-Request"
    if (chosen := context.get("observatory")) and request.GET.get("site"):
        response.set_cookie(_COOKIE, chosen, max_age=365 * 86_400, samesite="Lax", httponly=True)
    return response


@require_safe
def why(request: HttpRequest, key: str, filter_id: int) -> HttpResponse:
    """Why a filter takes the object or leaves it, condition by condition."""
    if not isinstance(request.user, User):
        raise NotFound(f"there is no filter {filter_id}")
    try:
        verdict = trying.why(request.user, filter_id, None, key_of(key), archive())
    except (Invalid, QueryError) as error:
        return render(request, "site/objects/_why.html", {"fault": str(error)})
    table = belonging_tables.conditions(request, filter_id, verdict.conditions)
    return render(request, "site/objects/_why.html", {"verdict": verdict, "conditions": table})


def _context(request: HttpRequest, key: str) -> _Context:
    head = head_of(key)
    own = [head.row["diaObjectId"]]
    tables = ("sherlock_crossmatches", "sherlock_classifications", "partners")
    found = archive().rows_by_table(own, dict.fromkeys(tables))
    matches = found["sherlock_crossmatches"].sort_by("rank")
    return {
        "head": head,
        "said": first_row(found["sherlock_classifications"]),
        "matches": matches.to_pylist(),
        "table": panel_tables.matches(request, matches),
        "partners": found["partners"].sort_by("partnerRank").to_pylist(),
        "tns": head.tns,
    }


def _classes(request: HttpRequest, key: str) -> _Context:
    number = _number(key)
    rows = rows_for(request.user, "classifications", [number])
    past = rows_for(request.user, "classification_history", [number])
    history = past.sort_by([("newestSourceMjdTai", "descending"), ("model", "ascending")]).to_pylist()
    return {
        "classes": belonging_tables.classes(request, newest_classes(rows)),
        "said": rows.sort_by("model").to_pylist(),
        "history": panel_tables.class_history(request, history) if history else None,
        "drawings": drawings.class_histories(history, taxonomy().leaves),
    }


def _cutouts(request: HttpRequest, key: str) -> _Context:
    number = _number(key)
    columns = ["diaSourceId", "midpointMjdTai", "band", "psfFlux", "reliability"]
    sources = archive().light_curve(number, {"diaSources": columns}).diaSources
    held = with_images(sources["diaSourceId"].to_pylist())
    films = [row for row in sources.to_pylist() if row["diaSourceId"] in held]
    frames = [{**row, "diaSourceId": str(row["diaSourceId"])} for row in films]
    bands = list(bands_with_images(number))
    return {
        "frames": frames,
        "newest": frames[-1] if frames else None,
        "stretches": list(STRETCHES),
        "limits": list(LIMITS),
        "bands": bands,
        "three": three_bands(bands),
        "kinds": CUTOUTS,
        "others": other_surveys(state_of(key, ("ra", "decl")), load().site.image_service),
        "image_service": load().site.image_service,
    }


def _sky(request: HttpRequest, key: str) -> _Context:
    field = request.GET.get("field", "60")
    if field not in FIELDS:
        field = "60"
    chart = finding_chart(key, float(field))
    return {
        "chart": chart,
        "fields": FIELDS,
        "field": field,
        "own": OWN,
        "surveys": surveys_at(chart.ra, chart.decl),
        "aladin": bool(aladin_folder()),
        "density": reverse("objects:density").removesuffix("/properties"),
        "marks": [
            {"kind": m.kind, "name": m.name, "about": m.about, "ra": m.ra, "decl": m.decl}
            for m in chart.marks
        ],
    }


def _annotations(request: HttpRequest, key: str) -> _Context:
    words = request.GET.get("words", "").replace("\0", "").strip()[:200]
    rows = rows_for(request.user, "annotations", [_number(key)])
    rows = rows.sort_by([("timestamp", "descending")]).to_pylist()
    searched = ("topic", "classification", "explanation", "classdict", "version")
    if words:
        rows = [
            r for r in rows if any(words.casefold() in str(r[name] or "").casefold() for name in searched)
        ]
    return {"annotations": rows, "words": words}


def _comments(request: HttpRequest, key: str) -> _Context:
    found = comments.of_object(request.user, _number(key)).order_by("-created")
    return {"comments": found[:200], "sharing": _sharing(request)}


def _hits(request: HttpRequest, key: str) -> _Context:
    number = _number(key)
    maps = archive().rows_of_objects("mma_hits", [number]).sort_by("contour").to_pylist()
    return {
        "watchlists": belonging_tables.watchlists(request, belongings.watchlist_hits(request.user, number)),
        "watchmaps": belonging_tables.watchmaps(request, belongings.watchmap_hits(request.user, number)),
        "events": belonging_tables.events(request, belongings.event_hits(request.user, number)),
        "maps": belonging_tables.maps(request, maps),
    }


def _filters(request: HttpRequest, key: str) -> _Context:
    found = belongings.filters_of(request.user, _number(key))
    return {"mine": [f for f in found if f.mine], "others": [f for f in found if not f.mine and f.times]}


def _points(request: HttpRequest, key: str) -> _Context:
    number = _number(key)
    points = photometry.of_objects(request.user, [number])
    sets = photometry.visible(request.user).filter(points__diaObjectId=number).distinct().order_by("-created")
    counts = points.group_by("photometry").aggregate([("photometry", "count")]).to_pylist()
    count_of = {row["photometry"]: row["photometry_count"] for row in counts}
    return {
        "sets": belonging_tables.point_sets(request, key, list(sets), count_of),
        "columns": photometry_rows.COLUMNS,
        "units": photometry_rows.UNITS,
        "scales": photometry_rows.SCALES,
        "sharing": _sharing(request),
    }


def _services(request: HttpRequest, key: str) -> _Context:
    row = state_of(key, ("diaObjectId", "decl"))
    offers = transfers.offers(request.user, row["diaObjectId"], row["decl"])
    waited = [offer.newest.pk for offer in offers if offer.newest is not None and offer.newest.under_way]
    return {"offers": offers, "waited": ",".join(map(str, waited)), "sharing": _sharing(request)}


def _send(request: HttpRequest, key: str) -> _Context:
    number = _number(key)
    found = [(to, sending.newest(request.user, to, number)) for to in sending.destinations(request.user)]
    waited = [newest.pk for _, newest in found if newest is not None and newest.under_way]
    return {
        "hosts": sending.hosts(),
        "destinations": found,
        "systems": Destination.System.choices,
        "waited": ",".join(map(str, waited)),
    }


def _observability(request: HttpRequest, key: str) -> _Context:
    row = state_of(key, ("ra", "decl"))
    chosen = request.GET.get("site") or request.COOKIES.get(_COOKIE, "")
    if chosen not in OBSERVATORIES:
        chosen = "rubin"
    night = night_at(row["ra"], row["decl"], OBSERVATORIES[chosen], mjd_tai_now() - _TAI_TO_UTC)
    return {
        "observatory": chosen,
        "observatories": OBSERVATORIES,
        "night": night,
        "drawing": drawings.elevations(night),
        "hours": night.hours_above(30.0),
        "best": drawings.moment(night, night.best) if night.best is not None else None,
        "hourly": belonging_tables.hours(request, drawings.hourly(night)),
    }


def _similar(request: HttpRequest, key: str) -> _Context:
    found = similar_to(state_of(key))
    return {"similar": found, "table": panel_tables.similar(request, found.rows)}


_PANELS: dict[str, Callable[[HttpRequest, str], _Context]] = {
    "context": _context,
    "classes": _classes,
    "detections": panel_tables.detections,
    "cutouts": _cutouts,
    "sky": _sky,
    "annotations": _annotations,
    "comments": _comments,
    "hits": _hits,
    "filters": _filters,
    "points": _points,
    "services": _services,
    "send": _send,
    "observability": _observability,
    "neighbours": panel_tables.neighbours,
    "similar": _similar,
    "features": panel_tables.features,
    "provenance": panel_tables.provenance,
}


def _number(key: str) -> int:
    return int(state_of(key, ("diaObjectId",))["diaObjectId"])


def _sharing(request: HttpRequest) -> _Context:
    """With whom the viewer may share what they write."""
    user = request.user
    memberships = user.memberships.select_related("collaboration") if isinstance(user, User) else []
    mine = [each.collaboration for each in memberships]
    return {
        "choices": [
            (Visibility.PRIVATE.value, "only me"),
            *((f"group:{each.slug}", each.name) for each in mine),
            (Visibility.PUBLIC.value, "everybody"),
        ]
    }
