"""Files of events, whatever their format."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from lasair_broker.context.events._alerts import events_of_batch
from lasair_broker.context.events._event import rows_of
from lasair_broker.context.events._gcn import read_gcn
from lasair_broker.context.events._mapping import TableMapping
from lasair_broker.context.events._table import RefusedRow, read_table, recognised
from lasair_broker.context.events._voevent import read_voevent
from lasair_broker.context.events.errors import EventError
from lasair_broker.packets import PacketFileError, SchemaStore, decode, read_files

__all__ = ["EventFile", "read_events"]

_LARGEST = 2 * 1024**3


@dataclass(frozen=True)
class EventFile:
    """What a file holds: rows of table `external_events`, and rows of the file that cannot be such."""

    rows: pa.Table
    refused: tuple[RefusedRow, ...] = ()


def read_events(path: Path, mapping: TableMapping | None = None) -> EventFile:
    """Read a GCN notice (JSON), a VOEvent (XML), a table (CSV, Parquet) or alerts (Avro), told by content.

    Parameters
    ----------
    mapping
        Of a table; None for the one that comes with Lasair and fits its columns.

    Raises
    ------
    EventError
        If it cannot be read; the message begins with the file's name.
    """
    try:
        if path.stat().st_size > _LARGEST:
            raise EventError(f"{path}: it is larger than 2 GB; split it")
        content = path.read_bytes()
    except OSError as error:
        raise EventError(f"cannot read {path}: {error.strerror}") from None
    try:
        return _read(path, content, mapping)
    except EventError as error:
        raise EventError(f"{path}: {error}") from None


def _read(path: Path, content: bytes, mapping: TableMapping | None) -> EventFile:
    start = content[:4096].removeprefix(b"\xef\xbb\xbf").lstrip()
    if not start:
        raise EventError("it is empty")
    if start[:1] in (b"{", b"["):
        return EventFile(rows_of(read_gcn(content)))
    if start[:1] == b"<":
        return EventFile(rows_of(read_voevent(content)))
    if content[:3] == b"Obj" or path.name.endswith((".avro", ".avro.gz")):
        return EventFile(_alerts(path))
    mapping = mapping or recognised(content)
    if mapping is None:
        raise EventError(
            "its columns are not those of any mapping that comes with Lasair; name one: --mapping"
        )
    rows, refused = read_table(content, mapping)
    return EventFile(rows, tuple(refused))


def _alerts(path: Path) -> pa.Table:
    schemas = SchemaStore()
    tables = []
    try:
        for messages in read_files([path]):
            batches, rejected = decode(messages, schemas)
            if rejected.num_rows:
                raise EventError(f"alert {rejected.column('offset')[0]}: {rejected.column('reason')[0]}")
            tables += [events_of_batch(batch) for batch in batches]
    except PacketFileError as error:
        raise EventError(str(error)) from None
    if not tables:
        raise EventError("it holds no alerts")
    return pa.concat_tables(tables)
