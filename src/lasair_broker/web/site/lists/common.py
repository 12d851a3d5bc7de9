"""What the pages of lists have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeVar

from django import forms
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.http import HttpRequest

from lasair_broker.query import parse
from lasair_broker.web.accounts.models import User
from lasair_broker.web.archive import ask
from lasair_broker.web.catalogue import catalogue_for
from lasair_broker.web.errors import Invalid, NotFound
from lasair_broker.web.sharing import Shared, SharedQuerySet, Visibility
from lasair_broker.web.site.tables import Column, Table, asked

Thing = TypeVar("Thing", bound=Model)

OBJECT_CELL = "site/lists/_object.html"
DOWNLOADS = (
    ("CSV", "csv"),
    ("Parquet", "parquet"),
    ("Arrow", "arrow"),
    ("VOTable", "votable"),
    ("FITS", "fits"),
)
"""What each format is called, and its word in an address."""

WHOSE = (("", "All that you see"), ("mine", "Yours"), ("shared", "Of others"))


class ShareForm(forms.Form):
    """With whom a thing is shared."""

    visibility = forms.ChoiceField(
        choices=[("private", "Only you"), ("group", "A collaboration"), ("public", "Everybody")],
        label="Who sees it",
        widget=forms.RadioSelect,
    )
    collaboration = forms.ChoiceField(required=False, help_text="For a collaboration: which of yours.")

    def __init__(self, user: User, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        mine = user.memberships.select_related("collaboration").order_by("collaboration__name")
        choices = [(each.collaboration.slug, each.collaboration.name) for each in mine]
        self.fields["collaboration"].choices = [("", "–"), *choices]  # type: ignore[attr-defined]  # a ChoiceField


class NameForm(forms.Form):
    """A name for a copy."""

    name = forms.CharField(max_length=200)


def person(request: HttpRequest) -> User:
    """Whoever asks; `login_required` has seen to it that it is somebody."""
    if not isinstance(request.user, User):
        raise NotFound("log in for this")
    return request.user


def add_faults(form: forms.BaseForm, error: Invalid) -> None:
    """Show what a service found wrong beside the fields."""
    for name, text in error.faults.items():
        if name in form.fields:
            form.add_error(name, text)
        else:
            form.add_error(None, f"{name}: {text}" if name else text)


def whose(request: HttpRequest, seen: SharedQuerySet[Any]) -> SharedQuerySet[Any]:
    """Of what somebody sees, what the page is asked to show: `whose` among its parameters."""
    asked_for = request.GET.get("whose", "")
    if asked_for == "mine" and request.user.is_authenticated:
        return seen.filter(owner=request.user)
    if asked_for == "shared" and request.user.is_authenticated:
        return seen.exclude(owner=request.user)
    return seen


def table_of_things(
    request: HttpRequest,
    found: QuerySet[Any],
    columns: Sequence[Column],
    *,
    caption: str,
    search_in: str,
    empty: str,
    orders: dict[str, str],
) -> Table:
    """A table of rows of the user database: paged, sorted and searched there.

    Parameters
    ----------
    search_in
        The field in which words are looked for.
    orders
        For columns that are no fields, what to sort by.
    """
    wanted = asked(request, "t", columns, sort=search_in)
    if wanted.search:
        found = found.filter(**{f"{search_in}__icontains": wanted.search})
    order = orders.get(wanted.sort, wanted.sort)
    found = found.order_by(f"{'-' if wanted.descending else ''}{order}", "pk")
    page = Paginator(found, wanted.size).get_page(wanted.page)
    return Table(
        name="t",
        caption=caption,
        columns=columns,
        rows=list(page.object_list),
        asked=replace(wanted, page=page.number),
        parameters=request.GET,
        total=page.paginator.count,
        empty=empty,
        searchable=True,
        search_label="Name",
    )


def archive_table(
    request: HttpRequest,
    name: str,
    columns: Sequence[Column],
    *,
    select: str,
    source: str,
    where: str,
    caption: str,
    empty: str,
    sort: str,
    descending: bool = False,
    orders: dict[str, str] | None = None,
    search_in: str = "",
    search_label: str = "Search",
    downloads: Sequence[tuple[str, str]] = (),
) -> Table:
    """A table of rows of the archive that the user may see: a query in our own language.

    Parameters
    ----------
    select, source, where
        Parts of the query; ours, with numbers and quoted texts.
    orders
        For columns that are not sorted by their own name, by what.
    search_in
        The column in which words are looked for.
    """
    wanted = asked(request, name, columns, sort=sort, descending=descending)
    if wanted.search and search_in:
        where = f"({where}) AND LOWER({search_in}) LIKE {quoted(f'%{wanted.search.lower()}%')}"
    order = (orders or {}).get(wanted.sort, wanted.sort)
    direction = "DESC" if wanted.descending else "ASC"
    catalogue = catalogue_for(request.user)
    text = f"SELECT {select} FROM {source} WHERE {where} ORDER BY {order} {direction}"  # noqa: S608 - our own language, which is parsed
    rows, _ = ask(request.user, parse(text, catalogue), limit=wanted.size, offset=wanted.offset)
    counted, _ = ask(
        request.user,
        parse(f"SELECT COUNT(*) AS n FROM {source} WHERE {where}", catalogue),  # noqa: S608 - our own language, which is parsed
    )
    return Table(
        name=name,
        caption=caption,
        columns=columns,
        rows=rows.to_pylist(),
        asked=wanted,
        parameters=request.GET,
        total=int(counted["n"][0].as_py()),
        empty=empty,
        searchable=bool(search_in),
        search_label=search_label,
        downloads=downloads,
    )


def quoted(text: str) -> str:
    """A text as our query language writes it."""
    return "'" + text.replace("'", "''") + "'"


def downloads(address: str) -> list[tuple[str, str]]:
    """The formats of a table of the API, and where each is."""
    return [(label, f"{address}?format={word}") for label, word in DOWNLOADS]


def sharing_of(thing: Shared) -> str:
    """Who sees a thing, in words."""
    if thing.visibility == Visibility.GROUP and thing.collaboration is not None:
        return thing.collaboration.name
    return "public" if thing.visibility == Visibility.PUBLIC else "private"
