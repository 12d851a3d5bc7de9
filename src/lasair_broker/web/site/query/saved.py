"""Saved queries on the site."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from lasair_broker.web.accounts.models import Collaboration, User
from lasair_broker.web.errors import Invalid, NotFound
from lasair_broker.web.queries import saved
from lasair_broker.web.queries.models import SavedQuery
from lasair_broker.web.queries.texts import Text
from lasair_broker.web.site.account.removed import told_with_undo
from lasair_broker.web.site.contents import StoredRows, shown
from lasair_broker.web.site.people import person
from lasair_broker.web.site.query.parameters import parameters_of_rows, rows_in
from lasair_broker.web.site.tables import Column

_COLUMNS = (
    Column("name", "Name", template="site/query/_cell_saved.html", sortable=True),
    Column("owner", "Owner", sortable=True),
    Column("visibility", "Shared with", template="site/query/_cell_sharing.html", sortable=True),
    Column("modified", "Changed", template="site/query/_cell_time.html", sortable=True),
)


@dataclass(frozen=True)
class Line:
    """A saved query in the list; `groups` with which its owner, who looks at the list, may share it."""

    query: SavedQuery
    mine: bool
    groups: Sequence[Collaboration]

    name = property(lambda self: self.query.name)
    owner = property(lambda self: self.query.owner.username)
    visibility = property(lambda self: self.query.visibility)
    modified = property(lambda self: self.query.modified)


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """The saved queries that the user sees."""
    found = SavedQuery.objects.visible_to(request.user).select_related("owner", "collaboration")
    user = request.user
    groups = list(Collaboration.objects.filter(memberships__user=user)) if isinstance(user, User) else []
    table = shown(
        request,
        "saved",
        _COLUMNS,
        StoredRows(
            found,
            _COLUMNS,
            ("name", "description", "adql", "selected", "conditions"),
            {"owner": "owner__username"},
            lambda page: [Line(each, each.owner == user, groups) for each in page],
        ),
        caption="Saved queries",
        sort="name",
        search_label="Search in names and texts",
        empty="No query is saved yet. Write one and choose “Save”.",
    )
    return render(request, "site/query/saved.html", {"table": table})


@login_required
@require_POST
def save(request: HttpRequest) -> HttpResponse:
    """Save the query of the editor under a name; an own one of that name gets the new text."""
    user = person(request)
    name, adql = request.POST.get("name", "").strip(), request.POST.get("adql", "")[:65_536]
    if not name:
        raise Invalid({"name": "give the query a name"})
    text = Text(adql=adql, parameters=parameters_of_rows(rows_in(request.POST)))
    mine = SavedQuery.objects.filter(owner=user, name=name).first()
    kept = saved.save(user, name, text) if mine is None else saved.change(user, mine.pk, text=text)
    messages.success(request, f"Saved as “{kept.name}”.")
    return redirect(f"{reverse('query:index')}?saved={kept.pk}")


@login_required
@require_POST
def change(request: HttpRequest, query_id: int, what: str) -> HttpResponse:
    """Share, rename or remove a saved query."""
    user = person(request)
    if what == "share":
        visibility, _, slug = request.POST.get("with", "").partition(":")
        group = Collaboration.objects.visible_to(user).filter(slug=slug).first() if slug else None
        saved.share(user, query_id, visibility, group)
        messages.success(request, "It is shared as you chose.")
    elif what == "rename":
        saved.change(user, query_id, name=request.POST.get("name", ""))
    elif what == "remove":
        saved.remove(user, query_id)
        told_with_undo(request, "It is removed.", "queries", query_id)
    else:
        raise NotFound(f"nothing is called {what} here")
    return redirect("query:saved")
