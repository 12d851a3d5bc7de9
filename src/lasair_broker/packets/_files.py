"""Packets in files: single ones, object containers, archives, tables, folders."""

from __future__ import annotations

import json
import lzma
import mmap
import tarfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import IO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ._arrow_rows import PACKET_COLUMNS, ArrowDatums
from ._batch import Messages
from ._containers import ContainerWriter, split_container
from ._times import mjd_tai_now
from ._unframe import gunzip
from .avro import AvroError, Codec

__all__ = ["PacketFileError", "read_files"]

_SCHEMA_FILE = "schema.json"
_TARS = (".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.bz2")
_PACKETS = (".avro", ".avro.gz")
_LARGEST_GZIP = 1 << 31
_PARQUET_ROWS = 100


class PacketFileError(ValueError):
    """A file that cannot be read; the message names the file, and the member within an archive."""


def read_files(
    paths: Iterable[str | Path],
    *,
    batch_messages: int = 2000,
    batch_bytes: int = 1 << 28,
    positions: Mapping[str, int] | None = None,
    on_broken: Callable[[PacketFileError], None] | None = None,
) -> Iterator[Messages]:
    """Read the packets in files, in the order of `paths`.

    Parameters
    ----------
    paths
        Files ending in .avro, .avro.gz (an object container, a Confluent-framed packet, or a bare datum
        with a file schema.json beside it), .tar, .tar.gz, .tgz, .tar.xz, .tar.bz2 (of such; read in archive
        order without unpacking), .parquet (a row a packet) and folders (all such files below, sorted by
        name).
    batch_messages, batch_bytes
        The most messages, and about the most bytes, in what is given back at once. A packet larger than
        that comes alone.
    positions
        For topics already read in part the offset to go on at.
    on_broken
        Told of each file that is missing, is not of these kinds, or breaks off; the others are read.

    Yields
    ------
    Messages
        The topic is ``file:<absolute path>``, the partition 0, the offset the number of the packet within
        the file. Each value can be decoded by itself: packets of a container of many, bare datums and rows
        of tables are put into object containers of their own.

    Raises
    ------
    PacketFileError
        Without `on_broken`, at the first such file. What came before it has been given back.
    """
    batch = _Batch(batch_messages, batch_bytes)
    done = positions or {}
    for file in _files(paths):
        try:
            if isinstance(file, PacketFileError):
                raise file
            yield from _of_file(file, batch, done.get(_topic(file), 0))
        except PacketFileError as error:
            yield from batch.rest()
            if on_broken is None:
                raise
            on_broken(error)
    yield from batch.rest()


def _topic(path: Path) -> str:
    return f"file:{path}"


def _of_file(path: Path, batch: _Batch, first: int) -> Iterator[Messages]:
    """Add the packets of a file from number `first` on; give back what becomes full."""
    number = -1
    for number, value in enumerate(_values(path)):
        if number >= first:
            yield from batch.add(_topic(path), number, value)
    if number < 0:
        raise PacketFileError(f"{path}: holds no packets")


class _Batch:
    """Messages being put together."""

    def __init__(self, most_messages: int, most_bytes: int) -> None:
        if most_messages < 1 or most_bytes < 1:
            raise ValueError("a batch holds at least one message")
        self._most_messages, self._most_bytes = most_messages, most_bytes
        self._clear()

    def _clear(self) -> None:
        self._values: list[bytes] = []
        self._topics: dict[str, int] = {}
        self._topic: list[int] = []
        self._offset: list[int] = []
        self._arrived: list[float] = []
        self._bytes = 0

    def add(self, topic: str, offset: int, value: bytes) -> Iterator[Messages]:
        """Add a message; give back what has been gathered if it would be too much with it."""
        if self._values and self._bytes + len(value) > self._most_bytes:
            yield from self.rest()
        self._topic.append(self._topics.setdefault(topic, len(self._topics)))
        self._offset.append(offset)
        self._values.append(value)
        self._arrived.append(mjd_tai_now())
        self._bytes += len(value)
        if len(self._values) >= self._most_messages:
            yield from self.rest()

    def rest(self) -> Iterator[Messages]:
        """What has been gathered."""
        if not self._values:
            return
        messages = Messages(
            self._values,
            tuple(self._topics),
            np.array(self._topic, np.int32),
            np.zeros(len(self._values), np.int32),
            np.array(self._offset, np.int64),
            np.array(self._arrived, np.float64),
        )
        self._clear()
        yield messages


def _files(paths: Iterable[str | Path]) -> Iterator[Path | PacketFileError]:
    """The files with packets among `paths` and in the folders there; in the place of what is none, why."""
    for given in paths:
        path = Path(given).absolute()
        if path.is_dir():
            found = sorted(p for p in path.rglob("*") if p.is_file() and _reader(p) is not None)
            if not found:
                yield PacketFileError(f"{path}: no files with packets in this folder")
            yield from found
        elif not path.exists():
            yield PacketFileError(f"{path}: no such file")
        elif _reader(path) is None:
            yield PacketFileError(
                f"{path}: not a kind of file with packets ({', '.join((*_PACKETS, *_TARS, '.parquet'))})"
            )
        else:
            yield path


