"""Object containers, against fastavro's, and damaged ones."""

from __future__ import annotations

import io
import random
import re
import zlib
from typing import Any

import fastavro
import numpy as np
import pytest
from avro_oracle import container_values

from lasair_broker.packets.avro import (
    AvroError,
    Codec,
    ContainerError,
    ContainerReader,
    Decoded,
    read_container,
    write_container,
)

SCHEMA: Any = {
    "type": "record",
    "name": "r",
    "fields": [{"name": "a", "type": "long"}, {"name": "b", "type": ["null", "string"]}],
}
VALUES = [{"a": i * 1000, "b": None if i % 3 else f"text {i}"} for i in range(100)]


def by_fastavro(codec: str, values: list[Any], interval: int = 300) -> bytes:
    stream = io.BytesIO()
    fastavro.writer(stream, SCHEMA, values, codec=codec, sync_interval=interval)
    return stream.getvalue()


@pytest.mark.parametrize("codec", ["null", "deflate"])
def test_reads_what_fastavro_writes(codec: str) -> None:
    schema_json, blocks = read_container(by_fastavro(codec, VALUES))
    assert len(blocks) >= 3
    decoded = Codec(schema_json).decode_blocks(blocks)
    assert list(decoded.records()) == VALUES


@pytest.mark.parametrize("codec", ["null", "deflate", "snappy"])
def test_reads_what_it_writes(codec: str) -> None:
    columns = Decoded.build(100, {"": {"a": np.arange(100), "b": [value["b"] for value in VALUES]}})
    datums = Codec(SCHEMA).encode(columns)
    data = write_container(SCHEMA, datums, codec=codec, datums_per_block=7, metadata={"x": b"y"})
    schema_json, blocks = read_container(data)
    assert [block.count for block in blocks] == [7] * 14 + [2]
    decoded = Codec(schema_json).decode_blocks(blocks)
    assert [value["b"] for value in decoded.records()] == [value["b"] for value in VALUES]
    if codec != "snappy":
        assert container_values(data) == [{"a": i, "b": VALUES[i]["b"]} for i in range(100)]
    empty = write_container(SCHEMA, [], codec=codec)
    assert read_container(empty).blocks == []


def test_snappy_blocks_are_laid_out_as_the_specification_says() -> None:
    data = write_container("string", [b"\x06abc"], codec="snappy", sync=b"s" * 16)
    # One datum; 4 bytes as one snappy literal (length 4, tag 3 << 2), then the CRC-32 of them, big-endian.
    snapped = b"\x04\x0c\x06abc" + zlib.crc32(b"\x06abc").to_bytes(4, "big")
    assert data.endswith(b"s" * 16 + bytes([2, 2 * len(snapped)]) + snapped + b"s" * 16)


def test_payloads_are_views_where_they_can_be() -> None:
    data = by_fastavro("null", VALUES)
    payload = read_container(data).blocks[0].payload
    assert isinstance(payload, memoryview)
    assert payload.obj is data


def test_headers_are_known_again() -> None:
    reader = ContainerReader()
    one, other = by_fastavro("null", VALUES[:3]), by_fastavro("deflate", VALUES[3:5])
    for data in (one, other, one, other):
        assert reader.read(data).schema_json == read_container(data).schema_json
    # The same metadata in another order is another header, and is read all the same.
    text = read_container(one).schema_json.encode()
    length = bytes([0x80 | (2 * len(text) & 0x7F), 2 * len(text) >> 7])
    swapped = b"Obj\1\x04\x14avro.codec\x08null\x16avro.schema" + length + text + b"\0" + b"0" * 16
    assert reader.read(swapped) == (text.decode(), [])


def test_many_containers_at_once() -> None:
    files = [
        by_fastavro("null", VALUES[:1]),
        b"Obj",
        by_fastavro("deflate", VALUES[1:40]),
        by_fastavro("null", []),
    ]
    files.append(write_container("long", [b"\2", b"\4"]))
    found = ContainerReader().read_many(files)
    assert list(found.errors) == [1]
    assert len(found) == 42
    assert found.message.tolist() == [0] + [2] * 39 + [4] * 2
    assert len(found.schemas) == 2
    mine = found.schema == found.schema[0]
    decoded = Codec(found.schemas[found.schema[0]]).decode(
        found.address[mine], found.length[mine], continues=found.continues[mine], owner=found.owners
    )
    assert list(decoded.records()) == VALUES[:40]
    assert len(ContainerReader().read_many([])) == 0


