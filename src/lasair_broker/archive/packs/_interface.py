"""What packs are to an archive, wherever they are kept."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from ..errors import ArchiveCorruptError
from . import _memory
from ._format import Frame, frames

__all__ = ["PackReader", "PackWriter", "Reserved", "damaged"]

Int64 = npt.NDArray[np.int64]
P = TypeVar("P", tuple[str, int, int], tuple[str, int, int, str])


@dataclass(frozen=True, slots=True)
class Reserved:
    """Room for a frame: its pack, where it begins, where each datum will begin, and where it ends."""

    pack: str
    start: int
    offset: Int64
    end: int


class PackReader(ABC):
    """Reads pieces of packs; it may be used by many threads."""

    @abstractmethod
    def read(self, pack: str, offset: int, length: int) -> bytes:
        """`length` bytes of a pack from `offset` on.

        Raises
        ------
        ArchiveCorruptError
            If the pack is missing or too short.
        ArchiveAwayError
            If the place where packs are cannot be reached.
        """

    @abstractmethod
    def map(self, pack: str) -> npt.NDArray[np.uint8]:
        """A whole pack as it is now, mapped into memory (not read yet).

        Raises
        ------
        ArchiveCorruptError
            If the pack is missing.
        ArchiveAwayError
            If the place where packs are cannot be reached.
        """

    @abstractmethod
    def sizes(self) -> dict[str, int]:
        """All packs that are there and their sizes in bytes."""

    @abstractmethod
    def in_use(self, pack: str) -> bool:
        """Whether some process may be about to commit what it has written into a pack."""

    @abstractmethod
    def close(self) -> None:
        """Close all files."""

    def read_found(self, find: Callable[[], P | None]) -> tuple[bytes, P] | None:
        """The bytes of which `find` gives pack, offset and length, or None, and what it gave; found once more
        if they were moved between the finding and the reading."""
        place = find()
        if place is None:
            return None
        try:
            return self.read(*place[:3]), place
        except ArchiveCorruptError:
            moved = find()
            if moved == place:
                raise
            return None if moved is None else (self.read(*moved[:3]), moved)

    def frames(self, pack: str) -> list[Frame]:
        """The whole frames of a pack, up to the first place where there is none."""
        return list(frames(self.map(pack)))

    def damaged(self, pack: str, frame: Frame) -> Int64:
        """Which datums of a frame no longer have the checksum they were written with."""
        return damaged(self.map(pack), frame)


def damaged(memory: npt.NDArray[np.uint8], frame: Frame) -> Int64:
    """Which datums of a frame of a pack's bytes no longer have the checksum they were written with."""
    found = _memory.checksums(frame.offset + memory.ctypes.data, frame.length)
    return np.flatnonzero(found != frame.checksum)


class PackWriter(ABC):
    """Appends datums to packs.

    What is written counts only after `commit`; `rollback` takes it back. The caller keeps the committed
    lengths (in its database).
    """

    @abstractmethod
    def reserve(self, length: Int64, mjd: float) -> Reserved:
        """Room for one frame of datums; it must be written with `write` before the next one is reserved.

        Parameters
        ----------
        length
            Length of each datum in bytes.
        mjd
            Now, MJD in days; a new night (from noon to noon UTC) begins a new pack.

        Raises
        ------
        OSError, ArchiveAwayError
            If a new pack cannot be made; call `rollback` then.
        """

    @abstractmethod
    def write(self, place: Reserved, address: Int64, length: Int64, fingerprint: int) -> None:
        """Write datums into reserved room; when this returns they are durable.

        Parameters
        ----------
        place
            The room, as `reserve` gave it for these lengths.
        address, length
            Where the datums are in memory, and their lengths in bytes.
        fingerprint
            Fingerprint of their schema.

        Raises
        ------
        OSError, ArchiveAwayError
            If they could not be written; call `rollback` then.
        """

    @abstractmethod
    def commit(self) -> None:
        """What was written counts from now on."""

    @abstractmethod
    def rollback(self, committed: Mapping[str, int]) -> None:
        """Forget what was written since the last commit.

        Parameters
        ----------
        committed
            The committed length in bytes of each pack, as the caller's database has it.

        Raises
        ------
        OSError, ArchiveAwayError
            If that cannot be done. What was written is then left over, and does not count.
        """

    @abstractmethod
    def add(self, pack: str, pieces: Iterable[bytes]) -> None:
        """Put a whole pack there, from its bytes piece by piece; it appears when it is whole and durable."""

    @abstractmethod
    def remove(self, packs: Iterable[str]) -> None:
        """Remove whole packs, none of which has anything that counts; one that is not there is no error.

        Raises
        ------
        OSError, ArchiveAwayError
            If one cannot be removed.
        """

    @abstractmethod
    def close(self) -> None:
        """Write no more; what was not committed does not count."""
