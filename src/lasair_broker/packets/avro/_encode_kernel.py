"""The encoder: runs the operations of a plan over columns and writes datums one after the other.

There are no tests for room: `_encode.py` has made the buffer as long as the columns could ever need, and has
checked that offsets and branch numbers are what they must be.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from ._encode_runs import write_fixed_widths, write_integers, write_long, write_views
from ._memory import copy_bytes, load_i32, load_i64, load_u8, store_u8
from ._plan import (
    ARRAY,
    BOOLEAN,
    BYTES,
    CODE,
    COLUMN,
    COUNT,
    DOUBLE,
    ENUM,
    EXTRA,
    FIXED,
    FLOAT,
    INT,
    JUMP,
    LONG,
    MARK,
    NEXT,
    NULL_AT,
    OPTION,
    STRING,
    TABLE,
    UNION,
)

__all__ = ["encode_rows"]

Int64 = npt.NDArray[np.int64]
ROW, LAST = range(2)


@njit(cache=True, nogil=True, error_model="numpy")
def encode_rows(
    stamp: npt.NDArray[Any],
    ops: Int64,
    branches: Int64,
    values: int,
    sizes: int,
    valids: int,
    offsets: Int64,
    depth: int,
    prefix: int,
    prefix_length: int,
    out: int,
    ends: Int64,
) -> None:
    """Write datums 0 to len(ends) - 1, one after the other, to the memory at `out`.

    Parameters
    ----------
    stamp
        `STAMP`.
    ops, branches, depth
        Of the plan.
    values, sizes, valids
        Addresses of int64 arrays: for each column the address of its values, and of its validity bytes. Text,
        bytes and fixed have int64 addresses as values, and int64 lengths at `sizes`.
    offsets
        For each level the address of its offsets.
    prefix, prefix_length
        Address and length of bytes to write before each datum.
    ends
        Gets the place behind each datum.
    """
    stack = np.zeros((depth + 1, 2), np.int64)
    at = out
    for datum in range(len(ends)):
        copy_bytes(at, prefix, prefix_length)
        at += prefix_length
        row = datum
        top = -1
        op = 0
        while True:
            code = ops[op, CODE]
            if code in (FLOAT, DOUBLE, BOOLEAN):
                at = write_fixed_widths(
                    values, valids, ops[op, COLUMN], ops[op, COUNT], ops[op, NULL_AT], row, at, code
                )
                op += 1
            elif code in (LONG, INT, ENUM):
                at = write_integers(
                    values, valids, ops[op, COLUMN], ops[op, COUNT], ops[op, NULL_AT], row, at, code
                )
                op += 1
            elif code in (STRING, BYTES, FIXED):
                at = write_views(
                    values, valids, sizes, ops[op, COLUMN], ops[op, COUNT], ops[op, NULL_AT],
                    row, at, code, ops[op, EXTRA],
                )  # fmt: skip
                op += 1
            elif code == OPTION:
                there = load_u8(load_i64(valids + 8 * ops[op, COLUMN]) + row)
                store_u8(at, 2 * (ops[op, NULL_AT] ^ there))
                at += 1
                op = op + 1 if there else ops[op, COUNT]
            elif code == ARRAY:
                begin = load_i64(offsets[ops[op, EXTRA]] + 8 * row)
                stop = load_i64(offsets[ops[op, EXTRA]] + 8 * row + 8)
                if begin == stop:
                    store_u8(at, 0)
                    at += 1
                    op = ops[op, COUNT]
                else:
                    at = write_long(at, stop - begin)
                    top += 1
                    stack[top, ROW] = row
                    stack[top, LAST] = stop - 1
                    row = begin
                    op += 1
            elif code == NEXT:
                body = ops[op, COUNT]
                if row < stack[top, LAST]:
                    row += 1
                    op = body + 1
                else:
                    store_u8(at, 0)
                    at += 1
                    row = stack[top, ROW]
                    top -= 1
                    op = ops[body, COUNT]
            elif code == UNION:
                column = ops[op, COLUMN]
                table = ops[op, TABLE]
                branch = 0
                if load_u8(load_i64(valids + 8 * column) + row):
                    branch = load_i32(load_i64(values + 8 * column) + 4 * row)
                else:
                    while branches[table + branch] >= 0:
                        branch += 1
                at = write_long(at, branch)
                op = branches[table + branch] if branches[table + branch] >= 0 else ops[op, COUNT]
            elif code == MARK:
                op += 1
            elif code == JUMP:
                op = ops[op, COUNT]
            else:
                # END
                break
        ends[datum] = at - out
