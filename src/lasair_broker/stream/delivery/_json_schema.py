"""The schema of hits as JSON messages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lasair_broker.query import Query

from ._outputs import LightCurve, Output

__all__ = ["json_schema"]

_TYPES = {
    "boolean": ["boolean", "null"],
    "integer": ["integer", "null"],
    "real": ["number", "null"],
    "text": ["string", "null"],
    "timestamp": ["string", "null"],
}


def json_schema(output: Output, version: int, query: Query | None, columns: Sequence[str]) -> dict[str, Any]:
    """JSON Schema of the hits of one version of a filter; see `avro_schema` for the parameters."""
    types = {} if query is None else {name: type_.kind for name, type_ in query.columns.items()}
    properties: dict[str, Any] = {}
    for column in columns:
        type_ = _TYPES.get(types.get(column, ""))
        properties[column] = {} if type_ is None else {"type": type_}
    properties["UTC"] = {"type": "string", "description": "When it was found, YYYY-mm-dd HH:MM:SS."}
    if output.light_curve is not LightCurve.NONE:
        properties["alert"] = {"type": "object"}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": output.name,
        "description": f"Hits of filter {output.filter_id}, version {version}.",
        "type": "object",
        "properties": properties,
        "required": list(properties),
    }
