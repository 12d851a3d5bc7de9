"""Tables as FITS binary tables, through astropy."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import pyarrow.compute as pc
from astropy.io import fits

__all__ = ["MEDIA_TYPE", "fits_table"]

MEDIA_TYPE = "application/fits"

_FORMATS = {
    pa.int8(): "I",
    pa.uint8(): "I",
    pa.int16(): "I",
    pa.uint16(): "J",
    pa.int32(): "J",
    pa.uint32(): "K",
    pa.int64(): "K",
    pa.float32(): "E",
    pa.float64(): "D",
}
_WHOLE: dict[str, npt.DTypeLike] = {"I": np.int16, "J": np.int32, "K": np.int64}


def fits_table(table: pa.Table, *, name: str = "result", more: bool = False) -> bytes:
    """A table as a FITS file with one binary table.

    A missing real number is NaN, a missing whole number TNULLn, a missing text empty. Truth values are T and
    F, or with missing ones the numbers 1, 0 and TNULLn. Units are TUNITn, UCDs TUCDn, descriptions TCOMMn.
    Binary columns are left out; texts are in ASCII, with ? for what that has not.

    Parameters
    ----------
    name, more
        As of `votable`; MORE in the header tells whether there are more rows.
    """
    columns, about = [], []
    for field, column in zip(table.schema, table.columns, strict=True):
        if pa.types.is_binary(field.type) or pa.types.is_large_binary(field.type):
            continue
        known = {key.decode(): value.decode() for key, value in (field.metadata or {}).items()}
        columns.append(_column(field, column, known.get("unit")))
        about.append(known)
    made = fits.BinTableHDU.from_columns(columns, nrows=table.num_rows, name="RESULT")
    made.header["OBJECT"] = _ascii(name)
    made.header["MORE"] = (more, "there are more rows than these")
    for number, known in enumerate(about, start=1):
        if known.get("ucd"):
            made.header[f"TUCD{number}"] = _ascii(known["ucd"])
        if known.get("description"):
            made.header[f"TCOMM{number}"] = _ascii(known["description"])[:68]
    out = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), made]).writeto(out)
    return out.getvalue()


def _column(field: pa.Field, column: pa.ChunkedArray, unit: str | None) -> fits.Column:
    missing = column.is_null().to_numpy()
    kind = field.type
    null: int | None = None
    values: Any
    if pa.types.is_boolean(kind) and not missing.any():
        form, values = "L", column.to_numpy()
    elif pa.types.is_boolean(kind):
        form, null = "I", -1
        values = np.where(missing, -1, column.fill_null(False).to_numpy()).astype(np.int16)
    elif pa.types.is_floating(kind):
        form, values = _FORMATS[kind], column.to_numpy()
    elif kind in _FORMATS:
        form = _FORMATS[kind]
        values = column.fill_null(0).to_numpy().astype(_WHOLE[form])
        if missing.any():
            null = _unused(values, missing)
            values[missing] = null
    else:
        values = np.array([_ascii(text) for text in _texts(column)], np.bytes_)
        form = f"{max(1, values.dtype.itemsize)}A"
    return fits.Column(
        name=field.name, format=form, unit=_ascii(unit) if unit else None, null=null, array=values
    )


def _unused(values: npt.NDArray[Any], missing: npt.NDArray[np.bool_]) -> int:
    """A number that stands nowhere in a column: the least of its type, or one near that."""
    null = int(np.iinfo(values.dtype).min)
    present = set(values[~missing & (values < null + len(values) + 1)].tolist())
    while null in present:
        null += 1
    return null


def _texts(column: pa.ChunkedArray) -> list[str]:
    if pa.types.is_timestamp(column.type):
        times = column.cast(pa.timestamp("us", column.type.tz))
        column = pc.strftime(times, format="%Y-%m-%dT%H:%M:%S")
    if pa.types.is_nested(column.type):
        return ["" if v is None else orjson.dumps(v).decode() for v in column.to_pylist()]
    found: list[str] = column.cast(pa.string()).fill_null("").to_pylist()
    return found


def _ascii(text: str) -> str:
    return "".join(c if " " <= c <= "~" else "?" for c in text)
