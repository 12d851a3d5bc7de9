"""What is wrong with a datum is named, whatever stands beside it."""

from __future__ import annotations

import sys
import threading
from typing import Any

import numpy as np
import pytest

from lasair_broker.packets.avro import ERRORS, AvroError, Codec

LONG_BYTES = b"\xff" * 9 + b"\x01"


def code(text: str) -> int:
    return next(number for number, known in enumerate(ERRORS) if text in known)


def field(kind: Any) -> Any:
    return {"type": "record", "name": "r", "fields": [{"name": "x", "type": kind}]}


ENUM = {"type": "enum", "name": "e", "symbols": ["A", "B"]}
FLOATS = {"type": "array", "items": "float"}
FIXED = {"type": "fixed", "name": "f", "size": 4}


@pytest.mark.parametrize(
    ("kind", "datum", "reason"),
    [
        ("float", b"\0\0\0", "end before"),
        ("double", b"\0" * 7, "end before"),
        (["null", "float"], b"\2\0\0\0", "end before"),
        (["null", "float"], b"", "end before"),
        ("boolean", b"", "end before"),
        (["null", "double"], b"\2\0", "end before"),
        ("long", b"\x80", "end before"),
        (FIXED, b"abc", "end before"),
        ("string", b"\x06ab", "end before"),
        (FLOATS, b"\x02\0\0\0\0", "end before"),
        (FLOATS, b"\x04\0\0\0\0\0", "end before"),
        ("long", b"\x80" * 10 + b"\0", "ten bytes"),
        ("long", b"\xff" * 9 + b"\x02", "ten bytes"),
        ("int", b"\x80\x80\x80\x80\x10", "32 bits"),
        ("int", b"\x81\x80\x80\x80\x10", "32 bits"),
        ("boolean", b"\x02", "boolean"),
        (["null", "boolean"], b"\x02\x02", "boolean"),
        (["boolean", "null"], b"\x00\xff", "boolean"),
        (["null", "float"], b"\x04\0\0\0\0", "union"),
        (["null", "float"], b"\x01\0\0\0\0", "union"),
        (["null", "boolean"], b"\x04\0", "union"),
        (["null", "double"], b"\x04" + b"\0" * 8, "union"),
        (["null", "long"], b"\x03\0", "union"),
        (["null", FLOATS], b"\x04\0", "union"),
        (["null", "int", "string"], b"\x06\0", "union"),
        (["null", "int", "string"], b"\x01\0", "union"),
        (ENUM, b"\x04", "enum"),
        (ENUM, b"\x01", "enum"),
        ("bytes", b"\x01", "length"),
        ("string", LONG_BYTES, "length"),
        ("string", b"\x80\x80\x80\x80\x80\x01", "length"),
        ("string", b"\x02\xff", "UTF-8"),
        ("string", b"\x04\xc0\x80", "UTF-8"),
        ("string", b"\x06\xed\xa0\x80", "UTF-8"),
        ("string", b"\x08\xf4\x90\x80\x80", "UTF-8"),
        ("string", b"\x14abcdefgh\xce\x28", "UTF-8"),
        (["null", "string"], b"\x02\x10abcdefg\xc3", "UTF-8"),
        (FLOATS, b"\x01\x05\0\0\0\0\0", "block"),
        (FLOATS, b"\x01\x0a\0\0\0\0\0", "block"),
        (FLOATS, b"\x01\x01\0\0\0\0\0", "block"),
        (FLOATS, LONG_BYTES + b"\0\0", "block"),
        ({"type": "array", "items": "null"}, b"\x80\x80\x80\x80\x01\0", "more array"),
        ({"type": "map", "values": "null"}, b"\x80\x80\x80\x80\x01\0", "more array"),
        ("null", b"\0", "left over"),
        ("float", b"\0" * 5, "left over"),
    ],
)
def test_each_kind_of_damage_has_its_name(kind: Any, datum: bytes, reason: str) -> None:
    codec = Codec(field(kind))
    decoded = codec.decode_values([datum, datum + b"\0" * 0])
    assert decoded.error.tolist() == [code(reason)] * 2
    assert reason in decoded.reason(0)
    for level in decoded.levels.values():
        for path in level.values:
            assert path in level.valid or not level.num_rows
            assert level.num_rows in (0, 2)
            if level.num_rows:
                assert not level.valid[path].any()
    with pytest.raises(AvroError, match=reason):
        decoded.record(0)


def test_a_reason_gives_the_byte_and_the_field() -> None:
    item = {
        "type": "record",
        "name": "s",
        "fields": [{"name": "a", "type": "int"}, {"name": "b", "type": "boolean"}],
    }
    codec = Codec(field({"type": "array", "items": item}))
    decoded = codec.decode_values([b"\x04\x02\x01\x02\x07\x00"])
    assert decoded.reason(0).endswith("at byte 4, x.b")
    assert codec.decode_values([b"\x02\x02\x01\x00"]).reason(0) == ""


