"""Batches made from plain lists of points, for the tests and the benchmark of light curve features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from lasair_broker.packets import BANDS, AlertBatch, Payloads, SourceColumns, SourceTable
from lasair_broker.schema import arrow_schema

NAN = float("nan")


@dataclass
class Point:
    """A detection, a forced measurement or an upper limit; NaN is NULL."""

    time: float
    band: str = "r"
    flux: float = 1000.0
    error: float = 10.0
    reliability: float = NAN
    withdrawn: float = NAN
    ra: float = NAN
    decl: float = NAN
    position_error: float = NAN
    science: float = NAN
    science_error: float = NAN


@dataclass
class Curve:
    """The light curve of one object."""

    detections: list[Point] = field(default_factory=list)
    forced: list[Point] = field(default_factory=list)
    limits: list[Point] = field(default_factory=list)
    ra: float = 150.0
    decl: float = 2.0


_DTYPES = {pa.float32(): np.float32, pa.float64(): np.float64}


def source_table(name: str, rows: Sequence[Sequence[Point]], columns: Mapping[str, str]) -> SourceTable:
    """A table whose columns are attributes of points."""
    schema = arrow_schema(name)
    offsets = np.cumsum([0] + [len(points) for points in rows]).astype(np.int64)
    flat = [point for points in rows for point in sorted(points, key=lambda p: (np.isnan(p.time), p.time))]
    values: dict[str, Any] = {}
    valid: dict[str, Any] = {}
    for column, attribute in columns.items():
        raw = np.array([getattr(p, attribute) for p in flat], _DTYPES[schema.field(column).type])
        values[column] = raw
        valid[column] = ~np.isnan(raw)
    words = (*BANDS, "v")
    values["band"] = np.array([words.index(p.band) for p in flat], np.int8)
    part = SourceColumns(len(flat), values, valid, {"band": words})
    return SourceTable(schema, (part,), np.arange(len(flat)), offsets)


_FORCED = {
    "midpointMjdTai": "time",
    "psfFlux": "flux",
    "psfFluxErr": "error",
    "timeWithdrawnMjdTai": "withdrawn",
}
_DETECTIONS = _FORCED | {
    "reliability": "reliability",
    "ra": "ra",
    "decl": "decl",
    "raErr": "position_error",
    "decErr": "position_error",
    "scienceFlux": "science",
    "scienceFluxErr": "science_error",
}


def batch_of(
    curves: Sequence[Curve],
    survey: str = "lsst",
    objects: Mapping[str, Any] | None = None,
    tables: Mapping[str, pa.Table] | None = None,
) -> AlertBatch:
    """A batch of these light curves; objects are numbered from 1, `objects` adds columns."""
    n = len(curves)
    table = {
        "diaObjectId": pa.array(range(1, n + 1), pa.int64()),
        "ra": pa.array([c.ra for c in curves], pa.float64()),
        "decl": pa.array([c.decl for c in curves], pa.float64()),
    } | dict(objects or {})
    empty = np.zeros(0, np.int64)
    return AlertBatch(
        survey=survey,
        alerts=arrow_schema("alerts").empty_table(),
        objects=pa.table(table),
        diaSources=source_table("diaSources", [c.detections for c in curves], _DETECTIONS),
        diaForcedSources=source_table("diaForcedSources", [c.forced for c in curves], _FORCED),
        diaNondetectionLimits=source_table(
            "diaNondetectionLimits", [c.limits for c in curves], {"midpointMjdTai": "time"}
        ),
        ssSources=arrow_schema("ssSources").empty_table(),
        ssObjects=arrow_schema("ssObjects").empty_table(),
        mpc_orbits=arrow_schema("mpc_orbits").empty_table(),
        payloads=Payloads(empty, empty, (), 0, "{}"),
        tables=tables or {},
    )
