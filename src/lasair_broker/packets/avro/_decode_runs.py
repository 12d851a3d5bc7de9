"""Reading values: numbers, text, and runs of columns of one type.

Every function takes the place to read at and the end of what may be read, and gives the place after it; in
place of that, if the bytes are bad, minus an error code.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from ._errors import BAD_BOOLEAN, BAD_ENUM, BAD_INT, BAD_LENGTH, BAD_UNION, BAD_UTF8, BAD_VARINT, TRUNCATED
from ._memory import load_i64, load_u8, load_u32, prefetch, store_i32, store_i64, store_u8, trailing_zeros
from ._plan import ENUM, FIXED, INT, STRING

__all__ = ["read_booleans", "read_doubles", "read_floats", "read_integers", "read_long", "read_views"]

Int64 = npt.NDArray[np.int64]
MAX_LENGTH = 2**31 - 1


@njit(nogil=True, error_model="numpy")
def read_slow_long(at: int, end: int) -> tuple[int, int]:
    """As `read_long`, byte by byte."""
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


@njit(nogil=True, error_model="numpy", forceinline=True)
def read_long(at: int, end: int) -> tuple[int, int]:
    """The zigzag variable-length integer at `at` and where it ends; in place of that, minus an error code."""
    if at < end and load_u8(at) < 0x80:
        value = load_u8(at)
        return (value >> 1) ^ -(value & 1), at + 1
    if end - at < 9:
        return read_slow_long(at, end)
    # Eight bytes at once: the first whose top bit is not set is the last of the number.
    word = load_i64(at)
    stops = ~word & -0x7F7F7F7F7F7F7F80
    ninth = 0
    if stops == 0:
        ninth = load_u8(at + 8)
        if ninth >= 0x80:
            return read_slow_long(at, end)
        at += 9
    else:
        # All bits up to the lowest stop bit.
        word &= stops ^ (stops - 1)
        at += (trailing_zeros(stops) + 1) >> 3
    # Close the gaps that the top bits leave: seven bits of each byte become 14, 28, and 56 in a row.
    word = (word & 0x007F007F007F007F) | ((word & 0x7F007F007F007F00) >> 1)
    word = (word & 0x00003FFF00003FFF) | ((word & 0x3FFF00003FFF0000) >> 2)
    value = (word & 0x0FFFFFFF) | ((word & 0x0FFFFFFF00000000) >> 4) | (ninth << 56)
    return ((value >> 1) & 0x7FFFFFFFFFFFFFFF) ^ -(value & 1), at


@njit(nogil=True, error_model="numpy")
def is_utf8(at: int, end: int) -> bool:
    """Whether the bytes are UTF-8 by table 3-7 of Unicode: no overlong forms, surrogates, or > U+10FFFF."""
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


@njit(nogil=True, error_model="numpy", forceinline=True)
def read_presence(at: int, end: int, null_at: int) -> tuple[int, int]:
    """1 if the union of null (index `null_at`) and one type is not null, or if there is no union (-1)."""
    if null_at < 0:
        return 1, at
    if at < end and load_u8(at) & 0xFD == 0:
        return (load_u8(at) >> 1) ^ null_at, at + 1
    branch, at = read_long(at, end)
    if at >= 0 and branch & -2:
        return 0, -BAD_UNION
    return branch ^ null_at, at


@njit(nogil=True, error_model="numpy", forceinline=True)
def read_floats(
    values: int, valids: int, column: int, count: int, null_at: int, row: int, at: int, end: int
) -> tuple[int, int]:
    """Read row `row` of `count` columns of float from `column` on; where they end, and the column reached."""
    last = column + count
    if null_at == 0:
        while column < last and end - at >= 5:
            tag = load_u8(at)
            if tag & 0xFD:
                break
            # Without a branch: a null writes zeros and moves on by one byte.
            there = tag >> 1
            store_i32(load_i64(values + 8 * column) + 4 * row, load_u32(at + 1) & -there)
            prefetch(load_i64(values + 8 * column) + 4 * row + 64)
            store_u8(load_i64(valids + 8 * column) + row, there)
            prefetch(load_i64(valids + 8 * column) + row + 64)
            at += 1 + 4 * there
            column += 1
    while column < last:
        there, at = read_presence(at, end, null_at)
        if at < 0:
            return at, column
        if there:
            if end - at < 4:
                return -TRUNCATED, column
            store_i32(load_i64(values + 8 * column) + 4 * row, load_u32(at))
            prefetch(load_i64(values + 8 * column) + 4 * row + 64)
            if null_at >= 0:
                store_u8(load_i64(valids + 8 * column) + row, 1)
                prefetch(load_i64(valids + 8 * column) + row + 64)
            at += 4
        column += 1
    return at, column


@njit(nogil=True, error_model="numpy", forceinline=True)
def read_doubles(
    values: int, valids: int, column: int, count: int, null_at: int, row: int, at: int, end: int
) -> tuple[int, int]:
    """As `read_floats`, of double."""
    for place in range(column, column + count):
        there, at = read_presence(at, end, null_at)
        if at < 0:
            return at, place
        if there:
            if end - at < 8:
                return -TRUNCATED, place
            store_i64(load_i64(values + 8 * place) + 8 * row, load_i64(at))
            prefetch(load_i64(values + 8 * place) + 8 * row + 64)
            if null_at >= 0:
                store_u8(load_i64(valids + 8 * place) + row, 1)
                prefetch(load_i64(valids + 8 * place) + row + 64)
            at += 8
    return at, column


@njit(nogil=True, error_model="numpy", forceinline=True)
def read_booleans(
    values: int, valids: int, column: int, count: int, null_at: int, row: int, at: int, end: int
) -> tuple[int, int]:
    """As `read_floats`, of boolean."""
    last = column + count
    if null_at == 0:
        while column < last and end - at >= 2:
            tag = load_u8(at)
            there = tag >> 1
            value = load_u8(at + 1) & -there
            if (tag & 0xFD) | (value & 0xFE):
                break
            store_u8(load_i64(values + 8 * column) + row, value)
            prefetch(load_i64(values + 8 * column) + row + 64)
            store_u8(load_i64(valids + 8 * column) + row, there)
            prefetch(load_i64(valids + 8 * column) + row + 64)
            at += 1 + there
            column += 1
    while column < last:
        there, at = read_presence(at, end, null_at)
        if at < 0:
            return at, column
        if there:
            if at >= end:
                return -TRUNCATED, column
            if load_u8(at) > 1:
                return -BAD_BOOLEAN, column
            store_u8(load_i64(values + 8 * column) + row, load_u8(at))
            prefetch(load_i64(values + 8 * column) + row + 64)
            if null_at >= 0:
                store_u8(load_i64(valids + 8 * column) + row, 1)
                prefetch(load_i64(valids + 8 * column) + row + 64)
            at += 1
        column += 1
    return at, column


@njit(nogil=True, error_model="numpy", forceinline=True)
def read_integers(
    values: int,
    valids: int,
    column: int,
    count: int,
    null_at: int,
    row: int,
    at: int,
    end: int,
    kind: int,
    symbols: int,
) -> tuple[int, int]:
    """As `read_floats`, of long, int or enum (`kind`; `symbols` the number of those of an enum)."""
    for place in range(column, column + count):
        there, at = read_presence(at, end, null_at)
        if at < 0:
            return at, place
        if there:
            number, at = read_long(at, end)
            if at < 0:
                return at, place
            if null_at >= 0:
                store_u8(load_i64(valids + 8 * place) + row, 1)
                prefetch(load_i64(valids + 8 * place) + row + 64)
            if kind == INT:
                if number < -(2**31) or number >= 2**31:
                    return -BAD_INT, place
                store_i32(load_i64(values + 8 * place) + 4 * row, number)
                prefetch(load_i64(values + 8 * place) + 4 * row + 64)
            elif kind == ENUM:
                if number < 0 or number >= symbols:
                    return -BAD_ENUM, place
                store_i32(load_i64(values + 8 * place) + 4 * row, number)
                prefetch(load_i64(values + 8 * place) + 4 * row + 64)
            else:
                store_i64(load_i64(values + 8 * place) + 8 * row, number)
                prefetch(load_i64(values + 8 * place) + 8 * row + 64)
    return at, column


@njit(nogil=True, error_model="numpy", forceinline=True)
def read_views(
    values: int,
    valids: int,
    column: int,
    count: int,
    null_at: int,
    row: int,
    at: int,
    end: int,
    kind: int,
    size: int,
    start: int,
    datum: int,
) -> tuple[int, int]:
    """As `read_floats`, of string, bytes or fixed (`kind`; `size` that of a fixed) as `VIEW`s.

    `start` is the address of the datum and `datum` its number.
    """
    for place in range(column, column + count):
        there, at = read_presence(at, end, null_at)
        if at < 0:
            return at, place
        if there:
            length = size
            if kind != FIXED:
                length, at = read_long(at, end)
                if at < 0:
                    return at, place
                if length < 0 or length > MAX_LENGTH:
                    return -BAD_LENGTH, place
            if length > end - at:
                return -TRUNCATED, place
            if kind == STRING and length > 0:
                # Short ASCII, as most texts are, is seen at one glance.
                glance = 0 < length <= 8 <= end - at
                if not (
                    glance and (load_i64(at) << (64 - 8 * length)) & -0x7F7F7F7F7F7F7F80 == 0
                ) and not is_utf8(at, at + length):
                    return -BAD_UTF8, place
            store_i64(load_i64(values + 8 * place) + 16 * row, at - start)
            prefetch(load_i64(values + 8 * place) + 16 * row + 64)
            store_i64(load_i64(values + 8 * place) + 16 * row + 8, length | datum << 32)
            if null_at >= 0:
                store_u8(load_i64(valids + 8 * place) + row, 1)
                prefetch(load_i64(valids + 8 * place) + row + 64)
            at += length
    return at, column
