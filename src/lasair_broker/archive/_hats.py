"""Tables in HATS layout, which LSDB reads: Parquet files by adaptive HEALPix cells.

What is here follows the note "HATS: A Standard for the Hierarchical Adaptive Tiling Scheme in the Virtual
Observatory" (IVOA): ``hats.properties``, ``partition_info.csv`` and files
``dataset/Norder=…/Dir=…/Npix=….parquet``, each sorted by ``_healpix_29``, the cell of a row's own place.
"""

# Names in statements are the schema's own, values are numbers:
# ruff: noqa: S608

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from lasair_broker.schema import TABLES, arrow_schema, quoted
from lasair_broker.sky import healpix29

from ._reading import Reading, column_list
from .errors import ArchiveError
from .records import Progress

__all__ = ["HATS_TABLES", "export_hats"]

Int64 = npt.NDArray[np.int64]

HATS_TABLES = ("objects", "diaSources", "diaForcedSources")
"""The tables that have places on the sky and grow with the survey."""

_CELL = "_healpix_29"
_PARTITION_ROWS = 500_000
_MOST_ORDER = 8
_BUFFER_BYTES = 256 * 1024**2
_KINDS = {"objects": "object", "diaSources": "source", "diaForcedSources": "source"}


def export_hats(
    reading: Reading,
    folder: Path,
    midpointMjdTai: tuple[float, float] | None,
    progress: Progress | None,
    partition_rows: int = _PARTITION_ROWS,
) -> dict[str, int]:
    """Write HATS catalogues ``folder/TABLE``; the rows of each. One appears when it is whole.

    Rows without a place of their own are left out.

    Parameters
    ----------
    midpointMjdTai
        Only measurements in this half-open time range, and the objects that were detected in it; None for
        all.
    partition_rows
        A cell with more rows is divided into four, down to order 8.

    Raises
    ------
    ArchiveError
        If one of the catalogues is there already.
    """
    there = [str(folder / name) for name in HATS_TABLES if (folder / name).exists()]
    if there:
        raise ArchiveError(f"{there[0]} is there already: remove it first, or name another folder")
    written: dict[str, int] = {}
    for number, name in enumerate(HATS_TABLES):
        if progress is not None:
            progress(name, number / len(HATS_TABLES))
        part = folder / f"{name}.partial"
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        try:
            written[name] = _Catalogue(reading, name, part, _within(name, midpointMjdTai)).write(
                partition_rows
            )
            part.replace(folder / name)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    if progress is not None:
        progress("done", 1.0)
    return written


def _within(name: str, midpointMjdTai: tuple[float, float] | None) -> str:
    placed = '"ra" IS NOT NULL AND "decl" IS NOT NULL'
    if midpointMjdTai is None:
        return placed
    low, high = (f"CAST('{float(limit)!r}' AS double precision)" for limit in midpointMjdTai)
    night = f'"midpointMjdTai" >= {low} AND "midpointMjdTai" < {high}'
    if name == "objects":
        night = f'"diaObjectId" IN (SELECT "diaObjectId" FROM "diaSources" WHERE {night})'
    return f"{placed} AND {night}"


