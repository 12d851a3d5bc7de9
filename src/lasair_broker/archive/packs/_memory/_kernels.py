"""Kernels over raw memory: checksums of datums and comparison with stored bytes, without copying them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import carray, types  # type: ignore[attr-defined]  # numba exports it, untyped
from numba.core import cgutils
from numba.extending import intrinsic

from lasair_broker.compiled import njit

__all__ = ["checksums", "fill", "same_bytes"]

Int64 = npt.NDArray[np.int64]

_intrinsic: Callable[[Callable[..., Any]], Any] = intrinsic  # numba has no types of its own

_PRIME_A = np.uint64(0x9E3779B185EBCA87)
_PRIME_B = np.uint64(0xC2B2AE3D27D4EB4F)


@_intrinsic
def _words(typing_context: Any, address: Any) -> Any:
    """The memory at an address as a pointer to 64-bit words."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))

    pointer = types.CPointer(types.uint64)  # type: ignore[no-untyped-call]  # numba has no types
    return pointer(address), generate


@_intrinsic
def _bytes(typing_context: Any, address: Any) -> Any:
    """The memory at an address as a pointer to bytes."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], cgutils.voidptr_t)

    pointer = types.CPointer(types.uint8)  # type: ignore[no-untyped-call]  # numba has no types
    return pointer(address), generate


@_intrinsic
def _copy(typing_context: Any, target: Any, source: Any, length: Any) -> Any:
    """Copy `length` bytes from one address to another."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        to = builder.inttoptr(arguments[0], cgutils.voidptr_t)
        start = builder.inttoptr(arguments[1], cgutils.voidptr_t)
        cgutils.raw_memcpy(builder, to, start, arguments[2], 1)  # type: ignore[no-untyped-call]  # as above
        return context.get_dummy_value()

    return types.void(target, source, length), generate


@njit(cache=True, nogil=True)
def _turn(value: np.uint64, bits: int) -> np.uint64:
    return (value << np.uint64(bits)) | (value >> np.uint64(64 - bits))


@njit(cache=True, nogil=True)
def _checksum(address: int, length: int) -> np.uint64:
    # Four independent chains of multiply and rotate keep the multiplier busy; a single chain would wait for
    # it.
    a = np.uint64(length) * _PRIME_A
    b = a ^ _PRIME_B
    c = a + _PRIME_B
    d = ~a
    count = length >> 3
    words = carray(_words(address), count)
    i = 0
    while i + 4 <= count:
        a = _turn(a ^ words[i], 31) * _PRIME_A
        b = _turn(b ^ words[i + 1], 31) * _PRIME_A
        c = _turn(c ^ words[i + 2], 31) * _PRIME_A
        d = _turn(d ^ words[i + 3], 31) * _PRIME_A
        i += 4
    while i < count:
        a = _turn(a ^ words[i], 31) * _PRIME_A
        i += 1
    rest = length & 7
    tail = carray(_bytes(address + length - rest), rest)
    for k in range(rest):
        b = _turn(b ^ np.uint64(tail[k]), 11) * _PRIME_B
    h = _turn(a, 1) ^ _turn(b, 7) ^ _turn(c, 12) ^ _turn(d, 18)
    h = (h ^ (h >> np.uint64(33))) * _PRIME_B
    return h ^ (h >> np.uint64(29))


@njit(cache=True, nogil=True)
def checksums(address: Int64, length: Int64) -> npt.NDArray[np.uint64]:
    """A 64-bit checksum of each piece of memory, given by address and length in bytes.

    It finds accidents (flipped bits, torn writes), not forgeries.
    """
    out = np.empty(len(address), np.uint64)
    for i in range(len(address)):
        out[i] = _checksum(address[i], length[i])
    return out


@njit(cache=True, nogil=True)
def fill(
    address: Int64,
    length: Int64,
    datum: int,
    within: int,
    buffer: int,
    size: int,
    checksum: npt.NDArray[np.uint64],
) -> tuple[int, int, int]:
    """Copy datums one after the other into a buffer until it is full, and take their checksums on the way.

    Parameters
    ----------
    address, length
        Where the datums are, and their lengths in bytes.
    datum, within
        The datum to go on with, and how many of its bytes are copied already.
    buffer, size
        Address and size in bytes of the buffer.
    checksum
        Receives the checksum of each datum begun.

    Returns
    -------
    Bytes copied, and `datum` and `within` for the next call.
    """
    used = 0
    while datum < len(address) and used < size:
        if within == 0:
            checksum[datum] = _checksum(address[datum], length[datum])
        count = min(length[datum] - within, size - used)
        _copy(buffer + used, address[datum] + within, count)
        used += count
        within += count
        if within == length[datum]:
            datum += 1
            within = 0
    return used, datum, within


@njit(cache=True, nogil=True)
def same_bytes(left: Int64, right: Int64, length: Int64) -> npt.NDArray[np.bool_]:
    """Which pairs of pieces of memory, of `length` bytes each, hold the same bytes."""
    out = np.empty(len(left), np.bool_)
    for i in range(len(left)):
        a = carray(_bytes(left[i]), length[i])
        b = carray(_bytes(right[i]), length[i])
        same = True
        for k in range(length[i]):
            if a[k] != b[k]:
                same = False
                break
        out[i] = same
    return out
