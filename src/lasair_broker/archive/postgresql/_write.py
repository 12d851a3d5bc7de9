"""One write: batches, rejected messages and positions, in one transaction with the raw alerts safely in a
pack."""

# Names in statements are the schema's own, values are numbers or parameters:
# ruff: noqa: S608

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from lasair_broker.packets import CUTOUTS, AlertBatch, mjd_tai_now
from lasair_broker.schema import TABLES, conform, quoted, table

from .._alerts import kept_alerts
from .._batch import (
    OWN,
    Counts,
    checked_rematch,
    images_of,
    int64_column,
    last_of,
    newest_of,
    placed_alerts,
    signed_fingerprint,
    speaks_of_objects,
    with_column,
)
from .._light_curves import Held, LightCurveNews, ledger_rows, with_originals
from ..packs import PackReader, PackWriter
from ..records import Rematch, WriteReport
from ._hits import store_hits
from ._light_curves import light_curve_news, lock_objects, store_ledger, store_rows
from ._session import Session
from ._staging import Staging

__all__ = [
    "Writing",
    "move_alerts",
    "note_pack",
    "rematch",
    "replace_range",
    "unite_packs",
]

Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]


class Writing:
    """Everything within one transaction of `session`; raw alerts are written meanwhile by `executor`.

    Nothing is committed before `finish` returns.
    """

    def __init__(
        self,
        session: Session,
        staging: Staging,
        packs: PackWriter,
        reader: PackReader,
        executor: ThreadPoolExecutor,
    ) -> None:
        self._session = session
        self._staging = staging
        self._packs = packs
        self._reader = reader
        self._executor = executor
        self._hits: list[pa.Table] = []
        self._pending: list[Future[None]] = []
        self._touched_packs: dict[str, int] = {}
        self._counts = Counts()
        self._now = mjd_tai_now()
        self._timestamp = datetime.now(UTC)
        self._started = time.perf_counter()

    def hold(self, positions: Mapping[tuple[str, int], int]) -> None:
        """Let no other worker write alerts of these partitions before this transaction has ended.

        A worker that is slow to die, or was frozen, may still be writing what another has been given by now;
        that one waits here, and then sees what is there. Comes first, so that nobody waits for each other.
        """
        for topic, partition in sorted(positions):
            self._session.run(
                'SELECT 1 FROM stream_positions WHERE topic = $1 AND "partition" = $2 FOR UPDATE',
                [topic, partition],
            )

    def batch(self, batch: AlertBatch, renew: bool = False) -> None:
        """Store one batch; if told to renew, also the states of objects whose alerts are known."""
        ids = int64_column(batch.objects, "diaObjectId")
        held = lock_objects(self._session, self._staging, batch, ids)
        news = light_curve_news(self._session, self._staging, batch, ids, held)
        keep, reissued, held_before = kept_alerts(self._stored_alerts, self._read_pack, batch, news[0])
        news[0] = with_originals(news[0], held_before)
        self._counts.alerts += len(keep)
        self._counts.duplicates += batch.alerts.num_rows - len(keep)
        self._store_alerts(batch, keep, reissued, ids, held.healpix29)
        self._store_solar_system(batch, keep)
        for curves in news:
            store_rows(self._session, self._staging, curves)
            counted = self._counts.new_rows.get(curves.name, 0)
            self._counts.new_rows[curves.name] = counted + len(curves.rows)
            self._counts.changed_rows += len(curves.changed)
        self._counts.compared_objects += int(max(curves.compared for curves in news))
        alerted = np.isin(ids, int64_column(batch.alerts, "diaObjectId")[keep])
        touched = alerted | ~held.known | np.logical_or.reduce([curves.touched for curves in news])
        stale = held.known & (newest_of(batch) < held.columns["newestSourceMjdTai"])
        self._store_ledger(ids, held, news, touched)
        renewed = (touched | renew) & ~stale
        self._store_objects(batch, held, renewed)
        for name, rows in batch.tables.items():
            if name in TABLES and name not in OWN and (not renew or speaks_of_objects(name)):
                self._store_matches(name, rows, ids, held, renewed)
        self._counts.new_objects += int((~held.known).sum())
        self._counts.stale_objects += int((touched & stale).sum())
        self._store_schema(batch)

    def tables(self, tables: Mapping[str, pa.Table]) -> None:
        """Store rows that come with no batch."""
        for name, rows in tables.items():
            definition = table(name)
            if name in OWN:
                raise ValueError(f"rows of table {name} are stored with the batch that they belong to")
            if name == "filter_hits":
                self._hits.append(conform(rows, definition.name))
            else:
                self._staging.upsert(name, rows)

    def rejected(self, rows: pa.Table) -> None:
        """Store messages that could not be read."""
        self._staging.upsert("rejected", rows)
        self._counts.rejected += rows.num_rows

    def positions(
        self, positions: Mapping[tuple[str, int], int], rewound: Collection[tuple[str, int]]
    ) -> None:
        """Store where to read on: farther than before, unless rewound."""
        for (topic, partition), offset in sorted(positions.items()):
            where = "" if (topic, partition) in rewound else 'WHERE p."offset" < EXCLUDED."offset"'
            self._session.run(
                'INSERT INTO stream_positions AS p (topic, "partition", "offset") VALUES ($1, $2, $3) '
                f'ON CONFLICT (topic, "partition") DO UPDATE SET "offset" = EXCLUDED."offset" {where}',
                [topic, partition, offset],
            )

    def rematch(self, matches: Mapping[str, Rematch]) -> None:
        """Put new matches in the place of those that are there."""
        rematch(self._session, self._staging, matches)

    @property
    def packs(self) -> Collection[str]:
        """The packs into which alerts were written."""
        return self._touched_packs.keys()

    def finish(self) -> WriteReport:
        """Wait for the raw alerts to be on the disk, and commit."""
        self._wait()
        for pack, length in self._touched_packs.items():
            note_pack(self._session, pack, length)
        if self._hits:
            times = store_hits(self._session, self._staging, pa.concat_tables(self._hits))
            self._counts.filter_hits = len(times)
            self._counts.hitsMjdTai = (float(times.min()), float(times.max())) if len(times) else None
        self._session.run("COMMIT")
        self._packs.commit()
        return WriteReport(**vars(self._counts), seconds=time.perf_counter() - self._started)

    def settle(self) -> None:
        """Wait until no raw alert is being written any more, whatever became of them."""
        for future in self._pending:
            future.exception()

    def _wait(self) -> None:
        for future in self._pending:
            future.result()
        self._pending.clear()

    def _read_pack(self, pack: str) -> npt.NDArray[np.uint8]:
        self._wait()
        return self._reader.map(pack)

    def _stored_alerts(self, suspects: pa.Table, survey: str) -> pa.Table:
        staged = self._staging.put("suspects", suspects)
        return self._session.table(
            'SELECT s.alert, a.pack, a."packOffset", a."packLength" FROM alerts a '
            f'JOIN {staged} s USING ("diaSourceId") WHERE a.survey = $1',
            [survey],
        )

    def _store_alerts(
        self, batch: AlertBatch, keep: Int64, reissued: Int64, ids: Int64, healpix29: Int64
    ) -> None:
        """The rows of `alerts` and `cutouts`, and the datums themselves."""
        if not len(keep):
            return
        payloads = batch.payloads
        address, length = payloads.address[keep], payloads.length[keep]
        place = self._packs.reserve(length, self._now)
        fingerprint = signed_fingerprint(batch)
        self._pending.append(self._executor.submit(self._packs.write, place, address, length, fingerprint))
        self._touched_packs[place.pack] = place.end
        self._counts.pack_bytes += place.end - place.start

        alerts = placed_alerts(batch, keep, ids, healpix29, place, self._now)
        images = images_of(alerts, place.offset)
        names = [name for name in alerts.column_names if not name.startswith("cutout")]
        self._session.copy(conform(alerts.select(names), "alerts"), "alerts")
        if len(reissued):
            self._staging.delete("cutouts", "diaSourceId", reissued)
            images = last_of(images, ("diaSourceId",))  # of alerts of one detection the last is the newest
        self._session.copy(images, "cutouts")

    def _store_solar_system(self, batch: AlertBatch, keep: Int64) -> None:
        if not batch.ssSources.num_rows:
            return
        kept = int64_column(batch.alerts, "diaSourceId")[keep]
        ids = int64_column(batch.ssSources, "diaSourceId")
        rows = batch.ssSources.filter(pa.array(np.isin(ids, kept)))
        if not rows.num_rows:
            return
        rows = last_of(rows, ("diaSourceId",))
        self._counts.ss_sources += rows.num_rows
        self._staging.upsert("ssSources", rows)
        self._staging.upsert("ssObjects", batch.ssObjects)
        self._staging.upsert("mpc_orbits", batch.mpc_orbits)

    def _store_ledger(self, ids: Int64, held: Held, news: list[LightCurveNews], touched: Bool) -> None:
        if touched.any():
            store_ledger(self._session, self._staging, ledger_rows(ids, held, news, touched))

    def _store_objects(self, batch: AlertBatch, held: Held, renewed: Bool) -> None:
        """New objects are copied in; of those that are there every column is replaced where it stands."""
        if not renewed.any():
            return
        self._counts.updated_objects += int((renewed & held.known).sum())
        stamp = pa.array([self._timestamp], pa.timestamp("us", "UTC"))
        for which in (renewed & ~held.known, renewed & held.known):
            rows = np.flatnonzero(which)
            if not len(rows):
                continue
            rows = rows[np.argsort(held.healpix29[rows], kind="stable")]
            objects = with_column(batch.objects.take(rows), "healpix29", pa.array(held.healpix29[rows]))
            stamps = stamp.take(pa.array(np.zeros(len(rows), np.int32)))
            objects = conform(with_column(objects, "timestamp", stamps), "objects")
            if held.known[rows[0]]:
                staged = self._staging.put("objects", objects)
                names = [name for name in objects.column_names if name != "diaObjectId"]
                replaced = ", ".join(f"{quoted(name)} = s.{quoted(name)}" for name in names)
                self._session.run(
                    f'UPDATE objects t SET {replaced} FROM {staged} s WHERE t."diaObjectId" = s."diaObjectId"'
                )
            else:
                self._session.copy(objects, "objects")

    def _store_matches(self, name: str, rows: pa.Table, ids: Int64, held: Held, renewed: Bool) -> None:
        """A stage's table: all that it says of the objects renewed; rows without an object by their key."""
        if name == "filter_hits":
            self._hits.append(conform(rows, name))
        elif speaks_of_objects(name):
            if not renewed.any():
                return
            if name == "partners":
                self._store_partners(rows, ids[renewed])
                return
            mine = conform(rows.filter(pc.is_in(rows.column("diaObjectId"), pa.array(ids[renewed]))), name)
            self._staging.delete(name, "diaObjectId", ids[renewed & held.known])
            self._session.copy(last_of(mine, TABLES[name].primary_key), name)
        else:
            self._staging.upsert(name, rows)

    def _store_partners(self, rows: pa.Table, ids: Int64) -> None:
        """Pairs stand here both ways: those of the objects renewed are replaced in both, and so are rows of
        other objects whose pairs are ranked anew because of them."""
        self._staging.delete("partners", "diaObjectId", ids)
        self._staging.delete("partners", "partnerDiaObjectId", ids)
        self._staging.upsert("partners", rows)

    def _store_schema(self, batch: AlertBatch) -> None:
        self._session.run(
            "INSERT INTO avro_schemas (fingerprint, json) VALUES ($1, $2) ON CONFLICT DO NOTHING",
            [signed_fingerprint(batch), batch.payloads.schema_json],
        )


