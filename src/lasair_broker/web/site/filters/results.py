"""What a filter has found on the stream, or finds in the archive now: as a table, as cards, on the sky."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import pyarrow as pa
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.safestring import SafeString
from django.views.decorators.http import require_safe

from lasair_broker.archive import QueryError
from lasair_broker.packets import CUTOUTS
from lasair_broker.web import sharing
from lasair_broker.web.archive import archive, newest_hits
from lasair_broker.web.errors import ServiceError
from lasair_broker.web.filters import trying
from lasair_broker.web.filters.models import Filter
from lasair_broker.web.site.contents import ArrowRows, array_of, shown
from lasair_broker.web.site.filters.chosen_columns import chosen
from lasair_broker.web.site.filters.samples import addressed, numbers_in
from lasair_broker.web.site.filters.sky import Mark, sky
from lasair_broker.web.site.query.tables import cells
from lasair_broker.web.site.sparklines import sparklines
from lasair_broker.web.site.tables import Asked, Column
from lasair_broker.web.tags.services import labels_of

PAGE = {"table": 50, "cards": 24, "sky": 500}
"""Results of a page of each kind."""


_MOST_HITS = 10_000
_PLACES = ["diaObjectId", "ra", "decl"]


@dataclass(frozen=True)
class Result:
    """A hit, or a row of the query's result now.

    Attributes
    ----------
    number
        Of the object; None if the row does not say.
    cells
        The cell of each column.
    source
        Number of the detection with which it passed; None if it is not known.
    when
        When the hit was found, MJD TAI; None for a row of the archive.
    """

    number: int | None
    cells: Mapping[str, Mapping[str, Any]]
    source: int | None
    when: float | None
    curve: SafeString | str
    labels: Sequence[str]

    @property
    def facts(self) -> list[tuple[str, Mapping[str, Any]]]:
        """The first of the cells, for a card."""
        return [(name, cell) for name, cell in self.cells.items() if name.casefold() != "diaobjectid"][:8]

    @property
    def link(self) -> Mapping[str, Any]:
        """To the object."""
        return addressed(self.number) if self.number is not None else {}


@dataclass(frozen=True)
class _Selected(Column):
    """A column that the query selects, by whatever name."""

    def value(self, row: Result) -> Any:
        return row.cells.get(self.name)


_CURVE = Column("curve", "Light curve", template="site/filters/_cell_curve.html")
_KEEP = Column("labels", "", template="site/filters/_result_keep.html")
_OF_A_HIT = ("diaObjectId", "diaSourceId", "committedMjdTai")


@require_safe
def results(request: HttpRequest, filter_id: int) -> HttpResponse:
    """A page of results, as a part of the filter's page."""
    found = sharing.visible(Filter.objects.select_related("active_version"), request.user, filter_id)
    kind = request.GET.get("as", "table")
    kind = kind if kind in PAGE else "table"
    now = request.GET.get("of") == "archive"
    context: dict[str, Any] = {"filter": found, "as": kind, "now": now, "stamps": CUTOUTS}
    try:
        hits = _Rows(request, filter_id) if now else _Hits(request, filter_id)
        columns, context["choices"] = chosen(request, filter_id, hits.columns())
        context["table"] = table = shown(
            request,
            "results",
            columns,
            hits,
            caption="Results",
            size=PAGE[kind],
            search_label="Words, or nDiaSources > 5",
            empty=_EMPTY[now],
            row_attributes="site/filters/_result_attributes.html",
            in_address=False,
        )
    except (ServiceError, QueryError) as error:
        context["fault"] = str(error)
        return render(request, "site/filters/_results.html", context)
    if kind == "sky":
        context["sky"] = sky(_marks(table.rows))
    return render(request, "site/filters/_results.html", context)


_EMPTY = {
    True: "No object of the archive fulfils the conditions.",
    False: "Nothing was found on the stream so far. See what it finds in the archive now.",
}


