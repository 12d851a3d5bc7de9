"""Hits as Avro: each message is an object container with one record, which says its own schema."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import fastavro

from lasair_broker.query import Query

from ._outputs import LightCurve, Output

__all__ = ["avro_schema", "avro_value"]

_TYPES: dict[str, Any] = {
    "boolean": ["null", "boolean"],
    "integer": ["null", "long"],
    "real": ["null", "double"],
    "text": ["null", "string"],
    "timestamp": ["null", "string"],
}
_ANY = ["null", "boolean", "long", "double", "string"]
"""For what has no type of its own, such as NULL, and for queries that cannot be read any more."""


def avro_schema(output: Output, version: int, query: Query | None, columns: Sequence[str]) -> dict[str, Any]:
    """The schema of the hits of one version of a filter.

    Parameters
    ----------
    query
        Tells the types of columns, if it can be read.
    columns
        The names of the selected columns, in order. What Avro does not allow in a name becomes ``_``; the
        name as selected is then the field's `doc`.
    """
    types = {} if query is None else {name: type_.kind for name, type_ in query.columns.items()}
    fields: list[dict[str, Any]] = [
        {"name": "hitId", "type": "string", "doc": "The same for every repeat of the hit."},
        {"name": "UTC", "type": "string", "doc": "When it was found, YYYY-mm-dd HH:MM:SS."},
    ]
    taken = {"hitId", "UTC", "alert"}
    for column in columns:
        name = _free(re.sub(r"\W|^(?=\d)", "_", column, flags=re.ASCII) or "_", taken)
        field = {"name": name, "type": _TYPES.get(types.get(column, ""), _ANY), "default": None}
        fields.append(field if name == column else {**field, "doc": column})
    if output.light_curve is not LightCurve.NONE:
        doc = f"The {output.light_curve} light curve and state of the object, JSON."
        fields.append({"name": "alert", "type": "string", "doc": doc})
    return {
        "type": "record",
        "name": f"filter{output.filter_id}version{version}",
        "namespace": "lasair.hits",
        "doc": output.name,
        "fields": fields,
    }


def avro_value(
    schema: Mapping[str, Any], hit_id: str, utc: str, content: Mapping[str, Any], alert: bytes | None
) -> bytes:
    """One hit as an Avro object container."""
    fields = schema["fields"][2 : 2 + len(content)]
    record = {
        field["name"]: _fitting(value, field["type"])
        for field, value in zip(fields, content.values(), strict=True)
    }
    record |= {"hitId": hit_id, "UTC": utc}
    if alert is not None:
        record["alert"] = alert.decode()
    out = io.BytesIO()
    # The marker between blocks follows from the hit, so that a repeat is the same to the last byte.
    marker = hit_id.encode()[:16].ljust(16, b"\0")
    fastavro.writer(out, dict(schema), [record], sync_marker=marker)
    return out.getvalue()


def _fitting(value: Any, types: Sequence[str]) -> Any:
    """A JSON value as one of an Avro union's types."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int) and "long" not in types:
        return float(value) if "double" in types else str(value)
    if isinstance(value, int | float):
        return value if "double" in types or isinstance(value, int) else str(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _free(name: str, taken: set[str]) -> str:
    free, count = name, 1
    while free in taken:
        count += 1
        free = f"{name}_{count}"
    taken.add(free)
    return free
