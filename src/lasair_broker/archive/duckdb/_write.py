"""One write: batches, rejected messages and positions, in one transaction with the raw alerts safely in a
pack."""

# Names in statements are the schema's own, values are numbers or parameters:
# ruff: noqa: S608

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from lasair_broker.packets import AlertBatch, mjd_tai_now
from lasair_broker.schema import TABLES, conform, table

from .._batch import (
    OWN,
    Counts,
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
from ..records import WriteReport
from ._alerts import kept_alerts
from ._hits import CommitTimes, store_hits
from ._light_curves import held_of, light_curve_news, store_rows
from ._rows import append_rows, incoming, replace_rows, sky_range
from ._streams import positions as positions_held
from ._tables import parts

__all__ = ["Writing"]

Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]


class Writing:
    """Everything within one transaction on `connection`; raw alerts are written meanwhile by `executor`.

    Nothing is committed before `finish` returns.
    """

    def __init__(
        self,
        connection: Any,
        packs: PackWriter,
        reader: PackReader,
        executor: ThreadPoolExecutor,
        commit_times: CommitTimes,
    ) -> None:
        self._connection = connection
        self._packs = packs
        self._reader = reader
        self._executor = executor
        self._commit_times = commit_times
        self._hits: list[pa.Table] = []
        self._new_sources: list[Int64] = []
        self._pending: list[Future[None]] = []
        self._touched_packs: dict[str, int] = {}
        self._counts = Counts()
        self._now = mjd_tai_now()
        self._timestamp = datetime.now(UTC)
        self._started = time.perf_counter()

    def batch(self, batch: AlertBatch, renew: bool = False) -> None:
        """Store one batch; if told to renew, also the states of objects whose alerts are known."""
        ids = int64_column(batch.objects, "diaObjectId")
        held = held_of(self._connection, batch, ids)
        news = light_curve_news(self._connection, batch, ids, held)
        keep, reissued, held_before = kept_alerts(self._connection, self._read_pack, batch, news[0])
        news[0] = with_originals(news[0], held_before)
        self._counts.alerts += len(keep)
        self._counts.duplicates += batch.alerts.num_rows - len(keep)
        self._store_alerts(batch, keep, reissued, ids, held.healpix29)
        self._store_solar_system(batch, keep, reissued)
        for curves in news:
            store_rows(self._connection, curves)
            counted = self._counts.new_rows.get(curves.name, 0)
            self._counts.new_rows[curves.name] = counted + len(curves.rows)
            self._counts.changed_rows += len(curves.changed)
        self._counts.compared_objects += int(max(curves.compared for curves in news))
        alerted = np.isin(ids, int64_column(batch.alerts, "diaObjectId")[keep])
        touched = alerted | ~held.known | np.logical_or.reduce([curves.touched for curves in news])
        stale = held.known & (newest_of(batch) < held.columns["newestSourceMjdTai"])
        self._store_ledger(ids, held, news, touched)
        renewed = (touched | renew) & ~stale
        self._store_objects(batch, ids, held, renewed)
        for name, rows in batch.tables.items():
            if name in TABLES and name not in OWN and (not renew or speaks_of_objects(name)):
                self._store_matches(name, rows, ids[renewed])
        self._new_sources.append(news[0].table.numpy("diaSourceId")[news[0].rows])
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
                self._replace(name, rows)

    def rejected(self, rows: pa.Table) -> None:
        """Store messages that could not be read."""
        self._replace("rejected", rows)
        self._counts.rejected += rows.num_rows

    def positions(
        self, positions: Mapping[tuple[str, int], int], rewound: Collection[tuple[str, int]]
    ) -> None:
        """Store where to read on: farther than before, unless rewound."""
        held = positions_held(self._connection) if positions.keys() - rewound else {}
        moved = {
            place: offset
            for place, offset in positions.items()
            if place in rewound or offset > held.get(place, -1)
        }
        if moved:
            rows = pa.table(
                {
                    "topic": [topic for topic, _ in moved],
                    "partition": pa.array([partition for _, partition in moved], pa.int32()),
                    "offset": pa.array(moved.values(), pa.int64()),
                }
            )
            self._replace("stream_positions", rows)

    def finish(self) -> WriteReport:
        """Wait for the raw alerts to be on the disk, and commit."""
        self._store_hits()
        self._wait()
        if self._touched_packs:
            rows = pa.table(
                {
                    "pack": list(self._touched_packs),
                    "length": pa.array(self._touched_packs.values(), pa.int64()),
                }
            )
            replace_rows(self._connection, ["archive_packs"], rows, ["pack"])
        self._connection.commit()
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
        append_rows(self._connection, "alerts_recent", conform(alerts.select(names), "alerts"))
        if len(reissued):
            self._delete_sources("cutouts", reissued)
            images = last_of(images, ("diaSourceId",))  # of alerts of one detection the last is the newest
        append_rows(self._connection, "cutouts_recent", images)

    def _store_solar_system(self, batch: AlertBatch, keep: Int64, reissued: Int64) -> None:
        if not batch.ssSources.num_rows:
            return
        kept = int64_column(batch.alerts, "diaSourceId")[keep]
        ids = int64_column(batch.ssSources, "diaSourceId")
        rows = batch.ssSources.filter(pa.array(np.isin(ids, kept)))
        if not rows.num_rows:
            return
        self._delete_sources("ssSources", reissued)
        rows = conform(last_of(rows, ("diaSourceId",)), "ssSources")
        self._counts.ss_sources += rows.num_rows
        append_rows(self._connection, "ssSources_recent", rows)
        self._replace("ssObjects", batch.ssObjects)
        self._replace("mpc_orbits", batch.mpc_orbits)

    def _delete_sources(self, name: str, diaSourceIds: Int64) -> None:
        if not len(diaSourceIds):
            return
        with incoming(self._connection, gone=pa.table({"diaSourceId": diaSourceIds})):
            for part in ("recent", "sorted"):
                self._connection.execute(
                    f"DELETE FROM {name}_{part} WHERE {sky_range(diaSourceIds, 'diaSourceId')} "
                    "AND diaSourceId IN (SELECT diaSourceId FROM gone)"
                )

    def _store_ledger(self, ids: Int64, held: Held, news: list[LightCurveNews], touched: Bool) -> None:
        if not touched.any():
            return
        rows = ledger_rows(ids, held, news, touched)
        self._delete_objects("object_ledger", ids[touched & held.known], None)
        append_rows(self._connection, "object_ledger_recent", rows)

    def _store_objects(self, batch: AlertBatch, ids: Int64, held: Held, renewed: Bool) -> None:
        if not renewed.any():
            return
        self._counts.updated_objects += int((renewed & held.known).sum())
        rows = np.flatnonzero(renewed)
        rows = rows[np.argsort(held.healpix29[rows], kind="stable")]
        objects = with_column(batch.objects.take(rows), "healpix29", pa.array(held.healpix29[rows]))
        stamp = pa.array([self._timestamp], pa.timestamp("us", "UTC"))
        objects = with_column(objects, "timestamp", stamp.take(pa.array(np.zeros(len(rows), np.int32))))
        again = renewed & held.known
        self._delete_objects("objects", ids[again], held.healpix29[again])
        append_rows(self._connection, "objects_recent", conform(objects, "objects"))

    def _delete_objects(self, name: str, ids: Int64, healpix29: Int64 | None) -> None:
        if not len(ids):
            return
        near = "TRUE" if healpix29 is None else sky_range(healpix29, "healpix29")
        with incoming(self._connection, gone=pa.table({"diaObjectId": ids})):
            for part in ("recent", "sorted"):
                self._connection.execute(
                    f"DELETE FROM {name}_{part} WHERE {near} "
                    "AND diaObjectId IN (SELECT diaObjectId FROM gone)"
                )

    def _store_matches(self, name: str, rows: pa.Table, ids: Int64) -> None:
        """A stage's table: all that it says of the objects renewed; rows without an object by their key."""
        if name == "filter_hits":
            self._hits.append(conform(rows, name))
        elif speaks_of_objects(name):
            if not len(ids):
                return
            if name == "partners":
                self._store_partners(rows, ids)
                return
            mine = rows.filter(pc.is_in(rows.column("diaObjectId"), pa.array(ids)))
            self._delete_objects(name, ids, None)
            append_rows(self._connection, f"{name}_recent", conform(mine, name))
        else:
            self._replace(name, rows)

    def _store_partners(self, rows: pa.Table, ids: Int64) -> None:
        """Pairs stand here both ways: those of the objects renewed are replaced in both, and so are rows of
        other objects whose pairs are ranked anew because of them."""
        with incoming(self._connection, gone=pa.table({"diaObjectId": ids})):
            for part in parts("partners"):
                # Most archives have one survey, and no pairs.
                if self._connection.execute(f"SELECT 1 FROM {part} LIMIT 1").fetchone() is None:
                    continue
                self._connection.execute(
                    f"DELETE FROM {part} WHERE diaObjectId IN (SELECT diaObjectId FROM gone) "
                    "OR partnerDiaObjectId IN (SELECT diaObjectId FROM gone)"
                )
        self._replace("partners", rows)

    def _replace(self, name: str, rows: pa.Table) -> None:
        if rows.num_rows:
            key = TABLES[name].primary_key
            rows = last_of(conform(rows, name), key)
            replace_rows(self._connection, parts(name), rows, key)

    def _store_hits(self) -> None:
        """All hits of this transaction, as late as can be, so that their time is that of the commit."""
        if self._hits:
            sources = np.concatenate([np.zeros(0, np.int64), *self._new_sources])
            now = self._commit_times.next(self._connection)
            self._counts.filter_hits = store_hits(
                self._connection, pa.concat_tables(self._hits), sources, now
            )
            self._counts.hitsMjdTai = (now, now) if self._counts.filter_hits else None

    def _store_schema(self, batch: AlertBatch) -> None:
        fingerprint = signed_fingerprint(batch)
        self._connection.execute(
            "INSERT INTO avro_schemas (fingerprint, json) SELECT ?, ? "
            "WHERE NOT EXISTS (SELECT 1 FROM avro_schemas WHERE fingerprint = ?)",
            [fingerprint, batch.payloads.schema_json, fingerprint],
        )