def test_unusual_but_right_encodings_are_read() -> None:
    # A union index, a length and a count in more bytes than needed; a block with its size; two blocks.
    codec = Codec(field(["null", "float"]))
    assert codec.decode_values([b"\x82\x00\0\0\xc0\x3f"]).record(0) == {"x": 1.5}
    assert codec.decode_values([b"\x80\x00"]).record(0) == {"x": None}
    floats = Codec(field({"type": "array", "items": "int"}))
    assert floats.decode_values([b"\x03\x04\x02\x04\x02\x06\x00"]).record(0) == {"x": [1, 2, 3]}
    assert Codec(field("string")).decode_values([b"\x84\x80\x00ab"]).record(0) == {"x": "ab"}
    assert Codec(field("long")).decode_values([LONG_BYTES]).record(0) == {"x": -(2**63)}


def test_bytes_left_over_may_be_allowed() -> None:
    codec = Codec("int")
    decoded = codec.decode_values([b"\x02abc"], may_trail=True)
    assert decoded.record(0) == 1
    assert decoded.length.tolist() == [1]


def test_max_items_bounds_what_bytes_can_claim() -> None:
    codec = Codec(field({"type": "array", "items": "null"}))
    assert codec.decode_values([b"\x14\0"], max_items=10).levels["x"].num_rows == 10
    assert codec.decode_values([b"\x14\0"], max_items=9).error[0] == code("more array")
    assert codec.decode_values([b"\x0a\x0a\0"], max_items=9).error[0] == code("more array")


def test_a_block_of_datums_is_read_one_after_the_other() -> None:
    codec = Codec({"type": "array", "items": "string"})
    data = b"\x02\x02a\0" + b"\0" + b"\x02\x04bc\0"
    values = np.frombuffer(data + b"\x02\x02d\0", np.uint8)
    address = values.__array_interface__["data"][0]
    decoded = codec.decode(
        np.array([address, 0, 0, address + len(data)]),
        np.array([len(data)] * 3 + [4]),
        continues=np.array([False, True, True, False]),
        owner=values,
    )
    assert list(decoded.records()) == [["a"], [], ["bc"], ["d"]]
    assert (decoded.address - address).tolist() == [0, 4, 5, 10]
    assert decoded.length.tolist() == [4, 1, 5, 4]


def test_after_a_bad_datum_the_rest_of_the_block_is_lost() -> None:
    codec = Codec(field("boolean"))
    values = np.frombuffer(b"\x01\x05\x01\x00", np.uint8)
    address = values.__array_interface__["data"][0]
    decoded = codec.decode(
        np.array([address, 0, 0, address + 3]),
        np.array([3, 3, 3, 1]),
        continues=np.array([0, 1, 1, 0], np.bool_),
    )
    assert decoded.error.tolist() == [0, code("boolean"), code("cannot be found"), 0]
    assert decoded.levels[""].valid["x"].tolist() == [True, False, False, True]


def test_arguments_that_make_no_sense_are_refused() -> None:
    codec = Codec("int")
    with pytest.raises(ValueError, match="negative"):
        codec.decode(np.array([0]), np.array([-1]))
    with pytest.raises(ValueError, match="one length"):
        codec.decode(np.array([0]), np.array([1, 2]))
    with pytest.raises(ValueError, match="continues nothing"):
        codec.decode(np.array([0]), np.array([1]), continues=np.array([True]))
    assert codec.decode(np.zeros(0, np.int64), np.zeros(0, np.int64)).num_rows == 0


def test_room_grows_when_a_batch_is_unlike_the_one_before() -> None:
    codec = Codec(field({"type": "array", "items": {"type": "array", "items": "long"}}))
    small = b"\0"
    inner = b"\x04\x02\x04\0"
    large = bytes([0x80 | (2000 * 2 & 0x7F), 2000 * 2 >> 7]) + inner * 2000 + b"\0"
    for _ in range(3):
        codec.decode_values([small] * 50)
    decoded = codec.decode_values([small, large, small, large, b"\x02"])
    values = list(decoded.records())
    assert values[0] == values[2] == {"x": []}
    assert values[1] == values[3] == {"x": [[1, 2]] * 2000}
    assert values[4] is None
    assert decoded.levels["x.item"].num_rows == 8000


def test_threads_decode_side_by_side() -> None:
    codec = Codec(field({"type": "array", "items": ["null", "long"]}))
    datum = b"\x04\x00\x02\x06\0"
    wanted = {"x": [None, 3]}
    wrong: list[Any] = []

    def work() -> None:
        for size in (1, 300, 7, 2000):
            values = list(codec.decode_values([datum] * size).records())
            if values != [wanted] * size:
                wrong.append(values)

    threads = [threading.Thread(target=work) for _ in range(4)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert not wrong


def test_results_outlive_what_comes_after() -> None:
    codec = Codec(field({"type": "array", "items": "long"}))
    first = codec.decode_values([b"\x02\x02\0"] * 100)
    array = first.levels["x"].values["item"]
    del first
    for _ in range(20):
        codec.decode_values([b"\x02\x7e\0"] * 100)
    assert (array == 1).all()
