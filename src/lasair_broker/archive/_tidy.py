"""Keeping packets and their images for as long as an installation says, and no longer.

A pack that is due is written anew without what is not kept any more; the rows that point into it are moved in
one transaction, and then the old one is removed. An image is taken out of a packet as its bytes lie there:
Avro writes the length before the bytes, so that length 0 in their place leaves a packet that any reader of
its schema understands, with an empty image.
"""

# Names in statements are the schema's own, and of packs, which have been checked:
# ruff: noqa: S608

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from lasair_broker.packets import CUTOUTS

from .errors import ArchiveCorruptError
from .interface import Archive
from .packs import PackReader, PackWriter, night_of
from .records import Progress

__all__ = ["Retention", "Tidied", "tidy_archive"]

Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]

_PIECE_BYTES = 64 * 1024**2
_MOVED_ALERTS = pa.schema(
    [
        ("diaSourceId", pa.int64()),
        ("packOffset", pa.int64()),
        ("movedPack", pa.string()),
        ("movedOffset", pa.int64()),
        ("movedLength", pa.int32()),
    ]
)
_MOVED_CUTOUTS = pa.schema(
    [("diaSourceId", pa.int64()), ("movedPack", pa.string())]
    + [(f"cutout{which}Offset", pa.int64()) for which in CUTOUTS]
)


@dataclass(frozen=True, slots=True)
class Retention:
    """How many days images, and packets with all that is in them, are kept, by survey; others are kept."""

    images: Mapping[str, float]
    alerts: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Tidied:
    """What was done: alerts and sets of images that are kept no more, bytes freed, and the packs that could
    not be read, with the reasons."""

    alerts: int
    images: int
    bytes: int
    failed: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Pack:
    """A pack's alerts, in the order in which they lie there, and its images."""

    name: str
    alerts: pa.Table
    cutouts: pa.Table
    drop: Bool
    strip: Bool


def tidy_archive(archive: Archive, keep: Retention, mjd: float, progress: Progress | None = None) -> Tidied:
    """Take out of the packs what is older than it is kept. Broken off, the next call goes on.

    The age of an alert is that of its pack, whose name tells the night in which it was written.

    Parameters
    ----------
    archive
        The archive; others may write to it meanwhile.
    keep
        For how long what is kept.
    mjd
        Now, MJD in days.
    progress
        Is told how far it is.
    """
    packs = archive.packs()
    archive.remove_packs([name for name, length in packs.lengths.items() if length == 0])
    alerts = images = freed = 0
    failed: dict[str, str] = {}
    due = _due(archive, packs.lengths, keep, mjd)
    with closing(packs.place.reader()) as reader:
        for number, name in enumerate(due):
            if progress is not None:
                progress(name, number / len(due))
            pack = _pack(archive, name, keep, mjd)
            if not (pack.drop.any() or pack.strip.any()):
                continue
            try:
                lengths = _move(archive, pack, reader, packs.place.writer({}, 1 << 62))
            except ArchiveCorruptError as error:
                failed[name] = str(error)
                continue
            archive.remove_packs([name])
            alerts += int(pack.drop.sum())
            images += int((pack.strip | pack.drop)[_alert_of(pack)].sum())
            freed += packs.lengths[name] - sum(lengths.values())
    if progress is not None:
        progress("done", 1.0)
    return Tidied(alerts, images, freed, failed)


def _due(archive: Archive, lengths: Mapping[str, int], keep: Retention, mjd: float) -> list[str]:
    """The packs that may have something that is not kept any more, oldest first."""
    due: set[str] = set()
    if keep.alerts:
        before = mjd - min(keep.alerts.values())
        due |= {name for name, length in lengths.items() if length and _written(name) < before}
    if keep.images:
        before = mjd - min(keep.images.values())
        names = archive.query("SELECT DISTINCT pack FROM cutouts", max_rows=None, timeout=None)
        due |= {name for name in names.column("pack").to_pylist() if _written(name) < before}
    return sorted(due)


def _written(pack: str) -> float:
    """The end of the night in which a pack was written, MJD; far in the future if its name does not say."""
    return night_of(pack) + 1.5


