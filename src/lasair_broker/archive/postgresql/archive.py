"""The archive of a site: written by many workers, read by many, each with sessions of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from lasair_broker.packets import AlertBatch, Cutout
from lasair_broker.schema import Engine

from .. import _check, _export, _hats, _replay
from .._images import fits_bytes
from ..errors import ArchiveError
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
from . import _hits, _lookups, _query, _status, _upkeep
from ._committer import WRITING, Committer, committed_packs, failing_well
from ._leading import Leading
from ._list_hits import renew_list_hits, replace_list_hits, writers
from ._points import Points
from ._session import Pool, Session, described
from ._staging import Staging
from ._tables import PARTITIONED, READING, partitions_of
from ._write import Writing, move_alerts, note_pack, replace_range, unite_packs
from .snapshot import Columnar, Refreshed, SnapshotPlace

__all__ = ["PostgreSQLArchive"]


class PostgreSQLArchive(Archive):
    """An archive in the schema ``archive`` of a PostgreSQL database, and in packs.

    Any number of processes may have it open and write. Two that meet the same object do so one after the
    other, and the newer state stays, whichever comes last.

    Parameters
    ----------
    url
        ``postgresql://user@host/database``, as libpq reads it; what it does not say is taken from libpq's
        environment variables and password file.
    packs
        The folder of the packs, made if it is not there, or another place. All machines of a site see the
        same one.
    pack_bytes
        A pack is closed when it has grown to this size.
    distributed
        Whether a new archive is spread over the servers of Citus.
    snapshot
        The columnar snapshot from which searches are answered; None for none.

    Raises
    ------
    ArchiveVersionError
        If it was written by a newer version of this program.
    ArchiveError
        If the server cannot be reached, or the tables or the folder cannot be made.
    """

    engine: Engine = "postgresql"

    def __init__(
        self,
        url: str,
        packs: str | Path | PackPlace,
        *,
        pack_bytes: int = 512 * 1024**2,
        distributed: bool = False,
        snapshot: SnapshotPlace | None = None,
    ) -> None:
        self._url = url
        self._place = packs if isinstance(packs, PackPlace) else PackPlace(str(packs))
        self._closed = False
        self._committer = Committer(url, self._place, pack_bytes, distributed=distributed)
        self._pool = Pool(url, READING)
        self._points = Points(url, READING)
        self._columnar = None if snapshot is None else Columnar(snapshot)
        self._leading = Leading(url, READING)
        self._reader = self._place.reader()
        self._note_lock = threading.Lock()
        self._noter: tuple[Session, Staging] | None = None

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
        def write(writing: Writing) -> WriteReport:
            writing.hold(positions or {})
            for batch in batches:
                writing.batch(batch, renew)
            if rejected is not None:
                writing.rejected(rejected)
            writing.tables(tables or {})
            writing.positions(positions or {}, rewound)
            return writing.finish()

        return self._committer.write(write, self._reader, batches)

    def rematch(
        self,
        matches: Mapping[str, Rematch],
        tables: Mapping[str, pa.Table] | None = None,
        positions: Mapping[tuple[str, int], int] | None = None,
    ) -> WriteReport:
        def write(writing: Writing) -> WriteReport:
            writing.rematch(matches)
            writing.tables(tables or {})
            writing.positions(positions or {}, rewound=positions or {})
            return writing.finish()

        return self._committer.write(write, self._reader)

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
        with self._note_lock, failing_well():
            if self._closed:
                raise ArchiveError("the archive is closed")
            if self._noter is None or self._noter[0].broken:
                session = Session(self._url, WRITING)
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
        writes = self._committer
        writes.transaction(
            lambda: replace_list_hits(writes.session, writes.staging, name, list_id, hits, first=first)
        )

    def renew_list_hits(
        self, name: str, list_id: int, diaObjectIds: Sequence[int], match: Callable[[pa.Table], pa.Table]
    ) -> None:
        writes = self._committer
        writes.transaction(
            lambda: renew_list_hits(writes.session, writes.staging, name, list_id, diaObjectIds, match)
        )

    def writers(self) -> frozenset[str]:
        with self._pool.session() as session:
            return writers(session)

    def cone(
        self, ra: float, decl: float, radius_arcsec: float, columns: Sequence[str] | None = None
    ) -> pa.Table:
        return _lookups.cone(self._points, ra, decl, radius_arcsec, columns)

    def cutout(self, diaSourceId: int, which: Cutout) -> bytes | None:
        def find() -> tuple[str, int, int] | None:
            with self._pool.session() as session:
                return _lookups.cutout_place(session, diaSourceId, which)

        found = self._reader.read_found(find)
        return None if found is None else fits_bytes(found[0])

    def alert_bytes(self, diaSourceId: int) -> tuple[bytes, str] | None:
        def find() -> tuple[str, int, int, str] | None:
            with self._pool.session() as session:
                return _lookups.alert_place(session, diaSourceId)

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
        if self._columnar is not None and not isinstance(sql, str):
            columnar = sql("duckdb")
            with self._pool.snapshot() as session:
                overlay = self._columnar.overlay(session, statement, columnar)
            if overlay is not None:
                return self._columnar.answer(overlay, columnar, max_rows, timeout, cancelled)
        with self._pool.session() as session:
            return _query.query(session, statement, max_rows, timeout, cancelled)

    def refresh_snapshot(self, progress: Progress | None = None) -> Refreshed | None:
        """Make the columnar snapshot, or bring it up to date.

        Returns
        -------
        What was done; None if another process is at it.

        Raises
        ------
        ArchiveError
            If the archive has no folder for one, or is spread over several servers.
        """
        if self._columnar is None:
            raise ArchiveError("no folder for a snapshot is set: archive.snapshot names it")
        session = Session(self._url, WRITING)
        try:
            return self._columnar.refresh(session, progress)
        finally:
            session.close()

    def status(self) -> ArchiveStatus:
        with self._pool.snapshot() as session:
            return _status.status(session, described(self._url), committed_packs(session))

    def rejected(self, limit: int | None = None) -> pa.Table:
        with self._pool.session() as session:
            return _lookups.rejected(session, limit)

    def take_rejected(self, keys: Collection[tuple[str, int, int]] | None = None) -> pa.Table:
        writes = self._committer
        return writes.transaction(lambda: _lookups.take_rejected(writes.session, writes.staging, keys))

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
            known = committed_packs(session)
        return {
            pack: size for pack, size in sizes.items() if pack not in known and not self._reader.in_use(pack)
        }

    def compact(self, progress: Progress | None = None, *, remove_unknown_packs: bool = False) -> None:
        if remove_unknown_packs:
            self._committer.remove_packs(self.unknown_packs)
        with self._pool.session() as session:
            _upkeep.vacuum(session, progress)

    def export_parquet(
        self, folder: str | Path, tables: Sequence[str] | None = None, progress: Progress | None = None
    ) -> dict[str, int]:
        with self._pool.snapshot() as session:
            return _export.export_parquet(session, Path(folder), tables, progress)

    def export_hats(
        self,
        folder: str | Path,
        midpointMjdTai: tuple[float, float] | None = None,
        progress: Progress | None = None,
    ) -> dict[str, int]:
        with self._pool.snapshot() as session:
            return _hats.export_hats(session, Path(folder), midpointMjdTai, progress)

    def replace_rows(self, name: str, rows: pa.Table, cells: tuple[int, int] | None = None) -> None:
        writes = self._committer

        def replace() -> None:
            if name in PARTITIONED:
                times = rows.column("midpointMjdTai").to_numpy()
                writes.make_partitions({(name, day) for day in partitions_of(times)})
            with writes.session.transaction():
                replace_range(writes.session, name, rows, cells)

        writes.attempt(replace)

    def packs(self) -> Packs:
        with self._pool.session() as session:
            return Packs(self._place, committed_packs(session))

    def add_packs(self, lengths: Mapping[str, int]) -> None:
        def add() -> None:
            for pack, length in lengths.items():
                note_pack(self._committer.session, pack, length)

        self._committer.transaction(add)

    def move_alerts(self, pack: str, alerts: pa.Table, cutouts: pa.Table, lengths: Mapping[str, int]) -> None:
        writes = self._committer
        writes.transaction(
            lambda: move_alerts(writes.session, writes.staging, pack, alerts, cutouts, lengths)
        )

    def unite_packs(self, pack: str, length: int, parts: Mapping[str, int]) -> None:
        writes = self._committer
        writes.transaction(lambda: unite_packs(writes.session, writes.staging, pack, length, parts))

    def remove_packs(self, packs: Collection[str]) -> None:
        self._committer.remove_packs(lambda: packs)

        def forget() -> None:
            for pack in packs:
                self._committer.session.run(
                    "DELETE FROM archive_packs WHERE pack = $1 AND length = 0", [pack]
                )

        self._committer.transaction(forget)

    def leads(self, chore: str) -> bool:
        if self._closed:
            raise ArchiveError("the archive is closed")
        return self._leading.leads(chore)

    def serve(self) -> None:
        """Nothing is to be done: the server serves everybody."""

    def close(self) -> None:
        self._closed = True
        if self._columnar is not None:
            self._columnar.close()
        self._pool.close()
        self._points.close()
        self._leading.close()
        self._committer.close()
        with self._note_lock:
            self._reader.close()
            if self._noter is not None:
                self._noter[0].close()
