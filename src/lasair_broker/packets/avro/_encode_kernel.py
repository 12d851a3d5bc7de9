"""The encoder: runs the operations of a plan over columns and writes datums one after the other.

There are no tests for room: `_encode.py` has made the buffer as long as the columns could ever need, and has
checked that offsets and branch numbers are what they must be.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from ._memory import copy_bytes, load_i32, load_i64, load_u8, load_u32, store_i32, store_i64, store_u8
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
def write_long(at: int, number: int) -> int:
    """Write a zigzag variable-length integer; where it ends."""
    left = (number << 1) ^ (number >> 63)
    while left & -0x80:
        store_u8(at, (left & 0x7F) | 0x80)
        left = (left >> 7) & 0x1FFFFFFFFFFFFFF
        at += 1
    store_u8(at, left)
    return at + 1


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def is_there(values: int, valids: int, row: int) -> int:
    """1 if a column (0: no column, a null everywhere) has a value in this row."""
    if values == 0:
        return 0
    if valids == 0:
        return 1
    there: int = load_u8(valids + row)
    return there


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def write_presence(at: int, values: int, valids: int, row: int, null_at: int) -> tuple[int, int]:
    """Write the index of a union of null (index `null_at`; -1: there is no union) and one type.

    Gives whether it is not null, as 1 or 0, and where the index ends.
    """
    if null_at < 0:
        return 1, at
    there = is_there(values, valids, row)
    # The index is that of null, or the other one: 0 and 1, written as 0 and 2.
    store_u8(at, 2 * (null_at ^ there))
    return there, at + 1


@njit(cache=True, nogil=True, error_model="numpy")
def write_fixed_widths(
    values: Int64, valids: Int64, column: int, count: int, null_at: int, row: int, at: int, kind: int
) -> int:
    """Write row `row` of `count` columns of float, double or boolean from `column` on; where they end."""
    for place in range(column, column + count):
        there, at = write_presence(at, values[place], valids[place], row, null_at)
        if there:
            if kind == FLOAT:
                store_i32(at, load_u32(values[place] + 4 * row))
                at += 4
            elif kind == DOUBLE:
                store_i64(at, load_i64(values[place] + 8 * row))
                at += 8
            else:
                store_u8(at, load_u8(values[place] + row))
                at += 1
    return at


@njit(cache=True, nogil=True, error_model="numpy")
def write_integers(
    values: Int64, valids: Int64, column: int, count: int, null_at: int, row: int, at: int, kind: int
) -> int:
    """As `write_fixed_widths`, of long, int or enum."""
    for place in range(column, column + count):
        there, at = write_presence(at, values[place], valids[place], row, null_at)
        if there:
            if kind == LONG:
                at = write_long(at, load_i64(values[place] + 8 * row))
            else:
                at = write_long(at, load_i32(values[place] + 4 * row))
    return at


@njit(cache=True, nogil=True, error_model="numpy")
def write_views(
    values: Int64,
    valids: Int64,
    sizes: Int64,
    column: int,
    count: int,
    null_at: int,
    row: int,
    at: int,
    kind: int,
    size: int,
) -> int:
    """As `write_fixed_widths`, of string, bytes or fixed (`size`)."""
    for place in range(column, column + count):
        there, at = write_presence(at, values[place], valids[place], row, null_at)
        if there:
            length = size
            if kind != FIXED:
                length = load_i64(sizes[place] + 8 * row)
                at = write_long(at, length)
            copy_bytes(at, load_i64(values[place] + 8 * row), length)
            at += length
    return at


@njit(cache=True, nogil=True, error_model="numpy")
def encode_rows(
    ops: Int64,
    branches: Int64,
    values: Int64,
    sizes: Int64,
    valids: Int64,
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
    ops, branches, depth
        Of the plan.
    values, sizes, valids
        For each column the address of its values (0: null everywhere) and of its validity bytes (0: there
        everywhere). Text, bytes and fixed have int64 addresses as values, and int64 lengths at `sizes`.
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
                    values, valids, sizes, ops[op, COLUMN], ops[op, COUNT], ops[op, NULL_AT], row, at,
                    code, ops[op, EXTRA],
                )  # fmt: skip
                op += 1
            elif code == OPTION:
                there = load_u8(valids[ops[op, COLUMN]] + row)
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
                if is_there(values[column], valids[column], row):
                    branch = load_i32(values[column] + 4 * row)
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
