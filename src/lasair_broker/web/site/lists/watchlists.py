"""Pages of watchlists: what they are, their rows and what was found at them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from lasair_broker.web.api.v1.base import collaboration_named
from lasair_broker.web.errors import Invalid
from lasair_broker.web.site.account.removed import told_with_undo
from lasair_broker.web.site.all_sky import Picture, places
from lasair_broker.web.site.contents import ArrowRows, StoredRows, shown
from lasair_broker.web.site.lists.common import (
    OBJECT_CELL,
    WHOSE,
    NameForm,
    ShareForm,
    add_faults,
    archive_table,
    sharing_of,
    table_of_things,
    whose,
)
from lasair_broker.web.site.lists.watchlist_forms import WatchlistForm
from lasair_broker.web.site.people import person
from lasair_broker.web.site.tables import Column, Table
from lasair_broker.web.watchlists import services
from lasair_broker.web.watchlists.models import Watchlist, WatchlistTrigger, WatchlistVersion

_LISTS = (
    Column("name", "Name", sortable=True, template="site/lists/_watchlist_name.html"),
    Column("owner", "Owner", sortable=True),
    Column("visibility", "Seen by", template="site/lists/_seen_by.html", sortable=True),
    Column(
        "current",
        "Rows",
        numeric=True,
        template="site/lists/_row_count.html",
        sortable=True,
        plain=lambda row: row.current.row_count if row.current else 0,
    ),
    Column(
        "current_id",
        "Objects found",
        numeric=True,
        template="site/lists/_hit_count.html",
        sortable=True,
        plain=lambda row: row.current.match_hits if row.current else 0,
    ),
    Column("active", "On the stream", sortable=True, template="site/lists/_active.html"),
    Column("modified", "Changed", sortable=True, template="site/lists/_when.html"),
)
_ROWS = (
    Column("name", "Name", sortable=True),
    Column("ra", "RA", "deg", numeric=True, digits=9, sortable=True),
    Column("decl", "Dec", "deg", numeric=True, digits=8, sortable=True),
    Column("radius", "Radius", "arcsec", numeric=True, digits=4, sortable=True),
    Column("notes", "Notes", sortable=True),
    Column("cone_id", "Row", numeric=True, sortable=True, template="site/lists/_row_actions.html"),
)
_HITS = (
    Column("objectName", "Object", sortable=True, template=OBJECT_CELL),
    Column("name", "Row", sortable=True),
    Column("arcsec", "Distance", "arcsec", numeric=True, digits=3, sortable=True),
    Column("ra", "RA", "deg", numeric=True, digits=9, sortable=True),
    Column("decl", "Dec", "deg", numeric=True, digits=8, sortable=True),
    Column("nDiaSources", "Detections", numeric=True, sortable=True),
    Column("lastDiaSourceMjdTai", "Last detection", "MJD TAI", numeric=True, digits=9, sortable=True),
)
_EVENTS = (
    Column("diaObjectId", "Object", template=OBJECT_CELL),
    Column("name", "Row", sortable=True),
    Column("band", "Band", sortable=True),
    Column("direction", "It", sortable=True),
    Column("magnitude", "Magnitude", "AB", numeric=True, digits=4, sortable=True),
    Column("midpointMjdTai", "Observed", "MJD TAI", numeric=True, digits=9, sortable=True),
)
_VERSIONS = (
    Column("number", "Version", numeric=True, sortable=True, template="site/lists/_version.html"),
    Column("created", "Made", sortable=True, template="site/lists/_when.html"),
    Column("source_name", "From", sortable=True, template="site/lists/_source.html"),
    Column("row_count", "Rows", numeric=True, digits=4, sortable=True),
    Column("restore", "", template="site/lists/_restore_version.html", filed=False),
)


_TABS = (("found", "Objects found"), ("rows", "Rows"), ("triggers", "Triggers"), ("versions", "Versions"))


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """The watchlists that one sees."""
    seen = whose(request, Watchlist.objects.visible_to(request.user))
    shown = table_of_things(
        request,
        seen.select_related("owner", "collaboration", "current"),
        _LISTS,
        caption="Watchlists",
        search_in="name",
        empty="There are no watchlists here yet. One tells you of every alert at places you care about.",
        orders={
            "owner": "owner__username",
            "current": "current__row_count",
            "current_id": "current__match_hits",
        },
    )
    context = {"table": shown, "whose": WHOSE, "asked_whose": request.GET.get("whose", "")}
    return render(request, "site/lists/watchlists.html", context)


@require_safe
def page(request: HttpRequest, list_id: int) -> HttpResponse:
    """A watchlist."""
    found = services.get(request.user, list_id)
    may_edit = Watchlist.objects.editable_by(request.user).filter(pk=list_id).exists()
    rows = services.all_rows(request.user, list_id)
    context: dict[str, Any] = {
        "list": found,
        "may_edit": may_edit,
        "is_owner": request.user.is_superuser or found.owner_id == request.user.pk,
        "seen_by": sharing_of(found),
        "picture": Picture(
            label=f"The sky with the {rows.num_rows:,} positions of {found.name}",
            points=places(rows["ra"].to_numpy(), rows["decl"].to_numpy()),
        ),
        "rows": _rows_table(request, found, rows, may_edit=may_edit),
        "hits": archive_table(
            request,
            "hits",
            _HITS,
            select="watchlist_hits.diaObjectId, watchlist_hits.name, watchlist_hits.arcsec, "
            "objects.objectName, objects.ra, objects.decl, objects.nDiaSources, objects.lastDiaSourceMjdTai",
            source="watchlist_hits JOIN objects ON watchlist_hits.diaObjectId = objects.diaObjectId",
            where=f"watchlist_hits.wl_id = {found.pk}",
            caption="Objects found",
            empty="No object has been found at these positions so far.",
            sort="lastDiaSourceMjdTai",
            descending=True,
            orders={"name": "watchlist_hits.name", "arcsec": "watchlist_hits.arcsec"}
            | {c: f"objects.{c}" for c in ("objectName", "ra", "decl", "nDiaSources", "lastDiaSourceMjdTai")},
            search_in="watchlist_hits.name",
            search_label="Name of the row",
        ),
        "events": archive_table(
            request,
            "events",
            _EVENTS,
            select="diaObjectId, name, band, direction, magnitude, midpointMjdTai",
            source="watchlist_events",
            where=f"wl_id = {found.pk}",
            caption="What triggers told",
            empty="No trigger has told of anything so far.",
            sort="midpointMjdTai",
            descending=True,
        ),
        "triggers": services.triggers(request.user, list_id),
        "versions": _versions_table(request, found, may_edit=may_edit),
        "tabs": _TABS,
        "removed": _removed(request) if may_edit else None,
        "copy_form": NameForm(initial={"name": f"{found.name} (copy)"}),
    }
    return render(request, "site/lists/watchlist.html", context)


@login_required
@require_http_methods(["GET", "POST"])
def edit(request: HttpRequest, list_id: int) -> HttpResponse:
    """Rename or describe a watchlist."""
    found = services.get(request.user, list_id)
    first = {"name": found.name, "description": found.description, "default_radius": found.default_radius}
    form = WatchlistForm(request.POST or None, initial=first)
    if form.is_valid():
        try:
            services.describe(person(request), list_id, **form.cleaned_data)
            return to_list(list_id)
        except Invalid as error:
            add_faults(form, error)
    context = {"form": form, "title": f"Change {found.name}", "back": list_address(list_id), "submit": "Save"}
    return render(request, "site/lists/form.html", context, status=400 if form.errors else 200)


@login_required
@require_POST
def set_active(request: HttpRequest, list_id: int) -> HttpResponse:
    """Match a list on the stream, or no longer."""
    active = request.POST.get("active") == "yes"
    try:
        services.set_active(person(request), list_id, active)
        messages.success(
            request,
            "From now on every alert is matched with it; the archive follows in the background."
            if active
            else "It is matched no longer.",
        )
    except Invalid as error:
        messages.error(request, str(error))
    return to_list(list_id)


@login_required
@require_http_methods(["GET", "POST"])
def share(request: HttpRequest, list_id: int) -> HttpResponse:
    """Say who sees a watchlist."""
    user, found = person(request), services.get(request.user, list_id)
    first = {
        "visibility": found.visibility,
        "collaboration": found.collaboration.slug if found.collaboration else "",
    }
    form = ShareForm(user, request.POST or None, initial=first)
    if form.is_valid():
        try:
            chosen = collaboration_named(user, form.cleaned_data["collaboration"] or None)
            services.share(user, list_id, form.cleaned_data["visibility"], chosen)
            return to_list(list_id)
        except Invalid as error:
            add_faults(form, error)
    context = {"form": form, "title": f"Share {found.name}", "back": list_address(list_id), "submit": "Share"}
    return render(request, "site/lists/form.html", context, status=400 if form.errors else 200)


@login_required
@require_POST
def copy(request: HttpRequest, list_id: int) -> HttpResponse:
    """Make a copy of one's own."""
    try:
        made = services.copy(person(request), list_id, request.POST.get("name", ""))
    except Invalid as error:
        messages.error(request, f"It was not copied: {error}")
        return to_list(list_id)
    messages.success(request, "This is your copy; it is private until you share it.")
    return to_list(made.pk)


