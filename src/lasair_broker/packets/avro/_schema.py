"""Avro schemas: names, structure, canonical form and fingerprint, by the Avro specification 1.11.

A schema becomes a tree of `Node`, in which every named reference is replaced by what it names.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ._errors import SchemaError

__all__ = ["MISSING", "Field", "Node", "canonical_form", "fingerprint", "join_schemas", "parse_schema"]

PRIMITIVES: Final = frozenset({"null", "boolean", "int", "long", "float", "double", "bytes", "string"})
NAMED: Final = frozenset({"record", "error", "enum", "fixed"})
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

MISSING: Final = object()
"""The default of a field that has none (None is a default)."""


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a record."""

    name: str
    node: Node
    default: Any = MISSING
    doc: str | None = None


@dataclass(frozen=True, slots=True)
class Node:
    """A type. `kind` is a primitive's name, "record", "enum", "fixed", "array", "map" or "union".

    `logical` keeps a logical type as it was declared ("logicalType", and "precision" and "scale" of a
    decimal); values stay raw.
    """

    kind: str
    name: str | None = None
    fields: tuple[Field, ...] = ()
    items: Node | None = None
    branches: tuple[Node, ...] = ()
    symbols: tuple[str, ...] = ()
    size: int = 0
    logical: Mapping[str, Any] | None = None

    @property
    def short_name(self) -> str:
        """The name without its namespace, or the kind of a type without name."""
        return self.kind if self.name is None else self.name.rpartition(".")[2]


def _as_json(schema: Any) -> Any:
    if not isinstance(schema, str | bytes):
        return schema
    text = schema.decode() if isinstance(schema, bytes) else schema
    if text.strip() in PRIMITIVES:
        return text.strip()
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as problem:
        raise SchemaError(f"the schema is not JSON: {problem}") from problem


def _full_name(raw: Mapping[str, Any], namespace: str) -> tuple[str, str]:
    """The full name of a named type and the namespace its contents are in."""
    name = raw.get("name")
    if not isinstance(name, str) or not all(_NAME.fullmatch(part) for part in name.split(".")):
        raise SchemaError(f"a {raw.get('type')} has no proper name: {name!r}")
    if "." in name:
        return name, name.rpartition(".")[0]
    namespace = raw.get("namespace", namespace) or ""
    return (f"{namespace}.{name}" if namespace else name), namespace


class _Definitions:
    """The named types that occur in some schemas, by full name, each with the namespace it stands in."""

    def __init__(self, schemas: Sequence[Any]) -> None:
        self._found: dict[str, tuple[Mapping[str, Any], str]] = {}
        for schema in schemas:
            self._collect(schema, "")

    def _collect(self, raw: Any, namespace: str) -> None:
        if isinstance(raw, list):
            for branch in raw:
                self._collect(branch, namespace)
        elif isinstance(raw, dict):
            kind = raw.get("type")
            if isinstance(kind, dict | list):
                self._collect(kind, namespace)
            elif isinstance(kind, str) and kind in NAMED:
                full, inner = _full_name(raw, namespace)
                known = self._found.setdefault(full, (raw, namespace))[0]
                if known != raw:
                    raise SchemaError(f"{full} is defined twice, differently")
                for field in raw.get("fields", ()):
                    if isinstance(field, dict):
                        self._collect(field.get("type"), inner)
            elif kind == "array":
                self._collect(raw.get("items"), namespace)
            elif kind == "map":
                self._collect(raw.get("values"), namespace)

    def find(self, name: str, namespace: str) -> tuple[str, Mapping[str, Any], str]:
        """Full name, definition and namespace of what `name` means inside `namespace`."""
        for full in (name,) if "." in name or not namespace else (f"{namespace}.{name}", name):
            if full in self._found:
                return full, *self._found[full]
        raise SchemaError(f"unknown type {name!r}" + (f" in namespace {namespace}" if namespace else ""))


