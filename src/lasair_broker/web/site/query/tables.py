"""Results of queries as tables of a page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
from django.urls import NoReverseMatch, reverse

from lasair_broker.web.api.formats import rows
from lasair_broker.web.site.tables import Column

LONGEST_CELL = 200


def columns_of(described: Sequence[Mapping[str, Any]]) -> list[Column]:
    """The columns of a result, of which name, type, unit and description are known; names may be anything."""
    return [
        Column(
            name=column["name"],
            label=column["name"],
            unit=column.get("unit") or "",
            description=column.get("description") or "",
            numeric=column.get("type") in ("integer", "real"),
            sortable=column.get("type") not in ("binary", "json"),
            template="site/query/_value.html",
        )
        for column in described
    ]


def cells(found: pa.Table) -> list[dict[str, Any]]:
    """Rows of a result as they are shown."""
    return [cells_of(row) for row in rows(found)]


def cells_of(row: Mapping[str, Any]) -> dict[str, Any]:
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
