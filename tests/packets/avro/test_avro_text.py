"""Addresses of bytes, and distinct words."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
import pytest
from avro_oracle import fastavro_write
from hypothesis import given
from hypothesis import strategies as st

from lasair_broker.packets.avro import Codec, ColumnError, addresses


@given(st.lists(st.binary(max_size=50), max_size=20))
def test_addresses_of_bytes(values: list[bytes]) -> None:
    address, length = addresses(values)
    assert address.dtype == length.dtype == np.int64
    for value, at, size in zip(values, address, length, strict=True):
        assert ctypes.string_at(int(at), int(size)) == value


def test_addresses_of_buffers() -> None:
    array = np.arange(20, dtype=np.uint8)
    values: list[Any] = [b"abc", bytearray(b"defg"), memoryview(b"xxhixx")[2:4], array[5:9], memoryview(b"")]
    address, length = addresses(values)
    found = [ctypes.string_at(int(at), int(size)) for at, size in zip(address, length, strict=True)]
    assert found == [b"abc", b"defg", b"hi", bytes(range(5, 9)), b""]
    with pytest.raises(TypeError):
        addresses(["text"])  # type: ignore[list-item]


@given(st.lists(st.none() | st.sampled_from(["u", "g", "r", ""]) | st.text(max_size=30), max_size=400))
def test_text_gives_codes_and_words_by_first_appearance(values: list[str | None]) -> None:
    schema = {"type": "array", "items": ["null", "string"]}
    decoded = Codec(schema).decode_values(fastavro_write(schema, [values]))
    codes, words = decoded.levels["item"].text("item")
    assert [None if code < 0 else words[code] for code in codes] == values
    assert words == [word for word in dict.fromkeys(values) if word is not None]


def test_many_distinct_words() -> None:
    codec = Codec("string")
    values = [f"word number {i % 5000}" for i in range(20_000)]
    datums = [bytes([2 * len(value)]) + value.encode() for value in values]
    codes, words = codec.decode_values(datums).levels[""].text("item")
    assert len(words) == 5000
    assert [words[code] for code in codes] == values


def test_bytes_have_no_text_but_pointers() -> None:
    codec = Codec(
        {
            "type": "record",
            "name": "r",
            "fields": [{"name": "b", "type": "bytes"}, {"name": "i", "type": "int"}],
        }
    )
    datums = [b"\x06abc\x02", b"\x00\x02"]
    level = codec.decode_values(datums).levels[""]
    address, length = level.pointers("b")
    assert length.tolist() == [3, 0]
    assert ctypes.string_at(int(address[0]), 3) == b"abc"
    assert level.bytes("b", 0) == b"abc"
    assert level.values["b"]["offset"].tolist() == [1, 1]
    with pytest.raises(ColumnError, match="neither"):
        level.pointers("i")
