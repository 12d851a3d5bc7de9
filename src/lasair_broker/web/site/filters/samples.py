"""Rows of results with the light curves of their objects, for tables and cards."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
from django.http import HttpRequest

from lasair_broker.web.site.query.tables import cells, object_address
from lasair_broker.web.site.sparklines import sparklines
from lasair_broker.web.site.tables import Asked, Column, Table

_CURVE = Column("__curve", "Light curve", template="site/filters/_cell_curve.html")


def sample_table(request: HttpRequest, found: pa.Table) -> Table:
    """A few rows with light curves, if they say which objects they are of."""
    columns = [
        Column(
            name,
            name,
            numeric=pa.types.is_floating(kind) or pa.types.is_int32(kind),
            template="site/query/_value.html",
        )
        for name, kind in zip(found.column_names, found.schema.types, strict=True)
        if not (pa.types.is_binary(kind) or pa.types.is_large_binary(kind))
    ]
    lines = cells(found)
    numbers = numbers_in(found)
    if numbers is not None:
        curves = sparklines([number for number in numbers if number is not None])
        columns.insert(1, _CURVE)
        for line, number in zip(lines, numbers, strict=True):
            line["__curve"] = curves.get(number or 0, "")
    return Table(
        name="sample",
        caption="Some of them",
        columns=columns,
        rows=lines,
        asked=Asked(1, max(1, len(lines)), "", False, ""),
        parameters=request.GET,
        empty="No object of the archive fulfils the conditions.",
    )


def numbers_in(found: pa.Table) -> list[int | None] | None:
    """The objects that the rows are of; None if they do not say."""
    folded = {name.casefold(): name for name in found.column_names}
    name = folded.get("diaobjectid")
    if name is None or not pa.types.is_integer(found.schema.field(name).type):
        return None
    numbers: list[int | None] = found[name].to_pylist()
    return numbers


def addressed(number: int) -> Mapping[str, Any]:
    """A cell that leads to an object."""
    return {"text": str(number), "address": object_address(str(number))}
