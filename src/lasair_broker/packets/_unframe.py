"""From messages to Avro datums: Confluent framing, object containers, gzip of either."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ._schema_store import SchemaStore, UnknownSchemaError
from .avro import AvroError, Codec, addresses

__all__ = ["MAX_MESSAGE", "Unframed", "gunzip", "unframe"]

MAX_MESSAGE = 1 << 28
"""The most bytes a compressed message may unfold into."""

_CONTAINER_MAGIC = b"Obj\x01"
_CONFLUENT_HEAD = 5

Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Unframed:
    """The datums of messages, in the order of the messages.

    Attributes
    ----------
    address, length
        Where the datum of each message is; 0, 0 if it could not be found.
    codec
        For each message the index of its codec in `codecs`, -1 if the datum could not be found.
    codecs
        The codecs met.
    reasons
        Why the datum of a message could not be found, by its number.
    owners
        What keeps the datums in memory.
    """

    address: Int64
    length: Int64
    codec: npt.NDArray[np.int32]
    codecs: tuple[Codec, ...]
    reasons: dict[int, str]
    owners: tuple[object, ...]


def gunzip(value: bytes, limit: int = MAX_MESSAGE) -> bytes:
    """The contents of gzip members.

    Raises
    ------
    ValueError
        If they are corrupt, incomplete, or longer than `limit` bytes.
    """
    out = []
    room = limit
    rest = value
    while rest:
        member = zlib.decompressobj(wbits=31)
        try:
            part = member.decompress(rest, room + 1)
        except zlib.error as error:
            raise ValueError(f"corrupt gzip: {error}") from error
        if len(part) > room:
            raise ValueError(f"gzip unfolds into more than {limit} bytes")
        if not member.eof:
            raise ValueError("gzip is incomplete")
        out.append(part)
        room -= len(part)
        rest = member.unused_data
    return b"".join(out)


def unframe(values: Sequence[bytes], schemas: SchemaStore) -> Unframed:
    """Find the datum and the codec of each message.

    Parameters
    ----------
    values
        Messages, each one alert: Confluent-framed (a zero byte and the schema's id, four bytes, before the
        datum), an Avro object container, or gzip of either.
    schemas
        Where the schemas of Confluent-framed messages are sought.
    """
    count = len(values)
    held = list(values)
    reasons: dict[int, str] = {}
    head = _heads(held)
    for row in np.flatnonzero((head[:, 0] == 0x1F) & (head[:, 1] == 0x8B)).tolist():
        try:
            held[row] = gunzip(held[row])
        except ValueError as error:
            reasons[row] = str(error)
            held[row] = b""
    if any(held[row] is not values[row] for row in range(count)):
        head = _heads(held)

    codecs: list[Codec] = []
    number: dict[int, int] = {}
    of_message = np.full(count, -1, np.int32)

    def codec_number(codec: Codec) -> int:
        if id(codec) not in number:
            number[id(codec)] = len(codecs)
            codecs.append(codec)
        return number[id(codec)]

    start = np.zeros(count, np.int64)
    size = np.zeros(count, np.int64)
    sizes = np.fromiter(map(len, held), np.int64, count)
    framed = (head[:, 0] == 0) & (sizes >= _CONFLUENT_HEAD)
    ids = head[:, 1:].copy().view(">u4").ravel()
    for schema_id in np.unique(ids[framed]).tolist():
        rows = np.flatnonzero(framed & (ids == schema_id))
        try:
            of_message[rows] = codec_number(schemas.codec_by_confluent_id(schema_id))
        except (UnknownSchemaError, AvroError) as error:
            reason = str(error) if isinstance(error, UnknownSchemaError) else f"schema {schema_id}: {error}"
            reasons.update(dict.fromkeys(rows.tolist(), reason))
    start[framed] = _CONFLUENT_HEAD
    size[framed] = sizes[framed] - _CONFLUENT_HEAD

    magic = np.frombuffer(_CONTAINER_MAGIC, np.uint8)
    contained = (head[:, :4] == magic).all(axis=1)
    address, _ = addresses(held)
    address += start
    owners: tuple[object, ...] = ()
    if contained.any():
        rows = np.flatnonzero(contained)
        read = schemas.containers.read_many([held[row] for row in rows])
        owners = read.owners
        reasons.update((int(rows[row]), f"object container: {text}") for row, text in read.errors.items())
        numbers = np.full(len(read.schemas), -1, np.int32)
        unusable: dict[int, str] = {}
        for place, schema_json in enumerate(read.schemas):
            try:
                numbers[place] = codec_number(schemas.codec(schema_json))
            except AvroError as error:
                unusable[place] = f"object container: {error}"
        held_by = np.bincount(read.message, minlength=len(rows))
        for row in np.flatnonzero(held_by != 1).tolist():
            text = f"object container: it holds {held_by[row]} alerts, and a message must be one alert"
            reasons.setdefault(int(rows[row]), text)
        single = held_by[read.message] == 1
        datums = rows[read.message[single]]
        address[datums], size[datums] = read.address[single], read.length[single]
        of_message[datums] = numbers[read.schema[single]]
        for row, place in zip(datums.tolist(), read.schema[single].tolist(), strict=True):
            if place in unusable:
                reasons[row] = unusable[place]
    for row in np.flatnonzero(~framed & ~contained).tolist():
        shown = held[row][:8].hex(" ")
        text = (
            f"neither Confluent-framed nor an Avro object container: begins {shown}"
            if shown
            else "empty message"
        )
        reasons.setdefault(row, text)
    found = of_message >= 0
    return Unframed(
        np.where(found, address, 0),
        np.where(found, size, 0),
        of_message,
        tuple(codecs),
        reasons,
        (tuple(held), owners),
    )


def _heads(values: Sequence[bytes]) -> npt.NDArray[np.uint8]:
    """The first five bytes of each message, filled up with 0xFF."""
    joined = b"".join([value[:_CONFLUENT_HEAD].ljust(_CONFLUENT_HEAD, b"\xff") for value in values])
    return np.frombuffer(joined, np.uint8).reshape(-1, _CONFLUENT_HEAD)
