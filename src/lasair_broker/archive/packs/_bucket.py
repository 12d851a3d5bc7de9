"""Packs in an object store, such as S3: each frame is one object, which is there before its commit.

Objects cannot be appended to. A frame is what one batch of alerts adds, up to 128 MB, and as an object of
its own it is durable when the store says so: no machine keeps anything that another would need, or that
could be lost with it. What a crash leaves is an object that nobody points to.
"""

from __future__ import annotations

import os
import secrets
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import ArchiveAwayError, ArchiveCorruptError, ArchiveError
from . import _memory
from ._format import blocks, frame_header, header_bytes
from ._interface import PackReader, PackWriter, Reserved
from ._reader import checked_name, fresh_name

__all__ = ["BucketReader", "BucketWriter"]

Int64 = npt.NDArray[np.int64]

_SETTLED = timedelta(hours=1)
"""An object that nobody points to after this long will not be committed any more."""


class BucketWriter(PackWriter):
    """Makes an object of each frame.

    Parameters
    ----------
    files
        The object store, a file system of fsspec.
    root
        Bucket and prefix, without the protocol.
    """

    def __init__(self, files: Any, root: str) -> None:
        self._files = files
        self._root = root
        self._created: list[str] = []

    def reserve(self, length: Int64, mjd: float) -> Reserved:
        name = fresh_name(mjd)
        data = header_bytes(len(length))
        return Reserved(name, 0, data + np.cumsum(length) - length, data + blocks(int(length.sum())))

    def write(self, place: Reserved, address: Int64, length: Int64, fingerprint: int) -> None:
        content = bytearray(place.end)
        memory = np.frombuffer(content, np.uint8)
        checksum = np.empty(len(address), np.uint64)
        start = header_bytes(len(length))
        _memory.fill(address, length, 0, 0, memory.ctypes.data + start, place.end - start, checksum)
        content[:start] = frame_header(fingerprint, length, checksum)
        self._created.append(place.pack)
        with _reaching(f"pack {place.pack} cannot be written"):
            self._files.pipe_file(f"{self._root}/{place.pack}", content)

    def commit(self) -> None:
        self._created.clear()

    def rollback(self, committed: Mapping[str, int]) -> None:
        gone = [pack for pack in self._created if pack not in committed]
        self._created.clear()
        self.remove(gone)

    def add(self, pack: str, pieces: Iterable[bytes]) -> None:
        with (
            _reaching(f"pack {pack} cannot be written"),
            self._files.open(f"{self._root}/{checked_name(pack)}", "wb") as out,
        ):
            for piece in pieces:
                out.write(piece)

    def remove(self, packs: Iterable[str]) -> None:
        for pack in packs:
            with _reaching(f"pack {pack} cannot be removed"), suppress(FileNotFoundError):
                self._files.rm_file(f"{self._root}/{checked_name(pack)}")

    def close(self) -> None:
        """Nothing is open."""


class BucketReader(PackReader):
    """Reads pieces of objects by ranges; whole ones through files that are kept for a while.

    Parameters
    ----------
    files, root
        As of `BucketWriter`.
    cache, cache_bytes
        A folder of this machine, which several processes may share, and how much it may hold.
    """

    def __init__(self, files: Any, root: str, cache: Path, cache_bytes: int) -> None:
        self._files = files
        self._root = root
        self._cache = cache
        self._cache_bytes = cache_bytes
        self._lock = threading.Lock()

    def read(self, pack: str, offset: int, length: int) -> bytes:
        if length == 0:
            return b""
        try:
            with (self._cache / checked_name(pack)).open("rb") as file:
                file.seek(offset)
                data = file.read(length)
        except FileNotFoundError:
            with self._there(pack):
                data = bytes(self._files.cat_file(f"{self._root}/{pack}", start=offset, end=offset + length))
        if len(data) < length:
            raise ArchiveCorruptError(f"pack {pack} ends before byte {offset + length}")
        return data

    def map(self, pack: str) -> npt.NDArray[np.uint8]:
        path = self._cache / checked_name(pack)
        with self._lock:  # one process fetches a pack once
            try:
                os.utime(path)  # who is used stays
                return np.memmap(path, np.uint8, "r")
            except FileNotFoundError:
                self._fetch(pack, path)
            if path.stat().st_size == 0:
                return np.zeros(0, np.uint8)
            memory = np.memmap(path, np.uint8, "r")  # stays readable when the file is removed
            self._make_room()
            return memory

    def sizes(self) -> dict[str, int]:
        return {name: int(found["size"]) for name, found in self._listed().items()}

    def in_use(self, pack: str) -> bool:
        found = self._listed().get(pack)
        return found is not None and datetime.now(UTC) - found["LastModified"] < _SETTLED

    def close(self) -> None:
        """Nothing is open."""

    def _listed(self) -> dict[str, dict[str, Any]]:
        with _reaching(f"the packs in {self._root} cannot be listed"):
            try:
                found = self._files.ls(self._root, detail=True, refresh=True)
            except FileNotFoundError:  # a prefix is there when something is in it
                return {}
        named = ((entry["name"].rpartition("/")[2], entry) for entry in found if entry["type"] == "file")
        return {name: entry for name, entry in sorted(named) if name.endswith(".pack")}

    def _fetch(self, pack: str, path: Path) -> None:
        self._cache.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{secrets.token_hex(4)}.partial")
        try:
            with self._there(pack):
                self._files.get_file(f"{self._root}/{pack}", str(part))
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)

    def _make_room(self) -> None:
        """Remove what was not used for longest, until the rest is small enough."""
        kept: list[tuple[float, int, Path]] = []
        for path in self._cache.iterdir():
            with suppress(FileNotFoundError):  # another process makes room as well
                state = path.stat()
                kept.append((state.st_mtime, state.st_size, path))
        total = sum(size for _, size, _ in kept)
        for _, size, path in sorted(kept):
            if total <= self._cache_bytes:
                return
            path.unlink(missing_ok=True)
            total -= size

    @contextmanager
    def _there(self, pack: str) -> Iterator[None]:
        with _reaching(f"pack {pack} cannot be read"):
            try:
                yield
            except FileNotFoundError:
                raise ArchiveCorruptError(f"pack {pack} cannot be read: it is not in {self._root}") from None


@contextmanager
def _reaching(what: str) -> Iterator[None]:
    """Whatever the store's client raises as an error of the archive; each client has its own."""
    try:
        yield
    except ArchiveError:
        raise
    except Exception as error:
        raise ArchiveAwayError(f"{what}: {type(error).__name__}: {error}") from error
