"""The decoder: runs the operations of a plan over datums in memory and writes columns.

All sizes and places come from the bytes of strangers, so every read is preceded by a test against the end of the
message, every row by a test against the room there is, and every loop is bounded by the bytes that are left.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from ._errors import (
    AFTER_BAD,
    BAD_BLOCK,
    BAD_BOOLEAN,
    BAD_ENUM,
    BAD_INT,
    BAD_LENGTH,
    BAD_UNION,
    BAD_UTF8,
    BAD_VARINT,
    TOO_MANY_ITEMS,
    TRAILING,
    TRUNCATED,
)
from ._memory import load_i64, load_u8, load_u32, store_i32, store_i64, store_u8
from ._plan import (
    ARRAY,
    BOOLEAN,
    CODE,
    COLUMN,
    COUNT,
    DOUBLE,
    DOUBLES,
    ENUM,
    EXTRA,
    FIXED,
    FLOAT,
    FLOATS,
    INT,
    JUMP,
    KIND,
    LEAF,
    LONG,
    MARK,
    NEXT,
    NULL_AT,
    NULLABLE_BOOLEANS,
    NULLABLE_DOUBLES,
    NULLABLE_FLOATS,
    OPTION,
    STRING,
    TABLE,
    UNION,
)

__all__ = ["decode_rows", "zero_rows"]

Int64 = npt.NDArray[np.int64]
LEAST_LONG = -(2**63)
MAX_LENGTH = 2**31 - 1

# A frame of the stack of arrays that are open: what to go back to, and how far this one is.
ROW, LEFT, BLOCK_END, FIRST, BODY = range(5)
FRAME = 5


@njit(cache=True, nogil=True, error_model="numpy")
def read_long(at: int, end: int) -> tuple[int, int]:
    """The zigzag variable-length integer at `at` and where it ends; in place of that, minus an error code."""
    value = 0
    shift = 0
    while at < end:
        byte = load_u8(at)
        at += 1
        if shift == 63 and byte > 1:
            return 0, -BAD_VARINT
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return ((value >> 1) & 0x7FFFFFFFFFFFFFFF) ^ -(value & 1), at
        shift += 7
    return 0, -TRUNCATED


@njit(cache=True, nogil=True, error_model="numpy")
def is_utf8(at: int, end: int) -> bool:
    """Whether the bytes are UTF-8 as Unicode defines it (table 3-7: no overlong forms, surrogates, or > U+10FFFF)."""
    while at < end:
        if end - at >= 8 and load_i64(at) & -0x7F7F7F7F7F7F7F80 == 0:
            at += 8
            continue
        first = load_u8(at)
        at += 1
        if first < 0x80:
            continue
        least, most = 0x80, 0xBF
        if 0xC2 <= first <= 0xDF:
            more = 1
        elif 0xE0 <= first <= 0xEF:
            more = 2
            if first == 0xE0:
                least = 0xA0
            elif first == 0xED:
                most = 0x9F
        elif 0xF0 <= first <= 0xF4:
            more = 3
            if first == 0xF0:
                least = 0x90
            elif first == 0xF4:
                most = 0x8F
        else:
            return False
        if end - at < more:
            return False
        for place in range(more):
            byte = load_u8(at + place)
            if byte < least or byte > most:
                return False
            least, most = 0x80, 0xBF
        at += more
    return True


@njit(cache=True, nogil=True, error_model="numpy")
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
def read_leaf(kind: int, extra: int, at: int, end: int, start: int, datum: int, value: int) -> int:
    """Decode one value at `at` into the memory at `value`; where it ends, or minus an error code."""
    if kind == FLOAT:
        if end - at < 4:
            return -TRUNCATED
        store_i32(value, load_u32(at))
        return at + 4
    if kind == DOUBLE:
        if end - at < 8:
            return -TRUNCATED
        store_i64(value, load_i64(at))
        return at + 8
    if kind == BOOLEAN:
        if at >= end:
            return -TRUNCATED
        if load_u8(at) > 1:
            return -BAD_BOOLEAN
        store_u8(value, load_u8(at))
        return at + 1
    if kind == FIXED:
        if end - at < extra:
            return -TRUNCATED
        store_i64(value, at - start)
        store_i64(value + 8, extra | datum << 32)
        return at + extra
    number, at = read_long(at, end)
    if at < 0:
        return at
    if kind == LONG:
        store_i64(value, number)
    elif kind == INT:
        if number < -(2**31) or number >= 2**31:
            return -BAD_INT
        store_i32(value, number)
    elif kind == ENUM:
        if number < 0 or number >= extra:
            return -BAD_ENUM
        store_i32(value, number)
    else:
        if number < 0 or number > MAX_LENGTH:
            return -BAD_LENGTH
        if number > end - at:
            return -TRUNCATED
        if kind == STRING and not is_utf8(at, at + number):
            return -BAD_UTF8
        store_i64(value, at - start)
        store_i64(value + 8, number | datum << 32)
        at += number
    return at


@njit(cache=True, nogil=True, error_model="numpy")
def decode_rows(
    ops: Int64,
    branches: Int64,
    values: Int64,
    valids: Int64,
    widths: Int64,
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
    ops, branches, depth
        Of the plan.
    values, valids, widths
        For each column the address of its values, of its validity bytes (0 if none) and the bytes of a value.
    lengths
        For each level the address of the number of items by row of its parent (one row late, so that a running
        sum in place makes offsets of it).
    slots
        All that memory as (address of what belongs to row 0, width, level). It must be zero from `rows` on.
    room, rows
        For each level how many rows there is memory for, and how many are taken (changed).
    address, limit, length
        Where each datum starts, the end of what may be read for it, and its length (found).
    continues
        1 where a datum starts at the end of the one before instead of at its address (which is then set).
    error, error_at, error_column
        For each datum its error code (0 is good), the byte of the datum at which it was noticed, and the column
        it was to be read into (-1 - level while the number of items of an array was read).
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
            if code == NULLABLE_FLOATS:
                column = ops[op, COLUMN]
                last = column + ops[op, COUNT]
                while column < last and end - at >= 5:
                    tag = load_u8(at)
                    if tag & 0xFD:
                        break
                    # Without a branch: a null writes zeros and moves on by one byte.
                    there = tag >> 1
                    store_i32(values[column] + 4 * row, load_u32(at + 1) & -there)
                    store_u8(valids[column] + row, there)
                    at += 1 + 4 * there
                    column += 1
                while column < last:
                    branch, at = read_long(at, end)
                    if at < 0:
                        status = -at
                        break
                    if branch == 1:
                        if end - at < 4:
                            status = TRUNCATED
                            break
                        store_i32(values[column] + 4 * row, load_u32(at))
                        store_u8(valids[column] + row, 1)
                        at += 4
                    elif branch != 0:
                        status = BAD_UNION
                        break
                    column += 1
                op += 1
            elif code == NULLABLE_BOOLEANS:
                column = ops[op, COLUMN]
                last = column + ops[op, COUNT]
                while column < last and end - at >= 2:
                    tag = load_u8(at)
                    there = tag >> 1
                    value = load_u8(at + 1) & -there
                    if tag & 0xFD or value > 1:
                        break
                    store_u8(values[column] + row, value)
                    store_u8(valids[column] + row, there)
                    at += 1 + there
                    column += 1
                while column < last:
                    branch, at = read_long(at, end)
                    if at < 0:
                        status = -at
                        break
                    if branch == 1:
                        if at >= end:
                            status = TRUNCATED
                            break
                        value = load_u8(at)
                        if value > 1:
                            status = BAD_BOOLEAN
                            break
                        store_u8(values[column] + row, value)
                        store_u8(valids[column] + row, 1)
                        at += 1
                    elif branch != 0:
                        status = BAD_UNION
                        break
                    column += 1
                op += 1
            elif code == NULLABLE_DOUBLES:
                column = ops[op, COLUMN]
                last = column + ops[op, COUNT]
                while column < last:
                    if at < end and load_u8(at) & 0xFD == 0:
                        branch = load_u8(at) >> 1
                        at += 1
                    else:
                        branch, at = read_long(at, end)
                        if at < 0:
                            status = -at
                            break
                    if branch == 1:
                        if end - at < 8:
                            status = TRUNCATED
                            break
                        store_i64(values[column] + 8 * row, load_i64(at))
                        store_u8(valids[column] + row, 1)
                        at += 8
                    elif branch != 0:
                        status = BAD_UNION
                        break
                    column += 1
                op += 1
            elif code == FLOATS:
                column = ops[op, COLUMN]
                number = ops[op, COUNT]
                if end - at < 4 * number:
                    status = TRUNCATED
                else:
                    for place in range(number):
                        store_i32(values[column + place] + 4 * row, load_u32(at + 4 * place))
                    at += 4 * number
                    op += 1
            elif code == DOUBLES:
                column = ops[op, COLUMN]
                number = ops[op, COUNT]
                if end - at < 8 * number:
                    status = TRUNCATED
                else:
                    for place in range(number):
                        store_i64(values[column + place] + 8 * row, load_i64(at + 8 * place))
                    at += 8 * number
                    op += 1
            elif code == LEAF:
                column = ops[op, COLUMN]
                null_at = ops[op, NULL_AT]
                branch = 1 - null_at
                if null_at >= 0:
                    if at < end and load_u8(at) & 0xFD == 0:
                        branch = load_u8(at) >> 1
                        at += 1
                    else:
                        branch, at = read_long(at, end)
                        if at < 0:
                            status = -at
                        elif branch < 0 or branch > 1:
                            status = BAD_UNION
                if status == 0 and branch != null_at:
                    to = values[column] + widths[column] * row
                    at = read_leaf(ops[op, KIND], ops[op, EXTRA], at, end, start, datum, to)
                    if at < 0:
                        status = -at
                    elif null_at >= 0:
                        store_u8(valids[column] + row, 1)
                op += 1
            elif code == OPTION:
                column = ops[op, COLUMN]
                branch, at = read_long(at, end)
                if at < 0:
                    status = -at
                elif branch == ops[op, NULL_AT]:
                    op = ops[op, COUNT]
                elif branch == 1 - ops[op, NULL_AT]:
                    store_u8(valids[column] + row, 1)
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
                            least = ops[body, KIND]
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
                        store_i32(values[column] + 4 * row, branch)
                        if valids[column]:
                            store_u8(valids[column] + row, 1)
                        op = target
                    else:
                        op = ops[op, COUNT]
            elif code == MARK:
                store_u8(valids[ops[op, COLUMN]] + row, 1)
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
