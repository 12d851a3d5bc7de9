"""Which files make a snapshot, and of what state of the archive it is."""

from __future__ import annotations

import json
import os
import zlib
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from lasair_broker.schema import TABLES, sql_type

from ._changes import KEPT

__all__ = ["NOWHERE", "Files", "Manifest", "layout", "names_of"]

_NAME = "snapshot.json"
_LAYOUT = 1

Files = dict[str, dict[int, list[str]]]
"""For each table the files of each sky cell, relative to the folder."""

NOWHERE = -1
"""The cell of rows whose object the archive does not have."""


def layout() -> str:
    """Changes with the columns that are kept."""
    columns = [
        (name, column.name, sql_type(column.datatype, "duckdb"))
        for name in KEPT
        for column in TABLES[name].columns
    ]
    return f"{_LAYOUT}-{zlib.crc32(repr(columns).encode()):08x}"


def names_of(files: Files) -> set[str]:
    """All files, of whatever table and cell."""
    return {file for cells in files.values() for some in cells.values() for file in some}


@dataclass(frozen=True, slots=True)
class Manifest:
    """What there is of a snapshot. Files are never changed; a newer snapshot names others.

    Attributes
    ----------
    archive
        The server and database of which it is.
    layout
        Of the tables, see `layout`.
    state
        The transactions that it has, as PostgreSQL writes a ``pg_snapshot``.
    taken
        When, by the server's clock, seconds since 1970 UTC.
    number
        Counts the refreshes.
    order
        HEALPix order of the cells.
    files
        See `Files`.
    superseded
        Files of earlier snapshots that searches may still read, and since when they are superseded.
    """

    archive: str
    layout: str
    state: str
    taken: float
    number: int
    order: int
    files: Files
    superseded: dict[str, float] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> Manifest | None:
        """The present one; None if there is none that this version can read."""
        try:
            written = json.loads((folder / _NAME).read_text())
            files = {
                name: {int(cell): list(files) for cell, files in cells.items()}
                for name, cells in written.pop("files").items()
            }
            found = cls(**written, files=files)
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return None
        return found if found.layout == layout() else None

    def write(self, folder: Path) -> None:
        """Make this the present one, at once."""
        beside = folder / f"{_NAME}.new"
        with beside.open("w") as file:
            json.dump(asdict(self), file)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(folder / _NAME)

    def paths(self, folder: Path, name: str) -> list[str]:
        """The files of a table."""
        return [str(folder / file) for files in self.files.get(name, {}).values() for file in files]

    def tidy(self, folder: Path) -> None:
        """Remove files that no snapshot names, of refreshes that were broken off."""
        named = names_of(self.files) | set(self.superseded)
        for path in folder.glob("*/*.parquet"):
            if str(path.relative_to(folder)) not in named:
                with suppress(OSError):
                    path.unlink()