class _Hits:
    """The newest hits of a filter, newest first; see `Contents`."""

    def __init__(self, request: HttpRequest, filter_id: int) -> None:
        self._request, self._filter_id = request, filter_id

    def columns(self) -> list[Column]:
        names = self._table(PAGE["table"]).column_names[len(_OF_A_HIT) :]
        return [
            _CURVE,
            _Selected("diaObjectId", "Object", sortable=True, template="site/filters/_result_object.html"),
            _Selected(
                "committedMjdTai",
                "Found",
                "MJD",
                numeric=True,
                sortable=True,
                template="site/filters/_result_when.html",
            ),
            *_named(names),
            _KEEP,
        ]

    def page(self, wanted: Asked) -> tuple[Sequence[Result], int | None, bool]:
        if wanted.sort or wanted.search:
            return ArrowRows(self._table(_MOST_HITS), self._lines).page(wanted)
        found = self._table(min(_MOST_HITS, wanted.offset + wanted.size + 1)).slice(wanted.offset)
        return self._lines(found.slice(0, wanted.size)), None, found.num_rows > wanted.size

    def whole(self, wanted: Asked) -> tuple[pa.Table, bool]:
        found = self._table(_MOST_HITS)
        return ArrowRows(found, more=found.num_rows == _MOST_HITS).whole(wanted)

    def _table(self, count: int) -> pa.Table:
        """Hits with what the query selected as columns."""
        found = newest_hits(self._filter_id, count)
        contents = [orjson.loads(text or "{}") for text in found["content"].to_pylist()]
        columns = {name: found[name] for name in _OF_A_HIT}
        taken = {name.casefold() for name in _OF_A_HIT}
        for name in dict.fromkeys(n for each in contents for n in each if n.casefold() not in taken):
            columns[name] = array_of([content.get(name) for content in contents])
        return pa.table(columns)

    def _lines(self, found: pa.Table) -> list[Result]:
        numbers, sources, times = (found[name].to_pylist() for name in _OF_A_HIT)
        selected = cells(found.drop_columns(list(_OF_A_HIT)))
        return _results(self._request, numbers, selected, sources, times)


class _Rows:
    """What a filter finds in the archive now; see `Contents`."""

    def __init__(self, request: HttpRequest, filter_id: int) -> None:
        self._request, self._filter_id = request, filter_id

    def columns(self) -> list[Column]:
        found, _ = trying.rows_now(self._request.user, self._filter_id, None, limit=1)
        return [_CURVE, *_named(found.column_names), _KEEP]

    def page(self, wanted: Asked) -> tuple[Sequence[Result], int | None, bool]:
        if wanted.sort or wanted.search:
            found, more = trying.rows_now(self._request.user, self._filter_id, None)
            return ArrowRows(found, self._lines, more).page(wanted)
        found, more = trying.rows_now(
            self._request.user, self._filter_id, None, limit=wanted.size, offset=wanted.offset
        )
        return self._lines(found), None, more

    def whole(self, wanted: Asked) -> tuple[pa.Table, bool]:
        found, more = trying.rows_now(self._request.user, self._filter_id, None)
        return ArrowRows(found, more=more).whole(wanted)

    def _lines(self, found: pa.Table) -> list[Result]:
        nothing: list[Any] = [None] * found.num_rows
        return _results(self._request, numbers_in(found) or nothing, cells(found), nothing, nothing)


def _named(names: Sequence[str]) -> list[Column]:
    return [_Selected(name, name, sortable=True, template="site/query/_value.html") for name in names]


def _results(
    request: HttpRequest,
    numbers: Sequence[int | None],
    selected: Sequence[Mapping[str, Mapping[str, Any]]],
    sources: Sequence[int | None],
    times: Sequence[float | None],
) -> list[Result]:
    known = [number for number in numbers if number is not None]
    curves, labels = sparklines(known), labels_of(request.user, known)
    return [
        Result(number, row, source, when, curves.get(number or 0, ""), labels.get(number or 0, []))
        for number, row, source, when in zip(numbers, selected, sources, times, strict=True)
    ]


def _marks(lines: Sequence[Result]) -> list[Mark]:
    numbers = list(dict.fromkeys(line.number for line in lines if line.number is not None))
    if not numbers:
        return []
    table = archive().rows_of_objects("objects", numbers)
    return [
        Mark(ra, decl, str(number), addressed(number)["address"])
        for number, ra, decl in zip(*(table[name].to_pylist() for name in _PLACES), strict=True)
    ]
