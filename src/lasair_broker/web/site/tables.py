"""Tables that page, sort and search on the server.

A view says which columns there are and where the rows are (`site.contents`), and gives the template the
`Table` that comes of it, which ``{% table t %}`` shows. The links of the table are ordinary addresses of the
page with other parameters; htmx fetches the page and takes the table out of it, so that a view needs no
second template. Two tables of one page have different names, with which their parameters begin.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, QueryDict

SIZES = (25, 50, 100, 200)


@dataclass(frozen=True)
class Column:
    """A column.

    Attributes
    ----------
    name
        The key of the row (or the attribute), and the word for sorting by it.
    description
        Shown when the heading is pointed at.
    digits
        Significant digits of numbers that are not whole; None: as they are.
    template
        Of a cell, which has `row`, `value` and `column`; none: the value as text.
    plain
        What files have of a row, and searches in memory look at, where that is not the value.
    filed
        Whether files have it; what is only to be looked at or pressed is in none.
    """

    name: str
    label: str
    unit: str = ""
    description: str = ""
    numeric: bool = False
    digits: int | None = None
    sortable: bool = False
    template: str = ""
    plain: Callable[[Any], Any] | None = None
    filed: bool = True

    def value(self, row: Any) -> Any:
        """What a row has in this column."""
        return row.get(self.name) if isinstance(row, Mapping) else getattr(row, self.name)


@dataclass(frozen=True)
class Asked:
    """What the address asks a table to show.

    Attributes
    ----------
    page
        From 1.
    size
        Rows of a page.
    sort
        The name of a column, or "" for the order that the view likes.
    search
        Words to look for.
    """

    page: int
    size: int
    sort: str
    descending: bool
    search: str

    @property
    def offset(self) -> int:
        """Rows before the page."""
        return (self.page - 1) * self.size


def asked(
    request: HttpRequest,
    name: str,
    columns: Sequence[Column],
    *,
    sort: str = "",
    descending: bool = False,
    size: int = 50,
) -> Asked:
    """What a request asks of the table of this name; what makes no sense is as if it were not asked.

    Parameters
    ----------
    sort, descending, size
        What is shown when nothing is asked.
    """
    given = request.GET
    wanted = given.get(f"{name}-sort", "")
    if any(column.sortable and column.name == wanted.removeprefix("-") for column in columns):
        sort, descending = wanted.removeprefix("-"), wanted.startswith("-")
    page, rows = given.get(f"{name}-page", ""), given.get(f"{name}-size", "")
    return Asked(
        page=max(1, int(page)) if page.isascii() and page.isdecimal() and len(page) < 7 else 1,
        size=int(rows) if rows in map(str, SIZES) else size,
        sort=sort,
        descending=descending,
        search=given.get(f"{name}-search", "").replace("\0", "").strip()[:200],
    )


@dataclass(frozen=True)
class Heading:
    """The head of a column: the address that sorts by it, and how it is sorted now."""

    column: Column
    address: str
    order: str


@dataclass(frozen=True)
class Table:
    """A page of rows, and what leads to the others.

    Attributes
    ----------
    name
        Of the table in the page and in its addresses.
    caption
        What it is a table of, for who cannot see it, and shown above if `title`.
    total
        Rows of all pages; None if nobody counted.
    more
        Whether there are rows after these, if nobody counted.
    downloads
        Label and address of each file that has all rows.
    empty
        Told when there is no row; may say what to do.
    in_address
        Whether the page's own address follows what the table shows; not if it is fetched into another page.
    searchable
        Whether there is a box for words; its label is `search_label`.
    path
        Of the page that shows it.
    row_attributes
        A template of what the element of a row has.
    """

    name: str
    caption: str
    columns: Sequence[Column]
    rows: Sequence[Any]
    asked: Asked
    parameters: QueryDict
    total: int | None = None
    more: bool = False
    downloads: Sequence[tuple[str, str]] = ()
    empty: str = "There is nothing here."
    searchable: bool = False
    search_label: str = "Search"
    title: bool = False
    in_address: bool = True
    path: str = ""
    row_attributes: str = ""

    @property
    def element(self) -> str:
        """The id of its element."""
        return f"table-{self.name}"

    @property
    def headings(self) -> list[Heading]:
        """The heads of the columns."""
        return [Heading(column, self._sorting(column), self._order(column)) for column in self.columns]

    @property
    def first(self) -> int:
        """The number of the first row shown, from 1; 0 if there is none."""
        return self.asked.offset + 1 if self.rows else 0

    @property
    def last(self) -> int:
        """The number of the last row shown."""
        return self.asked.offset + len(self.rows)

    @property
    def previous_address(self) -> str:
        """The address of the page before; "" on the first."""
        return self.address(page=str(self.asked.page - 1)) if self.asked.page > 1 else ""

    @property
    def next_address(self) -> str:
        """The address of the page after; "" on the last."""
        more = self.more if self.total is None else self.last < self.total
        return self.address(page=str(self.asked.page + 1)) if more and self.rows else ""

    @property
    def sizes(self) -> list[tuple[int, str]]:
        """Each size of a page, and its address."""
        return [(size, self.address(size=str(size), page=None)) for size in SIZES]

    @property
    def kept(self) -> list[tuple[str, str]]:
        """The parameters that a search leaves as they are."""
        gone = (f"{self.name}-search", f"{self.name}-page")
        return [
            (key, value) for key, values in self.parameters.lists() for value in values if key not in gone
        ]

    def address(self, **changed: str | None) -> str:
        """Of the table with some of its parameters changed; None takes one away."""
        parameters = self.parameters.copy()
        for word, value in changed.items():
            parameters.pop(f"{self.name}-{word}", None)
            if value is not None:
                parameters[f"{self.name}-{word}"] = value
        return f"?{parameters.urlencode()}"

    def _order(self, column: Column) -> str:
        if column.name != self.asked.sort:
            return ""
        return "descending" if self.asked.descending else "ascending"

    def _sorting(self, column: Column) -> str:
        if not column.sortable:
            return ""
        return self.address(
            sort=f"{'-' if self._order(column) == 'ascending' else ''}{column.name}", page=None
        )
