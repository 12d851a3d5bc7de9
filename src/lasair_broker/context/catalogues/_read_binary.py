"""Catalogues as Parquet, FITS and VOTable."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from lasair_broker.context.catalogues._source import CHUNK_ROWS, Chunk
from lasair_broker.context.catalogues.errors import CatalogueError

__all__ = ["FitsReader", "ParquetReader", "VOTableReader"]


class ParquetReader:
    """Reads a Parquet file, only the columns asked for."""

    places = "row"
    units: Mapping[str, str] = {}

    def __init__(self, stream: Any, shown: str) -> None:
        self._shown = shown
        try:
            self._file = pq.ParquetFile(stream)
        except (pa.ArrowInvalid, OSError) as error:
            raise CatalogueError(f"{shown} is no whole Parquet file ({error}); fetch it again") from None

    @property
    def columns(self) -> list[str]:
        """Names of all columns."""
        return list(self._file.schema_arrow.names)

    def chunks(self, columns: list[str], at: int, row: int) -> Iterator[Chunk]:
        """Chunks from row `at`."""
        total = self._file.metadata.num_rows
        first = 0
        for k in range(self._file.num_row_groups):
            rows = self._file.metadata.row_group(k).num_rows
            if first + rows > at:
                # A group at a time, so that chunks are cut alike wherever reading begins.
                for batch in self._batches(k, columns, first):
                    after = first + batch.num_rows
                    if after > at:
                        batch = batch.slice(max(at - first, 0))
                        table = pa.Table.from_batches([batch])
                        yield Chunk(table, after - batch.num_rows + 1, after, after + 1, after / total)
                    first = after
            else:
                first += rows

    def _batches(self, group: int, columns: list[str], first: int) -> Iterator[pa.RecordBatch]:
        try:
            yield from self._file.iter_batches(CHUNK_ROWS, [group], columns)
        except (pa.ArrowInvalid, OSError) as error:
            raise CatalogueError(f"{self._shown}, after row {first}: {error}; fetch it again") from None


class FitsReader:
    """Reads the first binary or ASCII table of a FITS file, mapped."""

    places = "row"

    def __init__(self, path: Path, shown: str) -> None:
        from astropy.io import fits  # takes a second to import

        self._shown = shown
        try:
            self._file = fits.open(path, memmap=True, lazy_load_hdus=True)
            tables = (hdu for hdu in self._file if isinstance(hdu, fits.BinTableHDU | fits.TableHDU))
            hdu = next(tables, None)
        except (OSError, ValueError, TypeError) as error:
            raise CatalogueError(
                f"{shown} is no FITS file that can be read: {error}; fetch it again"
            ) from None
        if hdu is None:
            raise CatalogueError(f"{shown} holds no table, only images")
        self._hdu, header = hdu, hdu.header
        needed = hdu.fileinfo()["datLoc"] + header["NAXIS1"] * header["NAXIS2"]
        found = path.stat().st_size
        if found < needed:
            raise CatalogueError(
                f"{shown} is cut off: it has {found:,} bytes, its table of {header['NAXIS2']:,} rows needs "
                f"{needed:,}; fetch it again"
            )
        self._columns = self._hdu.columns

    @property
    def columns(self) -> list[str]:
        """Names of all columns."""
        return list(self._columns.names)

    @property
    def units(self) -> Mapping[str, str]:
        """What TUNIT says."""
        return {column.name: column.unit for column in self._columns if column.unit}

    def chunks(self, columns: list[str], at: int, row: int) -> Iterator[Chunk]:
        """Chunks from row `at`."""
        total = self._hdu.header["NAXIS2"]
        data = self._hdu.data
        while at < total:
            some = data[at : at + CHUNK_ROWS]
            arrays = {}
            for name in columns:
                values = np.asarray(some.field(name))
                arrays[name] = _arrow(values, _fits_null(values, self._columns[name]), self._shown, name)
            after = at + len(some)
            yield Chunk(pa.table(arrays), at + 1, after, after + 1, after / total)
            at = after


def _fits_null(values: npt.NDArray[Any], column: Any) -> npt.NDArray[np.bool_] | None:
    # An empty TNULL comes as an empty string.
    if values.dtype.kind in "iu" and column.null not in (None, ""):
        null: npt.NDArray[np.bool_] = values == column.null
        return null
    return None


class VOTableReader:
    """Reads the first table of a VOTable, any serialisation. The whole table is held in memory."""

    places = "row"

    def __init__(self, path: Path, shown: str) -> None:
        import warnings

        from astropy.io import votable
        from astropy.utils.exceptions import AstropyWarning

        self._shown = shown
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", AstropyWarning)  # archives rarely keep to the letter
                self._table = votable.parse_single_table(path, verify="ignore")
        # Broken XML, broken numbers and broken base64 each raise errors of another kind.
        except Exception as error:
            raise CatalogueError(f"{shown} is no whole VOTable: {error}; fetch it again") from None

    @property
    def columns(self) -> list[str]:
        """Names of all columns, or ids of those without a name."""
        return [field.name or field.ID for field in self._table.fields]

    @property
    def units(self) -> Mapping[str, str]:
        """What the fields state."""
        return {field.name or field.ID: str(field.unit) for field in self._table.fields if field.unit}

    def chunks(self, columns: list[str], at: int, row: int) -> Iterator[Chunk]:
        """Chunks from row `at`."""
        data = self._table.array
        ids = {field.name or field.ID: field.ID for field in self._table.fields}
        while at < len(data):
            some = slice(at, min(at + CHUNK_ROWS, len(data)))
            arrays = {}
            for name in columns:
                column = data[ids[name]][some]
                mask = np.ma.getmaskarray(column)
                arrays[name] = _arrow(np.asarray(column.data), mask, self._shown, name)
            yield Chunk(pa.table(arrays), at + 1, some.stop, some.stop + 1, some.stop / len(data))
            at = some.stop


def _arrow(values: npt.NDArray[Any], mask: npt.NDArray[np.bool_] | None, shown: str, name: str) -> pa.Array:
    if values.ndim != 1:
        raise CatalogueError(f"{shown}, column {name}: holds {values.shape[1:]} values a row, not one")
    if values.dtype.kind == "S":
        values = np.char.decode(values, "latin-1")
    if values.dtype.kind in "iufb":
        values = values.astype(values.dtype.newbyteorder("="))
        return pa.array(values, mask=mask)
    text = [
        None if gone or value is None else str(value)
        for value, gone in zip(values, _all(mask, values), strict=True)
    ]
    return pa.array(text, pa.string())


def _all(mask: npt.NDArray[np.bool_] | None, values: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    return np.zeros(len(values), np.bool_) if mask is None else mask