@login_required
@require_http_methods(["GET", "POST"])
def delete(request: HttpRequest, list_id: int) -> HttpResponse:
    """Remove a watchlist, when that is confirmed."""
    found = services.get(request.user, list_id)
    if request.method == "POST":
        services.delete(person(request), list_id)
        told_with_undo(request, f"{found.name} is removed.", "watchlists", list_id)
        return redirect("lists:watchlists")
    context = {
        "title": f"Remove {found.name}?",
        "text": "Its rows, versions and triggers go with it. For 30 days you can have it back.",
        "back": list_address(list_id),
        "submit": "Remove it",
    }
    return render(request, "site/lists/confirm.html", context)


@login_required
@require_POST
def restore(request: HttpRequest, list_id: int, version: int) -> HttpResponse:
    """Make the rows of an earlier version the newest again."""
    made = services.restore(person(request), list_id, version)
    messages.success(request, f"The rows of version {version} are there again, as version {made.number}.")
    return to_list(list_id)


def list_address(list_id: int) -> str:
    """The address of a watchlist's page."""
    return reverse("lists:watchlist", args=[list_id])


def to_list(list_id: int) -> HttpResponseRedirect:
    """Go to a watchlist's page."""
    return HttpResponseRedirect(list_address(list_id))


def trigger_of(request: HttpRequest, list_id: int, trigger_id: int) -> WatchlistTrigger | None:
    """A trigger of a list that one sees."""
    seen = WatchlistTrigger.objects.visible_to(request.user)
    return seen.filter(pk=trigger_id, watchlist=list_id).first()


