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

    NaN and what does not fit become NULL. The arrays are slices of one: making 200 of their own takes longer
    than filling them.
    """
    num_rows = block.shape[-1]
    size = len(names) * num_rows
    values = np.empty(size, kind.to_pandas_dtype())
    valid = np.empty((size + 7) // 8, np.uint8)
    _pack(np.ascontiguousarray(block).reshape(size), values, valid)
    whole = pa.Array.from_buffers(kind, size, [pa.py_buffer(valid), pa.py_buffer(values)])
    for k, name in enumerate(names):
        yield name, whole.slice(k * num_rows, num_rows)


@kernel
def _pack(block, values, valid):  # type: ignore[no-untyped-def]  # see columns_of
    for byte in range(len(valid)):
        bits = 0
        for bit in range(min(8, len(block) - 8 * byte)):
            i = 8 * byte + bit
            values[i] = block[i]
            # After the rounding to single precision, which may overflow.
            bits |= (abs(values[i]) < math.inf) << bit
        valid[byte] = bits


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
