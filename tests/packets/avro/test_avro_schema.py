"""Names, refusals and the layout of columns."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from avro_oracle import fastavro_write

from lasair_broker.packets.avro import Codec, SchemaError

POINT = {"type": "record", "name": "point", "namespace": "sky", "fields": [{"name": "ra", "type": "double"}]}


def record(*fields: Any, name: str = "r", **more: Any) -> Any:
    return {"type": "record", "name": name, "fields": [{"name": n, "type": t} for n, t in fields], **more}


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ("{", "not JSON"),
        ("nonsense", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ({"type": "wrong"}, "unknown type 'wrong'"),
        (3, "not a type"),
        ({}, "not a type"),
        (record(("x", "missing")), "field r.x: unknown type 'missing'"),
        (record(("x", "int"), ("x", "int")), "two fields x"),
        ({"type": "record", "name": "r"}, "no 'fields'"),
        ({"type": "record", "name": "1r", "fields": []}, "no proper name"),
        (record(("a b", "int")), "no proper name"),
        ({"type": "enum", "name": "e", "symbols": ["A", "A"]}, "not distinct"),
        ({"type": "fixed", "name": "f", "size": -1}, "size of fixed"),
        ({"type": "array"}, "no 'items'"),
        ([], "no branch"),
        (["int", ["null", "int"]], "holds a union"),
        (["int", "int"], "two branches"),
        (record(("next", ["null", "r"])), "recursive"),
        (record(("a", record(("b", {"type": "array", "items": "r"}), name="s"))), "recursive"),
    ],
)
def test_a_schema_that_cannot_be_used_says_why(schema: Any, message: str) -> None:
    with pytest.raises(SchemaError, match=message):
        Codec(schema)


def test_a_schema_that_unfolds_without_end_is_refused() -> None:
    inner: Any = record(("x", "int"), name="r0")
    for level in range(1, 40):
        inner = record(("a", inner), ("b", f"r{level - 1}"), name=f"r{level}")
    with pytest.raises(SchemaError, match="more than"):
        Codec(inner)


def test_a_name_defined_twice_differently_is_refused() -> None:
    with pytest.raises(SchemaError, match="defined twice"):
        Codec(record(("a", record(("x", "int"), name="s")), ("b", record(("x", "long"), name="s"))))


def test_names_are_found_by_their_namespace() -> None:
    inner = record(("ra", "double"), name="point")
    outer = record(("a", inner), ("b", "point"), ("c", "sky.point"), name="alert", namespace="sky")
    codec = Codec(outer)
    assert list(codec.decode_values([b"\0" * 24]).levels[""].values) == ["a.ra", "b.ra", "c.ra"]
    # A type of another namespace is not meant by its short name.
    other = record(("a", {**inner, "namespace": "sea"}), ("b", "point"), name="alert", namespace="sky")
    with pytest.raises(SchemaError, match="unknown type 'point' in namespace sky"):
        Codec(other)


def test_named_types_may_come_apart_and_in_any_order() -> None:
    alert = record(("one", "sky.source"), ("more", {"type": "array", "items": "sky.source"}), namespace="sky")
    source = {**record(("at", "point"), ("flux", "float"), name="source"), "namespace": "sky"}
    codec = Codec(json.dumps(alert), [json.dumps(source), POINT])
    again = Codec(codec.schema_json)
    assert again.fingerprint == codec.fingerprint
    joined = json.loads(codec.schema_json)
    value = {"one": {"at": {"ra": 1.0}, "flux": 2.0}, "more": [{"at": {"ra": 3.0}, "flux": 4.0}]}
    assert codec.decode_values(fastavro_write(joined, [value])).record(0) == value
    with pytest.raises(SchemaError, match=r"unknown type 'sky\.source'"):
        Codec(alert)


def test_columns_keep_what_the_schema_says_of_them() -> None:
    moment = {"type": "long", "logicalType": "timestamp-micros"}
    price = {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}
    schema = record(
        ("t", ["null", moment]), ("p", price), ("e", {"type": "enum", "name": "e", "symbols": ["A"]})
    )
    by_path = {column.path: column for column in Codec(schema).columns}
    assert by_path["t"].node.logical == {"logicalType": "timestamp-micros"}
    assert by_path["t"].optional
    assert by_path["p"].node.logical == {"logicalType": "decimal", "precision": 9, "scale": 2}
    assert by_path["e"].node.symbols == ("A",)


def test_layout_of_levels_and_columns() -> None:
    item = record(("flux", ["null", "float"]), ("tags", {"type": "array", "items": "string"}), name="item")
    schema = record(
        ("id", "long"),
        ("sub", ["null", record(("a", "int"), ("b", ["null", "int"]), name="sub")]),
        ("many", ["null", {"type": "array", "items": item}]),
        ("by", {"type": "map", "values": item["name"]}),
        ("any", ["null", "int", "string"]),
    )
    values = [
        {
            "id": 1,
            "sub": {"a": 2, "b": None},
            "many": [{"flux": 1.0, "tags": ["x"]}, {"flux": None, "tags": []}],
            "by": {"k": {"flux": 3.0, "tags": ["y", "z"]}},
            "any": "text",
        },
        {"id": 2, "sub": None, "many": None, "by": {}, "any": 5},
        {"id": 3, "sub": {"a": 4, "b": 5}, "many": [], "by": {}, "any": None},
    ]
    decoded = Codec(schema).decode_values(fastavro_write(schema, values))
    assert list(decoded.levels) == ["", "many", "many.tags", "by", "by.value.tags"]
    root = decoded.levels[""]
    assert list(root.values) == ["id", "sub.a", "sub.b", "any", "any.int", "any.string"]
    assert set(root.valid) == {"sub", "sub.a", "sub.b", "many", "any", "any.int", "any.string"}
    assert root.values["sub.a"].tolist() == [2, 0, 4]
    assert root.valid["sub.a"].tolist() == root.valid["sub"].tolist() == [True, False, True]
    assert root.valid["sub.b"].tolist() == [False, False, True]
    assert root.valid["many"].tolist() == [True, False, True]
    assert root.values["any"].tolist() == [2, 1, 0]
    assert root.valid["any"].tolist() == [True, True, False]
    assert root.text("any.string")[0].tolist() == [0, -1, -1]
    many = decoded.levels["many"]
    assert many.offsets is not None
    assert many.offsets.tolist() == [0, 2, 2, 2]
    assert many.valid["flux"].tolist() == [True, False]
    assert decoded.levels["many.tags"].offsets.tolist() == [0, 1, 1]  # type: ignore[union-attr]
    assert decoded.levels["by"].text("key") == (np.array([0], np.int32), ["k"])
    assert decoded.levels["by.value.tags"].text("item")[1] == ["y", "z"]
