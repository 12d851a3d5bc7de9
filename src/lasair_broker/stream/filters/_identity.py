"""The identity of a hit: the same for the same cause, whenever and wherever it is worked out.

A hitId is 32 hexadecimal digits: two hashes of 64 bits of (what kind of cause, filter, version, number of the
cause, ordinal). The causes are

====  ==========================  ======================  =======
kind  cause                       number                  version
====  ==========================  ======================  =======
1     an alert                    its diaSourceId         yes
2     an annotation               its annotationID        yes
3     an object, told of once     its diaObjectId         0
4     news of its place           mixed of its            yes
                                  diaObjectId and the
                                  revision of what it is
====  ==========================  ======================  =======

The ordinal is 0 but for a query that gives several rows for one cause: these are numbered in the order of
their contents as text. Each hash begins with a constant of its own and takes in one integer after the other
by exclusive or, followed by the finalizer of MurmurHash3 (Appleby, public domain), which mixes all bits. With
two of them, the chance that any two of 10^9 hits share an identity is about 10^-21.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
import numpy.typing as npt
import pyarrow as pa

__all__ = ["Cause", "hit_ids", "numbers_of_news"]

Int64 = npt.NDArray[np.int64]
UInt64 = npt.NDArray[np.uint64]


class Cause(IntEnum):
    """What a hit is of."""

    ALERT = 1
    ANNOTATION = 2
    OBJECT = 3
    CONTEXT = 4


_SEEDS = (0x9E3779B97F4A7C15, 0xD1B54A32D192ED03)
_DIGITS = np.frombuffer("".join(f"{byte:02x}" for byte in range(256)).encode(), "S2")


def hit_ids(cause: Int64, filterId: Int64, version: Int64, number: Int64, ordinal: Int64) -> pa.Array:
    """The hitId of each hit; all arrays have one element a hit, `cause` holds values of `Cause`."""
    halves = []
    for seed in _SEEDS:
        mixed = np.full(len(number), seed, np.uint64)
        for word in (cause, filterId, version, number, ordinal):
            mixed = _mixed(mixed ^ np.ascontiguousarray(word, np.int64).view(np.uint64))
        halves.append(mixed.astype(">u8").view(np.uint8).reshape(-1, 8))
    digits = _DIGITS[np.concatenate(halves, axis=1)]
    return pa.array(np.ascontiguousarray(digits).view("S32").reshape(-1), pa.binary()).cast(pa.string())


def numbers_of_news(diaObjectId: Int64, revision: Int64) -> Int64:
    """The number of the cause "news of such a revision for such an object", each of shape (n,)."""
    ids, of = (np.ascontiguousarray(values, np.int64).view(np.uint64) for values in (diaObjectId, revision))
    return _mixed(_mixed(of ^ np.uint64(_SEEDS[0])) ^ ids).view(np.int64)


def _mixed(value: UInt64) -> UInt64:
    value = (value ^ (value >> np.uint64(33))) * np.uint64(0xFF51AFD7ED558CCD)
    value = (value ^ (value >> np.uint64(33))) * np.uint64(0xC4CEB9FE1A85EC53)
    return value ^ (value >> np.uint64(33))