def note_pack(session: Session, pack: str, length: int) -> None:
    """Let so many bytes of a pack count."""
    session.run(
        "INSERT INTO archive_packs VALUES ($1, $2) ON CONFLICT (pack) DO UPDATE SET length = $2",
        [pack, length],
    )


def move_alerts(
    session: Session,
    staging: Staging,
    pack: str,
    alerts: pa.Table,
    cutouts: pa.Table,
    lengths: Mapping[str, int],
) -> None:
    """Let alerts and images of a pack lie elsewhere, within a transaction; see `Archive.move_alerts`."""
    gone = moved = staging.put("moved_alerts", alerts)
    session.run(
        'UPDATE alerts a SET pack = m."movedPack", "packOffset" = m."movedOffset", '
        f'"packLength" = m."movedLength" FROM {moved} m '
        'WHERE a.pack = $1 AND a."packOffset" = m."packOffset"',
        [pack],
    )
    if cutouts.num_rows:
        moved = staging.put("moved_cutouts", cutouts)
        places = ", ".join(f"{quoted(name)} = m.{quoted(name)}" for name in cutouts.column_names[2:])
        session.run(
            f'UPDATE cutouts c SET pack = m."movedPack", {places} FROM {moved} m '
            'WHERE c.pack = $1 AND c."diaSourceId" = m."diaSourceId"',
            [pack],
        )
    # By detection, of which there is an index.
    session.run(
        f'DELETE FROM cutouts c USING {gone} m WHERE c."diaSourceId" = m."diaSourceId" AND c.pack = $1',
        [pack],
    )
    for name, length in {**lengths, pack: 0}.items():
        note_pack(session, name, length)


