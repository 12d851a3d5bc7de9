"""The decoder: runs the operations of a plan over datums in memory and writes columns.

All sizes and places come from the bytes of strangers, so every read is preceded by a test against the end of
the message, every row by a test against the room there is, and every loop is bounded by the bytes that are
left.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from ._decode_runs import read_booleans, read_doubles, read_floats, read_integers, read_long, read_views
from ._errors import AFTER_BAD, BAD_BLOCK, BAD_UNION, TOO_MANY_ITEMS, TRAILING, TRUNCATED
from ._memory import load_i64, store_i32, store_i64, store_u8
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
    LEAST,
    LONG,
    MARK,
    NEXT,
    NULL_AT,
    OPTION,
    STRING,
    TABLE,
    UNION,
)

__all__ = ["decode_rows", "zero_rows"]

Int64 = npt.NDArray[np.int64]
LEAST_LONG = -(2**63)

# A frame of the stack of arrays that are open: what to go back to, and how far this one is.
ROW, LEFT, BLOCK_END, FIRST, BODY = range(5)
FRAME = 5


@njit(nogil=True, error_model="numpy")
def zero_rows(slots: Int64, level: int, start: int, stop: int) -> None:
    """Set the rows start to stop of all slots of a level to zero.

    `slots` is an array of (address, width, level): the memory of values, validity bytes and array lengths.
    """
    for slot in range(len(slots)):
        if slots[slot, 2] == level:
            width = slots[slot, 1]
            first = slots[slot, 0]
            for byte in range(first + start * width, first + stop * width):
                store_u8(byte, 0)


@njit(cache=True, nogil=True, error_model="numpy")
def decode_rows(
    stamp: npt.NDArray[Any],
    ops: Int64,
    branches: Int64,
    values: int,
    valids: int,
    lengths: Int64,
    slots: Int64,
    room: Int64,
    rows: Int64,
    depth: int,
    address: Int64,
    limit: Int64,
    length: Int64,
    continues: npt.NDArray[Any],
    error: npt.NDArray[Any],
    error_at: Int64,
    error_column: Int64,
    first: int,
    may_trail: bool,
    max_items: int,
) -> tuple[int, int]:
    """Decode the datums from number `first` on.

    Parameters
    ----------
    stamp
        `STAMP`.
    ops, branches, depth
        Of the plan.
    values, valids
        Addresses of int64 arrays: for each column the address of its values, and of its validity bytes (0 if
        it has none). Addresses, because numba tests every index of an array for being negative.
    lengths
        For each level the address of the number of items by row of its parent (one row late, so that a
        running sum in place makes offsets of it).
    slots
        All that memory as (address of what belongs to row 0, width, level). It must be zero from `rows` on.
    room, rows
        For each level how many rows there is memory for, and how many are taken (changed).
    address, limit, length
        Where each datum starts, the end of what may be read for it, and its length (found).
    continues
        1 where a datum starts at the end of the one before instead of at its address (which is then set).
    error, error_at, error_column
        For each datum its error code (0 is good), the byte of the datum at which it was noticed, and the
        column it was to be read into (-1 - level while the number of items of an array was read).
    first
        The number of the first datum to decode.
    may_trail
        Whether bytes may be left over after a datum.
    max_items
        The most array and map items in one datum.

    Returns
    -------
    datum, level
        (number of datums, -1) when done. Otherwise `level` needs more room, and decoding goes on at `datum`.
    """
    taken = rows.copy()
    stack = np.zeros((depth + 1, FRAME), np.int64)
    count = len(address)
    for datum in range(first, count):
        if continues[datum]:
            start = address[datum - 1] + length[datum - 1]
            address[datum] = start
            if error[datum - 1]:
                error[datum] = AFTER_BAD
                continue
        start = address[datum]
        end = limit[datum]
        for level in range(len(rows)):
            taken[level] = rows[level]
        rows[0] = datum + 1
        row = datum
        at = start
        items = 0
        top = -1
        op = 0
        code = MARK
        column = -1
        before = start
        status = 0
        while status == 0:
            code = ops[op, CODE]
            before = at
            if code == FLOAT:
                at, column = read_floats(
                    values, valids, ops[op, COLUMN], ops[op, COUNT], ops[op, NULL_AT], row, at, end
                )
                op += 1
            elif code == BOOLEAN:
                at, column = read_booleans(
                    values, valids, ops[op, COLUMN], ops[op, COUNT], ops[op, NULL_AT], row, at, end
                )
                op += 1
            elif code == DOUBLE:
                at, column = read_doubles(
                    values, valids, ops[op, COLUMN], ops[op, COUNT], ops[op, NULL_AT], row, at, end
                )
                op += 1
            elif code in (LONG, INT, ENUM):
                at, column = read_integers(
                    values, valids, ops[op, COLUMN], ops[op, COUNT], ops[op, NULL_AT], row, at, end,
                    code, ops[op, EXTRA],
                )  # fmt: skip
                op += 1
            elif code in (STRING, BYTES, FIXED):
                at, column = read_views(
                    values, valids, ops[op, COLUMN], ops[op, COUNT], ops[op, NULL_AT], row, at, end,
                    code, ops[op, EXTRA], start, datum,
                )  # fmt: skip
                op += 1
            elif code == OPTION:
                column = ops[op, COLUMN]
                branch, at = read_long(at, end)
                if at < 0:
                    status = -at
                elif branch == ops[op, NULL_AT]:
                    op = ops[op, COUNT]
                elif branch == 1 - ops[op, NULL_AT]:
                    store_u8(load_i64(valids + 8 * column) + row, 1)
                    op += 1
                else:
                    status = BAD_UNION
            elif code in (ARRAY, NEXT):
                # Either a new array opens, or an item of the open one is complete.
                level = ops[op, EXTRA]
                if code == ARRAY:
                    top += 1
                    stack[top, ROW] = row
                    stack[top, LEFT] = 0
                    stack[top, BLOCK_END] = -1
                    stack[top, FIRST] = rows[level]
                    stack[top, BODY] = op
                body = stack[top, BODY]
                left = stack[top, LEFT]
                if left == 0:
                    if stack[top, BLOCK_END] >= 0 and stack[top, BLOCK_END] != at:
                        status = BAD_BLOCK
                    else:
                        left, at = read_long(at, end)
                        if at < 0:
                            status = -at
                        elif left < 0:
                            # A block that states its size in bytes.
                            size, at = read_long(at, end)
                            if at < 0:
                                status = -at
                            elif left == LEAST_LONG or size < 0 or size > end - at:
                                status = BAD_BLOCK
                            else:
                                left = -left
                                stack[top, BLOCK_END] = at + size
                        else:
                            stack[top, BLOCK_END] = -1
                        if status == 0 and left > 0:
                            least = ops[body, LEAST]
                            if left > max_items - items:
                                status = TOO_MANY_ITEMS
                            elif least > 0 and left > (end - at) // least:
                                status = TRUNCATED
                            items += left
                if status == 0:
                    if left > 0:
                        stack[top, LEFT] = left - 1
                        row = rows[level]
                        if row >= room[level]:
                            for other in range(len(rows)):
                                rows[other] = taken[other]
                            return datum, level
                        rows[level] = row + 1
                        op = body + 1
                    else:
                        row = stack[top, ROW]
                        store_i64(lengths[level] + 8 * (row + 1), rows[level] - stack[top, FIRST])
                        top -= 1
                        op = ops[body, COUNT]
            elif code == UNION:
                column = ops[op, COLUMN]
                branch, at = read_long(at, end)
                if at < 0:
                    status = -at
                elif branch < 0 or branch >= ops[op, EXTRA]:
                    status = BAD_UNION
                else:
                    target = branches[ops[op, TABLE] + branch]
                    if target >= 0:
                        store_i32(load_i64(values + 8 * column) + 4 * row, branch)
                        if load_i64(valids + 8 * column):
                            store_u8(load_i64(valids + 8 * column) + row, 1)
                        op = target
                    else:
                        op = ops[op, COUNT]
            elif code == MARK:
                store_u8(load_i64(valids + 8 * ops[op, COLUMN]) + row, 1)
                op += 1
            elif code == JUMP:
                op = ops[op, COUNT]
            else:
                # END
                column = -1
                last_of_block = datum + 1 == count or not continues[datum + 1]
                if last_of_block and at != end and not may_trail:
                    status = TRAILING
                break
            if at < 0 and status == 0:
                status = -at
        if status == 0:
            length[datum] = at - start
        else:
            error[datum] = status
            error_at[datum] = (at if at >= 0 else before) - start
            error_column[datum] = -1 - ops[op, EXTRA] if code in (ARRAY, NEXT) else column
            length[datum] = end - start
            for level in range(len(rows)):
                if level == 0:
                    zero_rows(slots, 0, datum, datum + 1)
                else:
                    zero_rows(slots, level, taken[level], rows[level])
                    rows[level] = taken[level]
    return count, -1
