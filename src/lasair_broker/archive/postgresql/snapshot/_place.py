"""Where a snapshot is, and the DuckDB that reads and writes it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from lasair_broker.settings import ArchiveSettings

__all__ = ["SnapshotPlace", "listed", "text"]


@dataclass(frozen=True, slots=True)
class SnapshotPlace:
    """Where a snapshot is.

    Attributes
    ----------
    folder
        On a fast local disk.
    memory_limit, threads
        What DuckDB may take to read and to write it.
    """

    folder: Path
    memory_limit: str = "500MB"
    threads: int = 1

    @classmethod
    def of(cls, settings: ArchiveSettings) -> SnapshotPlace | None:
        """As the settings say; None if there is to be none."""
        if settings.snapshot is None:
            return None
        return cls(settings.snapshot.absolute(), settings.memory_limit, settings.threads)

    def connect(self) -> Any:
        """A DuckDB of its own, in memory."""
        connection = duckdb.connect(
            ":memory:",
            config={
                "memory_limit": self.memory_limit,
                "threads": self.threads,
                "temp_directory": str(self.folder / "spill"),
                "python_enable_replacements": False,
                "autoinstall_known_extensions": False,
                "allow_community_extensions": False,
            },
        )
        connection.execute("SET GLOBAL TimeZone = 'UTC'")
        return connection


def text(path: Path | str) -> str:
    """A path as a text of SQL."""
    return "'" + str(path).replace("'", "''") + "'"


def listed(paths: Iterable[Path | str]) -> str:
    """Paths as a list of SQL."""
    return f"[{', '.join(map(text, paths))}]"
