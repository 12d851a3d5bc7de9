"""Avro object container files in memory (Avro specification 1.11, "Object Container Files")."""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import cramjam
import numpy as np
import numpy.typing as npt

from ._container_kernel import scan_single_blocks
from ._errors import ContainerError
from ._memory import addresses
from ._stamp import STAMP

__all__ = [
    "Block",
    "Container",
    "ContainerReader",
    "Containers",
    "container_parts",
    "read_container",
    "write_container",
]

Int64 = npt.NDArray[np.int64]
Data = bytes | memoryview

MAGIC: Final = b"Obj\x01"
SYNC: Final = 16
MAX_EMPTY: Final = 1_000_000
"""The most datums of no bytes that one block may claim."""
MAX_INFLATED: Final = 1 << 28
"""The most bytes that a compressed block may become."""
SNAPPY_RATIO: Final = 64
"""No snappy stream can grow by more: an element of three bytes copies at most 64."""
KEPT_HEADERS: Final = 16


@dataclass(frozen=True, slots=True)
class Block:
    """Datums one after the other: their bytes uncompressed, how many, and the block's place in the file."""

    payload: Data
    count: int
    place: int


class Container(NamedTuple):
    """What is in a container: the writer schema as JSON text, and the blocks."""

    schema_json: str
    blocks: list[Block]


@dataclass(frozen=True, slots=True)
class _Header:
    schema_json: str
    codec: str
    size: int


@dataclass(frozen=True, slots=True)
class Containers:
    """The datums of many containers, ready for `Codec.decode`, in order.

    Attributes
    ----------
    schemas
        The distinct schemas as JSON text.
    schema, message
        For each datum the number of its schema in `schemas`, and of the container it came in.
    address, length, continues
        Where it is, as `Codec.decode` takes it.
    errors
        What is wrong with a container that could not be read, by its number; it contributes no datums.
    owners
        What keeps the memory.
    """

    schemas: tuple[str, ...]
    schema: npt.NDArray[np.int32]
    message: npt.NDArray[np.int32]
    address: Int64
    length: Int64
    continues: npt.NDArray[np.bool_]
    errors: Mapping[int, str]
    owners: tuple[Any, ...]

    def __len__(self) -> int:
        return len(self.address)


class _Cursor:
    """Reads the few kinds of values outside of datums, with the byte in every complaint."""

    def __init__(self, data: Data, at: int = 0) -> None:
        self.data = data
        self.at = at

    def long(self, what: str) -> int:
        value = shift = 0
        place = self.at
        while True:
            if self.at >= len(self.data):
                raise ContainerError(f"the file ends in {what}, at byte {self.at}")
            byte = self.data[self.at]
            self.at += 1
            if shift == 63 and byte > 1:
                raise ContainerError(f"{what} at byte {place} runs over ten bytes")
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return (value >> 1) ^ -(value & 1)
            shift += 7

    def take(self, size: int, what: str) -> Data:
        if size < 0 or size > len(self.data) - self.at:
            left = len(self.data) - self.at
            raise ContainerError(f"{what} at byte {self.at} is said to have {size} bytes; {left} are left")
        self.at += size
        return self.data[self.at - size : self.at]


def _read_header(data: Data) -> _Header:
    if bytes(data[:4]) != MAGIC:
        raise ContainerError("no Avro container: it does not begin with 'Obj' and 1")
    cursor = _Cursor(data, 4)
    metadata: dict[str, bytes] = {}
    while count := cursor.long("the number of metadata entries"):
        if count < 0:
            count = -count
            cursor.long("the size of the metadata")
        for _ in range(count):
            name = bytes(cursor.take(cursor.long("the length of a metadata key"), "a metadata key"))
            value = bytes(cursor.take(cursor.long("the length of a metadata value"), "a metadata value"))
            metadata[name.decode("utf-8", "replace")] = value
    try:
        schema = metadata["avro.schema"].decode()
        codec = metadata.get("avro.codec", b"null").decode()
    except KeyError as problem:
        raise ContainerError("the header has no avro.schema") from problem
    except UnicodeDecodeError as problem:
        raise ContainerError(f"the header is not UTF-8: {problem}") from problem
    if codec not in ("null", "deflate", "snappy"):
        raise ContainerError(f"unknown codec {codec!r}; known are null, deflate and snappy")
    return _Header(schema, codec, cursor.at)


