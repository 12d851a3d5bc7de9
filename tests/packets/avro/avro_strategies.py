"""Schemas of any shape, and values to go with them, for hypothesis."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

__all__ = ["schemas_with_values"]

PRIMITIVES = ["null", "boolean", "int", "long", "float", "double", "bytes", "string"]
INTS = st.integers(-(2**31), 2**31 - 1)
LONGS = st.integers(-(2**63), 2**63 - 1) | st.integers(-100, 100)
FLOATS = st.floats(width=32)
TEXT = st.text(st.characters(codec="utf-8"), max_size=12)


class _Names:
    def __init__(self) -> None:
        self.count = 0
        self.named: list[tuple[str, Any]] = []

    def new(self) -> str:
        self.count += 1
        return f"n{self.count}"


@st.composite
def _schema(draw: st.DrawFn, names: _Names, depth: int, in_union: bool = False) -> Any:
    """A type; named types may be used again by their name."""
    kinds = [*PRIMITIVES, "enum", "fixed"]
    if depth > 0:
        kinds += ["record", "array", "map"] * 2 + ([] if in_union else ["union", "option", "option"])
    if names.named and not in_union:
        kinds.append("again")
    kind = draw(st.sampled_from(kinds))
    if kind in PRIMITIVES:
        return kind
    if kind == "again":
        return draw(st.sampled_from(names.named))[0]
    if kind == "array":
        return {"type": "array", "items": draw(_schema(names, depth - 1))}
    if kind == "map":
        return {"type": "map", "values": draw(_schema(names, depth - 1))}
    if kind == "option":
        other = draw(_schema(names, depth - 1, True).filter(lambda one: one != "null"))
        return ["null", other] if draw(st.booleans()) else [other, "null"]
    if kind == "union":
        branches = [draw(_schema(names, depth - 1, True)) for _ in range(draw(st.integers(1, 4)))]
        kinds_seen: dict[Any, Any] = {}
        for branch in branches:
            key = branch if isinstance(branch, str) else branch.get("name", branch["type"])
            kinds_seen.setdefault(key, branch)
        return list(kinds_seen.values())
    name = names.new()
    if kind == "enum":
        made: Any = {"type": "enum", "name": name, "symbols": ["A", "B", "C"][: draw(st.integers(1, 3))]}
    elif kind == "fixed":
        made = {"type": "fixed", "name": name, "size": draw(st.integers(0, 9))}
    else:
        count = draw(st.integers(0, 4))
        made = {
            "type": "record",
            "name": name,
            "fields": [{"name": f"f{i}", "type": draw(_schema(names, depth - 1))} for i in range(count)],
        }
    names.named.append((name, made))
    return made


def _value(schema: Any, named: dict[str, Any]) -> st.SearchStrategy[Any]:
    if isinstance(schema, str) and schema in named:
        schema = named[schema]
    if isinstance(schema, list):
        return st.one_of([_value(branch, named) for branch in schema])
    if isinstance(schema, str):
        return {
            "null": st.none(),
            "boolean": st.booleans(),
            "int": INTS,
            "long": LONGS,
            "float": FLOATS,
            "double": st.floats(),
            "bytes": st.binary(max_size=20),
            "string": TEXT,
        }[schema]
    kind = schema["type"]
    if kind == "enum":
        return st.sampled_from(schema["symbols"])
    if kind == "fixed":
        return st.binary(min_size=schema["size"], max_size=schema["size"])
    if kind == "array":
        return st.lists(_value(schema["items"], named), max_size=3)
    if kind == "map":
        return st.dictionaries(TEXT, _value(schema["values"], named), max_size=3)
    return st.fixed_dictionaries({field["name"]: _value(field["type"], named) for field in schema["fields"]})


@st.composite
def schemas_with_values(draw: st.DrawFn) -> tuple[Any, list[Any]]:
    """A schema and up to five values."""
    names = _Names()
    schema = draw(_schema(names, 3))
    value = _value(schema, dict(names.named))
    return schema, draw(st.lists(value, min_size=1, max_size=5))
