"""Blocks of kernel output as Arrow columns, NULL where a value is missing."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from lasair_broker.lightcurve._curves import Float64
from lasair_broker.lightcurve._kernel import kernel


def columns_of(names: Sequence[str], block: Float64, kind: pa.DataType) -> Iterator[tuple[str, pa.Array]]:
    """The values of `block`, its last axis objects, as arrays of `kind` (float32 or float64) under names.

    NaN and what does not fit become NULL.
    """
    num_rows = block.shape[-1]
    values = np.empty((len(names), num_rows), kind.to_pandas_dtype())
    valid = np.empty((len(names), (num_rows + 7) // 8), np.uint8)
    nulls = np.empty(len(names), np.int64)
    _pack(np.ascontiguousarray(block).reshape(values.shape), values, valid, nulls)
    for k, name in enumerate(names):
        buffers = [pa.py_buffer(valid[k]) if nulls[k] else None, pa.py_buffer(values[k])]
        yield name, pa.Array.from_buffers(kind, num_rows, buffers, null_count=int(nulls[k]))


@kernel
def _pack(block, values, valid, nulls):  # type: ignore[no-untyped-def]  # see columns_of
    num_rows = block.shape[1]
    for k in range(block.shape[0]):
        present = 0
        for byte in range(valid.shape[1]):
            bits = 0
            for bit in range(min(8, num_rows - 8 * byte)):
                i = 8 * byte + bit
                values[k, i] = block[k, i]
                # After the rounding to single precision, which may overflow.
                finite = abs(values[k, i]) < math.inf
                bits |= finite << bit
                present += finite
            valid[k, byte] = bits
        nulls[k] = num_rows - present


def coalesced(given: pa.ChunkedArray, computed: pa.Array) -> pa.ChunkedArray | pa.Array:
    """What the survey gave, and where it gave nothing what was computed."""
    if given.null_count == 0:
        return given
    if given.null_count == len(given) or computed.null_count == len(computed):
        return computed if given.null_count == len(given) else given
    return pa.compute.coalesce(given.cast(computed.type), computed)


def words_of(codes: npt.NDArray[np.int8], words: Sequence[str]) -> pa.Array:
    """Text from codes into `words`; NULL for -1."""
    indices = pa.array(codes.astype(np.int32), mask=codes < 0)
    return pa.DictionaryArray.from_arrays(indices, pa.array(words, pa.string())).cast(pa.string())
