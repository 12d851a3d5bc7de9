"""The layout of a pack file.

A pack is a sequence of frames. A frame is what one batch of one writer schema appended, and describes itself,
so that the alerts could be found again from the packs alone:

====================  ======================================================
magic                 8 bytes ``LSRPACK1``
fingerprint           int64, 64-bit fingerprint of the datums' Avro schema
count                 int64, number of datums
size                  int64, bytes of all datums together
checksum              uint64, of the three numbers before and the two lists that follow
lengths               count × int64, length of each datum
datum checksums       count × uint64
padding               zeros up to a whole block of 4096 bytes
datums                the datums, one after the other
padding               zeros up to a whole block
====================  ======================================================

All numbers are little-endian. Frames begin on whole blocks so that they can be written past the page cache,
and so that no write ever touches a block that holds committed data.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from . import _memory

__all__ = ["BLOCK", "Frame", "blocks", "frame_header", "frames", "header_bytes"]

Int64 = npt.NDArray[np.int64]

BLOCK = 4096
_MAGIC = b"LSRPACK1"
_FIXED = 40


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame found in a pack.

    Attributes
    ----------
    fingerprint
        Fingerprint of the schema of its datums.
    offset, length
        Where each datum begins in the pack, and its length.
    checksum
        Checksum of each datum as it was written.
    start, end
        Where the frame begins, and where the next one would.
    """

    fingerprint: int
    offset: Int64
    length: Int64
    checksum: npt.NDArray[np.uint64]
    start: int
    end: int


def blocks(size: int) -> int:
    """`size` rounded up to whole blocks."""
    return -(-size // BLOCK) * BLOCK


def header_bytes(count: int) -> int:
    """Bytes from the beginning of a frame of `count` datums to its first datum."""
    return blocks(_FIXED + 16 * count)


def frame_header(fingerprint: int, length: Int64, datum_checksums: npt.NDArray[np.uint64]) -> bytes:
    """What stands before the datums of a frame, padding included."""
    numbers = np.array([fingerprint, len(length), int(length.sum())], "<i8").tobytes()
    lists = length.astype("<i8").tobytes() + datum_checksums.astype("<u8").tobytes()
    header = _MAGIC + numbers + _checksum(numbers + lists) + lists
    return header.ljust(header_bytes(len(length)), b"\0")


def frames(pack: npt.NDArray[np.uint8], start: int = 0) -> Iterator[Frame]:
    """The frames of a pack, up to its end or to the first place where there is none.

    Parameters
    ----------
    pack
        The bytes of the pack.
    start
        Where the first frame begins.
    """
    position = start
    while position + _FIXED <= len(pack):
        head = pack[position : position + _FIXED]
        if head[:8].tobytes() != _MAGIC:
            return
        fingerprint, count, size = head[8:32].view("<i8").tolist()
        if count < 0 or size < 0 or position + header_bytes(count) + size > len(pack):
            return
        data = position + header_bytes(count)
        lists = pack[position + _FIXED : position + _FIXED + 16 * count].tobytes()
        if _checksum(head[8:32].tobytes() + lists) != head[32:].tobytes():
            return
        length = np.frombuffer(lists, "<i8", count)
        checksum = np.frombuffer(lists, "<u8", count, 8 * count)
        if length.min(initial=0) < 0 or int(length.sum()) != size:
            return
        offset = data + np.cumsum(length) - length
        end = data + blocks(size)
        yield Frame(fingerprint, offset, length, checksum, position, end)
        position = end


def _checksum(content: bytes) -> bytes:
    memory = np.frombuffer(content, np.uint8)
    address = np.array([memory.ctypes.data], np.int64)
    return _memory.checksums(address, np.array([len(memory)], np.int64)).astype("<u8").tobytes()
