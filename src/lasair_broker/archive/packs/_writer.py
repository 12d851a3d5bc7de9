"""Appending to packs in a folder so that a crash leaves nothing behind but bytes that nobody points to."""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np
import numpy.typing as npt

from . import _memory
from ._format import blocks, frame_header, header_bytes
from ._interface import PackWriter, Reserved
from ._reader import checked_name

__all__ = ["FolderWriter"]

Int64 = npt.NDArray[np.int64]

_NAME = re.compile(r"raw-(\d{5})-(\d{6,})\.pack")
_BUFFER_BYTES = 4 * 1024**2


class FolderWriter(PackWriter):
    """Appends datums to the newest pack of a folder.

    What is written counts only after `commit`; `rollback`, or the next start after a crash, cuts it off. The
    caller keeps the committed lengths (in its database), and hands them over when it starts.

    Bytes go through one buffer straight to the disk (O_DIRECT): nobody reads a raw alert soon, so filling the
    page cache with it would cost several times as much as the copy, and push out what is read. File systems
    without direct writes get ordinary ones.

    Parameters
    ----------
    folder
        Where the packs are; made if it is not there.
    committed
        The committed length in bytes of each pack.
    pack_bytes
        A pack is closed when it has grown to this size.
    """

    def __init__(self, folder: Path, committed: Mapping[str, int], pack_bytes: int) -> None:
        self._folder = folder
        self._pack_bytes = pack_bytes
        self._buffer = mmap.mmap(
            -1, _BUFFER_BYTES
        )  # mapped memory begins on a page, as direct writes need it
        self._memory = np.frombuffer(self._buffer, np.uint8)
        self._file = -1
        self._name = ""
        self._length = 0
        self._night = -1
        self._number = 0
        self._created: list[Path] = []
        folder.mkdir(parents=True, exist_ok=True)
        self._resume(committed)

    @property
    def extent(self) -> tuple[str, int]:
        """Name and length of the newest pack, appended bytes included; ("", 0) before the first."""
        return self._name, self._length

    def reserve(self, length: Int64, mjd: float) -> Reserved:
        night = int(mjd - 0.5)
        if self._file < 0 or night != self._night or self._length >= self._pack_bytes:
            self._next_pack(night)
        start = self._length
        data = start + header_bytes(len(length))
        end = data + blocks(int(length.sum()))
        self._length = end
        return Reserved(self._name, start, data + np.cumsum(length) - length, end)

    def write(self, place: Reserved, address: Int64, length: Int64, fingerprint: int) -> None:
        checksum = np.empty(len(address), np.uint64)
        position, datum, within = place.start + header_bytes(len(length)), 0, 0
        while datum < len(address):
            used, datum, within = _memory.fill(
                address, length, datum, within, self._memory.ctypes.data, _BUFFER_BYTES, checksum
            )
            self._write(used, position)
            position += used
        # The header is written last, when the checksums are known.
        header = np.frombuffer(frame_header(fingerprint, length, checksum), np.uint8)
        for part in range(0, len(header), _BUFFER_BYTES):
            piece = header[part : part + _BUFFER_BYTES]
            self._memory[: len(piece)] = piece
            self._write(len(piece), place.start + part)
        os.fdatasync(self._file)

    def commit(self) -> None:
        self._created.clear()

    def rollback(self, committed: Mapping[str, int]) -> None:
        self._close()
        for path in self._created:
            if path.name not in committed:
                path.unlink(missing_ok=True)
        self._created.clear()
        self._resume(committed)

    def remove(self, packs: Iterable[str]) -> None:
        for pack in packs:
            (self._folder / checked_name(pack)).unlink(missing_ok=True)
        self._sync_folder()

    def add(self, pack: str, pieces: Iterable[bytes]) -> None:
        path = self._folder / checked_name(pack)
        partial = path.with_suffix(".partial")
        with partial.open("wb") as out:
            for piece in pieces:
                out.write(piece)
            out.flush()
            os.fsync(out.fileno())
        partial.replace(path)
        self._sync_folder()

    def close(self) -> None:
        self._close()

    def _resume(self, committed: Mapping[str, int]) -> None:
        numbers = {int(match[2]): name for name in committed if (match := _NAME.fullmatch(name))}
        # A pack that nobody knows may be what a crash left, or come from a time after the back-up that this
        # archive was restored from: it is never written over.
        there = [int(match[2]) for path in self._folder.iterdir() if (match := _NAME.fullmatch(path.name))]
        self._number = max([*numbers, *there], default=0)
        self._name, self._length, self._night = "", 0, -1
        if numbers:
            self._name = numbers[max(numbers)]
            self._length = committed[self._name]
            self._reopen()

    def _reopen(self) -> None:
        """Go on with the newest committed pack, cut to its committed length."""
        path = self._folder / self._name
        # A pack that has lost bytes is left as it is for a check to report; the next append begins another.
        if path.exists() and path.stat().st_size >= self._length:
            self._file = _open(path, 0)
            self._night = int(self._name.split("-")[1])
            os.ftruncate(self._file, self._length)

    def _close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _next_pack(self, night: int) -> None:
        self._close()
        while self._file < 0:
            self._number += 1
            self._name, self._length, self._night = f"raw-{night:05d}-{self._number:06d}.pack", 0, night
            path = self._folder / self._name
            # Several workers of a site append to packs of one folder, each to its own.
            with suppress(FileExistsError):
                self._file = _open(path, os.O_CREAT | os.O_EXCL)
        self._created.append(path)
        self._sync_folder()

    def _sync_folder(self) -> None:
        folder = os.open(self._folder, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _write(self, used: int, position: int) -> None:
        """Write the first `used` bytes of the buffer, filled up with zeros to a whole block, at
        `position`."""
        size = blocks(used)
        self._memory[used:size] = 0
        done = 0
        with memoryview(self._buffer) as view:
            while done < size:
                try:
                    written = os.pwrite(self._file, view[done:size], position + done)
                except OSError as error:
                    if error.errno != errno.EINVAL or not _is_direct(self._file):
                        raise
                    _make_ordinary(self._file)  # after a short write the rest may be unfit for a direct one
                    continue
                if written == 0:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._folder / self._name))
                done += written


def _open(path: Path, flags: int) -> int:
    flags |= os.O_WRONLY | os.O_CLOEXEC
    direct: int = getattr(os, "O_DIRECT", 0)
    try:
        file = os.open(path, flags | direct, 0o644)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        file = os.open(path, flags, 0o644)
    with suppress(OSError):  # some file systems have no locks
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    return file


def _is_direct(file: int) -> bool:
    return bool(fcntl.fcntl(file, fcntl.F_GETFL) & getattr(os, "O_DIRECT", 0))


def _make_ordinary(file: int) -> None:
    flags = fcntl.fcntl(file, fcntl.F_GETFL)
    fcntl.fcntl(file, fcntl.F_SETFL, flags & ~getattr(os, "O_DIRECT", 0))