def _inflate(data: Data, place: int) -> bytes:
    try:
        inflater = zlib.decompressobj(-15)
        out = inflater.decompress(data, MAX_INFLATED)
    except zlib.error as problem:
        raise ContainerError(f"the block at byte {place} is not deflated: {problem}") from problem
    if inflater.unconsumed_tail:
        raise ContainerError(f"the block at byte {place} inflates to more than {MAX_INFLATED} bytes")
    # Some writers leave a part of zlib's four-byte checksum behind the stream.
    if not inflater.eof or len(inflater.unused_data) > 4:
        raise ContainerError(f"the block at byte {place} is not one deflated stream")
    return out


def _unsnap(data: Data, place: int) -> bytes:
    if len(data) < 5:
        raise ContainerError(f"the block at byte {place} is too short for snappy")
    try:
        size = cramjam.snappy.decompress_raw_len(data[:-4])
        if size > min(MAX_INFLATED, SNAPPY_RATIO * len(data)):
            raise ContainerError(f"the block at byte {place} claims to unpack to {size} bytes")
        out = bytes(cramjam.snappy.decompress_raw(data[:-4]))
    except cramjam.DecompressionError as problem:
        raise ContainerError(f"the block at byte {place} is not snappy: {problem}") from problem
    if zlib.crc32(out) != int.from_bytes(data[-4:], "big"):
        raise ContainerError(f"the checksum of the block at byte {place} is wrong")
    return out


def _read_blocks(data: Data, header: _Header) -> list[Block]:
    view = memoryview(data)
    cursor = _Cursor(view, header.size)
    sync = cursor.take(SYNC, "the sync marker")
    blocks = []
    while cursor.at < len(view):
        place = cursor.at
        count = cursor.long("the number of datums of a block")
        size = cursor.long("the size of a block")
        payload = cursor.take(size, "a block")
        if cursor.take(SYNC, "the sync marker") != sync:
            raise ContainerError(f"the block at byte {place} does not end with the sync marker")
        if header.codec == "deflate":
            payload = _inflate(payload, place)
        elif header.codec == "snappy":
            payload = _unsnap(payload, place)
        # A datum without bytes is possible, but then all of the block are.
        if not (0 < count <= len(payload) or (not payload and 0 <= count <= MAX_EMPTY)):
            raise ContainerError(f"the block at byte {place} claims {count} datums in {len(payload)} bytes")
        blocks.append(Block(payload, count, place))
    return blocks


class ContainerReader:
    """Reads containers, remembering headers.

    The files of a night carry the same header, a third of a ZTF alert, so a header that has been read is
    known again by its bytes and is not read again.
    """

    def __init__(self) -> None:
        self._known: dict[bytes, _Header] = {}

    def header(self, data: Data) -> _Header:
        """The header of a container. Raises ContainerError."""
        if isinstance(data, bytes):
            for prefix, header in self._known.items():
                if data.startswith(prefix):
                    return header
        header = _read_header(data)
        # Replaced, not changed: other threads may be looking at it.
        kept = list(self._known.items())[-KEPT_HEADERS + 1 :]
        self._known = dict([*kept, (bytes(data[: header.size]), header)])
        return header

    def read(self, data: Data) -> Container:
        """What is in a container. Payloads that are not compressed are views. Raises ContainerError."""
        header = self.header(data)
        return Container(header.schema_json, _read_blocks(data, header))

    def read_many(self, values: Sequence[Data]) -> Containers:
        """The datums of many containers, those that are not compressed without a copy.

        A container that cannot be read is reported in `Containers.errors` and the others are read.
        """
        schemas: dict[str, int] = {}
        errors: dict[int, str] = {}
        owners: list[Data] = []
        # First all that are as alerts are: a known header, nothing compressed, one block.
        sizes = np.full(len(values), -1, np.int64)
        schema = np.zeros(len(values), np.int32)
        for message, data in enumerate(values):
            try:
                header = self.header(data)
            except ContainerError as problem:
                errors[message] = str(problem)
                continue
            schema[message] = schemas.setdefault(header.schema_json, len(schemas))
            if header.codec == "null":
                sizes[message] = header.size
        address, length = addresses(values)
        counts = np.zeros(len(values), np.int64)
        lengths = np.zeros(len(values), np.int64)
        scan_single_blocks(STAMP, address, length, sizes, counts, lengths)
        found = np.flatnonzero(counts)
        parts = [np.stack([found, address[found], lengths[found], counts[found]], axis=1)]
        for message in np.flatnonzero(counts == 0).tolist():
            if message in errors:
                continue
            try:
                blocks = self.read(values[message]).blocks
            except ContainerError as problem:
                errors[message] = str(problem)
                continue
            payloads = [block.payload for block in blocks]
            owners += payloads
            columns = [[message] * len(blocks), *addresses(payloads), [block.count for block in blocks]]
            parts.append(np.stack([np.array(column, np.int64) for column in columns], axis=1))
        table = np.concatenate(parts)
        table = table[np.argsort(table[:, 0], kind="stable")]
        times = table[:, 3]
        begins = np.zeros(int(times.sum()), np.bool_)
        begins[np.cumsum(times)[times > 0] - times[times > 0]] = True
        return Containers(
            tuple(schemas),
            np.repeat(schema[table[:, 0]], times),
            np.repeat(table[:, 0].astype(np.int32), times),
            np.repeat(table[:, 1], times),
            np.repeat(table[:, 2], times),
            ~begins,
            dict(sorted(errors.items())),
            (values, owners),
        )


