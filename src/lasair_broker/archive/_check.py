"""Comparing what the archive holds with itself."""

# Names in statements are the schema's own, values are numbers or parameters:
# ruff: noqa: S608

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from lasair_broker.packets import CUTOUTS, band_codes
from lasair_broker.schema import TABLES, quoted

from . import _ledger as _hashing
from ._light_curves import CURVES, CurveTable
from ._reading import Reading, one_row
from .packs import PackReader
from .records import Finding, Progress

__all__ = ["check"]

_KEYS = {"alerts": ("survey", "diaSourceId", "pack", "packOffset"), "cutouts": ("diaSourceId", "pack")}
"""Keys other than the primary key: a file may be read twice under one name."""


def check(reading: Reading, packs: PackReader, progress: Progress | None) -> list[Finding]:
    """All that is wrong, as one reader sees it."""
    steps: list[tuple[str, Callable[[], Iterator[Finding]]]] = [
        ("doubles", lambda: _doubles(reading)),
        *((names.table, partial(_ledger, reading, names)) for names in CURVES),
        ("objects", lambda: _objects(reading)),
        ("pointers", lambda: _pointers(reading)),
        ("packs", lambda: _packs(reading, packs)),
    ]
    findings: list[Finding] = []
    for number, (name, step) in enumerate(steps):
        if progress is not None:
            progress(name, number / len(steps))
        findings.extend(step())
    if progress is not None:
        progress("done", 1.0)
    return findings


def _doubles(reading: Reading) -> Iterator[Finding]:
    for name, definition in TABLES.items():
        key = ", ".join(map(quoted, _KEYS.get(name, definition.primary_key)))
        (doubles,) = one_row(
            reading,
            f"SELECT count(*) FROM (SELECT 1 FROM {quoted(name)} GROUP BY {key} HAVING count(*) > 1) d",
        )
        if doubles:
            yield Finding("error", name, f"{doubles} keys ({key}) stand more than once")


def _ledger(reading: Reading, names: CurveTable) -> Iterator[Finding]:
    """The ledger's counts and hashes against the rows themselves."""
    name, key = names.table, names.id
    ledger = reading.table(
        f'SELECT "diaObjectId", {quoted(names.count)} AS n, {quoted(names.total)} AS h '
        'FROM object_ledger ORDER BY "diaObjectId"'
    )
    ids = ledger.column("diaObjectId").to_numpy()
    rows = np.zeros(len(ids), np.int64)
    sums = np.zeros(len(ids), np.uint64)
    strangers = 0
    columns = ("midpointMjdTai", "band") if key is None else (key, "timeWithdrawnMjdTai")
    listed = ", ".join(map(quoted, ("diaObjectId", *columns)))
    for batch in reading.batches(f"SELECT {listed} FROM {quoted(name)}"):
        if not batch.num_rows:
            continue
        objects = batch.column(0).to_numpy()
        place = np.searchsorted(ids, objects)
        found = place < len(ids)
        found[found] = ids[place[found]] == objects[found]
        strangers += int((~found).sum())
        rows += np.bincount(place[found], minlength=len(ids))
        np.add.at(sums, place[found], _hashes(batch, key)[found])
    if strangers:
        yield Finding("error", name, f"{strangers} rows belong to objects that the ledger does not know")
    noted = ledger.column("n").fill_null(0).to_numpy()
    noted_sums = ledger.column("h").fill_null(0).to_numpy().view(np.uint64)
    for wrong, what in (
        (rows != noted, "have not as many rows as the ledger says"),
        ((rows == noted) & (sums != noted_sums), "have other rows than the ledger says"),
    ):
        if wrong.any():
            yield Finding("error", name, f"{int(wrong.sum())} objects {what}, {ids[wrong][0]} for one")


def _hashes(batch: pa.RecordBatch, key: str | None) -> npt.NDArray[np.uint64]:
    if key is not None:
        return _hashing.row_hashes(batch.column(1).to_numpy(), batch.column(2).to_numpy(zero_copy_only=False))
    bands = batch.column(2).dictionary_encode()
    codes = band_codes(bands.dictionary.to_pylist())[bands.indices.to_numpy()]
    keys = _hashing.limit_keys(batch.column(1).to_numpy(), codes)
    return _hashing.row_hashes(keys, np.full(len(keys), np.nan))


