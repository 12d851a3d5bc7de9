"""Files of events, whatever their format."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from lasair_broker.context.events._alerts import events_of_batch
from lasair_broker.context.events._event import Event, rows_of
from lasair_broker.context.events._gcn import read_gcn
from lasair_broker.context.events._mapping import TableMapping
from lasair_broker.context.events._table import RefusedRow, read_table, recognised
from lasair_broker.context.events._voevent import read_voevent
from lasair_broker.context.events.errors import EventError
from lasair_broker.packets import PacketFileError, SchemaStore, decode, read_files

__all__ = ["EventFile", "read_events", "read_notice"]

_LARGEST = 2 * 1024**3
_LARGEST_NOTICE = 256 * 1024**2


@dataclass(frozen=True)
class EventFile:
    """What a file holds: rows of table `external_events`, and rows of the file that cannot be such.

    Attributes
    ----------
    maps
        The contents of the probability maps that column skymap of the rows names.
    problems
        What of a notice had to be left out, and why.
    """

    rows: pa.Table
    refused: tuple[RefusedRow, ...] = ()
    maps: Mapping[str, bytes] = field(default_factory=dict)
    problems: tuple[str, ...] = ()


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
    except UnicodeEncodeError as error:
        raise EventError(f"{path}: it holds half a character: {error.object[error.start]!r}") from None


def _read(path: Path, content: bytes, mapping: TableMapping | None) -> EventFile:
    content = _unpacked(content)
    if _start(content) in (b"", b"{", b"[", b"<"):
        return read_notice(content)
    if content[:3] == b"Obj" or path.name.endswith((".avro", ".avro.gz")):
        return EventFile(_alerts(path))
    content = _gunzipped(content, _LARGEST)
    mapping = mapping or recognised(content)
    if mapping is None:
        raise EventError(
            "its columns are not those of any mapping that comes with Lasair; name one: --mapping"
        )
    rows, refused = read_table(content, mapping)
    return EventFile(rows, tuple(refused))


def read_notice(content: bytes) -> EventFile:
    """The events of a GCN notice (JSON) or a VOEvent (XML), told by content.

    Raises
    ------
    EventError
        If it is neither, or cannot be read.
    """
    start = _start(content)
    if not start:
        raise EventError("it is empty")
    return _of_events(read_voevent(content) if start == b"<" else read_gcn(content))


def _start(content: bytes) -> bytes:
    return content[:4096].removeprefix(b"\xef\xbb\xbf").lstrip()[:1]


def _unpacked(content: bytes) -> bytes:
    """A notice that was stored with gzip; other files are left to their readers."""
    unpacked = _gunzipped(content, _LARGEST_NOTICE + 1)
    is_notice = _start(unpacked) in (b"{", b"<") and len(unpacked) <= _LARGEST_NOTICE
    return unpacked if is_notice else content


def _gunzipped(content: bytes, most: int) -> bytes:
    """The first so many bytes of what is packed, or the content as it is."""
    if not content.startswith(b"\x1f\x8b"):
        return content
    try:
        with gzip.open(io.BytesIO(content)) as file:
            return file.read(most)
    except (OSError, EOFError, zlib.error) as error:
        raise EventError(f"it cannot be unpacked: {error}") from None


def _of_events(events: Sequence[Event]) -> EventFile:
    maps = {one.found_map.name: one.found_map.content for one in events if one.found_map}
    problems = dict.fromkeys(f"{one.eventName}: {one.problem}" for one in events if one.problem)
    return EventFile(rows_of(events), maps=maps, problems=tuple(problems))


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