class _Parser:
    def __init__(self, definitions: _Definitions) -> None:
        self._definitions = definitions
        self._open: list[str] = []
        self._done: dict[str, Node] = {}

    def parse(self, raw: Any, namespace: str) -> Node:
        if isinstance(raw, str):
            if raw in PRIMITIVES:
                return Node(raw)
            full, definition, outer = self._definitions.find(raw, namespace)
            if full in self._done:
                return self._done[full]
            return self.parse(definition, outer)
        if isinstance(raw, list):
            return self._union(raw, namespace)
        if not isinstance(raw, dict) or "type" not in raw:
            raise SchemaError(f"not a type: {json.dumps(raw, default=str)[:80]}")
        kind = raw["type"]
        if isinstance(kind, dict | list):
            return self.parse(kind, namespace)
        if kind in NAMED:
            return self._named(raw, namespace)
        if kind == "array":
            return Node("array", items=self.parse(_need(raw, "items"), namespace), logical=_logical(raw))
        if kind == "map":
            return Node("map", items=self.parse(_need(raw, "values"), namespace), logical=_logical(raw))
        if kind in PRIMITIVES:
            return Node(kind, logical=_logical(raw))
        return self.parse(kind, namespace)

    def _union(self, raw: list[Any], namespace: str) -> Node:
        branches = tuple(self.parse(branch, namespace) for branch in raw)
        if not branches:
            raise SchemaError("a union has no branch")
        if any(branch.kind == "union" for branch in branches):
            raise SchemaError("a union holds a union")
        identities = [branch.name or branch.kind for branch in branches]
        if len(set(identities)) < len(identities):
            raise SchemaError(f"a union has two branches of one type: {', '.join(identities)}")
        return Node("union", branches=branches)

    def _named(self, raw: Mapping[str, Any], namespace: str) -> Node:
        full, inner = _full_name(raw, namespace)
        if full in self._open:
            raise SchemaError(
                f"the schema is recursive ({' > '.join([*self._open, full])}): it has no fixed columns"
            )
        if full in self._done:
            return self._done[full]
        self._open.append(full)
        kind = raw["type"]
        if kind == "enum":
            symbols = tuple(_need(raw, "symbols"))
            if not all(isinstance(symbol, str) for symbol in symbols) or len(set(symbols)) < len(symbols):
                raise SchemaError(f"the symbols of enum {full} are not distinct words")
            node = Node("enum", name=full, symbols=symbols, logical=_logical(raw))
        elif kind == "fixed":
            size = _need(raw, "size")
            if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size < 2**31:
                raise SchemaError(f"the size of fixed {full} is {size!r}")
            node = Node("fixed", name=full, size=size, logical=_logical(raw))
        else:
            fields = tuple(self._field(field, full, inner) for field in _need(raw, "fields"))
            names = [field.name for field in fields]
            if len(set(names)) < len(names):
                twice = next(name for name in names if names.count(name) > 1)
                raise SchemaError(f"record {full} has two fields {twice}")
            node = Node("record", name=full, fields=fields)
        self._open.pop()
        self._done[full] = node
        return node

    def _field(self, raw: Any, record: str, namespace: str) -> Field:
        name = raw.get("name") if isinstance(raw, dict) else None
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise SchemaError(f"a field of record {record} has no proper name: {name!r}")
        try:
            node = self.parse(_need(raw, "type"), namespace)
        except SchemaError as problem:
            if str(problem).startswith(("field ", "the schema is recursive")):
                raise
            raise SchemaError(f"field {record}.{name}: {problem}") from problem
        return Field(name, node, raw.get("default", MISSING), raw.get("doc"))


def _need(raw: Mapping[str, Any], key: str) -> Any:
    if key not in raw:
        raise SchemaError(
            f"{raw.get('type', 'a field')} {raw.get('name', '')} has no {key!r}".replace("  ", " ")
        )
    return raw[key]


def _logical(raw: Mapping[str, Any]) -> Mapping[str, Any] | None:
    if "logicalType" not in raw:
        return None
    return {key: raw[key] for key in ("logicalType", "precision", "scale") if key in raw}


