"""The archive of a site: written by many workers, read by many, each with sessions of its own."""

from __future__ import annotations

import errno
import logging
import random
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from lasair_broker.packets import AlertBatch
from lasair_broker.schema import Engine

from .. import _check, _export, _replay
from .._images import fits_bytes, png_of_fits
from ..errors import ArchiveError, ArchiveFullError
from ..interface import (
    Archive,
    ArchiveStatus,
    Cutout,
    Finding,
    LightCurve,
    Packs,
    Progress,
    Rematch,
    Stored,
    WriteReport,
)
from ..packs import PackReader, PackWriter, in_use
from . import _hits, _lookups, _query, _status, _upkeep
from ._leading import Leading
from ._migrations import migrate
from ._points import Points
from ._session import ConflictError, Pool, Session, described
from ._staging import Staging
from ._tables import NAMESPACE, PARTITIONED, partition, partitions_of
from ._write import Writing, note_pack, replace_list_hits, replace_range

__all__ = ["PostgreSQLArchive"]

_log = logging.getLogger(__name__)

T = TypeVar("T")

_ATTEMPTS = 8
"""So often is a write tried that other workers stand in the way of."""

_PARTITION_LOCK = 0x6C617361697202

_READING = {
    "search_path": NAMESPACE,
    "TimeZone": "UTC",
    "jit": "off",  # compiling takes longer than what these statements do
    "application_name": "lasair",
    "random_page_cost": "1.1",
}

_WRITING = {
    **_READING,
    # What is written meets few rows of large tables, always by their keys. Temporary tables have no
    # statistics, so that the planner would now and then read a large table from end to end instead.
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    # A worker whose machine is gone must not keep others from its objects for hours.
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
}


