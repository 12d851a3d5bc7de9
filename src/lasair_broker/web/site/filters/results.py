"""What a filter has found on the stream, or finds in the archive now: as a table, as cards, on the sky."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import pyarrow as pa
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils.safestring import SafeString
from django.views.decorators.http import require_safe

from lasair_broker.archive import QueryError
from lasair_broker.stream.delivery import cursor_of, event_id
from lasair_broker.web import sharing
from lasair_broker.web.api.formats import ENDINGS, FORMATS, download, rows
from lasair_broker.web.archive import archive, newest_hits
from lasair_broker.web.errors import ServiceError
from lasair_broker.web.filters import trying
from lasair_broker.web.filters.models import Filter
from lasair_broker.web.site.filters.samples import addressed, numbers_in
from lasair_broker.web.site.filters.sky import Mark, sky
from lasair_broker.web.site.query.jobs import LABELS
from lasair_broker.web.site.query.tables import shown
from lasair_broker.web.site.sparklines import sparklines
from lasair_broker.web.tags.services import labels_of

PAGE = {"table": 50, "cards": 24, "sky": 500}
"""Results of a page of each kind."""

STAMPS = ("Science", "Template", "Difference")

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
        Name and cell of each column.
    source
        Number of the detection with which it passed; None if it is not known.
    when
        When the hit was found, MJD TAI; None for a row of the archive.
    """

    number: int | None
    cells: Sequence[tuple[str, Mapping[str, Any]]]
    source: int | None
    when: float | None
    curve: SafeString | str
    labels: Sequence[str]

    @property
    def link(self) -> Mapping[str, Any]:
        """To the object."""
        return addressed(self.number) if self.number is not None else {}


@require_safe
def results(request: HttpRequest, filter_id: int) -> HttpResponse:
    """A page of results, as a part of the filter's page."""
    found = sharing.visible(Filter.objects.select_related("active_version"), request.user, filter_id)
    kind = request.GET.get("as", "table")
    kind = kind if kind in PAGE else "table"
    now = request.GET.get("of") == "archive"
    context: dict[str, Any] = {
        "filter": found,
        "as": kind,
        "now": now,
        "stamps": STAMPS,
        "downloads": [(LABELS[name], ENDINGS[name]) for name in FORMATS],
    }
    try:
        if now:
            lines, context["next"] = _of_archive(request, filter_id, PAGE[kind])
        else:
            lines, context["next"] = _of_stream(request, filter_id, PAGE[kind])
    except (ServiceError, QueryError) as error:
        context["fault"] = str(error)
        return render(request, "site/filters/_results.html", context)
    context |= {"results": lines, "names": [name for name, _ in lines[0].cells] if lines else []}
    if kind == "sky":
        context["sky"] = sky(_marks(lines))
    return render(request, "site/filters/_results.html", context)


@require_safe
def download_results(request: HttpRequest, filter_id: int, ending: str) -> HttpResponseBase:
    """The newest hits, or the archive's rows now, as a file."""
    chosen = next((name for name, known in ENDINGS.items() if known == ending), None)
    if chosen is None:
        raise Http404
    sharing.visible(Filter.objects.all(), request.user, filter_id)
    if request.GET.get("of") == "archive":
        found, more = trying.rows_now(request.user, filter_id, None)
    else:
        found, more = _hits(filter_id, _MOST_HITS, None), False
        more = found.num_rows == _MOST_HITS
        found = found.drop_columns(["deliveryError", "deliveryAttempts"])
    return download(found, chosen, f"lasair-filter-{filter_id}", more=more)


def _hits(filter_id: int, count: int, after: str | None) -> pa.Table:
    return newest_hits(filter_id, count, None if after is None else cursor_of(after))


def _of_stream(request: HttpRequest, filter_id: int, count: int) -> tuple[list[Result], str | None]:
    found = _hits(filter_id, count + 1, request.GET.get("after"))
    after = None
    if found.num_rows > count:
        found = found.slice(0, count)
        after = event_id((found["committedMjdTai"][-1].as_py(), found["hitId"][-1].as_py()))
    numbers = found["diaObjectId"].to_pylist()
    contents = [orjson.loads(text or "{}") for text in found["content"].to_pylist()]
    # The object has a column of its own.
    names = dict.fromkeys(n for content in contents for n in content if n.casefold() != "diaobjectid")
    cells = [[(name, shown({name: content.get(name)})[name]) for name in names] for content in contents]
    lines = _results(
        request, numbers, cells, found["diaSourceId"].to_pylist(), found["committedMjdTai"].to_pylist()
    )
    return lines, after


def _of_archive(request: HttpRequest, filter_id: int, count: int) -> tuple[list[Result], str | None]:
    text = request.GET.get("after", "")
    first = int(text) if text.isascii() and text.isdecimal() and len(text) < 8 else 0
    found, more = trying.rows_now(request.user, filter_id, None, limit=count, offset=first)
    lines = [list(shown(row).items()) for row in rows(found)]
    numbers = numbers_in(found) or [None] * found.num_rows
    nothing: list[Any] = [None] * found.num_rows
    return _results(request, numbers, lines, nothing, nothing), str(first + count) if more else None


def _results(
    request: HttpRequest,
    numbers: Sequence[int | None],
    cells: Sequence[Sequence[tuple[str, Mapping[str, Any]]]],
    sources: Sequence[int | None],
    times: Sequence[float | None],
) -> list[Result]:
    known = [number for number in numbers if number is not None]
    curves, labels = sparklines(known), labels_of(request.user, known)
    return [
        Result(number, row, source, when, curves.get(number or 0, ""), labels.get(number or 0, []))
        for number, row, source, when in zip(numbers, cells, sources, times, strict=True)
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
