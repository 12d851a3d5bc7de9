"""Object containers of many packets taken apart into containers of one, each a message of its own."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import numpy as np

from .avro import Codec, addresses, read_container, write_container

__all__ = ["ContainerWriter", "split_container"]


def _varint(number: int) -> bytes:
    """A whole number, not negative, as Avro writes it."""
    rest, out = number << 1, bytearray()
    while rest > 0x7F:
        out.append(rest & 0x7F | 0x80)
        rest >>= 7
    out.append(rest)
    return bytes(out)


def _without_docs(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_without_docs(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    # A field may have the default {"doc": ...}, which is data.
    return {k: v if k == "default" else _without_docs(v) for k, v in schema.items() if k != "doc"}


class ContainerWriter:
    """Makes an object container of each datum of one schema.

    Parameters
    ----------
    schema_json
        The schema. Its documentation is left out of the header, which every message carries.
    """

    def __init__(self, schema_json: str) -> None:
        schema = json.dumps(_without_docs(json.loads(schema_json)), separators=(",", ":"))
        self._sync = hashlib.sha256(schema.encode()).digest()[:16]
        self._head = write_container(schema, [], sync=self._sync) + _varint(1)

    def container(self, datum: bytes | memoryview) -> bytes:
        """The container of one datum."""
        return b"".join((self._head, _varint(len(datum)), datum, self._sync))


def split_container(contents: bytes | memoryview) -> Iterator[bytes]:
    """One object container for each datum of a container; a container of one is given as it is.

    Where a datum is corrupt, the rest of its block cannot be told apart: it comes as one message, which
    `decode` will reject with the reason.

    Raises
    ------
    AvroError
        If the container is malformed. What could be read before has been given.
    """
    schema_json, blocks = read_container(contents)
    if sum(block.count for block in blocks) == 1:
        yield bytes(contents)
        return
    codec = Codec(schema_json)
    writer = ContainerWriter(schema_json)
    for block in blocks:
        data = memoryview(block.payload)
        address, length = addresses([data])
        decoded = codec.decode(
            np.repeat(address, block.count),
            np.repeat(length, block.count),
            continues=np.arange(block.count) > 0,
            owner=data,
        )
        for start, size, error in zip(
            (decoded.address - address[0]).tolist(),
            decoded.length.tolist(),
            decoded.error.tolist(),
            strict=True,
        ):
            if error:
                yield writer.container(data[start:])
                break
            yield writer.container(data[start : start + size])
