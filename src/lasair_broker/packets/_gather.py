"""Putting values of several runs of rows into one order."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from lasair_broker.compiled import njit

__all__ = ["gather", "gather_floats"]

# The kernel moves bits, so one compilation serves all types of a width.
_BITS: Final = {1: np.uint8, 4: np.uint32, 8: np.uint64}


@njit(cache=True, nogil=True)
def _gather_run(values: Any, present: Any, start: int, index: Any, out: Any, out_present: Any) -> None:
    """Copy the elements of `index` that lie in the run which begins at `start`."""
    stop = start + len(values)
    all_present = len(present) == 0
    for i in range(len(index)):
        row = index[i]
        if start <= row < stop:
            out[i] = values[row - start]
            out_present[i] = all_present or present[row - start]


def gather(
    runs: list[tuple[int, npt.NDArray[Any], npt.NDArray[np.bool_] | None]],
    index: npt.NDArray[np.int64],
    dtype: np.dtype[Any],
) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_]]:
    """Values and validity at `index`, an index into runs of rows thought of as one after the other.

    Parameters
    ----------
    runs
        For each run the index of its first row, its values and which of them are present (None: all).
        Rows of `index` in no run are absent.
    index
        Rows wanted.
    dtype
        Type of the result, 1, 4 or 8 bytes wide; runs of another type are cast to it.
    """
    out = np.zeros(len(index), dtype)
    out_present = np.zeros(len(index), np.bool_)
    bits = _BITS[dtype.itemsize]
    index = np.ascontiguousarray(index, np.int64)
    for start, values, present in runs:
        same = np.ascontiguousarray(values.astype(dtype, copy=False))
        having = np.zeros(0, np.bool_) if present is None else np.ascontiguousarray(present)
        _gather_run(same.view(bits), having, start, index, out.view(bits), out_present)
    return out, out_present


@njit(cache=True, nogil=True)
def _gather_floats(values: Any, present: Any, start: int, index: Any, out: Any) -> None:
    """As `_gather_run`, for numbers of which those that are absent or not finite are left as they are."""
    stop = start + len(values)
    all_present = len(present) == 0
    for i in range(len(index)):
        row = index[i]
        if start <= row < stop and (all_present or present[row - start]):
            value = out.dtype.type(values[row - start])
            if np.isfinite(value):
                out[i] = value


def gather_floats(
    runs: list[tuple[int, npt.NDArray[Any], npt.NDArray[np.bool_] | None]],
    index: npt.NDArray[np.int64],
    dtype: np.dtype[Any],
) -> npt.NDArray[Any]:
    """Floating point values at `index`, as kernels want them: NaN where absent or not finite in type `dtype`.

    The runs are those of `gather`, of floating point values of any width.
    """
    out = np.full(len(index), np.nan, dtype)
    index = np.ascontiguousarray(index, np.int64)
    for start, values, present in runs:
        having = np.zeros(0, np.bool_) if present is None else np.ascontiguousarray(present)
        _gather_floats(np.ascontiguousarray(values), having, start, index, out)
    return out
