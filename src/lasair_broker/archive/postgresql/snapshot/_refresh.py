"""Making a snapshot, and bringing one up to date: only cells of the sky in which something changed."""

# Names in statements are the schema's own, values are numbers:
# ruff: noqa: S608

from __future__ import annotations

import fcntl
import math
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from lasair_broker.schema import TABLES, arrow_schema, conform, quoted

from ...errors import ArchiveError
from ...records import Progress
from .._session import Session
from . import _changes
from ._changes import KEPT
from ._manifest import NOWHERE, Manifest, layout, names_of
from ._place import SnapshotPlace, listed, text

__all__ = ["LASTS_SECONDS", "Refreshed", "refresh"]

_CELL_OBJECTS = 50_000
"""Objects of a cell, about: with fewer, searches would be busy opening files, with more, a refresh writes
much for little, and needs room to sort them."""
_ROW_GROUP = 20_480
"""Rows that are laid out together: their three hundred columns are held in memory until they are written."""

LASTS_SECONDS = 86_400.0
"""An older snapshot does not count: the server forgets a day later what has changed since."""

_SEARCHES_LAST_SECONDS = 900.0
_MOST_CHANGED = 2_000_000
"""With more changes than these a new snapshot is made."""


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What a refresh did.

    Attributes
    ----------
    anew
        Whether all was read.
    objects
        Objects that were read.
    files
        Files that were written.
    seconds
        How long it took.
    """

    anew: bool
    objects: int
    files: int
    seconds: float


def refresh(
    session: Session, place: SnapshotPlace, archive: str, progress: Progress | None = None
) -> Refreshed | None:
    """Bring a snapshot up to this moment's state of the archive.

    Searches go on meanwhile, on the files of the snapshot before. If this is broken off, nothing has changed.

    Parameters
    ----------
    session
        With the server; of the archive's own user.
    place
        Where it is.
    archive
        The name of the archive, so that no snapshot is taken for that of another one.
    progress
        Told what is done, and the fraction.

    Returns
    -------
    None if another process is at it.
    """
    folder = place.folder
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder) as free:
        if not free:
            return None
        started = time.monotonic()
        _changes.begin_noting(session)
        with session.transaction("ISOLATION LEVEL REPEATABLE READ READ ONLY"):
            # It holds no row, and files of a large archive may be written for minutes between two statements.
            session.run("SET LOCAL idle_in_transaction_session_timeout = 0")
            ((state, now),) = session.rows(
                "SELECT pg_current_snapshot()::text, extract(epoch FROM now())::float8"
            )
            old = Manifest.read(folder)
            if old is not None and (
                old.archive != archive
                or now - old.taken > LASTS_SECONDS
                or _changes.count_changed(session, old.state) > _MOST_CHANGED
            ):
                old = None
            order = old.order if old is not None else _order_for(session)
            with _Writer(place, old, order) as writer:
                objects = (
                    _everything(session, writer, progress)
                    if old is None
                    else _changed(session, writer, old, progress)
                )
        _publish(folder, old or Manifest.read(folder), writer, archive, state, float(now))
        _changes.forget_changes(session)
        return Refreshed(old is None, objects, writer.written, time.monotonic() - started)


@contextmanager
def _alone(folder: Path) -> Iterator[bool]:
    """Whether no other process refreshes this snapshot."""
    file = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
        else:
            yield True
    finally:
        os.close(file)


def _publish(
    folder: Path,
    old: Manifest | None,
    writer: _Writer,
    archive: str,
    state: str,
    now: float,
) -> None:
    superseded: dict[str, float] = {}
    if old is not None:
        superseded = {
            file: since for file, since in old.superseded.items() if now - since < _SEARCHES_LAST_SECONDS
        }
        superseded |= dict.fromkeys(names_of(old.files) - names_of(writer.files), now)
    number = old.number + 1 if old is not None else 1
    new = Manifest(archive, layout(), state, now, number, writer.order, writer.files, superseded)
    new.write(folder)
    new.tidy(folder)


def _order_for(session: Session) -> int:
    """The HEALPix order at which cells of today's archive are of convenient size."""
    ((objects,),) = session.rows("SELECT count(*) FROM objects")
    return min(5, max(0, round(math.log(max(1, objects) / (12 * _CELL_OBJECTS), 4))))


def _everything(session: Session, writer: _Writer, progress: Progress | None) -> int:
    """Read the archive: objects cell by cell, then what is said of them."""
    columns = ", ".join(f"t.{quoted(column.name)}" for column in TABLES["objects"].columns)
    objects = 0
    number = 12 * 4**writer.order
    for cell in range(number):
        if progress is not None:
            progress("objects", 0.7 * cell / number)
        low, high = cell << writer.bits, (cell + 1) << writer.bits
        rows = session.table(
            f'SELECT {columns} FROM objects t WHERE "healpix29" >= {low} AND "healpix29" < {high}'
        )
        objects += rows.num_rows
        writer.cell("objects", cell, conform(rows, "objects"))
    for place, name in enumerate(KEPT[1:]):
        if progress is not None:
            progress(name, 0.7 + 0.3 * place / len(KEPT))
        columns = ", ".join(f"t.{quoted(column.name)}" for column in TABLES[name].columns)
        writer.spread(name, session.batches(f"SELECT {columns} FROM {quoted(name)} t"))
    return objects


def _changed(session: Session, writer: _Writer, old: Manifest, progress: Progress | None) -> int:
    """Read what changed since the snapshot before, and write the cells anew in which it lies."""
    ids = _changes.changed_ids(session, old.state)
    if not ids.num_rows:
        return 0
    cells: pa.Table | None = None
    for place, name in enumerate(KEPT):
        if progress is not None:
            progress(name, place / len(KEPT))
        columns = [column.name for column in TABLES[name].columns]
        rows = conform(_changes.changed_rows(session, name, columns, old.state), name)
        if cells is None:
            cells = pa.table(
                {
                    "diaObjectId": rows.column("diaObjectId"),
                    "cell": pc.shift_right(rows.column("healpix29"), pa.scalar(writer.bits, pa.int64())),
                }
            )
        writer.replace(name, ids, cells, rows)
    return int(ids.num_rows)


