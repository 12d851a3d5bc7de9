"""What the pages of lists have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import pyarrow as pa
from django import forms
from django.contrib.auth.models import AnonymousUser
from django.db.models import Model, QuerySet
from django.http import HttpRequest

from lasair_broker.query import parse
from lasair_broker.web.accounts.models import User
from lasair_broker.web.archive import ask
from lasair_broker.web.catalogue import catalogue_for
from lasair_broker.web.errors import Invalid
from lasair_broker.web.sharing import Shared, SharedQuerySet, Visibility
from lasair_broker.web.site.contents import StoredRows, shown
from lasair_broker.web.site.tables import Asked, Column, Table

Thing = TypeVar("Thing", bound=Model)

OBJECT_CELL = "site/lists/_object.html"
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
        The field of the name, by which they are sorted.
    orders
        For columns that are no fields, what to sort by.
    """
    return shown(
        request,
        "t",
        columns,
        StoredRows(found, columns, (search_in, "description", "owner__username"), orders),
        caption=caption,
        sort=search_in,
        empty=empty,
        search_label="Search in names and descriptions",
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
    downloads: Sequence[tuple[str, str]] | None = None,
    made: Callable[[list[dict[str, Any]]], list[dict[str, Any]]] = list,
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
    downloads
        As of `shown`.
    made
        Gives the rows of a page from what the archive has.
    """
    return shown(
        request,
        name,
        columns,
        _AskedRows(request.user, select, source, where, orders or {}, search_in, made),
        caption=caption,
        sort=sort,
        descending=descending,
        empty=empty,
        searchable=bool(search_in),
        search_label=search_label,
        downloads=downloads,
    )


@dataclass(frozen=True)
class _AskedRows:
    """What a query in our own language finds; see `Contents`."""

    user: User | AnonymousUser
    select: str
    source: str
    where: str
    orders: Mapping[str, str]
    search_in: str
    made: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]

    def page(self, wanted: Asked) -> tuple[Sequence[Any], int, bool]:
        where = self._where(wanted)
        rows, _ = self._ask(self._text(wanted, where), wanted.size, wanted.offset)
        counted, _ = self._ask(f"SELECT COUNT(*) AS n FROM {self.source} WHERE {where}")  # noqa: S608 - our own language, which is parsed
        return self.made(rows.to_pylist()), int(counted["n"][0].as_py()), False

    def whole(self, wanted: Asked) -> tuple[pa.Table, bool]:
        return self._ask(self._text(wanted, self._where(wanted)))

    def _where(self, wanted: Asked) -> str:
        where = self.where
        for word in wanted.search.lower().split() if self.search_in else ():
            where = f"({where}) AND LOWER({self.search_in}) LIKE {quoted(f'%{word}%')}"
        return where

    def _text(self, wanted: Asked, where: str) -> str:
        order = self.orders.get(wanted.sort, wanted.sort)
        direction = "DESC" if wanted.descending else "ASC"
        return f"SELECT {self.select} FROM {self.source} WHERE {where} ORDER BY {order} {direction}"  # noqa: S608 - our own language, which is parsed

    def _ask(self, text: str, limit: int | None = None, offset: int = 0) -> tuple[pa.Table, bool]:
        return ask(self.user, parse(text, catalogue_for(self.user)), limit=limit, offset=offset)


def quoted(text: str) -> str:
    """A text as our query language writes it."""
    return "'" + text.replace("'", "''") + "'"


def sharing_of(thing: Shared) -> str:
    """Who sees a thing, in words."""
    if thing.visibility == Visibility.GROUP and thing.collaboration is not None:
        return thing.collaboration.name
    return "public" if thing.visibility == Visibility.PUBLIC else "private"