def _reader(path: Path) -> Callable[[Path], Iterator[bytes]] | None:
    name = path.name.lower()
    if name.endswith(_TARS):
        return _archive
    if name.endswith(_PACKETS):
        return _single
    return _table if name.endswith(".parquet") else None


def _values(path: Path) -> Iterator[bytes]:
    reader = _reader(path)
    assert reader is not None  # noqa: S101  `_files` gives no others
    try:
        yield from reader(path)
    except OSError as error:
        raise PacketFileError(f"{path}: {error.strerror or error}") from error


def _single(path: Path) -> Iterator[bytes]:
    beside = path.parent / _SCHEMA_FILE

    def schema() -> ContainerWriter | None:
        return _schema_writer(beside.read_bytes(), str(beside)) if beside.exists() else None

    if path.name.lower().endswith(".gz"):
        yield from _packets(_unzipped(path.read_bytes(), str(path)), str(path), schema)
        return
    with path.open("rb") as file:
        if file.seek(0, 2) == 0:
            raise PacketFileError(f"{path}: empty file")
        # Not closed by hand: packets may still be views into it.
        contents = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    yield from _packets(contents, str(path), schema)


def _unzipped(value: bytes, name: str) -> bytes:
    try:
        return gunzip(value, _LARGEST_GZIP)
    except ValueError as error:
        raise PacketFileError(f"{name}: {error}") from error


def _schema_writer(text: bytes, name: str) -> ContainerWriter:
    try:
        schema = text.decode("utf-8")
        Codec(schema)
        return ContainerWriter(schema)
    except ValueError as error:
        raise PacketFileError(f"{name}: not an Avro schema: {error}") from error


def _packets(
    contents: bytes | memoryview, name: str, schema: Callable[[], ContainerWriter | None]
) -> Iterator[bytes]:
    """The packets in the contents of one .avro file."""
    if contents[:4] == b"Obj\x01":
        try:
            yield from split_container(contents)
        except AvroError as error:
            raise PacketFileError(f"{name}: {error}") from error
        return
    writer = schema()
    if writer is not None:
        yield writer.container(contents)
    elif contents[:1] == b"\x00" and len(contents) > 5:
        yield bytes(contents)
    elif len(contents) == 0:
        raise PacketFileError(f"{name}: empty")
    else:
        raise PacketFileError(
            f"{name}: neither an Avro object container nor Confluent-framed; "
            f"if it is a bare datum, put its schema beside it as {_SCHEMA_FILE}"
        )


def _archive(path: Path) -> Iterator[bytes]:
    schemas: dict[str, ContainerWriter] = {}
    member = ""
    try:
        with tarfile.open(path, "r|*") as archive:
            for entry in archive:
                member = entry.name
                file = archive.extractfile(entry) if entry.isfile() else None
                if file is None:
                    continue
                yield from _member(path, entry.name, file, schemas)
    except PacketFileError:
        raise
    except (tarfile.TarError, EOFError, lzma.LZMAError, zlib.error) as error:
        where = f"{path} after {member}" if member else str(path)
        raise PacketFileError(f"{where}: broken archive: {error}") from error


def _member(path: Path, name: str, file: IO[bytes], schemas: dict[str, ContainerWriter]) -> Iterator[bytes]:
    folder, full = str(PurePosixPath(name).parent), f"{path}({name})"
    if PurePosixPath(name).name == _SCHEMA_FILE:
        schemas[folder] = _schema_writer(file.read(), full)
        return
    if not name.lower().endswith(_PACKETS):
        return

    def schema() -> ContainerWriter | None:
        if folder not in schemas:
            schemas.update(_schemas_within(path))
        return schemas.get(folder)

    contents = file.read()
    if name.lower().endswith(".gz"):
        contents = _unzipped(contents, full)
    yield from _packets(contents, full, schema)


def _schemas_within(path: Path) -> dict[str, ContainerWriter]:
    """All schemas in an archive, for packets that come before their schema."""
    found = {}
    with tarfile.open(path, "r|*") as archive:
        for entry in archive:
            name = PurePosixPath(entry.name)
            file = archive.extractfile(entry) if name.name == _SCHEMA_FILE and entry.isfile() else None
            if file is not None:
                found[str(name.parent)] = _schema_writer(file.read(), f"{path}({entry.name})")
    return found


def _table(path: Path) -> Iterator[bytes]:
    try:
        with pq.ParquetFile(path) as file:
            if not PACKET_COLUMNS & set(file.schema_arrow.names):
                wanted = " or ".join(sorted(PACKET_COLUMNS))
                raise PacketFileError(f"{path}: no packets in this table: it has no column {wanted}")
            rows = ArrowDatums(file.schema_arrow)
            writer = ContainerWriter(json.dumps(rows.schema))
            for batch in file.iter_batches(batch_size=_PARQUET_ROWS):
                for datum in rows.datums(pa.Table.from_batches([batch])):
                    yield writer.container(datum)
    except pa.ArrowException as error:
        raise PacketFileError(f"{path}: {error}") from error