class _Writer:
    """Writes the files of a snapshot.

    Attributes
    ----------
    files
        For each table the files of each cell, those that are kept and those that were written.
    written
        How many were written.
    order, bits
        HEALPix order of the cells, and the bits by which a number of order 29 is shifted to give the cell's.
    """

    def __init__(self, place: SnapshotPlace, old: Manifest | None, order: int) -> None:
        self.order = order
        self.bits = 2 * (29 - order)
        self.files = {name: dict(old.files.get(name, {}) if old is not None else {}) for name in KEPT}
        self.written = 0
        self._folder = place.folder
        # Unique also if an earlier refresh with this number was broken off.
        self._stamp = f"{time.time_ns():x}"
        self._connection = place.connect()
        self._connection.execute("SET preserve_insertion_order = false")

    def __enter__(self) -> _Writer:
        return self

    def __exit__(self, *error: object) -> None:
        self._connection.close()

    def cell(self, name: str, cell: int, rows: pa.Table) -> None:
        """Write the rows of a cell."""
        if not rows.num_rows:
            return
        with self._registered(arrived=rows):
            self._write(name, cell, f"SELECT * FROM arrived ORDER BY {_order(name)}")

    def spread(self, name: str, batches: Iterator[pa.RecordBatch]) -> None:
        """Write rows of the whole sky, each into the cell of its object."""
        schema = arrow_schema(name)
        reader = pa.RecordBatchReader.from_batches(
            schema,
            (
                part
                for batch in batches
                for part in conform(pa.Table.from_batches([batch]), name).to_batches()
            ),
        )
        aside = self._folder / name / f"spread-{self._stamp}"
        aside.mkdir(parents=True)
        objects = [self._folder / file for files in self.files["objects"].values() for file in files]
        source = (
            f"read_parquet({listed(objects)})"
            if objects
            else "(SELECT 0 AS diaObjectId, 0 AS healpix29 LIMIT 0)"
        )
        with self._registered(arrived=reader):
            self._connection.execute(
                f"COPY (SELECT a.*, coalesce(o.healpix29 >> {self.bits}, {NOWHERE}) AS cell FROM arrived a "
                f"LEFT JOIN (SELECT diaObjectId, healpix29 FROM {source}) o USING (diaObjectId)) "
                f"TO {text(aside)} (FORMAT parquet, PARTITION_BY (cell))"
            )
        for path in sorted(aside.glob("cell=*/*.parquet")):
            cell = int(path.parent.name.removeprefix("cell="))
            file = f"{name}/{cell}-{self._stamp}-{path.stem}.parquet"
            path.replace(self._folder / file)
            self.files[name].setdefault(cell, []).append(file)
            self.written += 1
        shutil.rmtree(aside)

    def replace(self, name: str, ids: pa.Table, cells: pa.Table, rows: pa.Table) -> None:
        """Put rows in the place of all that there are of some objects.

        Parameters
        ----------
        ids
            The objects (`diaObjectId`).
        cells
            The cell of each of them that the archive has (`diaObjectId`, `cell`).
        rows
            Theirs.
        """
        columns = ", ".join(quoted(column) for column in rows.column_names)
        with self._registered(ids=ids, cells=cells, arrived=rows):
            placed = (
                f"SELECT a.*, coalesce(c.cell, {NOWHERE}) AS cell "
                "FROM arrived a LEFT JOIN cells c USING (diaObjectId)"
            )
            found = self._connection.execute(f"SELECT DISTINCT cell FROM ({placed})").fetchall()
            # A row that came before its object lies nowhere, and its object is among those changed.
            before = {*cells.column("cell").unique().to_pylist(), NOWHERE} & self.files[name].keys()
            for cell in sorted({cell for (cell,) in found} | before):
                there = [self._folder / file for file in self.files[name].get(cell, [])]
                kept = (
                    f"SELECT {columns} FROM read_parquet({listed(there)}) ANTI JOIN ids USING (diaObjectId)"
                )
                new = f"SELECT {columns} FROM ({placed}) WHERE cell = {int(cell)}"
                both = f"{kept} UNION ALL {new}" if there else new
                self._write(name, cell, f"SELECT * FROM ({both}) ORDER BY {_order(name)}")

    def _write(self, name: str, cell: int, sql: str) -> None:
        """Write what a statement gives as the one file of a cell; none if there are no rows."""
        file = f"{name}/{cell}-{self._stamp}.parquet"
        path = self._folder / file
        path.parent.mkdir(exist_ok=True)
        options = f"FORMAT parquet, ROW_GROUP_SIZE {_ROW_GROUP}"
        (count,) = self._connection.execute(f"COPY ({sql}) TO {text(path)} ({options})").fetchone() or (0,)
        if count:
            self.files[name][cell] = [file]
            self.written += 1
        else:
            self.files[name].pop(cell, None)
            path.unlink(missing_ok=True)

    @contextmanager
    def _registered(self, **tables: Any) -> Iterator[None]:
        for name, table in tables.items():
            self._connection.register(name, table)
        try:
            yield
        except duckdb.Error as error:
            raise ArchiveError(f"cannot write the snapshot in {self._folder}: {error}") from error
        finally:
            for name in tables:
                self._connection.unregister(name)


def _order(name: str) -> str:
    return '"healpix29", "diaObjectId"' if name == "objects" else '"diaObjectId"'