def _pack(archive: Archive, name: str, keep: Retention, mjd: float) -> _Pack:
    alerts = archive.query(
        'SELECT "diaSourceId", survey, "schemaFingerprint", "packOffset", "packLength" FROM alerts '
        f"WHERE pack = '{name}' ORDER BY \"packOffset\"",
        max_rows=None,
        timeout=None,
    )
    places = ", ".join(f'c."cutout{which}{what}"' for which in CUTOUTS for what in ("Offset", "Length"))
    cutouts = archive.query(
        f'SELECT DISTINCT "diaSourceId", {places} FROM cutouts c '
        f"JOIN alerts a USING (\"diaSourceId\") WHERE a.pack = '{name}' AND c.pack = '{name}'",
        max_rows=None,
        timeout=None,
    )
    age = mjd - _written(name)
    surveys = np.array(alerts.column("survey").to_pylist(), np.str_)

    def older(limits: Mapping[str, float]) -> Bool:
        return np.isin(surveys, [survey for survey, days in limits.items() if age > days])

    pack = _Pack(name, alerts, cutouts, drop=older(keep.alerts), strip=older(keep.images))
    has_images = np.zeros(alerts.num_rows, np.bool_)
    has_images[_alert_of(pack)] = True
    return _Pack(name, alerts, cutouts, pack.drop, pack.strip & has_images & ~pack.drop)


def _alert_of(pack: _Pack) -> Int64:
    """The alert in which each row of images lies."""
    if not pack.cutouts.num_rows:
        return np.zeros(0, np.int64)
    offsets = np.stack([_numbers(pack.cutouts, f"cutout{which}Offset") for which in CUTOUTS])
    begin: Int64 = pack.alerts.column("packOffset").to_numpy()
    place: Int64 = np.searchsorted(begin, offsets.max(axis=0), side="right") - 1
    return place


def _numbers(rows: pa.Table, name: str) -> Int64:
    """An integer column, -1 for NULL."""
    filled: Int64 = rows.column(name).cast(pa.int64()).fill_null(-1).to_numpy()
    return filled


def _move(archive: Archive, pack: _Pack, reader: PackReader, writer: PackWriter) -> dict[str, int]:
    """Write the pack anew, and let all that points into it point there; the packs written, with their
    lengths."""
    damaged = sum(len(reader.damaged(pack.name, frame)) for frame in reader.frames(pack.name))
    if damaged:
        raise ArchiveCorruptError(f"{damaged} alerts in pack {pack.name} are not what was written")
    memory = reader.map(pack.name)
    lengths: dict[str, int] = {}
    alerts, cutouts = [_MOVED_ALERTS.empty_table()], [_MOVED_CUTOUTS.empty_table()]
    with closing(writer):
        try:
            for first, stop in _pieces(pack):
                moved, images, extent = _write(pack, memory, first, stop, writer)
                alerts.append(moved)
                cutouts.append(images)
                lengths.update(extent)
        except BaseException:
            writer.rollback({})
            raise
        # From here on the new packs stay: a connection that is lost may have committed.
        writer.commit()
        archive.move_alerts(pack.name, pa.concat_tables(alerts), pa.concat_tables(cutouts), lengths)
    return lengths


def _pieces(pack: _Pack) -> Iterator[tuple[int, int]]:
    """Runs of alerts of one schema that are small enough to be in memory."""
    fingerprint = pack.alerts.column("schemaFingerprint").to_numpy()
    part = np.cumsum(pack.alerts.column("packLength").to_numpy().astype(np.int64)) // _PIECE_BYTES
    ends = np.flatnonzero((np.diff(fingerprint) != 0) | (np.diff(part) != 0)) + 1
    yield from pairwise([0, *ends.tolist(), pack.alerts.num_rows])


