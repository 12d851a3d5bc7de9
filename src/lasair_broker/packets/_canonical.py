"""From decoded packets to the canonical batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from lasair_broker.schema import arrow_schema
from lasair_broker.sky import healpix29

from ._batch import AlertBatch, Payloads
from ._columns import Column, Columns, arrow_array, to_dtype
from ._convert import present
from ._gather import gather
from ._images import CUTOUTS
from ._mapping import NO_ROWS, LevelColumns, Part, Survey
from ._solar_system import solar_system_tables
from ._source_table import SourceTable
from ._standing import mean_positions, standing_counts
from ._times import in_range, mjd_tai_now
from ._unite import Keys, unite
from .avro import Codec, Decoded

__all__ = ["Arrivals", "canonical_batch"]

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Where and when the message of each datum arrived: as in `Messages`."""

    topics: tuple[str, ...]
    topic: npt.NDArray[np.int32]
    partition: npt.NDArray[np.int32]
    offset: Int64
    arrivedMjdTai: Float64

    def take(self, rows: Int64) -> Arrivals:
        """Those of some rows."""
        return Arrivals(
            self.topics, self.topic[rows], self.partition[rows], self.offset[rows], self.arrivedMjdTai[rows]
        )

    def arrays(self) -> dict[str, pa.Array]:
        """Their columns in the tables `alerts` and `rejected`."""
        codes = pa.array(self.topic.astype(np.int32))
        topics = pa.array(self.topics or ("",), pa.string())
        return {
            "topic": pa.DictionaryArray.from_arrays(codes, topics).cast(pa.string()),
            "partition": pa.array(self.partition.astype(np.int32)),
            "offset": pa.array(self.offset),
            "arrivedMjdTai": pa.array(self.arrivedMjdTai),
        }


def _doubles(column: Column | None, length: int) -> tuple[Float64, Bool]:
    if column is None:
        return np.full(length, np.nan), np.zeros(length, np.bool_)
    return to_dtype(column.values, present(column), np.dtype(np.float64))


def _whole(column: Column | None, length: int) -> tuple[Int64, Bool]:
    if column is None:
        return np.zeros(length, np.int64), np.zeros(length, np.bool_)
    return to_dtype(column.values, present(column), np.dtype(np.int64))


class _Alerts:
    """What is known of each datum: whether it is an alert, of which object, of which solar-system body."""

    def __init__(self, decoded: Decoded, survey: Survey) -> None:
        n = decoded.num_rows
        self.decoded = decoded
        self.detection = survey.detection.of(decoded) or NO_ROWS
        self.objects = survey.objects.of(decoded) or NO_ROWS
        self.body = (survey.ss_detection.of(decoded) if survey.ss_detection else None) or NO_ROWS
        column = self.detection.column
        self.diaSourceId, named = _whole(column("diaSourceId"), n)
        self.midpoint, timed = _doubles(column("midpointMjdTai"), n)
        self.ra, has_ra = _doubles(column("ra"), n)
        self.decl, has_decl = _doubles(column("decl"), n)
        with np.errstate(invalid="ignore"):
            placed = has_ra & has_decl & (np.abs(self.decl) <= 90.0) & (np.abs(self.ra - 180.0) <= 540.0)
            timed &= in_range(self.midpoint)
        self.reasons: dict[int, str] = {}
        self._require(named, "the detection has no diaSourceId")
        self._require(timed, "the detection has no time, or an impossible one")
        self._require(placed, "the detection has no position on the sky")

        of_object, in_object = _whole(self.objects.column("diaObjectId"), n)
        of_source, in_source = _whole(column("diaObjectId"), n)
        ss_of_source, in_body = _whole(column("ssObjectId"), n)
        self.ssObjectId = np.where(in_body, ss_of_source, 0)
        for record in (self.body, (survey.ss_body.of(decoded) if survey.ss_body else None) or NO_ROWS):
            ss_of_body, named_body = _whole(record.column("ssObjectId"), n)
            self.ssObjectId = np.where((self.ssObjectId == 0) & named_body, ss_of_body, self.ssObjectId)
        self.in_solar_system = self.ssObjectId > 0
        if self.body is not NO_ROWS:
            marked = self.body.column("present")
            self.in_solar_system |= self.body.any_present() if marked is None else marked.values
        # A body's detection may carry the number of an object it is not: only the object's record counts.
        known = in_object | (in_source & ~self.in_solar_system)
        self.diaObjectId = np.where(in_object, of_object, np.where(known, of_source, 0))
        if survey.object_name:
            self._require(known, f"{survey.object_name} is not a name of survey {survey.name}")
        self.good = (decoded.error == 0) & named & timed & placed
        if survey.object_name:
            self.good &= known

    def _require(self, held: Bool, reason: str) -> None:
        for row in np.flatnonzero(~held & (self.decoded.error == 0)).tolist():
            self.reasons.setdefault(row, reason)


