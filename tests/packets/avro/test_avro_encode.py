"""Columns made of arrays, encoded, and read by fastavro."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from avro_oracle import fastavro_read

from lasair_broker.packets.avro import Binary, Codec, ColumnError, Decoded, Level, Text


def record(*fields: tuple[Any, ...], name: str = "r") -> Any:
    keys = ("name", "type", "default")
    return {"type": "record", "name": name, "fields": [dict(zip(keys, one, strict=False)) for one in fields]}


SOURCE = record(
    ("diaSourceId", "long"),
    ("band", ["null", "string"]),
    ("psfFlux", ["null", "float"]),
    ("midpointMjdTai", "double"),
    ("isNegative", ["null", "boolean"]),
    name="source",
)
ALERT = record(
    ("diaSourceId", "long"),
    ("source", "source"),
    ("prvSources", ["null", {"type": "array", "items": "source"}]),
    ("object", ["null", record(("ra", "double"), ("nSources", ["null", "int"]), name="object")]),
    ("cutout", ["null", "bytes"]),
    ("program", "string", "wide"),
)
ALERT["fields"][1]["type"] = SOURCE


def alert_columns() -> Decoded:
    image = np.arange(100, dtype=np.uint8)
    return Decoded.build(
        3,
        {
            "": Level.build(
                {
                    "diaSourceId": np.array([1, 2, 2**62]),
                    "source.diaSourceId": np.arange(3, dtype=np.int32),
                    "source.band": ["r", None, "g"],
                    "source.psfFlux": np.ma.masked_array([1.5, 2.5, 3.5], [False, True, False]),
                    "source.midpointMjdTai": np.array([1.0, 2.0, 3.0]),
                    "object.ra": np.array([10.0, 20.0, 30.0]),
                    "cutout": Binary(image, np.array([0, 90, 0]), np.array([3, 10, -1])),
                },
                valid={"object": [True, False, True], "prvSources": [True, False, True]},
            ),
            "prvSources": Level.build(
                {
                    "diaSourceId": np.array([7, 8, 9]),
                    "band": Text(np.array([1, 0, -1]), ["u", "λ"]),
                    "psfFlux": np.array([np.nan, 2.0, np.nan], np.float32),
                    "midpointMjdTai": np.array([5.0, np.nan, np.inf]),
                    "isNegative": np.array([True, False, True]),
                },
                offsets=[0, 2, 2, 3],
                nan_is_null=True,
                valid={"midpointMjdTai": [True] * 3},
            ),
        },
    )


def test_columns_of_arrays_become_datums() -> None:
    codec = Codec(ALERT)
    columns = alert_columns()
    # A required field takes NaN as it is; only where null is possible NaN can mean it.
    columns.levels["prvSources"].valid.pop("midpointMjdTai")  # type: ignore[attr-defined]
    datums = codec.encode(columns)
    first, second, third = fastavro_read(ALERT, datums)
    assert first == {
        "diaSourceId": 1,
        "source": {"diaSourceId": 0, "band": "r", "psfFlux": 1.5, "midpointMjdTai": 1.0, "isNegative": None},
        "prvSources": first["prvSources"],
        "object": {"ra": 10.0, "nSources": None},
        "cutout": bytes([0, 1, 2]),
        "program": "wide",
    }
    assert [source["band"] for source in first["prvSources"]] == ["λ", "u"]
    assert [source["psfFlux"] for source in first["prvSources"]] == [None, 2.0]
    assert [source["isNegative"] for source in first["prvSources"]] == [True, False]
    assert second["object"] is None
    assert second["prvSources"] is None
    assert second["cutout"] == bytes(range(90, 100))
    assert second["source"]["psfFlux"] is None
    assert third["diaSourceId"] == 2**62
    assert third["prvSources"][0]["midpointMjdTai"] == np.inf
    assert third["cutout"] is None


def test_a_prefix_and_one_buffer() -> None:
    codec = Codec("long")
    columns = Decoded.build(3, {"": {"item": np.array([0, -1, 64])}})
    assert codec.encode(columns, prefix=b"\0ab") == [b"\0ab\0", b"\0ab\1", b"\0ab\x80\1"]
    buffer, offsets = codec.encode_buffer(columns)
    assert buffer.tobytes() == b"\0\1\x80\1"
    assert offsets.tolist() == [0, 1, 2, 4]
    assert codec.encode(Decoded.build(0, {"": {"item": np.zeros(0, np.int64)}})) == []


def test_defaults_stand_in_for_columns_not_given() -> None:
    enum = {"type": "enum", "name": "e", "symbols": ["A", "B"]}
    schema = record(
        ("a", "int", 5),
        ("b", "string", "né"),
        ("c", "bytes", "\u00ff"),
        ("d", enum, "B"),
        ("e", {"type": "array", "items": "int"}, []),
        ("f", {"type": "map", "values": "int"}, {}),
        ("g", ["int", "null"], 3),
        ("h", ["int", "string"], 4),
        ("i", record(("x", "int", 1), ("y", "float"), name="s"), {"y": 2.5}),
        ("j", "boolean", True),
        ("k", ["null", "int", "string"], None),
        ("l", "null", None),
        ("m", {"type": "fixed", "name": "f2", "size": 2}, "ab"),
    )
    value = fastavro_read(schema, Codec(schema).encode(Decoded.build(2, {})))[1]
    assert value == {
        "a": 5,
        "b": "né",
        "c": b"\xff",
        "d": "B",
        "e": [],
        "f": {},
        "g": None,
        "h": 4,
        "i": {"x": 1, "y": 2.5},
        "j": True,
        "k": None,
        "l": None,
        "m": b"ab",
    }


def test_unions_maps_enums_and_fixed() -> None:
    enum = {"type": "enum", "name": "e", "symbols": ["A", "B"]}
    schema = record(
        ("any", ["null", "int", "string", record(("z", "int"), name="zr")]),
        ("by", {"type": "map", "values": "double"}),
        ("e", enum),
        ("f", {"type": "fixed", "name": "f2", "size": 2}),
        ("grid", {"type": "array", "items": {"type": "array", "items": "int"}}),
    )
    columns = Decoded.build(
        4,
        {
            "": Level.build(
                {
                    "any": np.array([1, 2, 3, 0]),
                    "any.int": np.array([11, 0, 0, 0]),
                    "any.string": ["", "two", "", ""],
                    "any.zr.z": np.array([0, 0, 33, 0]),
                    "e": ["A", "B", "A", "B"],
                    "f": [b"ab", b"cd", b"ef", b"gh"],
                }
            ),
            "by": Level.build({"key": ["k", "l"], "value": np.array([1.0, 2.0])}, offsets=[0, 0, 2, 2, 2]),
            "grid": Level.build({}, offsets=[0, 2, 2, 2, 3]),
            "grid.item": Level.build({"item": np.arange(4)}, offsets=[0, 1, 4, 4]),
        },
    )
    values = fastavro_read(schema, Codec(schema).encode(columns))
    assert [value["any"] for value in values] == [11, "two", {"z": 33}, None]
    assert [value["by"] for value in values] == [{}, {"k": 1.0, "l": 2.0}, {}, {}]
    assert [value["e"] for value in values] == ["A", "B", "A", "B"]
    assert [value["f"] for value in values] == [b"ab", b"cd", b"ef", b"gh"]
    assert [value["grid"] for value in values] == [[[0], [1, 2, 3]], [], [], [[]]]


ONE = record(
    ("id", "long"),
    ("e", {"type": "enum", "name": "e", "symbols": ["A"]}, "A"),
    ("u", ["int", "string"], 1),
    ("f", {"type": "fixed", "name": "f2", "size": 2}, "ab"),
    ("o", ["null", record(("x", "int"), name="o")]),
    ("list", {"type": "array", "items": "int"}, []),
)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({}, "id is required and not given"),
        ({"id": np.ma.masked_array([1, 2], [False, True])}, "id is required and missing in row 1"),
        ({"id": np.array([1.5, 2.5])}, "id is long; the column given is float64"),
        ({"id": np.array([2**63, 1], np.uint64)}, "outside"),
        ({"id": ["a", "b"]}, "id is long"),
        ({"idd": np.array([1, 2])}, "no column 'idd'; did you mean 'id'"),
        ({"id": np.array([1, 2]), "e": ["A", "Z"]}, "'Z' is none of A"),
        ({"id": np.array([1, 2]), "e": np.array([0, 1])}, "outside 0 to 0"),
        ({"id": np.array([1, 2]), "u": np.array([0, 2])}, "outside 0 to 1"),
        ({"id": np.array([1, 2]), "u": np.array([0, 1]), "u.int": np.array([1, 2])}, "u.string is required"),
        ({"id": np.array([1, 2]), "f": [b"ab", b"c"]}, "not of 2 bytes"),
        (
            {"id": np.array([1, 2]), "o.x": np.ma.masked_array([1, 2], [False, True])},
            "o.x is required and missing",
        ),
    ],
)
def test_columns_that_do_not_fit_say_why(columns: dict[str, Any], message: str) -> None:
    with pytest.raises(ColumnError, match=message):
        Codec(ONE).encode(Decoded.build(2, {"": columns}))


def test_offsets_that_do_not_fit_say_why() -> None:
    root = {"id": np.array([1, 2])}
    for offsets in ([0, 1], [0, 2, 1], [0, 1, 3], [-1, 0, 2]):
        level = Level.build({"item": np.array([1, 2])}, offsets=offsets)
        with pytest.raises(ColumnError, match="do not lead"):
            Codec(ONE).encode(Decoded.build(2, {"": root, "list": level}))
    with pytest.raises(ColumnError, match="no level 'lists'"):
        Codec(ONE).encode(Decoded.build(2, {"": root, "lists": Level.build({}, offsets=[0, 0, 0])}))
    with pytest.raises(ColumnError, match="no offsets"):
        Decoded.build(2, {"": root, "list": {"item": np.array([1])}})


def test_arrays_that_do_not_fit_say_why() -> None:
    with pytest.raises(ColumnError, match="shape"):
        Level.build({"a": np.zeros(2), "b": np.zeros(3)})
    with pytest.raises(ColumnError, match="beyond the buffer"):
        Level.build({"a": Binary(np.zeros(4, np.uint8), np.array([2]), np.array([3]))})
    with pytest.raises(ColumnError, match="beyond the words"):
        Level.build({"a": Text(np.array([2]), ["x"])})
    with pytest.raises(ColumnError, match="rows"):
        Decoded.build(3, {"": Level.build({"a": np.zeros(2)})})


def test_bad_datums_cannot_be_encoded() -> None:
    codec = Codec("boolean")
    with pytest.raises(ColumnError, match="datum 1 is bad"):
        codec.encode(codec.decode_values([b"\1", b"\7"]))


def test_one_schema_can_be_written_as_another() -> None:
    wide = Codec(record(("id", "long"), ("name", "string"), ("extra", "int")))
    narrow = record(("name", "string"), ("id", "long"), ("note", ["null", "string"]))
    decoded = wide.decode_values([b"\x02\x04ab\x08"])
    with pytest.raises(ColumnError, match="no column 'extra'"):
        Codec(narrow).encode(decoded)
    datums = Codec(narrow).encode(decoded, ignore_unknown=True)
    assert fastavro_read(narrow, datums) == [{"name": "ab", "id": 1, "note": None}]
