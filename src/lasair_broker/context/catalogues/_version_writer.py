"""Writing a version of a catalogue, a run of sorted rows at a time, and putting it into use."""

from __future__ import annotations

import datetime
import fcntl
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from lasair_broker.context.catalogues._description import Description
from lasair_broker.context.catalogues._layout import (
    FAST,
    FAST_MAS_PER_YEAR,
    MOVING,
    PLAIN,
    Part,
    Version,
    digest,
    mapped_array,
    schema_of,
    write_atomically,
)
from lasair_broker.context.catalogues._motion import motion
from lasair_broker.context.catalogues.errors import CatalogueError
from lasair_broker.sky import SortedCells, healpix29

__all__ = ["PART_ROWS", "VersionWriter", "check_name", "locked", "remove_catalogue", "write_catalogue"]

PART_ROWS = 1 << 20

_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_KEPT_VERSIONS = 2
"""The one in use and the one before, which processes may still be reading."""


def check_name(name: str) -> None:
    """Raise `CatalogueError` if a catalogue cannot have this name."""
    if not _NAME.fullmatch(name):
        raise CatalogueError(
            f"{name!r} is no name for a catalogue: use small letters, digits and _, a letter first"
        )


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Be the only one that changes a catalogue.

    Raises
    ------
    CatalogueError
        If somebody else is changing it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CatalogueError(
                f"the catalogue {folder.name} is being changed by another process; wait for it, or stop it"
            ) from None
        yield


class VersionWriter:
    """Files of a version in the making, inside a folder that may hold parts from before a crash.

    Parameters
    ----------
    folder
        Where they lie until `publish`.
    description
        What they are.
    counts
        Rows of each part, in order: fixed beforehand, so that parts can be written, and written again, apart.
    """

    def __init__(self, folder: Path, description: Description, counts: list[int]) -> None:
        self._folder = folder
        self._description = description
        self._schema = schema_of(description)
        self._dtype = MOVING if description.moves else PLAIN
        firsts = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])
        self.parts = [Part(f"part-{k:05d}.arrow", int(firsts[k]), count) for k, count in enumerate(counts)]
        self._rows = int(firsts[-1])
        folder.mkdir(parents=True, exist_ok=True)
        for name, size in (("cells", 8), ("positions", self._dtype.itemsize)):
            with (folder / name).open("ab") as file:
                file.truncate(self._rows * size)

    def has(self, k: int) -> bool:
        """Whether part k has been written."""
        return (self._folder / self.parts[k].file).exists()

    def write(self, k: int, cells: npt.NDArray[np.int64], table: pa.Table) -> None:
        """Write part k: rows of `schema_of` the description, ascending by cell."""
        part = self.parts[k]
        records = np.zeros(part.rows, self._dtype)
        for name in self._dtype.names or ():
            values = table[name].to_numpy()
            records[name] = np.nan_to_num(values) if name.startswith("pm") else values
        for name, values in (("cells", cells), ("positions", records)):
            with (self._folder / name).open("r+b") as file:
                file.seek(part.first * values.dtype.itemsize)
                file.write(np.ascontiguousarray(values).data)
        # Written under another name first: a part that has its name is complete.
        path = self._folder / part.file
        beside = path.with_suffix(".new")
        stored = table.drop_columns(["ra", "decl"]).combine_chunks()
        with pa.OSFile(str(beside), "wb") as sink, pa.ipc.new_file(sink, stored.schema) as out:
            out.write_table(stored, max_chunksize=PART_ROWS * 64)
        beside.replace(path)

    def publish(
        self, catalogue: Path, imported_from: str, rejected: int = 0, absent: tuple[str, ...] = ()
    ) -> Version:
        """Complete the files and put them into use; older versions but the last are removed."""
        description = self._description
        self._write_bins()
        if description.moves:
            self._write_fast()
        files = digest(sorted(p for p in self._folder.iterdir() if p.suffix in ("", ".arrow", ".csv")))
        for name in files:
            _sync(self._folder / name)
        epochs = (description.epoch, description.epoch)
        if description.moves and self._rows:
            epoch = mapped_array(self._folder / "positions", MOVING, in_order=True)["epoch"]
            epochs = (float(epoch.min()), float(epoch.max()))
        version = Version(
            name=catalogue.name,
            version="",
            description=description,
            rows=self._rows,
            parts=tuple(self.parts),
            epochs=epochs,
            files=files,
            imported_from=imported_from,
            imported_at=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            rejected=rejected,
            absent=absent,
        )
        identity = json.dumps([files, description.model_dump(mode="json")], sort_keys=True)
        version = replace(version, version=hashlib.blake2b(identity.encode(), digest_size=8).hexdigest())
        write_atomically(self._folder / "version.json", version.to_json())
        target = catalogue / f"v-{version.version}"
        if target.exists():  # the very same contents: imported again
            shutil.rmtree(self._folder)
            os.utime(target)
        else:
            self._folder.rename(target)
        _sync(catalogue)
        write_atomically(catalogue / "current", target.name)
        _sync(catalogue)
        _remove_old(catalogue, target)
        return version

    def _write_bins(self) -> None:
        cells = SortedCells.build(mapped_array(self._folder / "cells", np.int64, in_order=True))
        (self._folder / "bins").write_bytes(cells.bins.data)

    def _write_fast(self) -> None:
        records = mapped_array(self._folder / "positions", MOVING, in_order=True)
        cells = mapped_array(self._folder / "cells", np.int64, in_order=True)
        with (self._folder / "fast").open("wb") as file:
            for part in self.parts:
                rows = slice(part.first, part.first + part.rows)
                speed = motion(records["pmra"][rows], records["pmdec"][rows])
                fast = np.flatnonzero(speed > FAST_MAS_PER_YEAR)
                out = np.empty(len(fast), FAST)
                out["row"] = part.first + fast
                out["cell"] = cells[rows][fast]
                out["motion"] = speed[fast]
                file.write(out.data)


