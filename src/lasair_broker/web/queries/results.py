"""The results of background queries: files of Parquet that are removed after a time.

A file is named after the number of its job, and never after what a user wrote.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from lasair_broker.settings import load
from lasair_broker.web._database import data_folder
from lasair_broker.web.errors import NotFound

_ROWS_IN_GROUP = 10_000
"""So that a page of a result is read without the rest of it."""


def folder() -> Path:
    """Where results lie: the setting site.results, else beside the embedded archive."""
    chosen = load().site.results
    if chosen is not None:
        return chosen
    data = data_folder()
    return Path("lasair-results") if data is None else data / "results"


def keep(job: int, rows: pa.Table, columns: Sequence[Mapping[str, Any]]) -> int:
    """Keep the result of a job, in place of an earlier one; tells its bytes."""
    place = folder()
    place.mkdir(parents=True, exist_ok=True)
    unfinished = place / f".{secrets.token_hex(8)}.parquet"
    try:
        pq.write_table(
            _described(rows, columns), unfinished, compression="zstd", row_group_size=_ROWS_IN_GROUP
        )
        size = unfinished.stat().st_size
        os.replace(unfinished, _file(job))  # noqa: PTH105 - over one that is there, on every system
    finally:
        unfinished.unlink(missing_ok=True)
    return size


def rows_of(job: int, first: int = 0, count: int | None = None) -> pa.Table:
    """Rows of a result, from the number `first` on; None: all.

    Raises
    ------
    NotFound
        If the result is gone.
    """
    try:
        with pq.ParquetFile(_file(job)) as file:
            if count is None:
                return file.read().slice(first)
            groups: list[int] = []
            begun, before = 0, 0
            for group in range(file.num_row_groups):
                held = file.metadata.row_group(group).num_rows
                if begun + held > first and begun < first + count:
                    before = begun if not groups else before
                    groups.append(group)
                begun += held
            return file.read_row_groups(groups).slice(first - before if groups else 0, count)
    except FileNotFoundError:
        raise NotFound("the result of this query is no longer kept; run it again") from None


def answered_by(job: int) -> str:
    """By what the archive answered, where it chose another way than usual; else nothing."""
    try:
        metadata = pq.read_schema(_file(job)).metadata or {}
    except FileNotFoundError:
        return ""
    return str(metadata.get(b"answered_by", b"").decode())


def forget(job: int) -> None:
    """Remove a result, if there is one."""
    with suppress(OSError):
        _file(job).unlink(missing_ok=True)


def _file(job: int) -> Path:
    return folder() / f"{int(job)}.parquet"


def _described(rows: pa.Table, columns: Sequence[Mapping[str, Any]]) -> pa.Table:
    """With units, UCDs and descriptions in the metadata of the fields."""
    about = {column["name"]: column for column in columns}
    fields = []
    for field in rows.schema:
        known = about.get(field.name, {})
        kept = {name: str(known[name]) for name in ("unit", "ucd", "description") if known.get(name)}
        fields.append(field.with_metadata(kept) if kept else field)
    return rows.cast(pa.schema(fields, rows.schema.metadata))
