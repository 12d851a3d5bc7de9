"""What somebody removed and can have back."""

from __future__ import annotations

from typing import cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from lasair_broker.web import trash
from lasair_broker.web.accounts.models import User
from lasair_broker.web.errors import Invalid
from lasair_broker.web.site.contents import ListedRows, shown
from lasair_broker.web.site.tables import Column

_COLUMNS = (
    Column("kind", "What", sortable=True),
    Column("name", "Name", sortable=True),
    Column("deleted", "Removed", template="site/query/_cell_time.html", sortable=True),
    Column("gone", "Kept until", template="site/query/_cell_time.html", sortable=True),
    Column("id", "", template="site/account/_restore.html"),
)
_PAGES = {
    "filters": "filters:filter",
    "watchlists": "lists:watchlist",
    "watchmaps": "lists:watchmap",
}


@login_required
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """Everything that the user removed in the last 30 days."""
    found = trash.removed_by(cast(User, request.user))
    table = shown(
        request,
        "removed",
        _COLUMNS,
        ListedRows(found, _COLUMNS),
        caption="Removed",
        sort="deleted",
        descending=True,
        empty="You removed nothing in the last 30 days.",
    )
    return render(request, "site/account/removed.html", {"table": table})


@login_required
@require_POST
def restore(request: HttpRequest, kind: str, number: int) -> HttpResponse:
    """Have something back, and look at it."""
    try:
        found = trash.restore_named(cast(User, request.user), kind, number)
    except Invalid as error:
        messages.error(request, f"It stays removed: {error}")
        return redirect("account:removed")
    messages.success(request, f"“{found}” is there again.")
    if kind == "annotators":
        return redirect("lists:annotator", found.topic)
    if kind == "outputs":
        return redirect("filters:filter", found.filter_id)
    if kind == "triggers":
        return redirect("lists:watchlist", found.watchlist_id)
    if kind == "queries":
        return redirect("query:saved")
    if kind in _PAGES:
        return redirect(_PAGES[kind], number)
    return redirect("account:removed")


def told_with_undo(request: HttpRequest, text: str, kind: str, number: int) -> None:
    """Tell the user that something is removed, with a button that undoes it."""
    address = reverse("account:restore", args=[kind, number])
    messages.success(request, text, extra_tags=address)
