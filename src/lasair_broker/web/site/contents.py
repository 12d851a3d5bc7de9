"""What tables show: rows in memory, of Arrow, or of the user database; for a page, or all of them as a file.

`shown` is what views call. The box above a table takes words, all of which a row must have, and conditions on
columns: ``supernova, psfFlux > 1000 and band = r``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import or_
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponseBase

from lasair_broker.web.api.formats import ENDINGS, download
from lasair_broker.web.errors import NotFound
from lasair_broker.web.site.tables import Asked, Column, Table, asked

LABELS = {
    "csv": "CSV",
    "json": "JSON",
    "votable": "VOTable",
    "fits": "FITS",
    "parquet": "Parquet",
    "arrow": "Arrow",
}
"""What people call the formats of files."""

Mask = npt.NDArray[np.bool_]

MOST = 100_000
"""Rows of the user database in a file."""

_PARTS = re.compile(r",|\s+and\s+", re.IGNORECASE)
_CONDITION = re.compile(r"(\w+)\s*(<=|>=|!=|<|>|=)\s*(.+)")
_COMPARE = {
    "<=": pc.less_equal,
    ">=": pc.greater_equal,
    "!=": pc.not_equal,
    "<": pc.less,
    ">": pc.greater,
    "=": pc.equal,
}


class InsteadOfPage(Exception):  # noqa: N818  # no fault: `faults.Faults` answers with the file
    """A table is asked for as a file, whatever else the page has."""

    def __init__(self, response: HttpResponseBase) -> None:
        self.response = response
        super().__init__("a table is asked for as a file")


class Contents(Protocol):
    """Where the rows of a table are."""

    def page(self, wanted: Asked) -> tuple[Sequence[Any], int | None, bool]:
        """The rows of a page; how many there are of all pages, None if that is not known; and, for then,
        whether more follow."""
        ...

    def whole(self, wanted: Asked) -> tuple[pa.Table, bool]:
        """Every row that the words fit, sorted, as columns; and whether there are more than are given."""
        ...


def shown(
    request: HttpRequest,
    name: str,
    columns: Sequence[Column],
    contents: Contents,
    *,
    caption: str,
    sort: str = "",
    descending: bool = False,
    size: int = 50,
    searchable: bool = True,
    downloads: Sequence[tuple[str, str]] | None = None,
    **look: Any,
) -> Table:
    """The table that a request asks for.

    Parameters
    ----------
    downloads
        Where files are that have more than the table; None: the table itself as a file.
    look
        What else `Table` takes.

    Raises
    ------
    InsteadOfPage
        If the request asks for the table as a file.
    NotFound
        If there are no files of that kind.
    """
    wanted = asked(request, name, columns, sort=sort, descending=descending, size=size)
    ending = request.GET.get(f"{name}-as")
    if ending is not None:
        chosen = next((each for each, known in ENDINGS.items() if known == ending), None)
        if chosen is None:
            raise NotFound(f"there are no files {ending[:20]}; there are {', '.join(ENDINGS.values())}")
        rows, more = contents.whole(wanted)
        raise InsteadOfPage(download(rows, chosen, f"lasair-{name}", more=more))
    page, total, more = contents.page(wanted)
    look = {"parameters": request.GET, "path": request.path} | look
    if wanted.search and not page:
        look["empty"] = "Nothing here is like that."
    table = Table(
        name=name,
        caption=caption,
        columns=columns,
        rows=page,
        asked=wanted,
        total=total,
        more=more,
        searchable=searchable and bool(page or wanted.search),
        downloads=downloads or (),
        **look,
    )
    if downloads is not None or not page:
        return table
    files = [(label, table.path + table.address(**{"as": ENDINGS[word]})) for word, label in LABELS.items()]
    return Table(**vars(table) | {"downloads": files})


@dataclass(frozen=True)
class ArrowRows:
    """Rows of Arrow.

    Attributes
    ----------
    made
        Gives the rows of a page from their part of the table.
    more
        Whether there are more than these, which nobody has asked for.
    """

    table: pa.Table
    made: Callable[[pa.Table], Sequence[Any]] = pa.Table.to_pylist
    more: bool = False

    def page(self, wanted: Asked) -> tuple[Sequence[Any], int, bool]:
        """See `Contents`."""
        places = matching(self.table, wanted)
        chosen = places.slice(wanted.offset, wanted.size)
        return self.made(self.table.take(chosen)), len(places), self.more

    def whole(self, wanted: Asked) -> tuple[pa.Table, bool]:
        """See `Contents`."""
        return self.table.take(matching(self.table, wanted)), self.more


@dataclass(frozen=True)
class ListedRows:
    """Some rows in memory."""

    rows: Sequence[Any]
    columns: Sequence[Column]

    def page(self, wanted: Asked) -> tuple[Sequence[Any], int, bool]:
        """See `Contents`."""
        places = matching(plain(self.rows, self.columns), wanted)
        chosen = places.slice(wanted.offset, wanted.size).to_pylist()
        return [self.rows[place] for place in chosen], len(places), False

    def whole(self, wanted: Asked) -> tuple[pa.Table, bool]:
        """See `Contents`."""
        table = plain(self.rows, self.columns)
        return table.take(matching(table, wanted)), False


@dataclass(frozen=True)
class StoredRows:
    """Rows of the user database, which searches and sorts them.

    Attributes
    ----------
    search_in
        Fields in which words are looked for.
    orders
        What to sort by, of columns that are no fields.
    made
        Gives the rows of a page from what the database has.
    """

    found: QuerySet[Any]
    columns: Sequence[Column]
    search_in: Sequence[str]
    orders: Mapping[str, str] = field(default_factory=dict)
    made: Callable[[Sequence[Any]], Sequence[Any]] = list

    def page(self, wanted: Asked) -> tuple[Sequence[Any], int, bool]:
        """See `Contents`."""
        found = self._searched(wanted)
        return self.made(list(found[wanted.offset : wanted.offset + wanted.size])), found.count(), False

    def whole(self, wanted: Asked) -> tuple[pa.Table, bool]:
        """See `Contents`."""
        found = list(self._searched(wanted)[: MOST + 1])
        return plain(self.made(found[:MOST]), self.columns), len(found) > MOST

    def _searched(self, wanted: Asked) -> QuerySet[Any]:
        found = self.found
        for word in wanted.search.split():
            found = found.filter(reduce(or_, (Q(**{f"{name}__icontains": word}) for name in self.search_in)))
        if not wanted.sort:
            return found
        order = self.orders.get(wanted.sort, wanted.sort)
        return found.order_by(f"{'-' if wanted.descending else ''}{order}", "pk")


def matching(table: pa.Table, wanted: Asked) -> pa.Array:
    """The places of the rows that have what is searched for, sorted; what is missing comes last."""
    kept = np.ones(table.num_rows, np.bool_)
    names = {name.casefold(): name for name in table.column_names}
    for part in filter(None, map(str.strip, _PARTS.split(wanted.search))):
        condition = _CONDITION.fullmatch(part)
        name = names.get(condition[1].casefold()) if condition else None
        compared = _compared(table[name], condition[2], condition[3]) if condition and name else None
        kept &= _having(table, part) if compared is None else compared
    places = pa.array(np.flatnonzero(kept))
    if wanted.sort not in table.column_names:
        return places
    values = table[wanted.sort].combine_chunks().take(places)
    return places.take(
        pc.array_sort_indices(values, order="descending" if wanted.descending else "ascending")
    )


def plain(rows: Sequence[Any], columns: Sequence[Column]) -> pa.Table:
    """Rows as columns for a file: what is no number, text, truth or time is written as text."""
    fields, arrays = [], []
    for column in columns:
        if not column.filed:
            continue
        array = array_of([column.plain(row) if column.plain else column.value(row) for row in rows])
        about = {"unit": column.unit, "description": column.description}
        fields.append(
            pa.field(column.name, array.type, metadata={key: text for key, text in about.items() if text})
        )
        arrays.append(array)
    return pa.table(arrays, schema=pa.schema(fields))


def array_of(values: Sequence[Any]) -> pa.Array:
    """Values as Arrow; as text what is no number, text, truth or time, or not all of a kind."""
    try:
        array = pa.array(values)
        if not (pa.types.is_null(array.type) or pa.types.is_nested(array.type)):
            return array
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
        pass
    return pa.array([None if value is None else str(value) for value in values], pa.string())


def _compared(values: pa.ChunkedArray, sign: str, text: str) -> Mask | None:
    """Which values are so; None if the text is nothing with which these can be compared."""
    kind = values.type
    if pa.types.is_integer(kind) and not re.fullmatch(r"[+-]?\d{1,18}", text):
        kind = pa.float64()
    try:
        if pa.types.is_string(kind) or pa.types.is_large_string(kind):
            values, text = pc.utf8_lower(values), text.lower()
        found = _COMPARE[sign](values.cast(kind), pa.scalar(text).cast(kind))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None
    return _mask(found)


def _having(table: pa.Table, words: str) -> Mask:
    """Which rows have each of some words in a text, a time or a whole number."""
    texts = [column.cast(pa.string()) for column in table.columns if _readable(column.type)]
    every = np.ones(table.num_rows, np.bool_)
    for word in words.split():
        some = np.zeros(table.num_rows, np.bool_)
        for column in texts:
            some |= _mask(pc.match_substring(column, word, ignore_case=True))
        every &= some
    return every


def _readable(kind: pa.DataType) -> bool:
    text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    return bool(text or pa.types.is_integer(kind) or pa.types.is_temporal(kind) or pa.types.is_boolean(kind))


def _mask(found: pa.ChunkedArray) -> Mask:
    """Truths of Arrow, where what is not known is none."""
    return np.asarray(pc.fill_null(found, False).to_numpy(), np.bool_)
