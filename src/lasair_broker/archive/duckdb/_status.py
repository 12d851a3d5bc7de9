"""Counts and sizes."""

# Names in statements are the schema's own, values are numbers or parameters:
# ruff: noqa: S608

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lasair_broker.schema import TABLES, quoted

from ..records import ArchiveStatus, TableStatus
from ._streams import positions
from ._tables import SORTED, VERSION

__all__ = ["status"]


def status(connection: Any, path: Path, packs: Mapping[str, int]) -> ArchiveStatus:
    """State of the archive whose database is at `path`, with packs of the given sizes."""
    (block_bytes,) = connection.execute(
        "SELECT block_size FROM pragma_database_size() WHERE database_name = current_database()"
    ).fetchone()
    tables = {}
    for name in TABLES:
        parts = [f"{name}_sorted", f"{name}_recent"] if name in SORTED else [name]
        rows = [connection.execute(f"SELECT count(*) FROM {quoted(part)}").fetchone()[0] for part in parts]
        blocks = sum(
            connection.execute(
                f"SELECT count(DISTINCT block_id) FROM pragma_storage_info('{part}') WHERE persistent"
            ).fetchone()[0]
            for part in parts
        )
        recent = rows[1] if len(rows) > 1 else 0
        tables[name] = TableStatus(rows=sum(rows), recent_rows=recent, bytes=blocks * block_bytes)
    (newest_source,) = connection.execute("SELECT max(newestSourceMjdTai) FROM object_ledger").fetchone()
    (newest_alert,) = connection.execute("SELECT max(arrivedMjdTai) FROM alerts").fetchone()
    database_bytes = sum(file.stat().st_size for file in path.parent.glob(path.name + "*") if file.is_file())
    alerts = tables["alerts"].rows
    return ArchiveStatus(
        where=str(path.parent),
        engine="duckdb",
        version=VERSION,
        tables=tables,
        database_bytes=database_bytes,
        pack_bytes=sum(packs.values()),
        packs=len(packs),
        bytes_per_alert=(database_bytes + sum(packs.values())) / alerts if alerts else 0.0,
        positions=positions(connection),
        newestSourceMjdTai=newest_source,
        newestAlertMjdTai=newest_alert,
    )