def canonical_batch(
    decoded: Decoded, survey: Survey, codec: Codec, arrivals: Arrivals, owners: tuple[Any, ...]
) -> tuple[AlertBatch, dict[int, str]]:
    """The batch of decoded datums of one writer schema.

    Parameters
    ----------
    decoded
        The datums, one row each.
    survey
        Whose packets they are.
    codec
        What decoded them.
    arrivals
        Where the message of each datum came from.
    owners
        What keeps the datums in memory.

    Returns
    -------
    batch, reasons
        The batch of those that are alerts, and for each other row why it is none.
    """
    alerts = _Alerts(decoded, survey)
    reasons = {row: decoded.reason(row) for row in np.flatnonzero(decoded.error).tolist()}
    reasons.update(alerts.reasons)
    rows = np.flatnonzero(alerts.good)
    ids, object_of_row = np.unique(alerts.diaObjectId[rows], return_inverse=True)
    if len(ids) and ids[0] == 0:
        ids, object_of_row = ids[1:], object_of_row - 1
    object_of_alert = np.full(decoded.num_rows, -1, np.int64)
    object_of_alert[rows] = object_of_row
    newest = _newest(alerts, object_of_alert, len(ids))

    light_curves = _light_curves(decoded, survey, alerts.detection, object_of_alert, len(ids))
    ra, decl, unplaced = _positions(alerts, newest, light_curves.sources)
    cells = healpix29(ra, decl)
    per_object: dict[str, Int64 | str] = {"survey": survey.name, "diaObjectId": ids, "healpix29": cells}
    ss_sources, ss_bodies, orbits = solar_system_tables(
        decoded, survey, alerts.detection, alerts.body, rows[alerts.in_solar_system[rows]], {"ssObjectId":
        alerts.ssObjectId, "diaObjectId": alerts.diaObjectId, "ra": alerts.ra, "decl": alerts.decl},
    )  # fmt: skip
    objects, unstated = _object_table(alerts, survey, newest, ids, cells, ra, decl, light_curves)
    batch = AlertBatch(
        survey=survey.name,
        alerts=_alert_table(alerts, survey, codec, arrivals, rows, object_of_alert, cells),
        objects=objects,
        diaSources=light_curves.sources.with_per_object(per_object),
        diaForcedSources=light_curves.forced.with_per_object(per_object),
        diaNondetectionLimits=light_curves.limits.with_per_object(per_object),
        ssSources=ss_sources,
        ssObjects=ss_bodies,
        mpc_orbits=orbits,
        payloads=Payloads(
            decoded.address[rows], decoded.length[rows], owners, codec.fingerprint, codec.schema_json
        ),
        unstated={**unstated, "ra": unplaced, "decl": unplaced},
    )
    return batch, reasons


