"""Alerts as plain Python values, the batches they make, and what an archive must hold after them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from lasair_broker.packets import BANDS, AlertBatch, Payloads, SourceColumns, SourceTable
from lasair_broker.schema import arrow_schema, table
from lasair_broker.sky import healpix29

SCHEMA_JSON = '{"type": "string"}'
FINGERPRINT = 77


@dataclass(frozen=True)
class Row:
    """A row of a light curve: a detection, a forced measurement or (without an id) a limit."""

    id: int
    time: float
    flux: float = 1.0
    band: str = "r"
    withdrawn: float | None = None


@dataclass(frozen=True)
class Packet:
    """One alert. `sources` are all its detections, its own (the newest in it, `diaSourceId`) among them."""

    diaObjectId: int | None
    diaSourceId: int
    time: float
    sources: tuple[Row, ...] = ()
    forced: tuple[Row, ...] = ()
    limits: tuple[Row, ...] = ()
    ra: float = 10.0
    decl: float = -20.0
    ssObjectId: int | None = None
    survey: str = "lsst"
    remark: str = ""
    images: bool = True

    def datum(self) -> bytes:
        """Bytes that tell this alert from every other, with its images inside."""
        said = json.dumps([self.diaObjectId, self.diaSourceId, self.time, self.remark, repr(self.sources)])
        return said.encode() + b"|" + b"".join(self.image(which) for which in IMAGES)

    def image(self, which: str) -> bytes:
        return f"SIMPLE  = {which} {self.diaSourceId} {self.remark}".encode() if self.images else b""


IMAGES = ("Difference", "Science", "Template")


def _filler(name: str, column: str, count: int) -> Any:
    """Some value for a column that must have one."""
    kind = arrow_schema(name).field(column).type
    if pa.types.is_string(kind):
        return np.zeros(count, np.int32)
    return np.zeros(count, kind.to_pandas_dtype())


def _source_table(name: str, key: str | None, rows: Sequence[Sequence[Row]], per_object: Any) -> SourceTable:
    flat = [row for curve in rows for row in curve]
    offsets = np.cumsum([0, *(len(curve) for curve in rows)])
    order = np.random.default_rng(len(flat)).permutation(len(flat))  # as decoded, in no order
    place = np.argsort(order)
    shuffled = [flat[n] for n in order]
    values: dict[str, Any] = {
        "midpointMjdTai": np.array([row.time for row in shuffled], float),
        "band": np.array([BANDS.index(row.band) for row in shuffled], np.int8),
    }
    valid: dict[str, Any] = {}
    words: dict[str, Sequence[str]] = {"band": BANDS}
    flux = "limitingFlux" if key is None else "psfFlux"
    values[flux] = np.array([row.flux for row in shuffled], np.float32)
    if key is not None:
        values[key] = np.array([row.id for row in shuffled], np.int64)
        values["psfFluxErr"] = np.abs(values[flux]) / 20
        values["timeWithdrawnMjdTai"] = np.array([row.withdrawn or 0.0 for row in shuffled], float)
        valid["timeWithdrawnMjdTai"] = np.array([row.withdrawn is not None for row in shuffled], bool)
    for column in table(name).columns:
        if not column.nullable and column.name not in values and column.name not in per_object:
            values[column.name] = _filler(name, column.name, len(flat))
            if column.datatype in ("string", "char"):
                words[column.name] = ("some",)
    part = SourceColumns(len(flat), values, valid, words)
    return SourceTable(arrow_schema(name), (part,), place.astype(np.int64), offsets).with_per_object(
        per_object
    )


def unite(rows: Iterable[Row]) -> list[Row]:
    """Rows of several packets without doubles, in order of time; of two the withdrawn one stays."""
    united: dict[Any, Row] = {}
    for row in rows:
        key = row.id or (row.time, row.band)
        if key not in united or row.withdrawn is not None:
            united[key] = row
    return sorted(united.values(), key=lambda row: (row.time, row.id, row.band))


def detections(packets: Iterable[Packet]) -> list[Row]:
    """The detections of packets of an object; of doubles that of the detection's own packet, if it is there,
    and a withdrawn one before any other."""
    packets = list(packets)
    own = [row for packet in packets for row in packet.sources if row.id == packet.diaSourceId]
    return unite([*own, *(row for packet in packets for row in packet.sources)])


def _table(name: str, columns: dict[str, Any], extra: Sequence[pa.Field] = ()) -> pa.Table:
    fields = [to for to in (*arrow_schema(name), *extra) if to.name in columns]
    return pa.table({to.name: pa.array(columns[to.name], to.type) for to in fields}, schema=pa.schema(fields))


def batch_of(
    packets: Sequence[Packet], first_offset: int = 0, topic: str = "alerts", arrived: float = 61_000.0
) -> AlertBatch:
    """The batch that packets of one survey make."""
    ids = sorted({packet.diaObjectId for packet in packets if packet.diaObjectId is not None})
    of_object = [[packet for packet in packets if packet.diaObjectId == key] for key in ids]
    newest = [max(alerts, key=lambda packet: packet.time) for alerts in of_object]
    cells = healpix29(
        np.array([packet.ra for packet in newest], float), np.array([packet.decl for packet in newest], float)
    )
    survey = packets[0].survey if packets else "lsst"
    per_object = {"diaObjectId": np.array(ids, np.int64), "healpix29": cells, "survey": survey}
    curves = {
        kind: [unite(row for packet in alerts for row in getattr(packet, kind)) for alerts in of_object]
        for kind in ("forced", "limits")
    }
    curves["sources"] = [detections(alerts) for alerts in of_object]
    datums = [packet.datum() for packet in packets]
    memory = [np.frombuffer(datum, np.uint8) for datum in datums]
    own = healpix29(
        np.array([packet.ra for packet in packets], float),
        np.array([packet.decl for packet in packets], float),
    )
    alerts: dict[str, Any] = {
        "diaSourceId": [packet.diaSourceId for packet in packets],
        "survey": [survey] * len(packets),
        "diaObjectId": [packet.diaObjectId for packet in packets],
        "ssObjectId": [packet.ssObjectId for packet in packets],
        "healpix29": [
            own[n] if packet.diaObjectId is None else cells[ids.index(packet.diaObjectId)]
            for n, packet in enumerate(packets)
        ],
        "midpointMjdTai": [packet.time for packet in packets],
        "arrivedMjdTai": [arrived] * len(packets),
        "topic": [topic] * len(packets),
        "partition": [0] * len(packets),
        "offset": list(range(first_offset, first_offset + len(packets))),
        "schemaFingerprint": [FINGERPRINT] * len(packets),
    }
    extra = []
    for which in IMAGES:
        extra += [pa.field(f"cutout{which}Offset", pa.int64()), pa.field(f"cutout{which}Length", pa.int32())]
        at = [datum.find(packet.image(which)) for datum, packet in zip(datums, packets, strict=True)]
        has = [packet.images for packet in packets]
        alerts[f"cutout{which}Offset"] = [
            place if some else None for place, some in zip(at, has, strict=True)
        ]
        alerts[f"cutout{which}Length"] = [
            len(packet.image(which)) if some else None for packet, some in zip(packets, has, strict=True)
        ]
    bodies = [packet for packet in packets if packet.ssObjectId is not None]
    ss_columns: dict[str, Any] = {
        column.name: [0] * len(bodies)
        for column in table("ssSources").columns
        if not column.nullable and column.datatype not in ("string", "char")
    }
    ss_columns |= {
        "diaSourceId": [packet.diaSourceId for packet in bodies],
        "ssObjectId": [packet.ssObjectId for packet in bodies],
        "survey": ["lsst"] * len(bodies),
        "midpointMjdTai": [packet.time for packet in bodies],
        "psfFlux": [packet.time for packet in bodies],
    }
    for column in table("ssSources").columns:
        if not column.nullable:
            ss_columns.setdefault(column.name, ["x"] * len(bodies))
    return AlertBatch(
        survey=survey,
        alerts=_table("alerts", alerts, extra),
        objects=_table("objects", {
            "diaObjectId": ids, "healpix29": cells, "survey": [survey] * len(ids),
            "objectName": [f"name{key}" for key in ids], "ra": [packet.ra for packet in newest],
            "decl": [packet.decl for packet in newest],
            "lastDiaSourceMjdTai": [max((r.time for r in curve), default=None) for curve in
            curves["sources"]], "nDiaSources": [len(curve) for curve in curves["sources"]],
        }),
        diaSources=_source_table("diaSources", "diaSourceId", curves["sources"], per_object),
        diaForcedSources=_source_table("diaForcedSources", "diaForcedSourceId", curves["forced"], per_object),
        diaNondetectionLimits=_source_table("diaNondetectionLimits", None, curves["limits"], per_object),
        ssSources=_table("ssSources", ss_columns),
        ssObjects=_table("ssObjects", {
            "ssObjectId": sorted({packet.ssObjectId for packet in bodies}),
        }),
        mpc_orbits=arrow_schema("mpc_orbits").empty_table(),
        payloads=Payloads(
            np.array([part.ctypes.data for part in memory], np.int64),
            np.array([len(part) for part in memory], np.int64),
            (datums, memory),
            FINGERPRINT,
            SCHEMA_JSON,
        ),
    )  # fmt: skip


@dataclass
class Model:
    """What an archive holds, told slowly: the oracle."""

    sources: dict[int, dict[Any, Row]] = field(default_factory=dict)
    forced: dict[int, dict[Any, Row]] = field(default_factory=dict)
    limits: dict[int, dict[Any, Row]] = field(default_factory=dict)
    state: dict[int, tuple[float, float, int]] = field(default_factory=dict)
    datums: dict[int, list[bytes]] = field(default_factory=dict)
    ss: set[int] = field(default_factory=set)

    def write(self, packets: Sequence[Packet]) -> tuple[int, int]:
        """A batch; alerts stored and left out."""
        stored = 0
        alerted = set()
        kept = set()
        for packet in packets:
            known = self.datums.setdefault(packet.diaSourceId, [])
            if packet.datum() not in known:
                known.append(packet.datum())
                stored += 1
                alerted.add(packet.diaObjectId)
                kept.add(packet.diaSourceId)
                if packet.ssObjectId is not None:
                    self.ss.add(packet.diaSourceId)
        for key in {packet.diaObjectId for packet in packets} - {None}:
            mine = [packet for packet in packets if packet.diaObjectId == key]
            self._object(key, mine, key in alerted, kept)
        return stored, len(packets) - stored

    def _object(self, key: int, packets: Sequence[Packet], alerted: bool, kept: set[int]) -> None:
        newest_held = max((row.time for row in self.sources.get(key, {}).values()), default=-np.inf)
        known = key in self.state
        touched = alerted or not known
        for kind in ("sources", "forced", "limits"):
            held = getattr(self, kind).setdefault(key, {})
            rows = [row for packet in packets for row in getattr(packet, kind)]
            for row in detections(packets) if kind == "sources" else unite(rows):
                name = row.id or (row.time, row.band)
                if name not in held or (row.withdrawn is not None and held[name].withdrawn is None):
                    held[name] = row
                    touched = True
                elif kind == "sources" and name in kept and row.withdrawn == held[name].withdrawn is None:
                    held[name] = row  # the detection's own packet comes after others that told of it
        sources = detections(packets)
        newest = max((row.time for row in sources), default=np.inf)
        if touched and (not known or newest >= newest_held):
            packet = max(packets, key=lambda packet: packet.time)
            self.state[key] = (packet.ra, packet.decl, len(sources))


def held_rows(curve: pa.Table, key: str | None) -> dict[Any, tuple[float, float, str, float | None]]:
    """Rows of an archive's light curve as the model names them; fails on doubles."""
    rows = curve.to_pylist()
    flux = "limitingFlux" if key is None else "psfFlux"
    out = {}
    for row in rows:
        name = (row["midpointMjdTai"], row["band"]) if key is None else row[key]
        assert name not in out, f"{name} stands twice"
        withdrawn = None if key is None else row["timeWithdrawnMjdTai"]
        out[name] = (row["midpointMjdTai"], row[flux], row["band"], withdrawn)
    return out


def model_rows(rows: dict[Any, Row]) -> dict[Any, tuple[float, float, str, float | None]]:
    """The model's rows in the same form."""
    return {name: (row.time, row.flux, row.band, row.withdrawn) for name, row in rows.items()}


def agree(archive: Any, model: Model, ids: Iterable[int]) -> None:
    """Assert that an archive holds what the model says of objects."""
    for key in ids:
        curve = archive.light_curve(key)
        assert held_rows(curve.diaSources, "diaSourceId") == model_rows(model.sources.get(key, {}))
        assert held_rows(curve.diaForcedSources, "diaForcedSourceId") == model_rows(model.forced.get(key, {}))
        assert held_rows(curve.diaNondetectionLimits, None) == model_rows(model.limits.get(key, {}))
        found = archive.object(key).to_pylist()
        if key not in model.state:
            assert found == []
        else:
            assert [(row["ra"], row["decl"], row["nDiaSources"]) for row in found] == [model.state[key]]
