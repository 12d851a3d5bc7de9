"""The embedded archive: tables in one DuckDB file, raw alerts in packs beside it."""

from __future__ import annotations

import errno
import logging
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from lasair_broker.packets import AlertBatch, Cutout
from lasair_broker.schema import Engine

from .. import _check, _export, _hats, _replay
from .._images import fits_bytes
from ..errors import ArchiveError, ArchiveFullError
from ..interface import Archive
from ..packs import PackPlace
from ..records import (
    ArchiveStatus,
    Finding,
    LightCurve,
    Packs,
    Progress,
    Rematch,
    Rendered,
    Stored,
    WriteReport,
)
from ..serving import ArchiveServer
from . import _hits, _lookups, _query, _status, _streams, _upkeep
from ._beyond import light_curves_beyond
from ._database import Database
from ._hits import CommitTimes
from ._list_hits import renew_list_hits, replace_list_hits
from ._rematch import rematch
from ._rows import DuckDBReading, move_alerts, replace_range, replace_rows, snapshot
from ._write import Writing

__all__ = ["DuckDBArchive"]

_log = logging.getLogger(__name__)


class DuckDBArchive(Archive):
    """An archive in a folder: ``archive.duckdb`` and ``packs/``.

    Parameters
    ----------
    folder
        The folder; made if it is not there.
    pack_bytes
        A pack is closed when it has grown to this size.
    memory_limit
        Memory that DuckDB may use, for instance "500MB".
    threads
        Threads of DuckDB that share a statement. With more than one the thread that waits for a statement is
        busy asking whether it is done, and the short statements of the stream cost twice the time on the
        processor; statements of several callers run side by side anyway.
    settle_bytes
        Recent rows are sorted in, and DuckDB's log is brought into its file, when the log has grown to this
        size.

    Raises
    ------
    ArchiveLockedError
        If it is open already, here or in another process.
    ArchiveVersionError
        If it was written by a newer version of this program.
    ArchiveError
        If it cannot be opened.
    """

    engine: Engine = "duckdb"

    def __init__(
        self,
        folder: str | Path,
        *,
        pack_bytes: int = 512 * 1024**2,
        memory_limit: str = "500MB",
        threads: int = 1,
        settle_bytes: int = 256 * 1024**2,
    ) -> None:
        self.folder = Path(folder)
        self._pack_bytes = pack_bytes
        self._settle_bytes = settle_bytes
        self._write_lock = threading.Lock()
        self._delivery_lock = threading.Lock()
        self._commit_times = CommitTimes()
        self._database = Database(self.folder, memory_limit, threads)
        self._place = PackPlace(str(self.folder / "packs"))
        self._reader = self._place.reader()
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="packs")
        self._failed = False
        self._server: ArchiveServer | None = None
        try:
            self._packs = self._place.writer(self._committed_packs(), pack_bytes)
        except OSError as error:
            self._database.close()
            raise ArchiveError(f"cannot open the packs in {self._place.where}: {error}") from error

    def write(
        self,
        batches: Sequence[AlertBatch],
        rejected: pa.Table | None = None,
        positions: Mapping[tuple[str, int], int] | None = None,
        tables: Mapping[str, pa.Table] | None = None,
        *,
        renew: bool = False,
        rewound: Collection[tuple[str, int]] = (),
    ) -> WriteReport:
        with self._write_lock:
            with self._writing() as writing:
                for batch in batches:
                    writing.batch(batch, renew)
                if rejected is not None:
                    writing.rejected(rejected)
                writing.tables(tables or {})
                writing.positions(positions or {}, rewound)
                report = writing.finish()
            return replace(report, upkeep_seconds=self._settle_if_due())

    def rematch(
        self,
        matches: Mapping[str, Rematch],
        tables: Mapping[str, pa.Table] | None = None,
        positions: Mapping[tuple[str, int], int] | None = None,
    ) -> WriteReport:
        with self._write_lock:
            with self._writing() as writing:
                rematch(self._database.writer, matches)
                writing.tables(tables or {})
                writing.positions(positions or {}, rewound=positions or {})
                report = writing.finish()
            return replace(report, upkeep_seconds=self._settle_if_due())

    @contextmanager
    def _writing(self) -> Iterator[Writing]:
        """A transaction with what alerts need; undone unless it has been finished."""
        with self._failing_well():
            self._recover_if_needed()
            connection = self._database.writer
            writing = Writing(connection, self._packs, self._reader, self._executor, self._commit_times)
            try:
                connection.begin()
                yield writing
            except BaseException:
                writing.settle()
                self._undo()
                raise

    def _settle_if_due(self) -> float:
        """Upkeep after a write, if it is time for it; the seconds it took.

        What was written is committed, so that a failure here must not look like one of the write: it is tried
        again after the next write.
        """
        if self._database.wal_bytes < self._settle_bytes:
            return 0.0
        started = time.perf_counter()
        try:
            with self._delivery_lock:
                _upkeep.settle(self._database.writer)
        except duckdb.Error as error:
            _log.warning("recent rows could not be sorted in: %s", error)
            self._failed = True
        return time.perf_counter() - started

    def _committed_packs(self) -> dict[str, int]:
        rows = self._database.writer.execute("SELECT pack, length FROM archive_packs").fetchall()
        return dict(rows)

    def _undo(self) -> None:
        """Bring database and packs back to the last commit; if that fails, the next write tries again."""
        self._failed = True
        with suppress(duckdb.Error, AttributeError):
            self._database.writer.rollback()
        try:
            self._recover_if_needed()
        except (ArchiveError, OSError, duckdb.Error) as error:
            _log.warning("the archive could not be recovered yet: %s", error)

    def _recover_if_needed(self) -> None:
        if not self._failed:
            if self._database.writer is None:
                raise ArchiveError("the archive is closed")
            return
        # Some errors (a log that could not be written) end the DuckDB instance, and only a new one tells
        # whether the last commit is there. What it says decides where the packs end.
        try:
            committed = self._committed_packs()
        except (duckdb.Error, AttributeError):
            self._database.reopen()
            committed = self._committed_packs()
        self._packs.rollback(committed)
        self._failed = False

    @contextmanager
    def _failing_well(self) -> Iterator[None]:
        """Errors as the archive's own, and the archive usable after them."""
        try:
            yield
        except duckdb.Error as error:
            self._failed = True
            raise _explained(error) from error
        except OSError as error:
            self._failed = True
            raise _explained(error) from error

    @contextmanager
    def _transaction(self) -> Iterator[Any]:
        """A transaction of the one connection that writes."""
        with self._write_lock, self._failing_well():
            self._recover_if_needed()
            connection = self._database.writer
            connection.begin()
            try:
                yield connection
                connection.commit()
            except BaseException:
                self._undo()
                raise

    def positions(self) -> dict[tuple[str, int], int]:
        with self._database.reader() as connection:
            return _streams.positions(connection)

    def object(self, key: int | str, columns: Sequence[str] | None = None) -> pa.Table:
        with self._database.reader() as connection:
            return _lookups.object_state(connection, key, columns)

    def light_curve(self, diaObjectId: int, columns: Mapping[str, Sequence[str]] | None = None) -> LightCurve:
        with self._database.reader() as connection:
            return _lookups.light_curves(connection, [diaObjectId], columns)

    def light_curves(
        self, diaObjectIds: Sequence[int], columns: Mapping[str, Sequence[str]] | None = None
    ) -> LightCurve:
        with self._database.reader() as connection:
            return _lookups.light_curves(connection, diaObjectIds, columns)

    def light_curves_beyond(
        self, batch: AlertBatch, columns: Mapping[str, Sequence[str]], *, every: bool = False
    ) -> LightCurve:
        with self._database.reader() as connection:
            return light_curves_beyond(connection, batch, columns, every=every)

    def rows_of_objects(
        self, name: str, diaObjectIds: Sequence[int], columns: Sequence[str] | None = None
    ) -> pa.Table:
        with self._database.reader() as connection:
            return _lookups.rows_of_objects(connection, name, diaObjectIds, columns)

    def newest_hits(
        self,
        filterIds: Sequence[int],
        diaObjectIds: Sequence[int],
        columns: Sequence[str] | None = None,
    ) -> pa.Table:
        with self._database.reader() as connection:
            return _hits.newest_hits(connection, filterIds, diaObjectIds, columns)

    def hits_after(
        self, filterId: int, after: tuple[float, str], *, until: float | None = None, limit: int = 1000
    ) -> pa.Table:
        with self._database.reader() as connection:
            return _hits.hits_after(connection, filterId, after, until, limit)

    def note_deliveries(self, deliveries: pa.Table) -> None:
        if self._failed:
            with self._write_lock, self._failing_well():
                self._recover_if_needed()
        # Beside the transaction that writes a batch, which only adds rows, and not beside a checkpoint.
        with self._delivery_lock, self._failing_well(), self._database.connection() as connection:
            connection.begin()
            try:
                _hits.note_deliveries(connection, deliveries)
                connection.commit()
            except BaseException:
                with suppress(duckdb.Error):
                    connection.rollback()
                raise

    def object_places(
        self, ranges: npt.NDArray[np.int64] | None = None, batch_rows: int = 100_000
    ) -> Iterator[pa.Table]:
        with self._database.reader() as connection:
            yield from _lookups.object_places(connection, ranges, batch_rows)

    def replace_list_hits(self, name: str, list_id: int, hits: pa.Table, *, first: bool) -> None:
        with self._transaction() as connection:
            replace_list_hits(connection, name, list_id, hits, first=first)

    def renew_list_hits(
        self, name: str, list_id: int, diaObjectIds: Sequence[int], match: Callable[[pa.Table], pa.Table]
    ) -> None:
        with self._transaction() as connection:
            renew_list_hits(connection, name, list_id, diaObjectIds, match)

    def writers(self) -> frozenset[str]:
        return frozenset()

    def cone(
        self, ra: float, decl: float, radius_arcsec: float, columns: Sequence[str] | None = None
    ) -> pa.Table:
        with self._database.reader() as connection:
            return _lookups.cone(connection, ra, decl, radius_arcsec, columns)

    def cutout(self, diaSourceId: int, which: Cutout) -> bytes | None:
        def find() -> tuple[str, int, int] | None:
            with self._database.reader() as connection:
                return _lookups.cutout_place(connection, diaSourceId, which)

        found = self._reader.read_found(find)
        return None if found is None else fits_bytes(found[0])

    def alert_bytes(self, diaSourceId: int) -> tuple[bytes, str] | None:
        def find() -> tuple[str, int, int, str] | None:
            with self._database.reader() as connection:
                return _lookups.alert_place(connection, diaSourceId)

        found = self._reader.read_found(find)
        return None if found is None else (found[0], found[1][3])

    def query(
        self,
        sql: str | Rendered,
        *,
        max_rows: int | None = 10_000,
        timeout: float | None = 60.0,
        cancelled: threading.Event | None = None,
    ) -> pa.Table:
        statement = sql if isinstance(sql, str) else sql(self.engine)
        with self._database.reader() as connection:
            return _query.query(connection, statement, max_rows, timeout, cancelled)

    def status(self) -> ArchiveStatus:
        with self._database.reader() as connection:
            return _status.status(connection, self._database.path, self._reader.sizes())

    def rejected(self, limit: int | None = None) -> pa.Table:
        with self._database.reader() as connection:
            return _streams.rejected(connection, limit)

    def take_rejected(self, keys: Collection[tuple[str, int, int]] | None = None) -> pa.Table:
        with self._transaction() as connection:
            return _streams.take_rejected(connection, keys)

    def replay(
        self,
        *,
        diaSourceIds: Sequence[int] | None = None,
        diaObjectIds: Sequence[int] | None = None,
        midpointMjdTai: tuple[float, float] | None = None,
        arrivedMjdTai: tuple[float, float] | None = None,
        newest: bool = False,
        batch_alerts: int = 4000,
    ) -> Iterator[Stored]:
        with self._database.reader() as connection:
            reading = DuckDBReading(connection)
            chosen = _replay.choose(
                reading, diaSourceIds, diaObjectIds, midpointMjdTai, arrivedMjdTai, newest
            )
            schemas = _replay.schemas(reading)
        return _replay.replay(chosen, schemas, self._reader, batch_alerts)

    def check(self, progress: Progress | None = None) -> list[Finding]:
        with self._database.reader() as connection, snapshot(connection):
            return _check.check(DuckDBReading(connection), self._reader, progress)

    def unknown_packs(self) -> dict[str, int]:
        with self._write_lock, self._failing_well():
            self._recover_if_needed()
            return self._unknown_packs()

    def _unknown_packs(self) -> dict[str, int]:
        known = self._committed_packs()
        return {pack: size for pack, size in self._reader.sizes().items() if pack not in known}

    def compact(self, progress: Progress | None = None, *, remove_unknown_packs: bool = False) -> None:
        if remove_unknown_packs:
            with self._write_lock, self._failing_well():
                self._recover_if_needed()
                self._packs.remove(self._unknown_packs())
        connection: Any = None
        while True:
            # Between two steps others may write, and a failed write may have opened the database anew.
            with self._write_lock, self._delivery_lock, self._failing_well():
                self._recover_if_needed()
                if connection is not self._database.writer:
                    connection = self._database.writer
                    steps = _upkeep.compaction(connection)
                step = next(steps, None)
            if step is None:
                return
            if progress is not None:
                progress(*step)

    def export_parquet(
        self, folder: str | Path, tables: Sequence[str] | None = None, progress: Progress | None = None
    ) -> dict[str, int]:
        with self._database.reader() as connection, snapshot(connection):
            return _export.export_parquet(DuckDBReading(connection), Path(folder), tables, progress)

    def export_hats(
        self,
        folder: str | Path,
        midpointMjdTai: tuple[float, float] | None = None,
        progress: Progress | None = None,
    ) -> dict[str, int]:
        with self._database.reader() as connection, snapshot(connection):
            return _hats.export_hats(DuckDBReading(connection), Path(folder), midpointMjdTai, progress)

    def replace_rows(self, name: str, rows: pa.Table, cells: tuple[int, int] | None = None) -> None:
        with self._transaction() as connection:
            replace_range(connection, name, rows, cells)
        with self._write_lock:
            self._settle_if_due()

    def packs(self) -> Packs:
        with self._write_lock, self._failing_well():
            self._recover_if_needed()
            return Packs(self._place, self._committed_packs())

    def add_packs(self, lengths: Mapping[str, int]) -> None:
        with self._transaction() as connection:
            rows = pa.table({"pack": list(lengths), "length": pa.array(lengths.values(), pa.int64())})
            replace_rows(connection, ["archive_packs"], rows, ["pack"])
        with self._write_lock, self._failing_well():
            self._packs.rollback(self._committed_packs())  # new alerts go behind those of the newest pack

    def move_alerts(self, pack: str, alerts: pa.Table, cutouts: pa.Table, lengths: Mapping[str, int]) -> None:
        with self._transaction() as connection:
            move_alerts(connection, pack, alerts, cutouts)
            rows = {**lengths, pack: 0}
            noted = pa.table({"pack": list(rows), "length": pa.array(rows.values(), pa.int64())})
            replace_rows(connection, ["archive_packs"], noted, ["pack"])

    def remove_packs(self, packs: Collection[str]) -> None:
        with self._write_lock, self._failing_well():
            self._packs.remove(packs)
        with self._transaction() as connection:
            for pack in packs:
                connection.execute("DELETE FROM archive_packs WHERE pack = ? AND length = 0", [pack])

    def leads(self, chore: str) -> bool:
        return True

    def serve(self) -> None:
        if self._server is None:
            try:
                self._server = ArchiveServer(self, self.folder)
            except OSError as error:
                raise ArchiveError(f"cannot make a socket in {self.folder}: {error}") from error

    def close(self) -> None:
        if self._server is not None:
            self._server.close()
        with self._write_lock:
            self._executor.shutdown()
            self._packs.close()
            self._reader.close()
            self._database.close()


def _explained(error: duckdb.Error | OSError) -> ArchiveError:
    """An error of the engine or the system as one of the archive."""
    full = getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) or (
        isinstance(error, duckdb.Error) and any(words in str(error) for words in _FULL)
    )
    if full:
        return ArchiveFullError(f"the disk is full, nothing was written: {error}")
    return ArchiveError(str(error))


_FULL = ("No space left on device", "Disk quota exceeded", "File too large")