def _newest(alerts: _Alerts, object_of_alert: Int64, num_objects: int) -> Int64:
    """The row of each object's newest alert: by exposure, then by the object's validity, then by arrival."""
    rows = np.flatnonzero(object_of_alert >= 0)
    objects = object_of_alert[rows]
    newest = np.empty(num_objects, np.int64)
    if len(rows) == num_objects:
        newest[objects] = rows
        return newest
    valid_from, known = _doubles(alerts.objects.column("validityStartMjdTai"), alerts.decoded.num_rows)
    valid_from = np.where(known, valid_from, -np.inf)
    rows = rows[np.lexsort((valid_from[rows], alerts.midpoint[rows], objects))]
    newest[object_of_alert[rows]] = rows  # the last one written stays
    return newest


@dataclass(frozen=True, slots=True)
class _LightCurves:
    """The light curve tables of a batch."""

    sources: SourceTable
    forced: SourceTable
    limits: SourceTable
    any_withdrawn: bool


def _light_curves(
    decoded: Decoded, survey: Survey, detection: LevelColumns, object_of_alert: Int64, objects: int
) -> _LightCurves:
    """Unite the light curves of all alerts of each object."""

    def history_of(part: Part | None) -> tuple[list[Columns], Int64]:
        columns = part.of(decoded) if part is not None else None
        offsets = decoded.levels[part.level].offsets if part is not None and columns is not None else None
        if columns is None or offsets is None:
            return [], np.zeros(decoded.num_rows + 1, np.int64)
        return [columns], offsets

    def table(name: str, part: Part | None, identity: str, by_identity: bool) -> SourceTable:
        parts, offsets = history_of(part)
        if not parts:
            return SourceTable.empty(arrow_schema(name), objects)
        order, spans = unite(Keys(parts, identity), object_of_alert, objects, offsets, 0, by_identity)
        return SourceTable(arrow_schema(name), parts, order, spans)

    past, offsets = history_of(survey.history)
    parts: list[Columns] = [detection, *past]
    keys = Keys(parts, "diaSourceId", ("ra", "decl"))
    order, spans = unite(keys, object_of_alert, objects, offsets, detection.num_rows)
    return _LightCurves(
        SourceTable(arrow_schema("diaSources"), parts, order, spans),
        table("diaForcedSources", survey.forced, "diaForcedSourceId", by_identity=True),
        table("diaNondetectionLimits", survey.limits, "band", by_identity=False),
        keys.any_withdrawn(),
    )


def _positions(
    alerts: _Alerts, newest: Int64, sources: SourceTable
) -> tuple[Float64, Float64, npt.NDArray[np.bool_]]:
    """Position of each object (degrees): what the survey says, else the mean direction of its detections; and
    which of them the survey does not say."""
    n = alerts.decoded.num_rows
    ra, has_ra = _doubles(alerts.objects.column("ra"), n)
    decl, has_decl = _doubles(alerts.objects.column("decl"), n)
    with np.errstate(invalid="ignore"):
        stated = (has_ra & has_decl & (np.abs(decl) <= 90.0))[newest]
    if stated.all():
        return ra[newest], decl[newest], ~stated
    mean_ra, mean_decl = mean_positions(sources)
    return np.where(stated, ra[newest], mean_ra), np.where(stated, decl[newest], mean_decl), ~stated


def _of_type(array: pa.Array, kind: pa.DataType) -> pa.Array:
    return array if array.type == kind else array.cast(kind)


def _or_else(column: pa.Array, fallback: npt.NDArray[Any]) -> pa.Array:
    return pc.coalesce(column, pa.array(fallback, column.type, from_pandas=True))