class PostgreSQLArchive(Archive):
    """An archive in the schema ``archive`` of a PostgreSQL database, and in a folder of packs.

    Any number of processes may have it open and write. Two that meet the same object do so one after the
    other, and the newer state stays, whichever comes last.

    Parameters
    ----------
    url
        ``postgresql://user@host/database``, as libpq reads it; what it does not say is taken from libpq's
        environment variables and password file.
    packs
        The folder of the packs, made if it is not there. All machines of a site see the same one.
    pack_bytes
        A pack is closed when it has grown to this size.
    distributed
        Whether a new archive is spread over the servers of Citus.

    Raises
    ------
    ArchiveVersionError
        If it was written by a newer version of this program.
    ArchiveError
        If the server cannot be reached, or the tables or the folder cannot be made.
    """

    engine: Engine = "postgresql"

    def __init__(
        self, url: str, packs: str | Path, *, pack_bytes: int = 512 * 1024**2, distributed: bool = False
    ) -> None:
        self._url = url
        self._folder = Path(packs)
        self._pack_bytes = pack_bytes
        self._write_lock = threading.Lock()
        self._note_lock = threading.Lock()
        self._partitions: set[tuple[str, int]] = set()
        self._own_packs: set[str] = set()
        self._failed = False
        self._closed = False
        self._writer = Session(url, _WRITING)
        self._noter: tuple[Session, Staging] | None = None
        try:
            migrate(self._writer, distributed=distributed)
            self._packs = PackWriter(self._folder, {}, pack_bytes)
        except OSError as error:
            self._writer.close()
            raise ArchiveError(f"cannot open the packs in {self._folder}: {error}") from error
        except BaseException:
            self._writer.close()
            raise
        self._staging = Staging(self._writer)
        self._pool = Pool(url, _READING)
        self._points = Points(url, _READING)
        self._leading = Leading(url, _READING)
        self._reader = PackReader(self._folder)
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="packs")

    def write(
        self,
        batches: Sequence[AlertBatch],
        rejected: pa.Table | None = None,
        positions: Mapping[tuple[str, int], int] | None = None,
        tables: Mapping[str, pa.Table] | None = None,
        *,
        renew: bool = False,
    ) -> WriteReport:
        def write(writing: Writing) -> WriteReport:
            for batch in batches:
                writing.batch(batch, renew)
            if rejected is not None:
                writing.rejected(rejected)
            writing.tables(tables or {})
            writing.positions(positions or {})
            return writing.finish()

        return self._writing(write, batches)

    def rematch(
        self,
        matches: Mapping[str, Rematch],
        tables: Mapping[str, pa.Table] | None = None,
        positions: Mapping[tuple[str, int], int] | None = None,
    ) -> WriteReport:
        def write(writing: Writing) -> WriteReport:
            writing.rematch(matches)
            writing.tables(tables or {})
            writing.positions(positions or {})
            return writing.finish()

        return self._writing(write)

    def _writing(
        self, write: Callable[[Writing], WriteReport], batches: Sequence[AlertBatch] = ()
    ) -> WriteReport:
        """Do something in a transaction with what alerts need; undone unless it finishes."""

        def attempt() -> WriteReport:
            self._make_partitions(_partitions_of_batches(batches))
            writing = Writing(self._writer, self._staging, self._packs, self._reader, self._executor)
            try:
                self._writer.run("BEGIN")
                report = write(writing)
            except BaseException:
                writing.settle()
                raise
            self._own_packs.update(writing.packs)
            return report

        return self._attempts(attempt)

    def _attempts(self, attempt: Callable[[], T]) -> T:
        """Try a transaction of the session that writes; again, if other workers stand in the way."""
        with self._write_lock, _failing_well():
            for number in range(1, _ATTEMPTS + 1):
                self._recover_if_needed()
                try:
                    result = attempt()
                except ConflictError:
                    self._undo()
                    if number == _ATTEMPTS:
                        raise
                    time.sleep(random.uniform(0.0, 0.05) * number)  # noqa: S311 - no secret
                except BaseException:
                    self._undo()
                    raise
                else:
                    self._staging.committed()
                    return result
        raise AssertionError("unreachable")

    def _make_partitions(self, wanted: Collection[tuple[str, int]]) -> None:
        """Partitions, by table and first day, each made in a transaction of its own: it is short, while
        others have to wait for it."""
        for name, day in sorted(set(wanted) - self._partitions):
            if not _is_there(self._writer, name, day):
                with self._writer.transaction():
                    self._writer.run(f"SELECT pg_advisory_xact_lock({_PARTITION_LOCK})")
                    if not _is_there(self._writer, name, day):  # another worker may have made it meanwhile
                        self._writer.run(partition(name, day))
        self._partitions |= set(wanted)

    def _undo(self) -> None:
        """Bring database and packs back to the last commit; if that fails, the next write tries again."""
        self._failed = True
        self._writer.rollback()
        self._staging.rolled_back()
        try:
            self._recover_if_needed()
        except (ArchiveError, OSError) as error:
            _log.warning("the archive could not be recovered yet: %s", error)

    def _recover_if_needed(self) -> None:
        if self._closed:
            raise ArchiveError("the archive is closed")
        if not self._failed:
            return
        if self._writer.broken:
            # A commit may have been on its way, and may yet come: what was written stays, and new alerts go
            # into a new pack.
            self._writer = Session(self._url, _WRITING)
            self._staging = Staging(self._writer)
            self._packs.close()
            self._packs = PackWriter(self._folder, {}, self._pack_bytes)
            self._own_packs.clear()
        else:
            known = self._committed_packs(self._writer)
            self._packs.rollback({pack: size for pack, size in known.items() if pack in self._own_packs})
        self._failed = False

    @staticmethod
    def _committed_packs(session: Session) -> dict[str, int]:
        return dict(session.rows("SELECT pack, length FROM archive_packs"))

    def positions(self) -> dict[tuple[str, int], int]:
        with self._pool.session() as session:
            return _lookups.positions(session)

    def object(self, key: int | str, columns: Sequence[str] | None = None) -> pa.Table:
        return _lookups.object_state(self._points, key, columns)

    def light_curve(self, diaObjectId: int, columns: Mapping[str, Sequence[str]] | None = None) -> LightCurve:
        return _lookups.light_curve(self._points, diaObjectId, columns)

    def light_curves(
        self, diaObjectIds: Sequence[int], columns: Mapping[str, Sequence[str]] | None = None
    ) -> LightCurve:
        with self._pool.session() as session:
            return _lookups.light_curves(session, diaObjectIds, columns)

    def light_curves_beyond(
        self, batch: AlertBatch, columns: Mapping[str, Sequence[str]], *, every: bool = False
    ) -> LightCurve:
        with self._pool.snapshot() as session:
            return _lookups.light_curves_beyond(session, batch, columns, every=every)

    def rows_of_objects(
        self, name: str, diaObjectIds: Sequence[int], columns: Sequence[str] | None = None
    ) -> pa.Table:
        with self._pool.session() as session:
            return _lookups.rows_of_objects(session, name, diaObjectIds, columns)

    def newest_hits(
        self,
        filterIds: Sequence[int],
        diaObjectIds: Sequence[int],
        columns: Sequence[str] | None = None,
    ) -> pa.Table:
        with self._pool.session() as session:
            return _hits.newest_hits(session, filterIds, diaObjectIds, columns)

    def hits_after(
        self, filterId: int, after: tuple[float, str], *, until: float | None = None, limit: int = 1000
    ) -> pa.Table:
        with self._pool.session() as session:
            return _hits.hits_after(session, filterId, after, until, limit)

    def note_deliveries(self, deliveries: pa.Table) -> None:
        # In a session of its own, so that it waits for no batch.
        with self._note_lock, _failing_well():
            if self._closed:
                raise ArchiveError("the archive is closed")
            if self._noter is None or self._noter[0].broken:
                session = Session(self._url, _WRITING)
                self._noter = session, Staging(session)
            session, staging = self._noter
            try:
                with session.transaction():
                    _hits.note_deliveries(session, staging, deliveries)
            except BaseException:
                staging.rolled_back()
                raise
            staging.committed()

    def object_places(
        self, ranges: npt.NDArray[np.int64] | None = None, batch_rows: int = 100_000
    ) -> Iterator[pa.Table]:
        with self._pool.session() as session:
            yield from _lookups.object_places(session, ranges, batch_rows)

    def replace_list_hits(self, name: str, list_id: int, hits: pa.Table, *, first: bool) -> None:
        def replace() -> None:
            with self._writer.transaction():
                replace_list_hits(self._writer, self._staging, name, list_id, hits, first=first)

        self._attempts(replace)

    def cone(
        self, ra: float, decl: float, radius_arcsec: float, columns: Sequence[str] | None = None
    ) -> pa.Table:
        with self._pool.session() as session:
            return _lookups.cone(session, ra, decl, radius_arcsec, columns)

    def cutout(self, diaSourceId: int, which: Cutout) -> bytes | None:
        with self._pool.session() as session:
            place = _lookups.cutout_place(session, diaSourceId, which)
        return None if place is None else fits_bytes(self._reader.read(*place))

    def cutout_png(self, diaSourceId: int, which: Cutout, size: int = 256) -> bytes | None:
        image = self.cutout(diaSourceId, which)
        return None if image is None else png_of_fits(image, size)

    def alert_bytes(self, diaSourceId: int) -> tuple[bytes, str] | None:
        with self._pool.session() as session:
            place = _lookups.alert_place(session, diaSourceId)
        if place is None:
            return None
        pack, offset, length, schema_json = place
        return self._reader.read(pack, offset, length), schema_json

    def query(
        self,
        sql: str,
        *,
        max_rows: int | None = 10_000,
        timeout: float | None = 60.0,
        cancelled: threading.Event | None = None,
    ) -> pa.Table:
        with self._pool.session() as session:
            return _query.query(session, sql, max_rows, timeout, cancelled)

    def status(self) -> ArchiveStatus:
        with self._pool.snapshot() as session:
            return _status.status(session, described(self._url), self._reader.sizes())

    def rejected(self, limit: int | None = None) -> pa.Table:
        with self._pool.session() as session:
            return _lookups.rejected(session, limit)

    def take_rejected(self, keys: Collection[tuple[str, int, int]] | None = None) -> pa.Table:
        def take() -> pa.Table:
            with self._writer.transaction():
                return _lookups.take_rejected(self._writer, self._staging, keys)

        return self._attempts(take)

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
        with self._pool.session() as session:
            chosen = _replay.choose(
                session, diaSourceIds, diaObjectIds, midpointMjdTai, arrivedMjdTai, newest
            )
            schemas = _replay.schemas(session)
        return _replay.replay(chosen, schemas, self._reader, batch_alerts)

    def check(self, progress: Progress | None = None) -> list[Finding]:
        with self._pool.snapshot() as session:
            return _check.check(session, self._reader, progress)

    def unknown_packs(self) -> dict[str, int]:
        sizes = self._reader.sizes()  # before asking who is known: what is committed meanwhile is left out
        with self._pool.session() as session:
            known = self._committed_packs(session)
        return {
            pack: size
            for pack, size in sizes.items()
            if pack not in known and not in_use(self._folder / pack)
        }

    def compact(self, progress: Progress | None = None, *, remove_unknown_packs: bool = False) -> None:
        if remove_unknown_packs:
            with self._write_lock, _failing_well():
                self._packs.remove(self.unknown_packs())
        with self._pool.session() as session:
            _upkeep.vacuum(session, progress)

    def export_parquet(
        self, folder: str | Path, tables: Sequence[str] | None = None, progress: Progress | None = None
    ) -> dict[str, int]:
        with self._pool.snapshot() as session:
            return _export.export_parquet(session, Path(folder), tables, progress)

    def replace_rows(self, name: str, rows: pa.Table, cells: tuple[int, int] | None = None) -> None:
        def replace() -> None:
            if name in PARTITIONED:
                times = rows.column("midpointMjdTai").to_numpy()
                self._make_partitions({(name, day) for day in partitions_of(times)})
            with self._writer.transaction():
                replace_range(self._writer, name, rows, cells)

        self._attempts(replace)

    def packs(self) -> Packs:
        with self._pool.session() as session:
            return Packs(self._folder, self._committed_packs(session))

    def add_packs(self, lengths: Mapping[str, int]) -> None:
        def add() -> None:
            with self._writer.transaction():
                for pack, length in lengths.items():
                    note_pack(self._writer, pack, length)

        self._attempts(add)

    def leads(self, chore: str) -> bool:
        if self._closed:
            raise ArchiveError("the archive is closed")
        return self._leading.leads(chore)

    def serve(self) -> None:
        """Nothing is to be done: the server serves everybody."""

    def close(self) -> None:
        self._closed = True
        self._pool.close()
        self._points.close()
        self._leading.close()
        with self._write_lock, self._note_lock:
            self._executor.shutdown()
            self._packs.close()
            self._reader.close()
            self._writer.close()
            if self._noter is not None:
                self._noter[0].close()


def _partitions_of_batches(batches: Sequence[AlertBatch]) -> set[tuple[str, int]]:
    """The partitions that the light curves of batches go into, by table and first day."""
    return {
        (name, day)
        for batch in batches
        for name in PARTITIONED
        for day in partitions_of(getattr(batch, name).sent.numpy("midpointMjdTai"))
    }


def _is_there(session: Session, name: str, day: int) -> bool:
    """Whether there is a partition of a table."""
    return bool(session.rows(f"SELECT 1 WHERE to_regclass('{NAMESPACE}.\"{name}_{day}\"') IS NOT NULL"))


@contextmanager
def _failing_well() -> Iterator[None]:
    """Errors of the system, from the packs' disk, as the archive's own."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise ArchiveFullError(f"the disk is full, nothing was written: {error}") from error
        raise ArchiveError(str(error)) from error