def read_container(data: Data) -> Container:
    """Schema and blocks of one container, as ``(schema_json, blocks)``.

    Codecs null, deflate and snappy. Raises ContainerError with the byte where something is wrong.
    """
    return ContainerReader().read(data)


def _long(value: int) -> bytes:
    left = (value << 1) ^ (value >> 63)
    out = bytearray()
    while left >= 0x80:
        out.append(left & 0x7F | 0x80)
        left >>= 7
    out.append(left)
    return bytes(out)


def container_parts(
    schema: Any,
    datums: Iterable[Data],
    *,
    codec: str = "null",
    datums_per_block: int = 1000,
    metadata: Mapping[str, bytes] | None = None,
    sync: bytes | None = None,
) -> Iterator[bytes]:
    """A container of datums that are encoded already, piece by piece: its header and each block.

    Parameters
    ----------
    schema
        Their schema, as JSON text or as what that becomes in Python.
    codec
        "null", "deflate" or "snappy".
    metadata
        More entries for the header.
    sync
        The 16 bytes between blocks; random unless given.

    Raises
    ------
    ContainerError
        If the codec is unknown or `sync` is not of 16 bytes.
    """
    if codec not in ("null", "deflate", "snappy"):
        raise ContainerError(f"unknown codec {codec!r}; known are null, deflate and snappy")
    marker = os.urandom(SYNC) if sync is None else sync
    if len(marker) != SYNC:
        raise ContainerError(f"the sync marker has {len(marker)} bytes, not {SYNC}")
    text = schema if isinstance(schema, str) else json.dumps(schema, separators=(",", ":"))
    entries = {"avro.schema": text.encode(), "avro.codec": codec.encode(), **(metadata or {})}
    header = [MAGIC, _long(len(entries))]
    for name, value in entries.items():
        key = name.encode()
        header += [_long(len(key)), key, _long(len(value)), value]
    yield b"".join([*header, b"\0", marker])
    held: list[Data] = []

    def block() -> bytes:
        payload = b"".join(held)
        if codec == "deflate":
            deflater = zlib.compressobj(wbits=-15)
            payload = deflater.compress(payload) + deflater.flush()
        elif codec == "snappy":
            checksum = zlib.crc32(payload).to_bytes(4, "big")
            payload = bytes(cramjam.snappy.compress_raw(payload)) + checksum
        count = len(held)
        held.clear()
        return b"".join([_long(count), _long(len(payload)), payload, marker])

    for datum in datums:
        held.append(datum)
        if len(held) >= datums_per_block:
            yield block()
    if held:
        yield block()


def write_container(
    schema: Any,
    datums: Iterable[Data],
    *,
    codec: str = "null",
    datums_per_block: int = 1000,
    metadata: Mapping[str, bytes] | None = None,
    sync: bytes | None = None,
) -> bytes:
    """A container of datums that are encoded already, whole; see `container_parts`."""
    parts = container_parts(
        schema, datums, codec=codec, datums_per_block=datums_per_block, metadata=metadata, sync=sync
    )
    return b"".join(parts)
