"""Reading from packs in a folder."""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import threading
import time
from collections import OrderedDict
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..errors import ArchiveCorruptError
from ._interface import PackReader

__all__ = ["FolderReader", "checked_name", "fresh_name", "night_of"]

_OPEN_FILES = 64
_NAME = re.compile(r"raw-(\d{5})-[0-9a-f]+\.pack")


class FolderReader(PackReader):
    """Reads pieces of the packs of a folder.

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
        # The lock keeps another thread from closing the file while it is read.
        with self._lock:
            data = os.pread(self._open(pack), length, offset)
        if len(data) < length:
            raise ArchiveCorruptError(f"pack {pack} ends before byte {offset + length}")
        return data

    def map(self, pack: str) -> npt.NDArray[np.uint8]:
        path = self._path(pack)
        try:
            if path.stat().st_size == 0:
                return np.zeros(0, np.uint8)
            return np.memmap(path, np.uint8, "r")
        except OSError as error:
            raise ArchiveCorruptError(f"pack {pack} cannot be read: {error.strerror}") from None

    def sizes(self) -> dict[str, int]:
        return {path.name: path.stat().st_size for path in sorted(self._folder.glob("*.pack"))}

    def in_use(self, pack: str) -> bool:
        try:
            file = os.open(self._path(pack), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # who writes has a lock
        except BlockingIOError:
            return True
        finally:
            os.close(file)
        return False

    def close(self) -> None:
        with self._lock:
            for file in self._files.values():
                os.close(file)
            self._files.clear()

    def _path(self, pack: str) -> Path:
        return self._folder / checked_name(pack)

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


def checked_name(pack: str) -> str:
    """The name of a pack, which has to be one: nothing else is ever read or removed."""
    if "/" in pack or not pack.endswith(".pack"):
        raise ArchiveCorruptError(f"{pack!r} is not the name of a pack")
    return pack


def fresh_name(mjd: float) -> str:
    """A name for an object: by night and time, so that packs lie in the order in which they came, and with a
    random end, so that two workers never choose the same."""
    return f"raw-{int(mjd - 0.5):05d}-{time.time_ns():016x}{secrets.token_hex(4)}.pack"


def night_of(pack: str) -> float:
    """The night in which a pack was written, from noon of this day (MJD); far in the future if its name does
    not say."""
    named = _NAME.fullmatch(pack)
    return int(named[1]) if named else np.inf
