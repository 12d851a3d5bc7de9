"""The rows of watchlist versions: stored in blocks, with edits over them."""

from __future__ import annotations

import io
from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lasair_broker.sky import UPLOAD_SCHEMA
from lasair_broker.web.watchlists.models import WatchlistBlock, WatchlistEdit, WatchlistVersion

ROWS_PER_BLOCK = 20_000
STORED_SCHEMA = pa.schema([pa.field("cone_id", pa.int64(), nullable=False), *UPLOAD_SCHEMA])


def store(version: WatchlistVersion, rows: pa.Table) -> None:
    """Write rows (STORED_SCHEMA, cone_id ascending) as the blocks of a version without any."""
    blocks = []
    for start in range(0, rows.num_rows, ROWS_PER_BLOCK):
        part = rows.slice(start, ROWS_PER_BLOCK)
        out = io.BytesIO()
        pq.write_table(part, out, compression="zstd", use_dictionary=["radius", "notes"])
        ids = part["cone_id"]
        blocks.append(
            WatchlistBlock(
                version=version,
                first_cone_id=ids[0].as_py(),
                last_cone_id=ids[-1].as_py(),
                row_count=part.num_rows,
                parquet=out.getvalue(),
            )
        )
    WatchlistBlock.objects.bulk_create(blocks, batch_size=8)


def load(version: WatchlistVersion) -> pa.Table:
    """All rows of a version, edits included, in order of cone_id."""
    blocks = [_read(block.parquet) for block in version.blocks.all()]
    return _overlaid(pa.concat_tables([STORED_SCHEMA.empty_table(), *blocks]), version.edits.all())


def page(version: WatchlistVersion, after_cone_id: int, limit: int) -> pa.Table:
    """At most `limit` rows with a greater cone_id, in order: only the blocks that hold them are read."""
    rows = STORED_SCHEMA.empty_table()
    while True:
        block = version.blocks.filter(last_cone_id__gt=after_cone_id).first()
        last = block.last_cone_id if block else None
        edits = version.edits.filter(cone_id__gt=after_cone_id)
        if last is not None:
            edits = edits.filter(cone_id__lte=last)
        stored = _read(block.parquet) if block else STORED_SCHEMA.empty_table()
        stored = stored.filter(pc.greater(stored["cone_id"], after_cone_id))
        rows = pa.concat_tables([rows, _overlaid(stored, edits)])
        if rows.num_rows >= limit or last is None:
            return rows.slice(0, limit).combine_chunks()
        after_cone_id = last


def one(version: WatchlistVersion, cone_id: int) -> dict[str, object] | None:
    """The row of this number; None if there is none."""
    found = page(version, cone_id - 1, 1).to_pylist()
    return found[0] if found and found[0]["cone_id"] == cone_id else None


def named(version: WatchlistVersion, text: str, limit: int) -> pa.Table:
    """At most `limit` rows whose name holds `text`, in any case."""
    rows = load(version)
    return rows.filter(pc.match_substring(rows["name"], text, ignore_case=True)).slice(0, limit)


def keep_numbers(old: pa.Table, new: pa.Table, next_cone_id: int) -> tuple[pa.Table, int]:
    """Number uploaded rows: those whose name an old row has keep its cone_id, the others get new ones.

    A name that occurs several times is matched in order: the second of the new with the second of the old.

    Returns
    -------
    The rows in STORED_SCHEMA, cone_id ascending, and the next free number.
    """
    keys_old, keys_new = _occurrences(old["name"]), _occurrences(new["name"])
    place = pc.index_in(keys_new, keys_old)
    known = np.asarray(place.is_valid())
    ids = np.empty(new.num_rows, np.int64)
    ids[known] = old["cone_id"].to_numpy()[place.drop_null().to_numpy()]
    fresh = int((~known).sum())
    ids[~known] = np.arange(next_cone_id, next_cone_id + fresh)
    numbered = new.add_column(0, STORED_SCHEMA.field("cone_id"), pa.array(ids))
    return numbered.take(pa.array(np.argsort(ids))).combine_chunks(), next_cone_id + fresh


def _occurrences(names: pa.ChunkedArray) -> pa.Array:
    """Each name with the count of its earlier occurrences: distinct strings."""
    codes = np.asarray(names.combine_chunks().dictionary_encode().indices)
    order = np.argsort(codes, kind="stable")
    starts = np.flatnonzero(np.append(True, codes[order][1:] != codes[order][:-1])) if len(order) else order
    before = np.empty(len(codes), np.int64)
    before[order] = np.arange(len(codes)) - np.repeat(starts, np.diff(np.append(starts, len(codes))))
    return pc.binary_join_element_wise(pa.array(before).cast(pa.string()), names.combine_chunks(), ":")


def _read(parquet: bytes | memoryview) -> pa.Table:
    return pq.read_table(pa.BufferReader(bytes(parquet))).cast(STORED_SCHEMA)


def _overlaid(stored: pa.Table, edits: Iterable[WatchlistEdit]) -> pa.Table:
    """Rows with edits in their place."""
    changes = list(edits)
    if not changes:
        return stored.combine_chunks()
    touched = pa.array([e.cone_id for e in changes], pa.int64())
    kept = stored.filter(pc.invert(pc.is_in(stored["cone_id"], touched)))
    put = [
        {
            "cone_id": e.cone_id,
            "name": e.name,
            "ra": e.ra,
            "decl": e.decl,
            "radius": e.radius,
            "notes": e.notes,
        }
        for e in changes
        if not e.deleted
    ]
    both = pa.concat_tables([kept, pa.Table.from_pylist(put, STORED_SCHEMA)])
    return both.sort_by("cone_id").combine_chunks()