def _removed(request: HttpRequest) -> int | None:
    """The row that was just removed, if the address says so."""
    text = request.GET.get("removed", "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else None


def _rows_table(request: HttpRequest, found: Watchlist, rows: pa.Table, *, may_edit: bool) -> Table:
    address = list_address(found.pk)

    def made(page: pa.Table) -> list[dict[str, Any]]:
        return [
            {**row, "may_edit": may_edit, "address": f"{address}rows/{row['cone_id']}/"}
            for row in page.to_pylist()
        ]

    return shown(
        request,
        "rows",
        _ROWS,
        ArrowRows(rows, made),
        caption="Rows",
        sort="cone_id",
        empty="The list has no rows yet. Upload a file, or add rows one by one.",
        search_label="Words, or radius > 2",
    )


def _versions_table(request: HttpRequest, found: Watchlist, *, may_edit: bool) -> Table:
    def made(versions: Sequence[WatchlistVersion]) -> list[dict[str, Any]]:
        return [
            {
                "number": each.number,
                "created": each.created,
                "source_name": each.source_name,
                "row_count": each.row_count,
                "in_use": each.pk == found.current_id,
                "restore": found.pk if may_edit and each.pk != found.current_id else None,
            }
            for each in versions
        ]

    return shown(
        request,
        "versions",
        _VERSIONS,
        StoredRows(found.versions.all(), _VERSIONS, ("source_name", "number"), made=made),
        caption="Versions",
        sort="number",
        descending=True,
        size=25,
        empty="There are no rows yet.",
        search_label="Search by file or number",
    )
