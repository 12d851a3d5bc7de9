"""Which objects are bodies of the solar system, and which may be."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from lasair_broker.packets import AlertBatch
from lasair_broker.sky import ecliptic_latitude

__all__ = ["flag_movers", "in_solar_system"]

Float64 = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]

_HALF_A_DAY = 0.5
_STANDS_STILL_DAYS = 30.0 / 1440.0
"""Seen at one place for longer than this, nothing in the solar system is within the radius of an object."""

_ECLIPTIC_DEGREES = 25.0
_SIGNIFICANT = 3.0
_TRAIL_SIGMAS, _TRAIL_ARCSEC = 5.0, 1.5
_NOTHING_THERE = ("ORPHAN", "UNCLEAR")


def in_solar_system(batch: AlertBatch) -> Bool:
    """Objects of which the newest alert of this batch is of a body of the solar system.

    That is so if the survey has linked it to one by number. A survey that only says that a body is near (ZTF)
    may mean a star that a body passes: then only if the object was not seen on another night.
    """
    out = np.zeros(batch.objects.num_rows, np.bool_)
    alerts = batch.alerts
    if not alerts.num_rows:
        return out
    linked = np.zeros(alerts.num_rows, np.bool_)
    if "ssObjectId" in alerts.column_names:
        linked = pc.fill_null(pc.not_equal(alerts.column("ssObjectId"), 0), False).to_numpy()
    near = linked
    if batch.ssSources.num_rows:
        bodies = batch.ssSources.column("diaSourceId").combine_chunks()
        near = pc.is_in(alerts.column("diaSourceId"), value_set=bodies).to_numpy()
    if not (linked.any() or near.any()):
        return out
    row = pc.index_in(
        alerts.column("diaObjectId"), value_set=batch.objects.column("diaObjectId").combine_chunks()
    )
    row = pc.fill_null(row, -1).to_numpy()
    order = np.argsort(_floats(alerts, "midpointMjdTai"), kind="stable")
    order = order[row[order] >= 0]
    first, last = _seen(batch)
    one_night = ~(last - first > _HALF_A_DAY)
    # The newest alert of an object writes last.
    out[row[order]] = linked[order] | (near[order] & one_night[row[order]])
    return out


def flag_movers(batch: AlertBatch, _: None = None) -> AlertBatch:
    """The batch with column `possibleSolarSystem` of `objects`: what may be a body that is not linked yet.

    So is an object seen on one night and for no longer than half an hour, with a trail, or near the ecliptic
    at a place where no catalogue has a star or a galaxy and where there was no light before. It has to come
    after the context.
    """
    objects = batch.objects
    first, last = _seen(batch)
    latitude = ecliptic_latitude(_floats(objects, "ra"), _floats(objects, "decl"))
    unknown = np.ones(objects.num_rows, np.bool_)
    said = batch.tables.get("sherlock_classifications")
    if said is not None and said.num_rows:
        judged = said.column("diaObjectId").combine_chunks()
        place = pc.index_in(objects.column("diaObjectId"), value_set=judged)
        classes = said.column("classification").take(place)
        unknown = pc.fill_null(pc.is_in(classes, value_set=pa.array(_NOTHING_THERE)), True).to_numpy()
        unknown |= ~place.is_valid().to_numpy()
    with np.errstate(invalid="ignore"):
        brief = last - first <= _STANDS_STILL_DAYS
    flagged = brief
    if brief.any():
        suspect = (np.abs(latitude) < _ECLIPTIC_DEGREES) & unknown & ~_light_before(batch, first)
        flagged = brief & (suspect | _trailed(batch))
    return batch.with_object_columns({"possibleSolarSystem": pa.array(flagged, mask=~np.isfinite(last))})


def _seen(batch: AlertBatch) -> tuple[Float64, Float64]:
    """When each object was detected first and last, MJD TAI; NaN if nothing tells."""
    offsets, count = batch.diaSources.offsets, batch.objects.num_rows
    first, last = np.full(count, np.nan), np.full(count, np.nan)
    if len(batch.diaSources):
        time = batch.diaSources.numpy("midpointMjdTai")
        some = offsets[1:] > offsets[:-1]  # rows of an object are in the order of time
        first[some], last[some] = time[offsets[:-1][some]], time[offsets[1:][some] - 1]
    for name, values, of in (("first", first, np.fmin), ("last", last, np.fmax)):
        column = f"{name}DiaSourceMjdTai"
        if column in batch.objects.column_names:
            values[:] = of(values, _floats(batch.objects, column))
    return first, last


def _light_before(batch: AlertBatch, first: Float64) -> Bool:
    """Whether the forced measurements from before the first night show a significant mean flux."""
    forced, count = batch.diaForcedSources, batch.objects.num_rows
    if not len(forced):
        return np.zeros(count, np.bool_)
    row = forced.object_row
    time, flux, error = (forced.numpy(name) for name in ("midpointMjdTai", "psfFlux", "psfFluxErr"))
    with np.errstate(invalid="ignore", divide="ignore"):
        good = (time < first[row] - _HALF_A_DAY) & np.isfinite(flux) & (error > 0.0)
        weight = np.where(good, 1.0 / np.square(error, dtype=np.float64), 0.0)
        total = np.bincount(row, weights=weight * np.where(good, flux, 0.0), minlength=count)
        return np.asarray(total / np.sqrt(np.bincount(row, weights=weight, minlength=count)) > _SIGNIFICANT)


def _trailed(batch: AlertBatch) -> Bool:
    """Whether any detection is drawn out."""
    count = batch.objects.num_rows
    if not len(batch.diaSources):
        return np.zeros(count, np.bool_)
    length, error = (batch.diaSources.numpy(name) for name in ("trailLength", "trailLengthErr"))
    drawn_out = (length > _TRAIL_ARCSEC) & (length > _TRAIL_SIGMAS * error)
    return np.bincount(batch.diaSources.object_row[drawn_out], minlength=count) > 0


def _floats(table: pa.Table, name: str) -> Float64:
    values: Float64 = table.column(name).cast(pa.float64()).to_numpy(zero_copy_only=False)
    return values