def _objects(reading: Reading) -> Iterator[Finding]:
    """Objects, ledger and light curves agree on which objects there are, and where."""
    for left, right in (("objects", "object_ledger"), ("object_ledger", "objects")):
        missing, example = one_row(
            reading,
            f'SELECT count(*), min("diaObjectId") AS example FROM {left} l WHERE NOT EXISTS '
            f'(SELECT 1 FROM {right} r WHERE r."diaObjectId" = l."diaObjectId")',
        )
        if missing:
            yield Finding("error", left, f"{missing} objects are not in {right}, {example} for one")
    for name in ("objects", *(names.table for names in CURVES)):
        moved, example = one_row(
            reading,
            f'SELECT count(*), min(t."diaObjectId") AS example FROM {quoted(name)} t '
            'JOIN object_ledger l USING ("diaObjectId") WHERE t."healpix29" <> l."healpix29"',
        )
        if moved:
            yield Finding(
                "error", name, f"{moved} rows lie in another cell than their object, {example} for one"
            )


def _packs(reading: Reading, packs: PackReader) -> Iterator[Finding]:
    """The packs on disk against what was committed, and every datum against its checksum."""
    noted = reading.table("SELECT pack, length FROM archive_packs").to_pylist()
    committed = {row["pack"]: row["length"] for row in noted}
    sizes = packs.sizes()
    for pack, length in sorted(committed.items()):
        if length == 0:
            yield Finding("warning", pack, "nothing of it counts; lasair archive tidy removes it")
            continue
        if pack not in sizes:
            yield Finding("error", pack, f"the pack is missing; it had {length} bytes")
            continue
        if sizes[pack] < length:
            yield Finding(
                "error", pack, f"the pack has lost its end: {sizes[pack]} of {length} bytes are left"
            )
        elif sizes[pack] > length:
            yield Finding("warning", pack, f"{sizes[pack] - length} bytes at its end were never committed")
        yield from _datums(reading, packs, pack, min(length, sizes[pack]))
    for pack in sorted(set(sizes) - set(committed)):
        what = "left by a crash, or newer than the back-up that the archive was restored from"
        yield Finding("warning", pack, f"no alert is known in this pack of {sizes[pack]} bytes: {what}")


def _datums(reading: Reading, packs: PackReader, pack: str, length: int) -> Iterator[Finding]:
    """The datums of a pack, one by one, against their checksums and the rows that point to them."""
    found = [frame for frame in packs.frames(pack) if frame.end <= length]
    end = found[-1].end if found else 0
    if end < length:
        yield Finding("error", pack, f"from byte {end} on there are no readable frames, up to {length}")
    damaged = sum(len(packs.damaged(pack, frame)) for frame in found)
    if damaged:
        yield Finding("error", pack, f"{damaged} datums are not what was written")
    there = _places(
        np.concatenate([np.zeros(0, np.int64), *(frame.offset for frame in found)]),
        np.concatenate([np.zeros(0, np.int64), *(frame.length for frame in found)]),
    )
    mine = reading.table('SELECT "packOffset", "packLength" FROM alerts WHERE pack = $1', [pack])
    pointed = _places(mine.column(0).to_numpy(), mine.column(1).to_numpy())
    lost = int((~np.isin(pointed, there)).sum())
    orphans = int((~np.isin(there, pointed)).sum())
    if lost:
        yield Finding("error", pack, f"{lost} alerts point to places where there is no datum")
    if orphans:
        yield Finding("warning", pack, f"{orphans} datums belong to no alert")


def _places(offset: npt.NDArray[np.int64], length: npt.NDArray[np.integer]) -> npt.NDArray[np.void]:
    """Offset and length of datums, each pair as one value that can be compared."""
    pairs = np.empty(len(offset), [("offset", np.int64), ("length", np.int64)])
    pairs["offset"], pairs["length"] = offset, length
    return pairs


def _pointers(reading: Reading) -> Iterator[Finding]:
    """Alerts and images point to packs and schemas that the archive has, and images into their alert."""
    images = ", ".join(f'c."cutout{which}Offset"' for which in CUTOUTS)
    for what, sql in (
        (
            "alerts point to a pack that was never committed",
            "SELECT count(*) FROM alerts a WHERE pack IS NOT NULL "
            "AND NOT EXISTS (SELECT 1 FROM archive_packs p WHERE p.pack = a.pack)",
        ),
        (
            "alerts have a schema that is not there",
            'SELECT count(*) FROM alerts a WHERE "schemaFingerprint" IS NOT NULL '
            'AND NOT EXISTS (SELECT 1 FROM avro_schemas s WHERE s.fingerprint = a."schemaFingerprint")',
        ),
        (
            "detections have images but no alert around them",
            "SELECT count(*) FROM cutouts c WHERE NOT EXISTS (SELECT 1 FROM alerts a "
            'WHERE a."diaSourceId" = c."diaSourceId" AND a.pack = c.pack '
            f'AND coalesce({images}, a."packOffset") '
            'BETWEEN a."packOffset" AND a."packOffset" + a."packLength")',
        ),
    ):
        (wrong,) = one_row(reading, sql)
        if wrong:
            yield Finding("error", what.split()[0], f"{wrong} {what}")