def write_catalogue(folder: str | Path, name: str, table: pa.Table, description: Description) -> Version:
    """Write a catalogue that is in memory, and put it into use.

    Parameters
    ----------
    folder
        Of all catalogues.
    name
        Small letters, digits and _.
    table
        The columns of `schema_of` the description, under these names and in these units; ``epoch`` may be
        left out.
    description
        What is said about it; the expressions of its columns are not evaluated.

    Raises
    ------
    CatalogueError
        If a position is not one, or a column is missing.
    """
    check_name(name)
    schema = schema_of(description)
    if "epoch" in schema.names and "epoch" not in table.column_names:
        table = table.append_column("epoch", pa.array(np.full(table.num_rows, description.epoch)))
    missing = [column for column in schema.names if column not in table.column_names]
    if missing:
        raise CatalogueError(f"the table for {name} has no column {', '.join(missing)}")
    table = table.select(schema.names).cast(schema)
    cells = healpix29(table["ra"].to_numpy(), table["decl"].to_numpy())
    if len(cells) and cells.min() < 0:
        bad = int(np.argmin(cells))
        raise CatalogueError(
            f"row {bad} of the table for {name} is not a position: "
            f"ra={table['ra'][bad].as_py()}, decl={table['decl'][bad].as_py()}"
        )
    order = np.argsort(cells, kind="stable")
    cells, table = cells[order], table.take(pa.array(order))
    catalogue = Path(folder) / name
    with locked(catalogue):
        counts = [min(PART_ROWS, len(cells) - first) for first in range(0, len(cells), PART_ROWS)]
        work = catalogue / "writing"
        shutil.rmtree(work, ignore_errors=True)
        writer = VersionWriter(work, description, counts)
        for k, part in enumerate(writer.parts):
            rows = slice(part.first, part.first + part.rows)
            writer.write(k, cells[rows], table.slice(part.first, part.rows))
        return writer.publish(catalogue, "memory")


def remove_catalogue(folder: str | Path, name: str) -> None:
    """Remove a catalogue with all its versions and what an interrupted import has left.

    Raises
    ------
    CatalogueError
        If there is none, or it is being imported.
    """
    catalogue = Path(folder) / name
    if not _NAME.fullmatch(name) or not catalogue.is_dir():
        raise CatalogueError(f"there is no catalogue {name} in {folder}")
    with locked(catalogue):
        # First the pointer: from here on no reader opens it.
        (catalogue / "current").unlink(missing_ok=True)
        shutil.rmtree(catalogue)


def _remove_old(catalogue: Path, used: Path) -> None:
    old = sorted(
        (p for p in catalogue.glob("v-*") if p != used), key=lambda p: p.stat().st_mtime_ns, reverse=True
    )
    for path in old[_KEPT_VERSIONS - 1 :]:
        shutil.rmtree(path, ignore_errors=True)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        with suppress(OSError):  # some file systems do not sync folders
            os.fsync(handle)
    finally:
        os.close(handle)
