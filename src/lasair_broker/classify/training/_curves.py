"""Labelled light curves, cut off at any age and put into the batch that the stream would have had then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from lasair_broker import lightcurve
from lasair_broker.classify._features import WINDOW, features
from lasair_broker.lightcurve import FeatureResources
from lasair_broker.packets import BANDS, AlertBatch, Payloads, SourceColumns, SourceTable
from lasair_broker.schema import arrow_schema

__all__ = ["OBJECTS", "LabelledCurves", "joined", "truncated_features"]

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

OBJECTS = pa.schema(
    [
        pa.field("name", pa.string(), nullable=False),
        pa.field("label", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("ra", pa.float64()),
        pa.field("decl", pa.float64()),
        pa.field("redshift", pa.float64()),
        pa.field("redshiftErr", pa.float64()),
        pa.field("ebv", pa.float64()),
    ]
)
"""One row an object: `label` a node of the taxonomy, `source` the data set; degrees, mag."""

_CHUNK = 4000


@dataclass(frozen=True)
class LabelledCurves:
    """Objects of known class and their measurements.

    Attributes
    ----------
    survey
        Whose passbands these are, "lsst" or "ztf".
    objects
        In `OBJECTS`.
    offsets
        ``offsets[i]:offsets[i + 1]`` are the measurements of object i, in order of time.
    time, band, flux, error
        MJD TAI; code into `BANDS`; nJy.
    detected
        Which measurements are detections; the others are forced photometry.
    """

    survey: str
    objects: pa.Table
    offsets: Int64
    time: Float64
    band: npt.NDArray[np.int8]
    flux: Float64
    error: Float64
    detected: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return int(self.objects.num_rows)

    @property
    def labels(self) -> npt.NDArray[np.str_]:
        """The label of each object."""
        return np.array(self.objects.column("label").to_pylist(), np.str_)

    def first_detections(self) -> Float64:
        """Time of the first detection of each object, MJD TAI; NaN without one."""
        times = np.where(self.detected, self.time, np.inf)
        first = np.full(len(self), np.inf)
        np.minimum.at(first, np.repeat(np.arange(len(self)), np.diff(self.offsets)), times)
        return np.where(np.isfinite(first), first, np.nan)

    def take(self, rows: Int64) -> LabelledCurves:
        """The given objects, which may be given more than once."""
        chosen, offsets = _runs(self.offsets[rows], self.offsets[rows + 1])
        return LabelledCurves(
            self.survey,
            self.objects.take(pa.array(rows)),
            offsets,
            self.time[chosen],
            self.band[chosen],
            self.flux[chosen],
            self.error[chosen],
            self.detected[chosen],
        )

    def up_to(self, ages: Float64) -> LabelledCurves:
        """The same objects as they were so many days after their first detections.

        Measurements more than `WINDOW` days before that are left out, as in a packet.
        """
        first = self.first_detections()
        age = self.time - np.repeat(first, np.diff(self.offsets))
        kept = (age >= -WINDOW) & (age <= np.repeat(ages, np.diff(self.offsets)))
        counts = np.add.reduceat(np.append(kept, False), self.offsets[:-1]) * (np.diff(self.offsets) > 0)
        return LabelledCurves(
            self.survey,
            self.objects,
            np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
            self.time[kept],
            self.band[kept],
            self.flux[kept],
            self.error[kept],
            self.detected[kept],
        )

    def batch(self) -> AlertBatch:
        """These objects as a batch with detections and forced photometry, before any stage."""
        numbers = pa.array(np.arange(1, len(self) + 1))
        objects = pa.table({"diaObjectId": numbers} | {n: self.objects[n] for n in ("ra", "decl", "ebv")})
        found = {
            "diaObjectId": numbers,
            "classification": pa.array(["SN"] * len(self)),
            **{n: self.objects[n] for n in ("redshift", "redshiftErr")},
            "z": self.objects["redshift"],
            **{
                n: pa.nulls(len(self), pa.float64())
                for n in ("photoZ", "photoZErr", "best_distance", "best_distance_err")
            },
        }
        empty = np.zeros(0, np.int64)
        return AlertBatch(
            survey=self.survey,
            alerts=arrow_schema("alerts").empty_table(),
            objects=objects,
            diaSources=self._table("diaSources", self.detected),
            diaForcedSources=self._table("diaForcedSources", ~self.detected),
            diaNondetectionLimits=SourceTable.empty(arrow_schema("diaNondetectionLimits"), len(self)),
            ssSources=arrow_schema("ssSources").empty_table(),
            ssObjects=arrow_schema("ssObjects").empty_table(),
            mpc_orbits=arrow_schema("mpc_orbits").empty_table(),
            payloads=Payloads(empty, empty, (), 0, "{}"),
            tables={"sherlock_classifications": pa.table(found)},
        )

    def _table(self, name: str, kept: npt.NDArray[np.bool_]) -> SourceTable:
        which = np.flatnonzero(kept)
        offsets = np.concatenate([[0], np.cumsum(kept)])[self.offsets].astype(np.int64)
        values: dict[str, npt.NDArray[Any]] = {
            "midpointMjdTai": self.time[which],
            "psfFlux": self.flux[which].astype(np.float32),
            "psfFluxErr": self.error[which].astype(np.float32),
            "band": self.band[which],
        }
        part = SourceColumns(len(which), values, {}, {"band": BANDS})
        return SourceTable(arrow_schema(name), (part,), np.arange(len(which)), offsets)


def _runs(starts: Int64, stops: Int64) -> tuple[Int64, Int64]:
    """The rows of the runs ``starts[i]:stops[i]`` one after the other, and the offsets of the runs."""
    lengths = stops - starts
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    rows = np.arange(offsets[-1]) - np.repeat(offsets[:-1] - starts, lengths)
    return rows, offsets


def truncated_features(curves: LabelledCurves, rows: Int64, ages: Float64) -> npt.NDArray[np.float32]:
    """Features of the given objects as they were at the given ages (days after the first detection).

    By the very code of the stream: the light curve stage and `features`.
    """
    resources = FeatureResources()
    parts = []
    for begin in range(0, len(rows), _CHUNK):
        part = slice(begin, begin + _CHUNK)
        cut = curves.take(rows[part]).up_to(ages[part])
        parts.append(features(lightcurve.enrich(cut.batch(), resources)))
    return np.concatenate(parts)


def joined(sets: Sequence[LabelledCurves]) -> LabelledCurves:
    """Several sets of one survey as one.

    Raises
    ------
    ValueError
        If they are of different surveys, or there is none.
    """
    if len({one.survey for one in sets}) != 1:
        raise ValueError("light curves of different surveys cannot be joined")
    lengths = np.concatenate([np.diff(one.offsets) for one in sets])
    return LabelledCurves(
        sets[0].survey,
        pa.concat_tables([one.objects for one in sets]),
        np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        *(
            np.concatenate([getattr(one, name) for one in sets])
            for name in ("time", "band", "flux", "error", "detected")
        ),
    )
