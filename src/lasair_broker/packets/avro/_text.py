"""Distinct words among many strings in memory."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from ._memory import load_i64, load_u8
from ._stamp import STAMP

__all__ = ["distinct"]

Int64 = npt.NDArray[np.int64]


@njit(nogil=True, error_model="numpy")
def _hash(at: int, length: int) -> int:
    """A hash of bytes: eight at a time, multiplied and folded (Fibonacci hashing)."""
    value = length
    end = at + length
    while end - at >= 8:
        value = (value ^ load_i64(at)) * -7046029254386353131
        value ^= (value >> 29) & 0x7FFFFFFFF
        at += 8
    while at < end:
        value = (value ^ load_u8(at)) * -7046029254386353131
        value ^= (value >> 29) & 0x7FFFFFFFF
        at += 1
    return value


@njit(nogil=True, error_model="numpy")
def _same(one: int, other: int, length: int) -> bool:
    place = 0
    while length - place >= 8:
        if load_i64(one + place) != load_i64(other + place):
            return False
        place += 8
    while place < length:
        if load_u8(one + place) != load_u8(other + place):
            return False
        place += 1
    return True


@njit(cache=True, nogil=True, error_model="numpy")
def _number(
    stamp: npt.NDArray[Any], address: Int64, length: Int64, codes: npt.NDArray[np.int32], first: Int64
) -> int:
    """Number strings by first appearance, and count words; `first` gets the row where each first stands."""
    size = 64
    table = np.full(size, -1, np.int32)
    words = 0
    previous = -1
    for row in range(len(address)):
        # Runs of one word are usual: the one before is tried first.
        if previous >= 0:
            known = first[previous]
            if length[row] == length[known] and _same(address[row], address[known], length[row]):
                codes[row] = previous
                continue
        place = _hash(address[row], length[row]) & (size - 1)
        while table[place] >= 0:
            known = first[table[place]]
            if length[row] == length[known] and _same(address[row], address[known], length[row]):
                break
            place = (place + 1) & (size - 1)
        if table[place] < 0:
            table[place] = words
            first[words] = row
            words += 1
        previous = table[place]
        codes[row] = previous
        if 2 * words > size:
            size *= 4
            table = np.full(size, -1, np.int32)
            for word in range(words):
                place = _hash(address[first[word]], length[first[word]]) & (size - 1)
                while table[place] >= 0:
                    place = (place + 1) & (size - 1)
                table[place] = word
    return words


def distinct(address: Int64, length: Int64) -> tuple[npt.NDArray[np.int32], list[bytes]]:
    """The distinct strings among those at the given addresses, in order of first appearance.

    Strings of length 0 are one word, whatever their address. Returns the number of each string's word, and
    the words.
    """
    codes = np.empty(len(address), np.int32)
    first = np.empty(len(address), np.int64)
    words = _number(STAMP, address, length, codes, first)
    rows = first[:words]
    return codes, [
        ctypes.string_at(int(at), int(size)) if size else b""
        for at, size in zip(address[rows], length[rows], strict=True)
    ]
