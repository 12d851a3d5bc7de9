"""The tables as Parquet files."""

# Names in statements are the schema's own, values are numbers or parameters:
# ruff: noqa: S608

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from lasair_broker.schema import TABLES, arrow_schema, quoted, table

from ._reading import Reading, column_list
from .records import Progress

__all__ = ["export_parquet"]

_FILE_ROWS = 2_000_000
_CELLS_ORDER_1 = 48
_SHIFT_ORDER_1 = 2 * (29 - 1)


def export_parquet(
    reading: Reading, folder: Path, tables: Sequence[str] | None, progress: Progress | None
) -> dict[str, int]:
    """Write tables as ``folder/TABLE/*.parquet``; the rows of each.

    Tables with `healpix29` go into one folder a HEALPix cell of order 1 (``Norder=1/Npix=N``), in order of
    the sky, the others into files of two million rows. A file appears under its name only when it is whole,
    and all tables are read as they are at one moment, so that they fit together.
    """
    names = list(TABLES) if tables is None else [table(name).name for name in tables]
    written: dict[str, int] = {}
    for number, name in enumerate(names):
        if progress is not None:
            progress(name, number / len(names))
        written[name] = _export(reading, folder / name, name)
    if progress is not None:
        progress("done", 1.0)
    return written


def _export(reading: Reading, folder: Path, name: str) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    select = f"SELECT {column_list(name)} FROM {quoted(name)}"
    if "healpix29" not in TABLES[name].by_name:
        order = f" ORDER BY {', '.join(map(quoted, TABLES[name].primary_key))}"
        return _write(reading, select + order, folder, name, _FILE_ROWS)
    rows = 0
    order = ", ".join(map(quoted, dict.fromkeys(["healpix29", *TABLES[name].primary_key])))
    for cell in range(_CELLS_ORDER_1):
        low, high = cell << _SHIFT_ORDER_1, (cell + 1) << _SHIFT_ORDER_1
        within = f' WHERE "healpix29" >= {low} AND "healpix29" < {high} ORDER BY {order}'
        rows += _write(reading, select + within, folder / "Norder=1" / f"Npix={cell}", name, _FILE_ROWS)
    return rows


def _write(reading: Reading, sql: str, folder: Path, name: str, file_rows: int) -> int:
    """Write the result of a SELECT as files of about `file_rows` rows; the rows written."""
    rows = number = 0
    writer: pq.ParquetWriter | None = None
    path = part = folder
    in_file = 0
    try:
        for batch in reading.batches(sql):
            if batch.num_rows == 0:
                continue
            if writer is None:
                folder.mkdir(parents=True, exist_ok=True)
                path = folder / f"part-{number:05d}.parquet"
                part = path.with_suffix(".partial")
                writer = pq.ParquetWriter(
                    part, arrow_schema(name), compression="zstd", use_dictionary=_texts(name)
                )
            writer.write_table(pa.Table.from_batches([batch]).cast(arrow_schema(name)))
            rows += batch.num_rows
            in_file += batch.num_rows
            if in_file >= file_rows:
                writer.close()
                part.replace(path)
                writer, number, in_file = None, number + 1, 0
        if writer is not None:
            writer.close()
            part.replace(path)
            writer = None
    finally:
        if writer is not None:
            writer.close()
            part.unlink(missing_ok=True)
    return rows


def _texts(name: str) -> list[str]:
    """Columns worth a dictionary; on measured numbers it costs time and room."""
    return [field.name for field in arrow_schema(name) if pa.types.is_string(field.type)]
