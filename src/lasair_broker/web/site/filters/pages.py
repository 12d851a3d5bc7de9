"""The page of a filter: what it is, how it fares, its versions, and why it takes an object or leaves it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from lasair_broker.settings import load
from lasair_broker.web import sharing
from lasair_broker.web.accounts.models import Collaboration, User
from lasair_broker.web.archive import archive
from lasair_broker.web.errors import ServiceError
from lasair_broker.web.filters import services, trying
from lasair_broker.web.filters.models import Category, Filter, FilterVersion
from lasair_broker.web.site.contents import ListedRows, shown
from lasair_broker.web.site.people import person
from lasair_broker.web.site.query.tables import object_address
from lasair_broker.web.site.sparklines import bars
from lasair_broker.web.site.tables import Column
from lasair_broker.web.site.templatetags.status import date_of_mjd

_NIGHTS = 30
_NIGHTLY = (
    Column(
        "night",
        "Night",
        sortable=True,
        template="site/filters/_cell_night.html",
        plain=lambda night: date_of_mjd(night.night),
    ),
    Column("hits", "Hits", numeric=True, digits=4, sortable=True),
    Column("objects", "Objects", numeric=True, digits=4, sortable=True),
    Column("alerted", "of alerted", numeric=True, digits=4, sortable=True),
)
_RUNS = (
    Column("night", "Night", sortable=True, template="site/filters/_cell_date.html"),
    Column(
        "version",
        "Version",
        numeric=True,
        sortable=True,
        template="site/filters/_cell_version.html",
        plain=lambda run: run.version.number,
    ),
    Column("alerts", "Alerts", numeric=True, digits=4, sortable=True),
    Column("rows", "Hits", numeric=True, digits=4, sortable=True),
    Column(
        "seconds",
        "Mean",
        "ms",
        "Of a batch.",
        numeric=True,
        sortable=True,
        template="site/filters/_cell_milliseconds.html",
        plain=lambda run: 1000.0 * run.seconds / run.batches if run.batches else None,
    ),
    Column(
        "longest",
        "Longest",
        "ms",
        "Of a batch.",
        numeric=True,
        sortable=True,
        template="site/filters/_cell_longest.html",
        plain=lambda run: 1000.0 * run.longest,
    ),
    Column("failures", "Failures", numeric=True, digits=4, sortable=True),
)


@require_safe
def page(request: HttpRequest, filter_id: int) -> HttpResponse:
    """The filter, with its results; the other parts are fetched when they are opened."""
    return render(request, "site/filters/filter.html", context_of(request, filter_id))


@require_safe
def versions(request: HttpRequest, filter_id: int) -> HttpResponse:
    """The versions that the user sees, newest first, and two of them compared."""
    found = list(services.visible_versions(request.user, filter_id))[::-1]
    numbers = [version.number for version in found]
    old, new = (_number(request, name) for name in ("old", "new"))
    if new is None and len(numbers) > 1:
        old, new = numbers[1], numbers[0]
    lines = []
    if old is not None and new is not None:
        lines = services.diff(request.user, filter_id, old, new).splitlines()
    context = context_of(request, filter_id) | {
        "versions": found,
        "old": old,
        "new": new,
        "lines": [(_kind(line), line) for line in lines[2:]],
        "ran": set(
            FilterVersion.objects.filter(filter=filter_id, activations__isnull=False).values_list(
                "number", flat=True
            )
        ),
    }
    return render(request, "site/filters/_versions.html", context)


@login_required
@require_safe
def health(request: HttpRequest, filter_id: int) -> HttpResponse:
    """How the filter fares."""
    user = person(request)
    found = trying.health(user, filter_id, archive(), nights=_NIGHTS)
    nights = found.nights[::-1]
    counts = [night.hits for night in nights]
    version = _shown_version(request, filter_id)
    fraction = None if version is None else version.preview_fraction
    classes = found.makeup.classes
    most = max((count for _, count in classes), default=0)
    context = context_of(request, filter_id) | {
        "health": found,
        "version": version,
        "percent": "" if fraction is None else f"{100.0 * fraction:.3g}",
        "nights": shown(
            request,
            "nights",
            _NIGHTLY,
            ListedRows(found.nights, _NIGHTLY),
            caption="Hits of each night",
            sort="night",
            descending=True,
            size=25,
            empty=f"No alert came in the last {_NIGHTS} nights.",
            searchable=False,
            in_address=False,
        ),
        "runs": shown(
            request,
            "runs",
            _RUNS,
            ListedRows(found.statistics, _RUNS),
            caption="What running it came to, by night",
            sort="night",
            descending=True,
            size=25,
            empty="It has not run yet.",
            searchable=False,
            in_address=False,
        ),
        "bars": bars(counts, f"hits a night: {', '.join(map(str, counts))}"),
        "total": sum(counts),
        "classes": [(name or "no class", count, 100.0 * count / most) for name, count in classes],
        "limit": load().stream.filter_fraction,
        "since": f"{datetime.now(UTC) - timedelta(days=1):%Y-%m-%dT%H:%M}",
        "until": f"{datetime.now(UTC):%Y-%m-%dT%H:%M}",
    }
    return render(request, "site/filters/_health.html", context)


@login_required
@require_safe
def why(request: HttpRequest, filter_id: int) -> HttpResponse:
    """What the filter makes of an object."""
    text = request.GET.get("object", "").strip().replace("\0", "")[:64]
    context = context_of(request, filter_id) | {"asked": text}
    if text:
        key: int | str = int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else text
        try:
            found = trying.why(person(request), filter_id, _number(request, "version"), key, archive())
        except ServiceError as error:
            context["fault"] = str(error)
        else:
            context |= {"verdict": found, "address": object_address(str(found.diaObjectId))}
    return render(request, "site/filters/_why.html", context)


def context_of(request: HttpRequest, filter_id: int) -> dict[str, Any]:
    """What every part of the page of a filter has."""
    user = request.user
    found = sharing.visible(
        Filter.objects.with_stars(user).select_related(
            "owner", "collaboration", "active_version", "forked_from"
        ),
        user,
        filter_id,
    )
    edits = Filter.objects.editable_by(user).filter(pk=found.pk).exists()
    mine = isinstance(user, User) and (found.owner_id == user.pk or user.is_superuser)
    origin = found.forked_from
    if origin is not None and not Filter.objects.visible_to(user).filter(pk=origin.pk).exists():
        origin = None
    return {
        "filter": found,
        "edits": edits,
        "mine": mine,
        "origin": origin,
        "shown": _shown_version(request, filter_id),
        "categories": Category.choices,
        "collaborations": Collaboration.objects.filter(memberships__user=found.owner) if mine else [],
        "outputs": found.outputs.filter(enabled=True).count() if edits else None,
        "limit": load().stream.filter_fraction,
    }


def _shown_version(request: HttpRequest, filter_id: int) -> FilterVersion | None:
    """The version that runs, else the newest that the user sees."""
    seen = FilterVersion.objects.visible_to(request.user).filter(filter=filter_id)
    return seen.filter(active_of=filter_id).first() or seen.last()


def _number(request: HttpRequest, name: str) -> int | None:
    text = request.GET.get(name, "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else None


def _kind(line: str) -> str:
    return {"+": "added", "-": "removed", "@": "place"}.get(line[:1], "same")
