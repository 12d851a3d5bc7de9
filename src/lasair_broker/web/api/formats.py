"""Tables in the formats that the API offers."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from rest_framework.request import Request
from rest_framework.response import Response

from lasair_broker.web.api import fits, votable
from lasair_broker.web.errors import Invalid

FORMATS = {
    "json": "application/json",
    "csv": "text/csv",
    "arrow": "application/vnd.apache.arrow.stream",
    "parquet": "application/vnd.apache.parquet",
    "votable": votable.MEDIA_TYPE,
    "fits": fits.MEDIA_TYPE,
}
ENDINGS = {name: name for name in FORMATS} | {"votable": "vot"}
"""Of the names of files."""

_ROWS_AT_ONCE = 5000


def asked_format(request: Request) -> str:
    """The format that a request asks for: by `format` among its parameters or in its body, else by `Accept`.

    Raises
    ------
    Invalid
        If there is no such format.
    """
    body = request.data if isinstance(request.data, dict) else {}
    asked = request.query_params.get("format") or body.get("format")
    if asked is None:
        accepted = request.headers.get("Accept", "")
        return next((name for name, media in FORMATS.items() if media in accepted), "json")
    if asked not in FORMATS:
        raise Invalid({"format": f"choose from {', '.join(FORMATS)}"})
    return str(asked)


def answer_table(
    request: Request, table: pa.Table, name: str, *, more: bool = False, **beside: Any
) -> HttpResponseBase:
    """A table as the answer to a request.

    Parameters
    ----------
    name
        Of the file, without ending.
    more
        Whether there are more rows than these.
    beside
        What JSON tells beside the rows.
    """
    chosen = asked_format(request)
    if chosen == "json":
        return Response({"rows": rows(table), "truncated": more, **beside})
    return download(table, chosen, name, more=more)


def download(table: pa.Table, chosen: str, name: str, *, more: bool = False) -> HttpResponseBase:
    """A table as a file in one of FORMATS."""
    response: HttpResponseBase
    if chosen == "csv":
        response = StreamingHttpResponse(_csv(table), content_type="text/csv; charset=utf-8")
    elif chosen == "votable":
        parts = votable.votable(table, name=name, more=more)
        response = StreamingHttpResponse(parts, content_type=FORMATS[chosen])
    elif chosen == "fits":
        response = HttpResponse(fits.fits_table(table, name=name, more=more), content_type=FORMATS[chosen])
    elif chosen == "json":
        response = HttpResponse(orjson.dumps(rows(table), default=str), content_type=FORMATS[chosen])
    else:
        out = io.BytesIO()
        if chosen == "parquet":
            pq.write_table(table, out, compression="zstd")
        else:
            with pyarrow.ipc.new_stream(out, table.schema) as writer:
                writer.write_table(table)
        response = HttpResponse(out.getvalue(), content_type=FORMATS[chosen])
    response["Content-Disposition"] = f'attachment; filename="{name}.{ENDINGS[chosen]}"'
    response["Lasair-Truncated"] = "true" if more else "false"
    return response


def rows(table: pa.Table) -> list[dict[str, Any]]:
    """Rows for JSON: numbers that JavaScript would round are text, and binary values are left out."""
    columns = []
    names = []
    for field, column in zip(table.schema, table.columns, strict=True):
        if pa.types.is_binary(field.type) or pa.types.is_large_binary(field.type):
            continue
        names.append(field.name)
        columns.append(column.cast(pa.string()) if pa.types.is_int64(field.type) else column)
    found: list[dict[str, Any]] = pa.table(columns, names=names).to_pylist()
    return found


def _csv(table: pa.Table) -> Iterator[bytes]:
    """Lines with a header; text that a spreadsheet would take for a formula gets a quote before it."""
    yield _lines([table.column_names])
    for start in range(0, table.num_rows, _ROWS_AT_ONCE):
        part = table.slice(start, _ROWS_AT_ONCE)
        columns = [[_cell(value) for value in column.to_pylist()] for column in part.columns]
        yield _lines(zip(*columns, strict=True))


def _lines(lines: Any) -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\r\n").writerows(lines)
    return out.getvalue().encode()


def _cell(value: Any) -> Any:
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return "'" + value
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, dict | list):
        return json.dumps(value, default=str)
    return value
