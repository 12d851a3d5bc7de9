"""How a catalogue lies on disk.

A catalogue is a folder. Its file ``current`` names the folder of the version in use; a new version is written
beside it and ``current`` replaced, so that readers see the one or the other. Files of a version never change:

``cells``
    Order-29 cells, int64, ascending: these alone answer a match.
``bins``
    The table that finds cells (`SortedCells.bins`), uint32.
``positions``
    Position of each row, for the exact test: `PLAIN` or `MOVING` records.
``fast``
    `FAST` records of the rows that move faster than `FAST_MAS_PER_YEAR`, in catalogues with proper motions.
``part-NNNNN.arrow``
    The other columns, a run of rows a file, Arrow IPC.
``version.json``
    The description, the columns, and size and digest of each file.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from lasair_broker.context.catalogues._columns import Column, column_of
from lasair_broker.context.catalogues._description import Description, parse_description
from lasair_broker.context.catalogues.errors import CatalogueDamagedError, CatalogueUnavailableError

__all__ = [
    "FAST",
    "FAST_MAS_PER_YEAR",
    "FORMAT",
    "MOVING",
    "PLAIN",
    "Part",
    "Version",
    "digest",
    "mapped",
    "mapped_array",
    "schema_of",
    "write_atomically",
]

FORMAT = 1

PLAIN = np.dtype([("ra", "<f8"), ("decl", "<f8")])
MOVING = np.dtype([("ra", "<f8"), ("decl", "<f8"), ("epoch", "<f8"), ("pmra", "<f4"), ("pmdec", "<f4")])
"""One record, so that the exact test of a row reads one page. Motions that are not known are 0 here."""

FAST = np.dtype([("row", "<i8"), ("cell", "<i8"), ("motion", "<f8")])
FAST_MAS_PER_YEAR = 50.0
"""Faster rows are also searched apart: a search round every row that could hold Barnard's star, 10 arcseconds
a year, would find thousands of others in the Milky Way."""


@dataclass(frozen=True)
class Part:
    """A run of rows in a file of their own."""

    file: str
    first: int
    rows: int


@dataclass(frozen=True)
class Version:
    """What ``version.json`` says.

    Attributes
    ----------
    name
        Of the catalogue.
    version
        Digest of contents and description: differs if anything does.
    description
        As imported.
    rows
        How many there are.
    parts
        Ascending and without gaps.
    epochs
        Earliest and latest epoch of the positions, Julian years.
    files
        Size and digest of each file.
    imported_from, imported_at
        The source, and when (ISO 8601, UTC).
    rejected
        Rows and values of the source that could not be used.
    absent
        Optional columns that the source did not have.
    """

    name: str
    version: str
    description: Description
    rows: int
    parts: tuple[Part, ...]
    epochs: tuple[float, float]
    files: Mapping[str, Mapping[str, Any]]
    imported_from: str
    imported_at: str
    rejected: int
    absent: tuple[str, ...] = ()

    def to_json(self) -> str:
        """As it is written."""
        return json.dumps(
            {
                "format": FORMAT,
                "name": self.name,
                "version": self.version,
                "rows": self.rows,
                "epochs": self.epochs,
                "imported_from": self.imported_from,
                "imported_at": self.imported_at,
                "rejected": self.rejected,
                "absent": self.absent,
                "parts": [[part.file, part.first, part.rows] for part in self.parts],
                "files": self.files,
                "description": self.description.model_dump(mode="json", exclude_defaults=True),
            },
            indent=1,
        )

    @classmethod
    def read(cls, folder: Path) -> Version:
        """Read the ``version.json`` of a version's folder.

        Raises
        ------
        CatalogueUnavailableError
            If there is none.
        CatalogueDamagedError
            If it cannot be understood, or a file has another size than it says.
        """
        path = folder / "version.json"
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise CatalogueUnavailableError(f"{path} is not there; import the catalogue again") from None
        except (OSError, ValueError) as error:
            raise CatalogueDamagedError(f"cannot read {path}: {error}; import the catalogue again") from None
        if not isinstance(values, dict) or values.get("format") != FORMAT:
            raise CatalogueDamagedError(
                f"{path} is not of format {FORMAT}, which this Lasair reads; import the catalogue again"
            )
        try:
            found = cls(
                name=values["name"],
                version=values["version"],
                description=parse_description(values["description"], str(path)),
                rows=values["rows"],
                parts=tuple(Part(*part) for part in values["parts"]),
                epochs=tuple(values["epochs"]),
                files=values["files"],
                imported_from=values["imported_from"],
                imported_at=values["imported_at"],
                rejected=values["rejected"],
                absent=tuple(values["absent"]),
            )
        except (KeyError, TypeError) as error:
            raise CatalogueDamagedError(f"{path} lacks {error}; import the catalogue again") from None
        for file, facts in found.files.items():
            try:
                size = (folder / file).stat().st_size
            except FileNotFoundError:
                raise CatalogueUnavailableError(
                    f"{folder / file} is not there; import the catalogue again"
                ) from None
            if size != facts["bytes"]:
                raise CatalogueDamagedError(
                    f"{folder / file} has {size:,} bytes, not {facts['bytes']:,}; import the catalogue again"
                )
        return found


def schema_of(description: Description) -> pa.Schema:
    """The columns of a catalogue: position and epoch first, then as described; units are in the metadata."""
    wanted = dict.fromkeys(["ra", "decl", "epoch"] if description.moves else ["ra", "decl"])
    fields = []
    for name in [*wanted, *(n for n in description.columns if n not in wanted)]:
        column = cast(Column, column_of(name))  # that there is one is checked with the description
        fields.append(pa.field(name, column.type, metadata={"unit": column.unit} if column.unit else None))
    for name, mapping in description.extra.items():
        kind = pa.string() if mapping.type == "text" else pa.float64()
        fields.append(pa.field(name, kind, metadata={"unit": mapping.unit} if mapping.unit else None))
    return pa.schema(fields)


def mapped(path: Path, *, in_order: bool = False) -> memoryview:
    """The bytes of a file, mapped: read a page at a time as they are touched, or ahead if `in_order`.

    Raises
    ------
    CatalogueUnavailableError
        If the file is not there.
    """
    try:
        with path.open("rb") as file:
            if not os.fstat(file.fileno()).st_size:  # an empty file cannot be mapped
                return memoryview(b"")
            pages = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
    except OSError as error:
        raise CatalogueUnavailableError(
            f"{path}: {error.strerror}; the catalogue cannot be used until it is back"
        ) from None
    # Rows near each other in the sky share pages; reading ahead would only fetch sky that nobody asked for.
    pages.madvise(mmap.MADV_SEQUENTIAL if in_order else mmap.MADV_RANDOM)
    return memoryview(pages)


def mapped_array(path: Path, dtype: npt.DTypeLike, *, in_order: bool = False) -> npt.NDArray[Any]:
    """A mapped file as an array of records."""
    return np.frombuffer(mapped(path, in_order=in_order), dtype)


def digest(paths: Iterable[Path]) -> dict[str, dict[str, Any]]:
    """Size and BLAKE2b digest of files, by name."""
    found = {}
    for path in paths:
        with path.open("rb") as file:
            hashed = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=20))
        found[path.name] = {"bytes": path.stat().st_size, "blake2b": hashed.hexdigest()}
    return found


def write_atomically(path: Path, text: str) -> None:
    """Put text into a file so that a reader, or a crash, sees the old or the new text."""
    beside = path.with_name(f"{path.name}.new")
    with beside.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