def unite_packs(session: Session, staging: Staging, pack: str, length: int, parts: Mapping[str, int]) -> None:
    """Let all of some packs lie in another one, within a transaction; see `Archive.unite_packs`."""
    begin = pa.array(parts.values(), pa.int64())
    moved = staging.put("united_packs", pa.table({"pack": list(parts), "begin": begin}))
    places = ", ".join(f'"cutout{which}Offset" = c."cutout{which}Offset" + m."begin"' for which in CUTOUTS)
    # By detection, of which there is an index; so images come first.
    session.run(
        f"UPDATE cutouts c SET pack = $1, {places} FROM {moved} m JOIN alerts a ON a.pack = m.pack "
        'WHERE c."diaSourceId" = a."diaSourceId" AND c.pack = m.pack',
        [pack],
    )
    session.run(
        f'UPDATE alerts a SET pack = $1, "packOffset" = a."packOffset" + m."begin" FROM {moved} m '
        "WHERE a.pack = m.pack",
        [pack],
    )
    for name, size in {**dict.fromkeys(parts, 0), pack: length}.items():
        note_pack(session, name, size)


def rematch(session: Session, staging: Staging, matches: Mapping[str, Rematch]) -> None:
    """Put rows in the place of those that match tables have, within a transaction; see `Archive.rematch`."""
    for name, found in matches.items():
        rows, values = checked_rematch(name, found)
        staging.delete(name, found.column, values)
        staging.upsert(name, rows)


def replace_range(session: Session, name: str, rows: pa.Table, cells: tuple[int, int] | None) -> None:
    """Put rows in the place of all that a table has, or has in a half-open range of healpix29."""
    within = "TRUE"
    if cells is not None:
        within = f'"healpix29" >= {int(cells[0])} AND "healpix29" < {int(cells[1])}'
    session.run(f"DELETE FROM {quoted(name)} WHERE {within}")
    session.copy(conform(rows, name), name)
