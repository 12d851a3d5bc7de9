"""Copying an archive into another, of whichever engine; broken off, it goes on where it was."""

# Names in statements are the schema's own, values are numbers:
# ruff: noqa: S608

from __future__ import annotations

import operator
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from lasair_broker.schema import TABLES, quoted

from ._reading import column_list
from .errors import ArchiveCorruptError, ArchiveError
from .interface import Archive
from .packs import PackReader, checksums
from .records import Packs, Progress

__all__ = ["Copied", "copy_archive", "digest"]

_WHOLE_ROWS = 500_000
_ORDER = 2
"""Tables of more rows than this are copied cell by cell of this HEALPix order, each in one transaction."""

_LAST = "stream_positions"
"""Copied when everything else is there and proved equal, as an archive that has it is taken for whole."""

_PIECE_BYTES = 4 * 1024**2

UInt64 = npt.NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Copied:
    """What a copy did: rows of each table, how many of them were there already, and bytes of packs."""

    rows: Mapping[str, int]
    already: int
    pack_bytes: int


def copy_archive(source: Archive, target: Archive, progress: Progress | None = None) -> Copied:
    """Copy all tables and packs, and compare every piece with what it was copied from.

    Nothing may be written to either meanwhile. A piece that is in the target already, with the same rows, is
    left as it is.

    Raises
    ------
    ArchiveError
        If the target holds alerts of another archive, or a piece is not equal afterwards.
    """
    theirs, ours = source.packs(), target.packs()
    counting = [name for name, length in ours.lengths.items() if length]
    strange = [name for name in counting if not _is_same_pack(theirs, ours, name)]
    if strange:
        raise ArchiveError(
            f"the archive to copy into holds alerts of its own (pack {min(strange)}): begin with an empty one"
        )
    sizes = source.status().tables
    pieces = [(name, cells) for name in _names() for cells in _cells(name, sizes[name].rows)]
    rows = dict.fromkeys(TABLES, 0)
    already = 0
    for number, (name, cells) in enumerate(pieces):
        if progress is not None:
            progress(name, number / (len(pieces) + 1))
        if name == _LAST:
            pack_bytes = _copy_packs(theirs, ours)
            target.add_packs({name: length for name, length in theirs.lengths.items() if length})
        wanted = _read(source, name, cells)
        expected = digest(wanted)
        rows[name] += wanted.num_rows
        if digest(_read(target, name, cells)) == expected:
            already += wanted.num_rows
            continue
        target.replace_rows(name, wanted, cells)
        if digest(_read(target, name, cells)) != expected or digest(_read(source, name, cells)) != expected:
            raise ArchiveError(
                f"rows of table {name} are not the same in both archives after they were copied: "
                "is something still writing to one of them?"
            )
    if progress is not None:
        progress("done", 1.0)
    return Copied(rows, already, pack_bytes)


def _names() -> Iterator[str]:
    yield from (name for name in TABLES if name != _LAST)
    yield _LAST


def _cells(name: str, rows: int) -> Iterator[tuple[int, int] | None]:
    column = TABLES[name].by_name.get("healpix29")
    if column is None or column.nullable or rows <= _WHOLE_ROWS:
        yield None
        return
    shift = 2 * (29 - _ORDER)
    for cell in range(12 << (2 * _ORDER)):
        yield cell << shift, (cell + 1) << shift


def _read(archive: Archive, name: str, cells: tuple[int, int] | None) -> pa.Table:
    within = "" if cells is None else f' WHERE "healpix29" >= {cells[0]} AND "healpix29" < {cells[1]}'
    sql = f"SELECT {column_list(name)} FROM {quoted(name)}{within}"
    return archive.query(sql, max_rows=None, timeout=None)


def _is_same_pack(theirs: Packs, ours: Packs, name: str) -> bool:
    """Whether a pack that counts in one archive is the other's, byte for byte."""
    length = ours.lengths[name]
    if theirs.lengths.get(name) != length:
        return False
    try:
        with closing(theirs.place.reader()) as left, closing(ours.place.reader()) as right:
            return all(map(operator.eq, _pieces(left, name, length), _pieces(right, name, length)))
    except ArchiveCorruptError:
        return False


def _pieces(reader: PackReader, name: str, length: int) -> Iterator[bytes]:
    """The bytes of a pack that count."""
    for start in range(0, length, _PIECE_BYTES):
        yield reader.read(name, start, min(_PIECE_BYTES, length - start))


def _copy_packs(theirs: Packs, ours: Packs) -> int:
    """Copy as much of each pack as counts, except those that count there already; the bytes copied."""
    wanted = {name: length for name, length in theirs.lengths.items() if length and name not in ours.lengths}
    with closing(theirs.place.reader()) as reader, closing(ours.place.writer({}, 1)) as writer:
        for name, length in wanted.items():
            writer.add(name, _pieces(reader, name, length))
    return sum(wanted.values())


def digest(rows: pa.Table) -> tuple[int, int]:
    """Number of rows, and the sum modulo 2^64 of a hash of each: the same for the same rows in any order."""
    hashes = np.zeros(rows.num_rows, np.uint64)
    for column in rows.columns:
        hashes = _mixed(hashes * np.uint64(0x9E3779B97F4A7C15) + _values(column))
    return rows.num_rows, int(hashes.sum(dtype=np.uint64))


def _mixed(values: UInt64) -> UInt64:
    """A bijection whose values look random (the finaliser of SplitMix64, as in `_ledger`)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: UInt64 = values ^ (values >> np.uint64(31))
    return mixed


def _values(column: pa.ChunkedArray) -> UInt64:
    """Each value as 64 bits; text and bytes by their checksums."""
    whole = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
    missing = whole.is_null().to_numpy(zero_copy_only=False)
    kind = whole.type
    if pa.types.is_string(kind) or pa.types.is_binary(kind):
        _, offsets, data = whole.buffers()
        edges = np.zeros(1, np.int32) if offsets is None else np.frombuffer(offsets, np.int32)
        edges = edges[whole.offset : whole.offset + len(whole) + 1].astype(np.int64)
        address = edges[:-1] + (0 if data is None else data.address)
        length: npt.NDArray[np.int64] = np.diff(edges)
        bits = checksums(address, length) if len(whole) else np.zeros(0, np.uint64)
    else:
        if pa.types.is_timestamp(kind):
            whole = whole.cast(pa.int64())
        elif pa.types.is_boolean(kind):
            whole = whole.cast(pa.int8())
        numbers = whole.fill_null(0).to_numpy(zero_copy_only=False)
        wide = numbers.astype(np.float64 if numbers.dtype.kind == "f" else np.int64)
        bits = wide.view(np.uint64)
    # NULL is no value: not 0, and not the empty text.
    values: UInt64 = np.where(missing, np.uint64(0x5555555555555555), bits)
    return values
