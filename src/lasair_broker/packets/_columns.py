"""Decoded columns under canonical names: what a survey's fields become, computed when first asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

__all__ = [
    "BANDS",
    "Column",
    "Columns",
    "SourceColumns",
    "arrow_array",
    "band_codes",
    "finite",
    "floats_of",
    "to_dtype",
]

BANDS = ("u", "g", "r", "i", "z", "y")
"""The bands in order of wavelength; a band's place here is its code in kernels. -1 is any other band."""


# Microseconds since 1970. Engines have no dates beyond, so what lies there is corrupt and becomes NULL.
_YEAR_1 = -62_135_596_800_000_000
_YEAR_10000 = 253_402_300_800_000_000


class Column(NamedTuple):
    """One column: values, which of them are present (None: all), and for text the words that values index."""

    values: npt.NDArray[Any]
    valid: npt.NDArray[np.bool_] | None = None
    words: tuple[str, ...] | None = None


class Columns(Protocol):
    """A run of rows whose columns are got by name."""

    @property
    def num_rows(self) -> int:
        """Number of rows."""

    def column(self, name: str) -> Column | None:
        """Column `name`; None if this run does not have it."""


@dataclass(frozen=True, slots=True)
class SourceColumns:
    """One run of decoded rows: for each column its values and which of them are present (absent key: all).

    Text columns are dictionary codes (int8 or int32, -1 for NULL) with their words in `words`.
    """

    num_rows: int
    values: Mapping[str, npt.NDArray[Any]]
    valid: Mapping[str, npt.NDArray[np.bool_]]
    words: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def column(self, name: str) -> Column | None:
        """Column `name`; None if this run does not have it."""
        if name not in self.values:
            return None
        words = self.words.get(name)
        return Column(self.values[name], self.valid.get(name), None if words is None else tuple(words))


def band_codes(words: Sequence[str]) -> npt.NDArray[np.int8]:
    """The code of each band name in BANDS, -1 for others; one more -1 at the end, where code -1 points."""
    return np.array([BANDS.index(w) if w in BANDS else -1 for w in words] + [-1], np.int8)


def floats_of(table: pa.Table, name: str) -> npt.NDArray[np.float64]:
    """Numeric column `name` of a table as doubles with NaN for NULL; all NaN if the table has no such
    column."""
    if name not in table.column_names:
        return np.full(table.num_rows, np.nan)
    values: npt.NDArray[np.float64] = table.column(name).cast(pa.float64()).to_numpy(zero_copy_only=False)
    return values


def finite(values: npt.NDArray[Any], valid: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """`valid` without NaN and infinities: neither is a measurement, and engines compare them differently."""
    return valid & np.isfinite(values) if values.dtype.kind == "f" else valid


def to_dtype(
    values: npt.NDArray[Any], valid: npt.NDArray[np.bool_], dtype: np.dtype[Any]
) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_]]:
    """Values cast to `dtype`; what is not finite, or does not fit an integer, becomes absent."""
    valid = finite(values, valid)
    if values.dtype == dtype:
        return values, valid
    if dtype.kind == "i" and values.dtype.kind in "fiu":
        limits = np.iinfo(dtype)
        # A double cannot hold the largest int64: 2^63 itself is the first value that does not fit.
        fits = (values >= float(limits.min)) & (values < float(limits.max) + 1.0)
        valid = valid & fits
        return np.where(valid, values, 0).astype(dtype), valid
    with np.errstate(over="ignore", invalid="ignore"):
        cast = values.astype(dtype)
    return cast, finite(cast, valid)


def _numpy_type(kind: pa.DataType) -> np.dtype[Any]:
    if pa.types.is_timestamp(kind):
        return np.dtype(np.int64)
    dtype: np.dtype[Any] = np.dtype(kind.to_pandas_dtype())
    return dtype


def arrow_array(column: Column | None, kind: pa.DataType, length: int) -> pa.Array:
    """`column` as an Arrow array of type `kind`, NULL where absent or not finite; all NULL if there is none.

    Integers become timestamps as microseconds since 1970.
    """
    if column is None:
        return pa.nulls(length, kind)
    values, valid, words = column
    present = np.ones(length, np.bool_) if valid is None else valid
    if words is not None:
        mask = None if present.all() else ~present
        codes = pa.array(values.astype(np.int32, copy=False), mask=mask)
        return pa.DictionaryArray.from_arrays(codes, pa.array(words or ("",), pa.string())).cast(kind)
    values, present = to_dtype(values, present, _numpy_type(kind))
    if pa.types.is_timestamp(kind):
        present = present & (values >= _YEAR_1) & (values < _YEAR_10000)
    bitmap = None if present.all() else pa.py_buffer(np.packbits(present, bitorder="little"))
    if values.dtype.kind == "b":
        values = np.packbits(values, bitorder="little")
    physical = pa.int64() if pa.types.is_timestamp(kind) else kind
    array = pa.Array.from_buffers(physical, length, [bitmap, pa.py_buffer(np.ascontiguousarray(values))])
    if physical == kind:
        return array
    return array.cast(pa.timestamp("us", tz=kind.tz)).cast(kind)
