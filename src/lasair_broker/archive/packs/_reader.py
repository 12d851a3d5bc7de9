"""Reading from packs."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..errors import ArchiveCorruptError
from ._format import Frame, frames
from ._memory import checksums

__all__ = ["PackReader"]

_OPEN_FILES = 64


class PackReader:
    """Reads pieces of the packs of a folder; it may be used by many threads.

    Parameters
    ----------
    folder
        Where the packs are.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: OrderedDict[str, int] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, pack: str, offset: int, length: int) -> bytes:
        """`length` bytes of a pack from `offset` on.

        Raises
        ------
        ArchiveCorruptError
            If the pack is missing or too short.
        """
        # The lock keeps another thread from closing the file while it is read.
        with self._lock:
            data = os.pread(self._open(pack), length, offset)
        if len(data) < length:
            raise ArchiveCorruptError(f"pack {pack} ends before byte {offset + length}")
        return data

    def map(self, pack: str) -> npt.NDArray[np.uint8]:
        """A whole pack as it is now, mapped into memory (not read yet).

        Raises
        ------
        ArchiveCorruptError
            If the pack is missing.
        """
        path = self._path(pack)
        try:
            if path.stat().st_size == 0:
                return np.zeros(0, np.uint8)
            return np.memmap(path, np.uint8, "r")
        except OSError as error:
            raise ArchiveCorruptError(f"pack {pack} cannot be read: {error.strerror}") from None

    def frames(self, pack: str) -> list[Frame]:
        """The whole frames of a pack, up to the first place where there is none."""
        return list(frames(self.map(pack)))

    def damaged(self, pack: str, frame: Frame) -> npt.NDArray[np.int64]:
        """Which datums of a frame no longer have the checksum they were written with."""
        memory = self.map(pack)
        address = frame.offset + memory.ctypes.data
        return np.flatnonzero(checksums(address, frame.length) != frame.checksum)

    def sizes(self) -> dict[str, int]:
        """The packs of the folder and their sizes in bytes."""
        return {path.name: path.stat().st_size for path in sorted(self._folder.glob("*.pack"))}

    def close(self) -> None:
        """Close all files."""
        with self._lock:
            for file in self._files.values():
                os.close(file)
            self._files.clear()

    def _path(self, pack: str) -> Path:
        if "/" in pack or not pack.endswith(".pack"):
            raise ArchiveCorruptError(f"{pack!r} is not the name of a pack")
        return self._folder / pack

    def _open(self, pack: str) -> int:
        file = self._files.get(pack)
        if file is None:
            try:
                file = os.open(self._path(pack), os.O_RDONLY | os.O_CLOEXEC)
            except OSError as error:
                raise ArchiveCorruptError(f"pack {pack} cannot be read: {error.strerror}") from None
            self._files[pack] = file
            if len(self._files) > _OPEN_FILES:
                os.close(self._files.popitem(last=False)[1])
        else:
            self._files.move_to_end(pack)
        return file