def parse_schema(schema: Any, named: Sequence[Any] = ()) -> Node:
    """The tree of a schema.

    Parameters
    ----------
    schema
        A schema as JSON text or as what JSON text becomes in Python.
    named
        More schemas whose named types `schema` (or one of them) refers to, in any order.

    Raises
    ------
    SchemaError
        If the schema is malformed, names something unknown, is recursive or unfolds beyond all measure.
    """
    raw = _as_json(schema)
    try:
        return _Parser(_Definitions([raw, *map(_as_json, named)])).parse(raw, "")
    except RecursionError as problem:
        raise SchemaError("the schema is nested too deeply") from problem


def join_schemas(schema: Any, named: Sequence[Any]) -> Any:
    """`schema` with each type of `named` it refers to written out where it is first used.

    The result needs no other schema; attributes such as "doc" and "default" are kept.
    """
    raw = _as_json(schema)
    definitions = _Definitions([raw, *map(_as_json, named)])
    written: set[str] = set()

    def write(part: Any, namespace: str) -> Any:
        if isinstance(part, str):
            if part in PRIMITIVES:
                return part
            full, definition, outer = definitions.find(part, namespace)
            return full if full in written else write(definition, outer)
        if isinstance(part, list):
            return [write(branch, namespace) for branch in part]
        kind = part["type"]
        if isinstance(kind, dict | list):
            return {**part, "type": write(kind, namespace)}
        if kind in NAMED:
            full, inner = _full_name(part, namespace)
            if full in written:
                return full
            written.add(full)
            out = {key: value for key, value in part.items() if key != "namespace"} | {"name": full}
            if kind in ("record", "error"):
                out["fields"] = [{**field, "type": write(field["type"], inner)} for field in part["fields"]]
            return out
        if kind in ("array", "map"):
            key = "items" if kind == "array" else "values"
            return {**part, key: write(part[key], namespace)}
        return part if kind in PRIMITIVES else write(kind, namespace)

    parse_schema(raw, named)
    return write(raw, "")


def canonical_form(node: Node) -> str:
    """The Parsing Canonical Form of the specification: equal for schemas that write the same bytes."""
    written: set[str] = set()

    def form(part: Node) -> Any:
        if part.kind in PRIMITIVES:
            return part.kind
        if part.kind == "union":
            return [form(branch) for branch in part.branches]
        if part.kind == "array":
            return {"type": "array", "items": form(_items(part))}
        if part.kind == "map":
            return {"type": "map", "values": form(_items(part))}
        name = part.name or ""
        if name in written:
            return name
        written.add(name)
        if part.kind == "enum":
            return {"name": name, "type": "enum", "symbols": list(part.symbols)}
        if part.kind == "fixed":
            return {"name": name, "type": "fixed", "size": part.size}
        fields = [{"name": field.name, "type": form(field.node)} for field in part.fields]
        return {"name": name, "type": "record", "fields": fields}

    return json.dumps(form(node), separators=(",", ":"), ensure_ascii=False)


def _items(node: Node) -> Node:
    if node.items is None:
        raise SchemaError(f"{node.kind} without items")
    return node.items


_EMPTY_FINGERPRINT: Final = 0xC15D213AA4D7A795


def _rabin_table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = (value >> 1) ^ (_EMPTY_FINGERPRINT if value & 1 else 0)
        table.append(value)
    return tuple(table)


_RABIN: Final = _rabin_table()


def fingerprint(node: Node) -> int:
    """The 64-bit Rabin fingerprint (the specification's CRC-64-AVRO) of the canonical form, signed.

    Signed, because that is what a BIGINT column of any database holds.
    """
    value = _EMPTY_FINGERPRINT
    for byte in canonical_form(node).encode():
        value = (value >> 8) ^ _RABIN[(value ^ byte) & 0xFF]
    return value - 2**64 if value >= 2**63 else value
