"""Finding the datums of containers that hold one block, all at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from ._decode_runs import read_long
from ._memory import load_i64

__all__ = ["scan_single_blocks"]

Int64 = npt.NDArray[np.int64]
SYNC = 16


@njit(cache=True, nogil=True, error_model="numpy")
def scan_single_blocks(
    stamp: npt.NDArray[Any], address: Int64, length: Int64, headers: Int64, counts: Int64, sizes: Int64
) -> None:
    """Find the one block of each container; only such as need no second look.

    Parameters
    ----------
    stamp
        `STAMP`.
    address, length
        Where the containers are; `address` becomes that of the block's payload.
    headers
        The length of each header, up to the sync marker; -1 to leave a container out.
    counts, sizes
        Get the number of datums and the bytes of the block; 0 and 0 if there is not exactly one block, or
        anything is odd about it.
    """
    for row in range(len(address)):
        header = headers[row]
        end = address[row] + length[row]
        at = address[row] + header + SYNC
        if header < 0 or at > end:
            continue
        sync = at - SYNC
        count, at = read_long(at, end)
        if at < 0:
            continue
        size, at = read_long(at, end)
        if at < 0 or size < count or count < 1 or end - at < SYNC or size != end - at - SYNC:
            continue
        after = at + size
        if load_i64(sync) == load_i64(after) and load_i64(sync + 8) == load_i64(after + 8):
            address[row] = at
            counts[row] = count
            sizes[row] = size
