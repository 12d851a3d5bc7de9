"""Which rows of packets' histories are new to the archive.

A packet repeats a year of an object's history. The archive keeps, for each object and light curve table, the
number of rows that it holds and the sum of their hashes. If the first rows of a packet's history, as many as
are held, have that sum, the packet merely extends what is held, and the rest is new. Rows held from before
the packet's first, where these are known, are taken off first. Otherwise its rows must be compared with
those held, one by one.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lasair_broker.compiled import njit

__all__ = ["compare", "extend", "limit_keys", "row_hashes", "row_sums"]

Int64 = npt.NDArray[np.int64]
UInt64 = npt.NDArray[np.uint64]
Float64 = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]


@njit(cache=True, nogil=True)
def _mix(value: np.uint64) -> np.uint64:
    """A bijection of 64-bit numbers whose values look random (the finaliser of SplitMix64: Steele, Lea and
    Flood 2014, "Fast splittable pseudorandom number generators", OOPSLA; constants by D. Stafford)."""
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


@njit(cache=True, nogil=True)
def _row_hash(key: np.uint64, withdrawn: np.uint64) -> np.uint64:
    return _mix(_mix(key + np.uint64(0x9E3779B97F4A7C15)) + withdrawn)


@njit(cache=True, nogil=True)
def _row_hashes(key: UInt64, withdrawn: UInt64) -> UInt64:
    out = np.empty(len(key), np.uint64)
    for i in range(len(key)):
        out[i] = _row_hash(key[i], withdrawn[i])
    return out


def _bits(values: Float64) -> UInt64:
    """Times as 64-bit patterns; 0 for NaN, so that all that are missing are equal."""
    present = np.where(np.isnan(values), 0.0, values)
    return np.ascontiguousarray(present, np.float64).view(np.uint64)


def row_hashes(key: Int64, withdrawn: Float64) -> UInt64:
    """The hash of each row, of its key and the time it was withdrawn (NaN: it was not)."""
    return _row_hashes(np.ascontiguousarray(key, np.int64).view(np.uint64), _bits(withdrawn))


@njit(cache=True, nogil=True)
def _limit_keys(time: UInt64, band: npt.NDArray[np.int8]) -> UInt64:
    out = np.empty(len(time), np.uint64)
    for i in range(len(time)):
        out[i] = _mix(time[i] ^ _mix(np.uint64(band[i] + 2)))
    return out


def limit_keys(midpointMjdTai: Float64, band: npt.NDArray[np.int8]) -> Int64:
    """A 64-bit key for rows that have none, non-detections: from their time (MJD) and band code."""
    return _limit_keys(_bits(midpointMjdTai), band).view(np.int64)


@njit(cache=True, nogil=True)
def _row_sums(object_row: Int64, hashes: UInt64, count: Int64, total: UInt64) -> None:
    for row in range(len(object_row)):
        count[object_row[row]] += 1
        total[object_row[row]] += hashes[row]


def row_sums(object_row: Int64, hashes: UInt64, num_objects: int) -> tuple[Int64, UInt64]:
    """For each object the number of rows, and the sum of their hashes modulo 2^64."""
    count, total = np.zeros(num_objects, np.int64), np.zeros(num_objects, np.uint64)
    _row_sums(object_row, hashes, count, total)
    return count, total


@njit(cache=True, nogil=True)
def _extend(
    offsets: Int64,
    key: UInt64,
    time: Float64,
    hashes: UInt64,
    held: Int64,
    held_sum: UInt64,
    before: Int64,
    before_sum: UInt64,
    new: Bool,
    doubtful: Bool,
    count: Int64,
    total: UInt64,
) -> None:
    for i in range(len(held)):
        start, stop = offsets[i], offsets[i + 1]
        total[i] = held_sum[i]
        count[i] = held[i]
        if start == stop:
            continue
        first = start + held[i] - before[i]
        prefix = before_sum[i]
        for row in range(start, min(first, stop)):
            prefix += hashes[row]
        # Without a row of the packet that is held, a row taken for older could be one of the packet's.
        least = start + 1 if before[i] else start
        if first < least or first > stop or prefix != held_sum[i]:
            doubtful[i] = True
            continue
        for row in range(first, stop):
            # A row given twice is stored once; equal rows stand together.
            if row > start and key[row] == key[row - 1] and time[row] == time[row - 1]:
                continue
            new[row] = True
            count[i] += 1
            total[i] += hashes[row]


def extend(
    offsets: Int64,
    key: Int64,
    midpointMjdTai: Float64,
    hashes: UInt64,
    held: Int64,
    held_sum: UInt64,
    before: Int64 | None = None,
    before_sum: UInt64 | None = None,
) -> tuple[Bool, Bool, Int64, UInt64]:
    """Rows that are new because a packet extends what is held, and objects for which that is not so.

    Parameters
    ----------
    offsets
        Rows of object i are ``offsets[i]:offsets[i + 1]``, in order of (time, key).
    key, midpointMjdTai, hashes
        Key, time (MJD) and hash (`row_hashes`) of each row.
    held, held_sum
        For each object the number of rows held, and the sum of their hashes modulo 2^64.
    before, before_sum
        For each object the number and sum of rows that are held from before its first row here, as far as
        they are known; none if not given. If they are not what is held, or all that is, the object is in
        doubt.

    Returns
    -------
    Which rows are new, which objects are in doubt, and for each object the number of rows held and the sum of
    their hashes when the new rows are stored. Objects in doubt have no new rows yet.
    """
    new = np.zeros(len(key), np.bool_)
    doubtful = np.zeros(len(held), np.bool_)
    count = np.empty(len(held), np.int64)
    total = np.empty(len(held), np.uint64)
    if before is None or before_sum is None:
        before, before_sum = np.zeros(len(held), np.int64), np.zeros(len(held), np.uint64)
    _extend(
        offsets, key.view(np.uint64), midpointMjdTai, hashes, held, held_sum, before, before_sum,
        new, doubtful, count, total,
    )  # fmt: skip
    return new, doubtful, count, total


@njit(cache=True, nogil=True)
def _compare(
    objects: Int64,
    offsets: Int64,
    key: UInt64,
    time: Float64,
    withdrawn: UInt64,
    hashes: UInt64,
    stored_offsets: Int64,
    stored_key: UInt64,
    stored_withdrawn: UInt64,
    new: Bool,
    changed: Bool,
    count: Int64,
    total: UInt64,
) -> None:
    for n in range(len(objects)):
        i = objects[n]
        low, high = stored_offsets[n], stored_offsets[n + 1]
        stored = stored_key[low:high]
        order = np.argsort(stored)
        ordered = stored[order]
        for row in range(offsets[i], offsets[i + 1]):
            if row > offsets[i] and key[row] == key[row - 1] and time[row] == time[row - 1]:
                continue
            place = np.searchsorted(ordered, key[row])
            if place == len(ordered) or ordered[place] != key[row]:
                new[row] = True
                count[i] += 1
                total[i] += hashes[row]
            elif withdrawn[row] != 0:
                before = stored_withdrawn[low + order[place]]
                if before == 0:
                    changed[row] = True
                    total[i] += hashes[row] - _row_hash(key[row], before)


def compare(
    objects: Int64,
    offsets: Int64,
    key: Int64,
    midpointMjdTai: Float64,
    withdrawn: Float64,
    hashes: UInt64,
    stored_offsets: Int64,
    stored_key: Int64,
    stored_withdrawn: Float64,
    new: Bool,
    count: Int64,
    total: UInt64,
) -> Bool:
    """Compare the rows of objects in doubt with those held, one by one.

    Parameters
    ----------
    objects
        The objects in doubt.
    offsets, key, midpointMjdTai, withdrawn, hashes
        Rows of all objects, as for `extend`, and when each was withdrawn (MJD; NaN: it was not).
    stored_offsets, stored_key, stored_withdrawn
        Rows held: those of ``objects[n]`` are ``stored_offsets[n]:stored_offsets[n + 1]``, in any order. All
        rows held that the packet could repeat must be there.
    new, count, total
        As `extend` gave them; updated in place.

    Returns
    -------
    Which rows are held but have been withdrawn since.
    """
    changed = np.zeros(len(key), np.bool_)
    _compare(
        objects,
        offsets,
        key.view(np.uint64),
        midpointMjdTai,
        _bits(withdrawn),
        hashes,
        stored_offsets,
        stored_key.view(np.uint64),
        _bits(stored_withdrawn),
        new,
        changed,
        count,
        total,
    )
    return changed