def test_damage_is_named_with_its_place() -> None:
    good = write_container(SCHEMA, [b"\2\0"], sync=b"s" * 16)
    begin = good.index(b"s" * 16) + 16
    for data, message in [
        (b"", "no Avro container"),
        (b"Avro", "no Avro container"),
        (good[:10], "at byte"),
        (good[: begin - 5], "sync marker"),
        (good[:-1], "sync marker"),
        (good[: begin + 1], "ends in the size of a block"),
        (good[: begin + 3], f"at byte {begin + 2}"),
        (good[:begin] + b"\6" + good[begin + 1 :], "claims 3 datums in 2 bytes"),
        (good[:begin] + b"\0" + good[begin + 1 :], "claims 0 datums"),
        (good[:begin] + b"\1" + good[begin + 1 :], "claims -1 datums"),
        (good[:begin] + b"\xff" * 11, "ten bytes"),
        (good[:begin] + b"\2\xfe\xff\xff\xff\x0f", "is said to have"),
        (good.replace(b"\x08null", b"\x08nu\xffl"), "UTF-8"),
        (good.replace(b"\x08null", b"\x08zstd"), "unknown codec 'zstd'"),
        (good.replace(b"avro.schema", b"avro.schemo"), r"no avro\.schema"),
        (good[:-1] + b"t", "does not end with the sync marker"),
    ]:
        with pytest.raises(ContainerError, match=message):
            read_container(data)


def test_damaged_compression_is_named() -> None:
    datum = b"\2\2\x14abcdefghij"
    for codec, message in (("deflate", "deflate"), ("snappy", "snappy|checksum|unpack")):
        good = write_container(SCHEMA, [datum] * 20, codec=codec, sync=b"s" * 16)
        begin = good.index(b"s" * 16) + 16
        raised = 0
        for place in range(begin + 2, len(good) - 16):
            data = good[:place] + bytes([good[place] ^ 0xFF]) + good[place + 1 :]
            blocks, complaint = None, ""
            try:
                blocks = read_container(data).blocks
            except ContainerError as problem:
                complaint = str(problem)
                raised += 1
            if blocks is None:
                assert re.search(f"{message}|claims|size|is said|sync", complaint)
            else:
                # Deflate has no checksum; but no damage to snappy goes unseen.
                assert codec == "deflate"
                assert [block.payload for block in blocks] != [datum * 20]
        assert raised >= (5 if codec == "deflate" else len(good) - 16 - begin - 2)


def test_a_compressed_bomb_is_refused() -> None:
    deflater = zlib.compressobj(9, wbits=-15)
    bomb = b"".join(deflater.compress(bytes(1 << 24)) for _ in range(20)) + deflater.flush()
    head = write_container("bytes", [], codec="deflate", sync=b"s" * 16)
    size = 2 * len(bomb)
    coded = bytes([0x80 | size & 0x7F, 0x80 | size >> 7 & 0x7F, size >> 14])
    with pytest.raises(ContainerError, match="inflates to more"):
        read_container(head + b"\2" + coded + bomb + b"s" * 16)
    head = write_container("bytes", [], codec="snappy", sync=b"s" * 16)
    with pytest.raises(ContainerError, match="claims to unpack to"):
        read_container(head + b"\2\x12" + b"\xff\xff\xff\xff\x0f" + b"\0" * 4 + b"s" * 16)


def test_mutated_containers_never_raise_anything_else() -> None:
    rng = random.Random(5)
    sources = [by_fastavro("null", VALUES[:20]), by_fastavro("deflate", VALUES[:20])]
    sources.append(write_container(SCHEMA, [b"\2\0"] * 20, codec="snappy"))
    reader = ContainerReader()
    for _ in range(3000):
        data = bytearray(rng.choice(sources))
        for _ in range(rng.choice([1, 1, 3])):
            place = rng.randrange(len(data))
            data[place : place + rng.choice([0, 1, 1, 5])] = rng.randbytes(rng.choice([0, 1, 1, 8]))
        try:
            schema_json, blocks = reader.read(bytes(data))
            Codec(schema_json).decode_blocks(blocks)
        except AvroError:
            pass


def test_arguments_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ContainerError, match="unknown codec"):
        write_container("int", [], codec="zstandard")
    with pytest.raises(ContainerError, match="3 bytes"):
        write_container("int", [], sync=b"abc")