class _Catalogue:
    """One catalogue in the making: rows are gathered by cell in files, which are then sorted one by one."""

    def __init__(self, reading: Reading, name: str, folder: Path, within: str) -> None:
        self._reading = reading
        self._name = name
        self._folder = folder
        self._within = within
        fields = [field for field in arrow_schema(name) if field.name != _CELL]
        self._schema = pa.schema([pa.field(_CELL, pa.int64()), *fields])
        self._gathered: dict[int, list[pa.Table]] = {}
        self._held = self._spills = 0

    def write(self, partition_rows: int) -> int:
        counts = self._counts()
        cells = list(_partition(counts, partition_rows))
        starts = np.array([cell << (2 * (29 - order)) for order, cell in cells], np.int64)
        for rows in self._rows(column_list(self._name)):
            self._gather(rows, starts)
        self._spill()
        sizes = [self._finish(order, cell, number) for number, (order, cell) in enumerate(cells)]
        shutil.rmtree(self._folder / "gathered", ignore_errors=True)
        self._describe(cells, sizes)
        return sum(sizes)

    def _rows(self, columns: str) -> Iterator[pa.Table]:
        sql = f"SELECT {columns} FROM {quoted(self._name)} WHERE {self._within}"
        for batch in self._reading.batches(sql):
            if batch.num_rows:
                yield pa.Table.from_batches([batch])

    def _counts(self) -> Int64:
        """How many rows each cell of the highest order has."""
        counts = np.zeros(12 << (2 * _MOST_ORDER), np.int64)
        for rows in self._rows('"ra", "decl"'):
            cell = _cells(rows) >> (2 * (29 - _MOST_ORDER))
            counts += np.bincount(cell, minlength=len(counts))
        return counts

    def _gather(self, rows: pa.Table, starts: Int64) -> None:
        cell = _cells(rows)
        place = np.searchsorted(starts, cell, side="right") - 1
        order = np.argsort(place, kind="stable")
        rows = rows.cast(arrow_schema(self._name)).add_column(0, self._schema.field(0), pa.array(cell))
        rows = rows.take(pa.array(order))
        which, first = np.unique(place[order], return_index=True)
        for number, start, stop in zip(which, first, [*first[1:], len(order)], strict=True):
            self._gathered.setdefault(int(number), []).append(rows.slice(start, stop - start))
        self._held += rows.nbytes
        if self._held > _BUFFER_BYTES:
            self._spill()

    def _spill(self) -> None:
        """Bring what was gathered to the disk."""
        for number, tables in self._gathered.items():
            folder = self._folder / "gathered" / str(number)
            folder.mkdir(parents=True, exist_ok=True)
            pq.write_table(pa.concat_tables(tables), folder / f"{self._spills:05d}.parquet")
        self._gathered.clear()
        self._held = 0
        self._spills += 1

    def _finish(self, order: int, cell: int, number: int) -> int:
        """Write the rows of a cell, sorted."""
        folder = self._folder / "dataset" / f"Norder={order}" / f"Dir={cell // 10_000 * 10_000}"
        folder.mkdir(parents=True, exist_ok=True)
        gathered = self._folder / "gathered" / str(number)
        import pyarrow.dataset as ds  # brings pandas: a second, so only when something is exported

        rows = ds.dataset(gathered, schema=self._schema).to_table()
        rows = rows.take(np.argsort(rows.column(_CELL).to_numpy(), kind="stable"))
        pq.write_table(rows, folder / f"Npix={cell}.parquet", compression="zstd")
        shutil.rmtree(gathered)
        return int(rows.num_rows)

    def _describe(self, cells: list[tuple[int, int]], sizes: list[int]) -> None:
        lines = ["Norder,Npix,num_rows"]
        lines += [f"{order},{cell},{rows}" for (order, cell), rows in zip(cells, sizes, strict=True)]
        (self._folder / "partition_info.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
        data = self._folder / "dataset"
        data.mkdir(exist_ok=True)
        pq.write_metadata(self._schema, data / "_common_metadata")
        covered = sum(4.0**-order for order, _ in cells) / 12
        size = sum(path.stat().st_size for path in data.rglob("*.parquet"))
        properties = {
            "obs_collection": f"lasair_{self._name}",
            "obs_title": TABLES[self._name].description,
            "dataproduct_type": _KINDS[self._name],
            "hats_nrows": sum(sizes),
            "hats_max_rows": max(sizes, default=0),
            "hats_col_ra": "ra",
            "hats_col_dec": "decl",
            "hats_col_healpix": _CELL,
            "hats_col_healpix_order": 29,
            "hats_npix_suffix": ".parquet",
            "hats_order": max((order for order, _ in cells), default=0),
            "moc_sky_fraction": f"{covered:.7f}",
            "hats_estsize": -(-size // 1024),
            "hats_builder": "lasair",
            "hats_creation_date": f"{datetime.now(UTC):%Y-%m-%dT%H:%MUTC}",
            "hats_version": "v1.0",
        }
        text = "".join(f"{key}={value}\n" for key, value in properties.items())
        (self._folder / "hats.properties").write_text(text, encoding="utf-8")


def _cells(rows: pa.Table) -> Int64:
    return healpix29(rows.column("ra").to_numpy(), rows.column("decl").to_numpy())


def _partition(counts: Int64, most: int) -> Iterator[tuple[int, int]]:
    """The cells, as (order, cell) along the sky, that have rows, and no more than `most` if they may be
    divided."""

    def divided(order: int, cell: int) -> Iterator[tuple[int, int]]:
        shift = 2 * (_MOST_ORDER - order)
        rows = counts[cell << shift : (cell + 1) << shift].sum()
        if rows > most and order < _MOST_ORDER:
            for child in range(4 * cell, 4 * cell + 4):
                yield from divided(order + 1, child)
        elif rows:
            yield order, cell

    for base in range(12):
        yield from divided(0, base)
