"""A large archive of invented objects, and batches of alerts that go on with them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from lasair_broker.archive import _ledger
from lasair_broker.archive.duckdb import DuckDBArchive
from lasair_broker.packets import AlertBatch, Payloads, SourceColumns, SourceTable
from lasair_broker.schema import TABLES, arrow_schema
from lasair_broker.sky import healpix29

Int64 = npt.NDArray[np.int64]

_CHUNK_OBJECTS = 20_000
_NIGHT_ZERO = 61_000.0
_POOL = 1 << 21
_NONE = np.zeros(0, np.int64)


class Sky:
    """Objects at random places, `sources` detections and as many forced measurements each, and one with more.

    The object `bright` has a thousand of either.
    """

    def __init__(self, objects: int, sources: int, seed: int = 1) -> None:
        self.random = np.random.default_rng(seed)
        ra = self.random.uniform(0.0, 360.0, objects)
        decl = np.degrees(np.arcsin(self.random.uniform(-1.0, 0.2, objects)))
        cells = healpix29(ra, decl)
        order = np.argsort(cells)
        self.ra, self.decl, self.cells = ra[order], decl[order], cells[order]
        self.ids = 1_000_000_000 + self.random.permutation(objects).astype(np.int64) * 977
        counts = np.full(objects, sources)
        self.bright = int(objects * 0.4)
        counts[self.bright] = 1000
        self.offsets = np.concatenate([[0], np.cumsum(counts)])
        rows = int(self.offsets[-1])
        self.time = np.empty(rows)
        for start in range(0, rows, 1_000_000):
            stop = min(rows, start + 1_000_000)
            self.time[start:stop] = _NIGHT_ZERO + self.random.uniform(0.0, 300.0, stop - start)
        objects_of = np.repeat(np.arange(objects), counts)
        self.time = self.time[np.lexsort((self.time, objects_of))]
        # Numbers of detections grow with time, as those of a survey do; forced measurements have their own.
        self.source_ids = (self.time * 1e10).astype(np.int64) * 4 + np.arange(rows) % 4
        self.forced_ids = self.source_ids + 1
        self._later: dict[int, tuple[Int64, Int64, npt.NDArray[np.float64]]] = {}
        self._last: tuple[Int64, Int64, float] = (_NONE, _NONE, 0.0)
        self._pool = self.random.normal(0.0, 100.0, _POOL)

    def _values(self, count: int, kind: pa.DataType, nullable: bool) -> pa.Array:
        """Invented measurements of one column."""
        start = int(self.random.integers(0, _POOL - count))
        pool = self._pool[start : start + count]
        if pa.types.is_boolean(kind):
            return pa.array(pool > 350.0)
        if pa.types.is_floating(kind):
            missing = pool > 150.0 if nullable else None
            return pa.array(pool.astype(kind.to_pandas_dtype()), mask=missing)
        if pa.types.is_integer(kind):
            return pa.array(np.abs(pool).astype(kind.to_pandas_dtype()))
        if pa.types.is_timestamp(kind):
            return pa.nulls(count, kind)
        return pa.array(np.array(["g", "r", "i"])[(np.abs(pool).astype(np.int64) % 3)])

    def _table(self, name: str, count: int, known: dict[str, npt.NDArray[Any]]) -> pa.Table:
        columns = []
        for field in arrow_schema(name):
            if field.name in known:
                columns.append(pa.array(known[field.name]).cast(field.type))
            elif field.name == "survey":
                columns.append(pa.repeat("lsst", count))
            elif field.name == "timeWithdrawnMjdTai":
                columns.append(pa.nulls(count, field.type))
            else:
                columns.append(self._values(count, field.type, TABLES[name].by_name[field.name].nullable))
        return pa.Table.from_arrays(columns, schema=arrow_schema(name))

    def chunks(self, objects: int | None = None) -> Iterator[dict[str, pa.Table]]:
        """The tables of the archive, or of its first objects, piece by piece in order of the sky."""
        count = len(self.ids) if objects is None else objects
        for first in range(0, count, _CHUNK_OBJECTS):
            last = min(count, first + _CHUNK_OBJECTS)
            low, high = int(self.offsets[first]), int(self.offsets[last])
            counts = np.diff(self.offsets[first : last + 1])
            ids, cells = self.ids[first:last], self.cells[first:last]
            rows: dict[str, npt.NDArray[Any]] = {
                "diaObjectId": np.repeat(ids, counts),
                "healpix29": np.repeat(cells, counts),
                "midpointMjdTai": self.time[low:high],
            }
            objects = {"diaObjectId": ids, "healpix29": cells, "ra": self.ra[first:last]}
            objects |= {"decl": self.decl[first:last], "objectName": ids.astype(str)}
            newest = self.time[self.offsets[first + 1 : last + 1] - 1]
            ledger: dict[str, npt.NDArray[Any]] = {"diaObjectId": ids, "healpix29": cells}
            ledger |= {"newestSourceMjdTai": newest, "newestForcedMjdTai": newest}
            ledger |= {"nSources": counts, "nForcedSources": counts}
            ledger |= {"nNondetectionLimits": np.zeros(last - first), "limitsHash": np.zeros(last - first)}
            ledger["sourcesHash"] = self._sums(self.source_ids, first, last)
            ledger["forcedHash"] = self._sums(self.forced_ids, first, last)
            yield {
                "objects": self._table("objects", last - first, objects),
                "object_ledger": self._table("object_ledger", last - first, ledger),
                "diaSources": self._table(
                    "diaSources", high - low, rows | {"diaSourceId": self.source_ids[low:high]}
                ),
                "diaForcedSources": self._table(
                    "diaForcedSources", high - low, rows | {"diaForcedSourceId": self.forced_ids[low:high]}
                ),
            }

    def _sums(self, key: Int64, first: int, last: int) -> Int64:
        low = int(self.offsets[first])
        hashes = _ledger.row_hashes(
            key[low : int(self.offsets[last])], np.full(int(self.offsets[last]) - low, np.nan)
        )
        sums: Int64 = np.add.reduceat(hashes, self.offsets[first:last] - low).view(np.int64)
        return sums

    def fill(self, archive: DuckDBArchive) -> None:
        """Put everything into an empty archive, sorted."""
        connection = archive._database.writer
        ledgers = []
        for chunk in self.chunks():
            connection.begin()
            ledgers.append(chunk.pop("object_ledger"))
            for name, table in chunk.items():
                connection.register("chunk", table)
                connection.execute(f"INSERT INTO {name}_sorted BY NAME SELECT * FROM chunk")
                connection.unregister("chunk")
            connection.commit()
        # This one is sorted by number.
        connection.register("ledger", pa.concat_tables(ledgers).sort_by("diaObjectId"))
        connection.execute("INSERT INTO object_ledger_sorted BY NAME SELECT * FROM ledger")
        connection.unregister("ledger")
        connection.execute("CHECKPOINT")

    def batch(
        self, chosen: Int64, night: float, forced: int, payload: Payloads, window: float = 365.0
    ) -> AlertBatch:
        """An alert of each chosen object at time `night`: its history within the window, and new rows.

        Each brings one new detection and `forced` new forced measurements, and says it has images.
        """
        count = len(chosen)
        now = _NIGHT_ZERO + 300.0 + night
        new_ids = ((now + np.arange(count) * 1e-7) * 1e10).astype(np.int64) * 4
        ids, cells = self.ids[chosen], self.cells[chosen]
        per_object: dict[str, Int64 | str] = {"survey": "lsst", "diaObjectId": ids, "healpix29": cells}
        sources = self._history(chosen, 0, new_ids[:, None], now, now - window)
        more = new_ids[:, None] * 64 + np.arange(1, forced + 1)
        forced_rows = self._history(chosen, 1, more, now, now - window)
        alerts = self._table("alerts", count, {
            "diaSourceId": new_ids, "diaObjectId": ids, "healpix29": cells,
            "midpointMjdTai": np.full(count, now),
            "offset": np.arange(count), "partition": np.zeros(count), "arrivedMjdTai": np.full(count, now),
            "schemaFingerprint": np.full(count, payload.schema_fingerprint),
        })  # fmt: skip
        for which, place in (("Difference", 100), ("Science", 20_000), ("Template", 40_000)):
            alerts = alerts.append_column(f"cutout{which}Offset", pa.array(np.full(count, place)))
            alerts = alerts.append_column(f"cutout{which}Length", pa.array(np.full(count, 15_000, np.int32)))
        objects = self._table("objects", count, {
            "diaObjectId": ids, "healpix29": cells, "ra": self.ra[chosen], "decl": self.decl[chosen],
            "objectName": ids.astype(str), "lastDiaSourceMjdTai": np.full(count, now),
        })  # fmt: skip
        self._last = (new_ids, more, now)
        return AlertBatch(
            survey="lsst",
            alerts=alerts,
            objects=objects,
            diaSources=self._source_table("diaSources", "diaSourceId", *sources).with_per_object(per_object),
            diaForcedSources=self._source_table(
                "diaForcedSources", "diaForcedSourceId", *forced_rows
            ).with_per_object(per_object),
            diaNondetectionLimits=SourceTable.empty(arrow_schema("diaNondetectionLimits"), count),
            ssSources=arrow_schema("ssSources").empty_table(),
            ssObjects=arrow_schema("ssObjects").empty_table(),
            mpc_orbits=arrow_schema("mpc_orbits").empty_table(),
            payloads=payload,
        )

    def remember(self, chosen: Int64) -> None:
        """What the last batch brought is history from now on."""
        new_ids, more, now = self._last
        for n, i in enumerate(chosen.tolist()):
            sources, forced, times = self._later.get(i, (_NONE, _NONE, np.zeros(0)))
            grown = np.concatenate([sources, [new_ids[n]]]), np.concatenate([forced, more[n]])
            self._later[i] = (*grown, np.concatenate([times, [now]]))

    def _history(
        self, chosen: Int64, which: int, new: Int64, now: float, since: float
    ) -> tuple[Int64, npt.NDArray[np.float64], Int64]:
        """Ids, times and offsets of the detections (which: 0) or forced measurements (1) of objects."""
        key = (self.source_ids, self.forced_ids)[which]
        ids, times, offsets = [], [], [0]
        for n, i in enumerate(chosen.tolist()):
            rows = slice(int(self.offsets[i]), int(self.offsets[i + 1]))
            later = self._later.get(i)
            mine, when = key[rows], self.time[rows]
            if later is not None:
                mine = np.concatenate([mine, later[which]])
                when = np.concatenate([when, np.repeat(later[2], len(later[which]) // len(later[2]))])
            kept = when >= since
            ids += [mine[kept], new[n]]
            times += [when[kept], np.full(len(new[n]), now)]
            offsets.append(offsets[-1] + int(kept.sum()) + len(new[n]))
        return np.concatenate(ids), np.concatenate(times), np.array(offsets)

    def _source_table(
        self, name: str, key: str, ids: Int64, times: npt.NDArray[np.float64], offsets: Int64
    ) -> SourceTable:
        values: dict[str, npt.NDArray[Any]] = {key: ids, "midpointMjdTai": times}
        words: dict[str, list[str]] = {}
        start = int(self.random.integers(0, _POOL - len(ids)))
        pool = self._pool[start : start + len(ids)]
        single, whole, flags = pool.astype(np.float32), np.abs(pool).astype(np.int64), pool > 350.0
        for field in arrow_schema(name):
            if field.name in values or field.name == "timeWithdrawnMjdTai":
                continue
            if pa.types.is_string(field.type):
                values[field.name], words[field.name] = (whole % 3).astype(np.int32), ["g", "r", "i"]
            elif pa.types.is_boolean(field.type):
                values[field.name] = flags
            elif pa.types.is_floating(field.type):
                values[field.name] = single if field.type == pa.float32() else pool
            else:
                values[field.name] = whole.astype(field.type.to_pandas_dtype())
        part = SourceColumns(len(ids), values, {}, words)
        return SourceTable(arrow_schema(name), (part,), np.arange(len(ids)), offsets)


def payloads(count: int, size: int, seed: int = 2) -> Payloads:
    """Datums of about `size` random bytes each, as a survey's messages lie in memory."""
    random = np.random.default_rng(seed)
    messages = [random.bytes(size + n % 37) for n in range(count)]
    address = np.array([np.frombuffer(message, np.uint8).ctypes.data for message in messages])
    length = np.array([len(message) for message in messages])
    return Payloads(address, length, tuple(messages), 4711, '{"type": "string"}')
