"""Writer schemas kept as files: the separate .avsc files of one version joined into one schema."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .avro import Codec, SchemaError

__all__ = ["SchemaFileError", "join_schemas", "load_schema", "read_schema_file", "scan_folder"]

_SUFFIXES = frozenset({".avsc", ".json"})


class SchemaFileError(ValueError):
    """A schema file that cannot be read; the message names the file."""


def join_schemas(root: Any, others: Sequence[Any]) -> dict[str, Any]:
    """`root` with every type of `others` that it refers to written out where it is first used.

    Raises
    ------
    SchemaError
        If a type is missing or malformed.
    """
    joined: dict[str, Any] = json.loads(Codec(root, others).schema_json)
    return joined


def read_schema_file(path: Path) -> Any:
    """The schema in `path`: a plain Avro schema, or a registry's answer that holds one as text.

    Raises
    ------
    SchemaFileError
        If the file cannot be read or is not JSON.
    """
    try:
        schema = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(schema, dict) and "type" not in schema and isinstance(schema.get("schema"), str):
            schema = json.loads(schema["schema"])
    except (OSError, ValueError) as error:
        raise SchemaFileError(f"{path}: not an Avro schema: {error}") from error
    return schema


def _version_schema(folder: Path) -> dict[str, Any]:
    """The joined schema of a folder MAJOR/MINOR: the record named alert with all others in it."""
    schemas = [read_schema_file(path) for path in sorted(folder.glob("*.avsc"))]
    records = [schema for schema in schemas if isinstance(schema, dict) and schema.get("type") == "record"]
    alerts = [schema for schema in records if str(schema["name"]).rpartition(".")[2] == "alert"]
    if len(alerts) != 1:
        raise SchemaFileError(f"{folder}: {len(alerts)} records named alert among its .avsc files, not one")
    try:
        return join_schemas(alerts[0], [schema for schema in schemas if schema is not alerts[0]])
    except SchemaError as error:
        raise SchemaFileError(f"{folder}: {error}") from error


def scan_folder(folder: Path) -> dict[int, Path]:
    """Schemas in a folder by id: folders MAJOR/MINOR (id 100 × MAJOR + MINOR) and files <id>.avsc or .json.

    Raises
    ------
    SchemaFileError
        If `folder` is not a folder.
    """
    if not folder.is_dir():
        raise SchemaFileError(f"{folder}: not a folder of Avro schemas")
    found: dict[int, Path] = {}
    for entry in sorted(folder.iterdir()):
        if entry.is_file() and entry.suffix in _SUFFIXES and entry.stem.isdecimal():
            found[int(entry.stem)] = entry
        elif entry.is_dir() and entry.name.isdecimal():
            for minor in sorted(entry.iterdir()):
                if minor.is_dir() and minor.name.isdecimal() and any(minor.glob("*.avsc")):
                    found[100 * int(entry.name) + int(minor.name)] = minor
    return found


def load_schema(place: Path) -> dict[str, Any]:
    """The schema at a place that `scan_folder` found."""
    schema = _version_schema(place) if place.is_dir() else read_schema_file(place)
    if not isinstance(schema, dict):
        raise SchemaFileError(f"{place}: not an Avro record")
    return schema
