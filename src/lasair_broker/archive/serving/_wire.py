"""What goes through the socket: messages of JSON with tables and bytes attached, and results as such.

A message is the length of its head (4 bytes, little endian), the head (JSON) and the attachments, whose
lengths are in the head. Tables are attached as Arrow IPC streams.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from lasair_broker.packets import Payloads

from ..records import ArchiveStatus, Finding, LightCurve, Stored, TableStatus

__all__ = ["METHODS", "Kind", "receive", "send", "socket_path"]

_NAME = "archive.socket"
_LARGEST_HEAD = 256 * 1024**2
_LARGEST_MESSAGE = 4 * 1024**3

Attachments = list[pa.Buffer]


@contextmanager
def socket_path(folder: Path) -> Iterator[str]:
    """A name of the socket in a folder by which it can be bound or connected to.

    The system takes names of about a hundred characters; through the open folder a short one leads there.
    """
    if sys.platform != "linux":
        yield str(folder / _NAME)
        return
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{opened}/{_NAME}"
    finally:
        os.close(opened)


def send(connection: socket.socket, head: Mapping[str, Any], attachments: Attachments | None = None) -> None:
    """Send a message.

    Raises
    ------
    OSError
        If the other side is gone, or takes nothing for longer than the socket's timeout.
    """
    parts = attachments or []
    text = json.dumps({**head, "sizes": [part.size for part in parts]}).encode()
    connection.sendall(struct.pack("<I", len(text)) + text)
    for part in parts:
        connection.sendall(memoryview(part))


def receive(connection: socket.socket) -> tuple[dict[str, Any], Attachments]:
    """Receive a message.

    Raises
    ------
    EOFError
        If the other side is gone.
    OSError
        If nothing comes for longer than the socket's timeout.
    ValueError
        If it is no message.
    """
    (length,) = struct.unpack("<I", _exactly(connection, 4))
    if length > _LARGEST_HEAD:
        raise ValueError("the head of the message is too long")
    head = json.loads(bytes(_exactly(connection, length)))
    if not isinstance(head, dict) or sum(head.get("sizes", ())) > _LARGEST_MESSAGE:
        raise ValueError("this is no message to or from an archive")
    return head, [pa.py_buffer(_exactly(connection, size)) for size in head.get("sizes", ())]


def _exactly(connection: socket.socket, size: int) -> bytearray:
    data = bytearray(size)
    view, done = memoryview(data), 0
    while done < size:
        count = connection.recv_into(view[done:])
        if count == 0:
            raise EOFError("the other side is gone")
        done += count
    return data


def _table(table: pa.Table) -> pa.Buffer:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def _read(buffer: pa.Buffer) -> pa.Table:
    with pa.ipc.open_stream(buffer) as reader:
        return reader.read_all()


class Kind(NamedTuple):
    """How results of one kind become a message, and out of it again; `many` are sent one after the other."""

    pack: Callable[[Any], tuple[Any, Attachments]]
    unpack: Callable[[Any, Attachments], Any]
    many: bool = False


def _status(said: Any, _: Attachments) -> ArchiveStatus:
    tables = {name: TableStatus(**table) for name, table in said.pop("tables").items()}
    positions = {(topic, partition): offset for topic, partition, offset in said.pop("positions")}
    return ArchiveStatus(**said, tables=tables, positions=positions)


def _packed_status(status: ArchiveStatus) -> tuple[Any, Attachments]:
    positions = [[*key, offset] for key, offset in status.positions.items()]
    tables = {name: asdict(table) for name, table in status.tables.items()}
    plain = {name: getattr(status, name) for name in status.__slots__ if name not in ("tables", "positions")}
    return {**plain, "tables": tables, "positions": positions}, []


def _packed_alerts(stored: Stored) -> tuple[Any, Attachments]:
    payloads = stored.payloads
    said = [payloads.schema_fingerprint, payloads.schema_json, stored.left]
    datums = b"".join(payloads.bytes(row) for row in range(len(payloads)))
    lengths = pa.py_buffer(np.ascontiguousarray(payloads.length, np.int64))
    return said, [_table(stored.alerts), lengths, pa.py_buffer(datums)]


def _alerts(said: Any, parts: Attachments) -> Stored:
    fingerprint, schema_json, left = said
    lengths = np.frombuffer(parts[1], np.int64)
    address = parts[2].address + np.cumsum(lengths) - lengths
    return Stored(Payloads(address, lengths, (parts[2],), fingerprint, schema_json), _read(parts[0]), left)


_PLAIN = Kind(lambda value: (value, []), lambda said, _: said)
_POSITIONS = Kind(
    lambda found: ([[*key, offset] for key, offset in found.items()], []),
    lambda said, _: {(topic, partition): offset for topic, partition, offset in said},
)
_TABLE = Kind(lambda table: (None, [_table(table)]), lambda _, parts: _read(parts[0]))
_TABLES = _TABLE._replace(many=True)
_BY_NAME = Kind(
    lambda tables: (list(tables), [_table(table) for table in tables.values()]),
    lambda said, parts: dict(zip(said, map(_read, parts), strict=True)),
)
_CURVES = Kind(
    lambda curve: (None, [_table(getattr(curve, name)) for name in LightCurve.__slots__]),
    lambda _, parts: LightCurve(*map(_read, parts)),
)
_BYTES = Kind(
    lambda found: (None, [] if found is None else [pa.py_buffer(found)]),
    lambda _, parts: parts[0].to_pybytes() if parts else None,
)
_DATUM = Kind(
    lambda found: (None, []) if found is None else (found[1], [pa.py_buffer(found[0])]),
    lambda said, parts: (parts[0].to_pybytes(), said) if parts else None,
)
_STATUS = Kind(_packed_status, _status)
_FINDINGS = Kind(
    lambda found: ([list(asdict(finding).values()) for finding in found], []),
    lambda said, _: [Finding(*finding) for finding in said],
)
_ALERTS = Kind(_packed_alerts, _alerts, many=True)

METHODS: Mapping[str, Kind] = {
    "alert_bytes": _DATUM,
    "check": _FINDINGS,
    "cone": _TABLE,
    "cutout": _BYTES,
    "cutout_png": _BYTES,
    "hits_after": _TABLE,
    "light_curve": _CURVES,
    "light_curves": _CURVES,
    "newest_hits": _TABLE,
    "object": _TABLE,
    "object_places": _TABLES,
    "positions": _POSITIONS,
    "query": _TABLE,
    "rejected": _TABLE,
    "replay": _ALERTS,
    "rows_by_table": _BY_NAME,
    "rows_of_objects": _TABLE,
    "status": _STATUS,
    "unknown_packs": _PLAIN,
}
"""The methods of an archive that only read, and what kind of result each has."""