def _write(
    pack: _Pack, memory: npt.NDArray[np.uint8], first: int, stop: int, writer: PackWriter
) -> tuple[pa.Table, pa.Table, dict[str, int]]:
    """Write a run of alerts anew: where they lie now, where their images do, and the pack's new length."""
    alerts = pack.alerts.slice(first, stop - first)
    offset = alerts.column("packOffset").to_numpy()
    length = alerts.column("packLength").to_numpy().astype(np.int64)
    if int((offset + length).max()) > len(memory):
        raise ArchiveCorruptError(f"pack {pack.name} has lost its end")
    alert_of = _alert_of(pack)
    mine = (alert_of >= first) & (alert_of < stop)
    cutouts, alert_of = pack.cutouts.filter(pa.array(mine)), alert_of[mine]

    gone = pack.drop[first:stop]
    cuts = sorted(_cuts(cutouts.filter(pa.array(pack.strip[alert_of])), memory, pack.name))
    content, moved = _without(memory, cuts, offset[~gone], length[~gone])

    kept = np.flatnonzero(~gone)
    extent: dict[str, int] = {}
    packs = np.full(len(offset), None, object)
    places, sizes = np.zeros(len(offset), np.int64), np.zeros(len(offset), np.int32)
    if len(kept):
        buffer = np.frombuffer(content, np.uint8)
        night = int(_written(pack.name) - 1.5)
        place = writer.reserve(moved.length, night + 0.75)
        fingerprint = int(alerts.column("schemaFingerprint")[0].as_py())
        writer.write(place, buffer.ctypes.data + moved.begin, moved.length, fingerprint)
        extent[place.pack] = place.end
        packs[kept], places[kept], sizes[kept] = place.pack, place.offset, moved.length
    columns = {
        "diaSourceId": alerts.column("diaSourceId"),
        "packOffset": pa.array(offset),
        "movedPack": pa.array(packs, pa.string()),
        "movedOffset": pa.array(places, mask=gone),
        "movedLength": pa.array(sizes, mask=gone),
    }

    stay = ~(pack.strip | pack.drop)[alert_of]
    staying, of = cutouts.filter(pa.array(stay)), alert_of[stay] - first
    images = {
        "diaSourceId": staying.column("diaSourceId"),
        "movedPack": pa.array(packs[of], pa.string()),
    }
    for which in CUTOUTS:
        was = _numbers(staying, f"cutout{which}Offset")
        images[f"cutout{which}Offset"] = pa.array(places[of] + was - offset[of], mask=was < 0)
    return pa.table(columns, schema=_MOVED_ALERTS), pa.table(images, schema=_MOVED_CUTOUTS), extent


def _cuts(cutouts: pa.Table, memory: npt.NDArray[np.uint8], pack: str) -> list[tuple[int, int]]:
    """The bytes of the pack in the place of which comes length 0: images with their lengths."""
    cuts = []
    for which in CUTOUTS:
        offsets = _numbers(cutouts, f"cutout{which}Offset").tolist()
        sizes = _numbers(cutouts, f"cutout{which}Length").tolist()
        for offset, size in zip(offsets, sizes, strict=True):
            if offset < 0 or size == 0:
                continue
            said = _avro_long(size)
            if memory[offset - len(said) : offset].tobytes() != said:
                raise ArchiveCorruptError(f"pack {pack} has no image of {size} bytes at {offset}")
            cuts.append((offset - len(said), offset + size))
    return cuts


def _avro_long(value: int) -> bytes:
    """A number that is not negative as Avro writes it (zigzag, seven bits a byte)."""
    value <<= 1
    parts = bytearray()
    while value > 0x7F:
        parts.append(0x80 | (value & 0x7F))
        value >>= 7
    parts.append(value)
    return bytes(parts)


@dataclass(frozen=True, slots=True)
class _Datums:
    """Where datums begin in a buffer, and their lengths."""

    begin: Int64
    length: Int64


def _without(
    memory: npt.NDArray[np.uint8], cuts: list[tuple[int, int]], offset: Int64, length: Int64
) -> tuple[bytes, _Datums]:
    """The datums at some places of the memory, one after the other, with 0 in the place of each cut."""
    begin = np.array([cut[0] for cut in cuts], np.int64)
    pieces: list[bytes | memoryview] = []
    sizes = np.zeros(len(offset), np.int64)
    view = memory.data
    first = np.searchsorted(begin, offset)
    last = np.searchsorted(begin, offset + length)
    for number, (start, size) in enumerate(zip(offset.tolist(), length.tolist(), strict=True)):
        position = start
        for low, high in cuts[first[number] : last[number]]:
            pieces += [view[position:low], b"\0"]
            sizes[number] += low - position + 1
            position = high
        pieces.append(view[position : start + size])
        sizes[number] += start + size - position
    return b"".join(pieces), _Datums(np.cumsum(sizes) - sizes, sizes)
