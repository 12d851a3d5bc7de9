"""Writing values: numbers, text, and runs of columns of one type.

Every function takes the place to write at and gives the place after it. Up to 16 bytes beyond that may be
overwritten, where nothing has been written yet.
"""

from __future__ import annotations

from numba import njit

from ._memory import (
    copy_bytes,
    leading_zeros,
    load_i32,
    load_i64,
    load_u8,
    load_u32,
    prefetch,
    store_i32,
    store_i64,
    store_u8,
)
from ._plan import DOUBLE, FIXED, FLOAT, LONG

__all__ = ["write_fixed_widths", "write_integers", "write_long", "write_views"]


@njit(nogil=True, error_model="numpy", forceinline=True)
def write_long(at: int, number: int) -> int:
    """Write a zigzag variable-length integer."""
    left = (number << 1) ^ (number >> 63)
    if 0 <= left < 0x80:
        store_u8(at, left)
        return at + 1
    # Part 56 bits into 28, 14 and 7 to a byte: the reverse of what the reader does.
    word = left & 0xFFFFFFFFFFFFFF
    word = (word & 0x0FFFFFFF) | ((word << 4) & 0x0FFFFFFF00000000)
    word = (word & 0x00003FFF00003FFF) | ((word << 2) & 0x3FFF00003FFF0000)
    word = (word & 0x007F007F007F007F) | ((word << 1) & 0x7F007F007F007F00)
    high = (left >> 56) & 0xFF
    if high == 0:
        # The top bit says of every byte but the last that there is more.
        size: int = (70 - leading_zeros(left)) // 7
        store_i64(at, word | ((1 << (8 * size - 8)) - 1) & -0x7F7F7F7F7F7F7F80)
        return at + size
    store_i64(at, word | -0x7F7F7F7F7F7F7F80)
    if high < 0x80:
        store_u8(at + 8, high)
        return at + 9
    store_u8(at + 8, high)
    store_u8(at + 9, 1)
    return at + 10


@njit(nogil=True, error_model="numpy", forceinline=True)
def write_presence(at: int, valids: int, row: int, null_at: int) -> tuple[int, int]:
    """Write the index of a union of null (index `null_at`; -1: there is no union) and one type.

    Gives whether it is not null, as 1 or 0, and where the index ends.
    """
    if null_at < 0:
        return 1, at
    there = load_u8(valids + row)
    prefetch(valids + row + 64)
    # The index is that of null, or the other one: 0 and 1, written as 0 and 2.
    store_u8(at, 2 * (null_at ^ there))
    return there, at + 1


@njit(nogil=True, error_model="numpy", forceinline=True)
def write_fixed_widths(
    values: int, valids: int, column: int, count: int, null_at: int, row: int, at: int, kind: int
) -> int:
    """Write row `row` of `count` columns of float, double or boolean from `column` on."""
    for place in range(column, column + count):
        source = load_i64(values + 8 * place)
        there, at = write_presence(at, load_i64(valids + 8 * place), row, null_at)
        # Without a branch: a null writes its value too, and the next one goes over it.
        if kind == FLOAT:
            store_i32(at, load_u32(source + 4 * row))
            prefetch(source + 4 * row + 64)
            at += 4 * there
        elif kind == DOUBLE:
            store_i64(at, load_i64(source + 8 * row))
            prefetch(source + 8 * row + 64)
            at += 8 * there
        else:
            store_u8(at, load_u8(source + row))
            prefetch(source + row + 64)
            at += there
    return at


@njit(nogil=True, error_model="numpy", forceinline=True)
def write_integers(
    values: int, valids: int, column: int, count: int, null_at: int, row: int, at: int, kind: int
) -> int:
    """As `write_fixed_widths`, of long, int or enum."""
    for place in range(column, column + count):
        source = load_i64(values + 8 * place)
        there, at = write_presence(at, load_i64(valids + 8 * place), row, null_at)
        if there:
            if kind == LONG:
                at = write_long(at, load_i64(source + 8 * row))
                prefetch(source + 8 * row + 64)
            else:
                at = write_long(at, load_i32(source + 4 * row))
                prefetch(source + 4 * row + 64)
    return at


@njit(nogil=True, error_model="numpy", forceinline=True)
def write_views(
    values: int,
    valids: int,
    sizes: int,
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
        there, at = write_presence(at, load_i64(valids + 8 * place), row, null_at)
        if there:
            length = size
            if kind != FIXED:
                length = load_i64(load_i64(sizes + 8 * place) + 8 * row)
                at = write_long(at, length)
            copy_bytes(at, load_i64(load_i64(values + 8 * place) + 8 * row), length)
            at += length
    return at
