"""Watchlists as VOTable, FITS and Parquet."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from astropy.io import fits, votable
from astropy.table import Table

from lasair_broker.sky._watchlist_columns import Column, RawTable, UploadError, find_columns


def read_votable(data: bytes) -> RawTable:
    """The first table of a VOTable that has positions.

    Raises
    ------
    UploadError
        If it cannot be read or no table has positions.
    """
    try:
        document = votable.parse(io.BytesIO(data), verify="ignore")
        tables = [(t, t.to_table(use_names_over_ids=True)) for t in document.iter_tables() if len(t.fields)]
    except Exception as error:  # the parser raises whatever its many parts do
        raise UploadError(f"the VOTable cannot be read: {_first_line(error)}") from None
    candidates = []
    for declared, table in tables:
        by_name = {f.name: f for f in declared.fields}
        candidates.append(
            [
                Column(name, _arrow(table[name]), str(table[name].unit or ""), _ucd(by_name.get(name)))
                for name in table.colnames
                if table[name].ndim == 1
            ]
        )
    return _with_positions(candidates, "VOTable")


def read_fits(data: bytes) -> RawTable:
    """The first table of a FITS file that has positions.

    Raises
    ------
    UploadError
        If it cannot be read or no table has positions.
    """
    candidates = []
    try:
        with fits.open(io.BytesIO(data)) as hdus:
            for hdu in hdus:
                if isinstance(hdu, fits.BinTableHDU | fits.TableHDU):
                    table = Table.read(hdu)
                    candidates.append(
                        [
                            Column(name, _arrow(table[name]), str(table[name].unit or ""))
                            for name in table.colnames
                            if table[name].ndim == 1
                        ]
                    )
    except Exception as error:  # the parser raises whatever its many parts do
        raise UploadError(f"the FITS file cannot be read: {_first_line(error)}") from None
    return _with_positions(candidates, "FITS file")


def read_parquet(data: bytes, max_rows: int) -> RawTable:
    """The rows of a Parquet file; nested columns are left out.

    Raises
    ------
    UploadError
        If it cannot be read, or has more than `max_rows` rows.
    """
    try:
        file = pq.ParquetFile(pa.BufferReader(data))
        if file.metadata.num_rows > max_rows:
            raise UploadError(
                f"the file has {file.metadata.num_rows:,} rows; at most {max_rows:,} are allowed"
            )
        flat = [f.name for f in file.schema_arrow if not pa.types.is_nested(f.type)]
        table = file.read(columns=flat).combine_chunks()
        columns = []
        for field in table.schema:
            values = table[field.name]
            values = values.combine_chunks() if values.num_chunks != 1 else values.chunk(0)
            unit = (field.metadata or {}).get(b"unit", b"").decode(errors="replace")
            columns.append(Column(field.name, _plain(values), unit))
    except (pa.ArrowException, OSError) as error:
        raise UploadError(f"the Parquet file cannot be read: {_first_line(error)}") from None
    return RawTable(columns, np.arange(1, table.num_rows + 1))


def _with_positions(candidates: list[list[Column]], what: str) -> RawTable:
    if not candidates:
        raise UploadError(f"the {what} has no table")
    for columns in candidates:
        try:
            find_columns(columns)
        except UploadError:
            continue
        break
    else:
        columns = candidates[0]  # the caller may have chosen its columns
    return RawTable(columns, np.arange(1, (len(columns[0].values) if columns else 0) + 1))


def _arrow(column: Any) -> pa.Array:
    """An astropy column as text or float64, NULL where masked."""
    values = np.asarray(getattr(column, "data", column))
    mask = np.asarray(getattr(column, "mask", np.zeros(len(values), np.bool_)), np.bool_)
    values = np.asarray(values.filled() if isinstance(values, np.ma.MaskedArray) else values)
    if values.dtype.kind == "S":
        values = np.char.decode(values, "latin-1")
    if values.dtype.kind in "UO":
        return _plain(pa.array(values.astype(str), pa.string(), mask=mask))
    return _plain(pa.array(values.astype(values.dtype.newbyteorder("=")), mask=mask))


def _plain(values: pa.Array) -> pa.Array:
    """Text trimmed, with NULL for empty; integers as they are, for names; other numbers float64."""
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    if pa.types.is_large_string(values.type) or pa.types.is_binary(values.type):
        values = values.cast(pa.string())
    if pa.types.is_string(values.type):
        values = pc.utf8_trim_whitespace(values)
        return pc.if_else(pc.equal(values, ""), None, values)
    if pa.types.is_floating(values.type) or pa.types.is_decimal(values.type):
        return values.cast(pa.float64())
    return values


def _ucd(field: Any) -> str:
    return str(getattr(field, "ucd", None) or "")


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).strip().partition("\n")[0]
