"""The DuckDB file: opened by one process, written through one connection, read through many."""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import duckdb

from ..errors import ArchiveError, ArchiveLockedError
from . import _migrations

__all__ = ["Database"]

_NAME = "archive"
_ROW_GROUP = 20_480
"""Rows of a row group. A sixth of DuckDB's default: a look-up reads that much less, and searches lose
little."""


class Database:
    """A DuckDB database of an archive.

    Parameters
    ----------
    folder
        Where the file ``archive.duckdb`` is; made if it is not there.
    memory_limit
        Memory that DuckDB may use, for instance "500MB".
    threads
        Threads of DuckDB.

    Raises
    ------
    ArchiveLockedError
        If it is open already, here or in another process.
    ArchiveError
        If it cannot be opened.
    """

    def __init__(self, folder: Path, memory_limit: str, threads: int) -> None:
        self.path = folder / "archive.duckdb"
        self._config: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": memory_limit,
            "threads": threads,
            "temp_directory": str(folder / "spill"),
            "python_enable_replacements": False,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "allow_community_extensions": False,
            # Deleted rows are removed by our own compaction; DuckDB's rewriting of whole row groups at a
            # checkpoint would stop the stream for seconds.
            "max_vacuum_tasks": 0,
            # Measured fluxes and features are random in their last bits: what these methods save (a tenth) is
            # not worth a third of the time of a checkpoint.
            "disabled_compression_methods": "alp,alprd",
            # A join with up to so many rows tells the scan on its other side which values are wanted, so that
            # blocks without any are left out.
            "dynamic_or_filter_threshold": 20_000,
        }
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock_file = _lock(folder / "archive.lock")
        except OSError as error:
            raise ArchiveError(f"cannot open an archive in {folder}: {error.strerror}") from error
        self._guard = threading.Lock()
        self._idle: list[Any] = []
        self._readers: set[Any] = set()
        self._root: Any = None
        self.writer: Any = None
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    def _open(self) -> None:
        try:
            self._root = duckdb.connect(":memory:", config=self._config)
            quoted = str(self.path).replace("'", "''")
            self._root.execute(f"ATTACH '{quoted}' AS {_NAME} (ROW_GROUP_SIZE {_ROW_GROUP})")
            self._root.execute(
                "SET GLOBAL TimeZone = 'UTC'"
            )  # the name that the schema gives to the zone of timestamps
            # Checkpoints happen when we choose, together with the sorting of recent rows.
            self._root.execute("SET checkpoint_threshold = '1TB'")
            self._root.execute("SET enable_external_access = false")
            self._root.execute("SET lock_configuration = true")
            self.writer = self._cursor()
        except duckdb.Error as error:
            raise ArchiveError(f"cannot open {self.path}: {error}") from error
        _migrations.migrate(self.writer)

    def _cursor(self) -> Any:
        cursor = self._root.cursor()
        cursor.execute(f"USE {_NAME}")
        return cursor

    @contextmanager
    def reader(self) -> Iterator[Any]:
        """A connection of one's own for reading.

        Raises
        ------
        ArchiveError
            If the archive is closed, or something fails in DuckDB.
        """
        with self.connection() as cursor:
            try:
                yield cursor
            except duckdb.Error as error:
                raise ArchiveError(str(error)) from error

    @contextmanager
    def connection(self) -> Iterator[Any]:
        """A connection of one's own, whose errors are DuckDB's."""
        with self._guard:
            if self._root is None:
                raise ArchiveError("the archive is closed")
            root = self._root
            cursor = self._idle.pop() if self._idle else self._cursor()
            self._readers.add(cursor)
        try:
            yield cursor
        finally:
            with self._guard:
                self._readers.discard(cursor)
                if root is self._root:
                    self._idle.append(cursor)

    @property
    def wal_bytes(self) -> int:
        """Bytes committed since the last checkpoint."""
        with suppress(FileNotFoundError):
            return self.path.with_name(self.path.name + ".wal").stat().st_size
        return 0

    def reopen(self) -> None:
        """Open the database again, after an error from which DuckDB does not recover by itself."""
        with self._guard:
            self._shut()
            self._open()

    def _shut(self) -> None:
        for cursor in (*self._readers, *self._idle, self.writer, self._root):
            with suppress(duckdb.Error, AttributeError):
                cursor.interrupt()
        for cursor in (*self._readers, *self._idle, self.writer, self._root):
            with suppress(duckdb.Error, AttributeError):
                cursor.close()
        self._idle.clear()
        self.writer = self._root = None

    def close(self) -> None:
        """Close everything; what DuckDB has in its log is brought into its file first, if that can be
        done."""
        with self._guard:
            if self._root is not None and self.writer is not None:
                with suppress(duckdb.Error):
                    self.writer.execute("CHECKPOINT")
            self._shut()
            if self._lock_file >= 0:
                os.close(self._lock_file)
                self._lock_file = -1


def _lock(path: Path) -> int:
    """Hold the archive for this process; the file says for whom."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        holder = os.read(file, 200).decode(errors="replace").strip() or "another process"
        os.close(file)
        raise ArchiveLockedError(
            f"the archive in {path.parent} is open in {holder}; an embedded archive can be open only once"
        ) from None
    # A full disk must not keep an archive from being opened, so the name of its holder is a courtesy.
    with suppress(OSError):
        os.ftruncate(file, 0)
        os.pwrite(file, f"process {os.getpid()} ({_command()})".encode(), 0)
    return file


def _command() -> str:
    with suppress(OSError):
        words = Path("/proc/self/cmdline").read_bytes().split(b"\0")[:3]
        return b" ".join(words).decode(errors="replace").strip()
    return "Python"