def _object_table(
    alerts: _Alerts,
    survey: Survey,
    newest: Int64,
    ids: Int64,
    cells: Int64,
    ra: Float64,
    decl: Float64,
    light_curves: _LightCurves,
) -> tuple[pa.Table, dict[str, npt.NDArray[np.bool_]]]:
    """The newest state of each object, as far as the packets say; and, for the columns that follow from the
    detections otherwise, of which objects they do not say it."""
    columns: dict[str, pa.Array] = {}
    schema = arrow_schema("objects")
    for to in schema:
        column = alerts.objects.column(to.name)
        if column is not None:
            dtype = column.values.dtype
            valid = column.valid if column.words is None else present(column) & (column.values >= 0)
            values, there = gather([(0, column.values, valid)], newest, dtype)
            columns[to.name] = arrow_array(Column(values, there, column.words), to.type, len(newest))
    unstated = {}
    first, last, number = standing_counts(light_curves.sources, light_curves.any_withdrawn)
    for name, values in (
        ("firstDiaSourceMjdTai", first),
        ("lastDiaSourceMjdTai", last),
        ("nDiaSources", number),
    ):
        stated = columns.get(name, pa.nulls(len(ids), schema.field(name).type))
        unstated[name] = stated.is_null().to_numpy(zero_copy_only=False)
        columns[name] = _or_else(stated, values)
    id_array = pa.array(ids)
    names = id_array.cast(pa.string())
    if survey.object_name:
        text = alerts.objects.column(survey.object_name)
        if text is not None and text.words is not None:
            names = pa.array(text.words, pa.string()).take(pa.array(text.values[newest]))
    columns |= {
        "diaObjectId": id_array,
        "survey": pa.repeat(survey.name, len(ids)),
        "objectName": names,
        "healpix29": pa.array(cells),
        "ra": pa.array(ra),
        "decl": pa.array(decl),
    }
    fields = [to for to in schema if to.name in columns]
    arrays = [_of_type(columns[to.name], to.type) for to in fields]
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields)), unstated


def _alert_table(
    alerts: _Alerts,
    survey: Survey,
    codec: Codec,
    arrivals: Arrivals,
    rows: Int64,
    object_of_alert: Int64,
    cells: Int64,
) -> pa.Table:
    """One row for each alert, and where its cut-outs are within its datum."""
    count = len(rows)
    objects = object_of_alert[rows]
    own = healpix29(alerts.ra[rows], alerts.decl[rows])
    cell = np.where(objects >= 0, cells[objects], own) if len(cells) else own
    ended, known = _doubles(alerts.detection.column("exposureEndMjdTai"), alerts.decoded.num_rows)
    dia_object, ss_object = alerts.diaObjectId[rows], alerts.ssObjectId[rows]
    columns: dict[str, pa.Array] = {
        "diaSourceId": pa.array(alerts.diaSourceId[rows]),
        "survey": pa.repeat(survey.name, count),
        "diaObjectId": pa.array(dia_object, mask=dia_object == 0),
        "ssObjectId": pa.array(ss_object, mask=ss_object == 0),
        "healpix29": pa.array(cell),
        "midpointMjdTai": pa.array(alerts.midpoint[rows]),
        "exposureEndMjdTai": pa.array(ended[rows], mask=~known[rows]),
        "decodedMjdTai": pa.repeat(mjd_tai_now(), count),
        "schemaFingerprint": pa.repeat(pa.scalar(codec.fingerprint, pa.int64()), count),
        **arrivals.take(rows).arrays(),
    }
    schema = arrow_schema("alerts")
    arrays = [
        _of_type(columns[to.name], to.type) if to.name in columns else pa.nulls(count, to.type)
        for to in schema
    ]
    fields = list(schema)
    root = alerts.decoded.levels[""]
    for which in CUTOUTS:
        path = survey.cutouts.get(which, "")
        offset, length = pa.nulls(count, pa.int64()), pa.nulls(count, pa.int32())
        if path in root.values:
            view = root.values[path][rows]
            valid = root.valid.get(path)
            # An image without a byte is no image.
            missing = view["length"] == 0
            if valid is not None:
                missing |= ~valid[rows]
            offset = pa.array(np.ascontiguousarray(view["offset"]), mask=missing)
            length = pa.array(np.ascontiguousarray(view["length"]), mask=missing)
        arrays += [offset, length]
        fields += [pa.field(f"cutout{which}Offset", pa.int64()), pa.field(f"cutout{which}Length", pa.int32())]
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))
