"""Results of queries as tables of a page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse

from lasair_broker.web.api.formats import rows
from lasair_broker.web.site.tables import Asked, Column, Table

LONGEST_CELL = 200


def columns_of(described: Sequence[Mapping[str, Any]], *, sortable: bool = False) -> list[Column]:
    """The columns of a result, of which name, type, unit and description are known; names may be anything."""
    return [
        Column(
            name=column["name"],
            label=column["name"],
            unit=column.get("unit") or "",
            description=column.get("description") or "",
            numeric=column.get("type") in ("integer", "real"),
            sortable=sortable and column.get("type") not in ("binary", "json"),
            template="site/query/_value.html",
        )
        for column in described
    ]


def table_of(
    request: HttpRequest,
    found: pa.Table,
    described: Sequence[Mapping[str, Any]],
    asked: Asked,
    *,
    sortable: bool = False,
    **more: Any,
) -> Table:
    """A page of a result."""
    kept = set(found.column_names)
    return Table(
        name="rows",
        caption="Result",
        columns=columns_of([c for c in described if c["name"] in kept], sortable=sortable),
        rows=[shown(row) for row in rows(found)],
        asked=asked,
        parameters=request.GET,
        **more,
    )


def shown(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row with numbers as people read them, long texts cut off, and links from what names an object."""
    return {name: _cell(name, value) for name, value in row.items()}


def _cell(name: str, value: Any) -> dict[str, Any]:
    if value is None:
        return {"text": None}
    if isinstance(value, float):
        return {"text": f"{value:.7g}" if math.isfinite(value) else "", "title": repr(value), "number": True}
    if isinstance(value, int) and not isinstance(value, bool):
        return {"text": str(value), "number": True}
    text = str(value)
    cell: dict[str, Any] = {"text": text}
    if len(text) > LONGEST_CELL:
        cell = {"text": text[: LONGEST_CELL - 1] + "…", "title": text[:4000]}
    if name in ("diaObjectId", "objectName") and text and "/" not in text:
        cell["address"] = object_address(text)
    return cell


def object_address(key: str) -> str:
    """The page of an object; "" if there is none."""
    try:
        return reverse("objects:object", args=[key])
    except NoReverseMatch:
        return ""
