"""Objects of another survey's alert stream as events, through the packets that we read anyway."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from lasair_broker.context.events._event import P90
from lasair_broker.packets import AlertBatch
from lasair_broker.schema import arrow_schema

__all__ = ["events_of_batch"]

_UNKNOWN_ERROR = 0.3
"""Standard deviation of a position whose packet states none, arcseconds: ZTF's near its limit."""


def events_of_batch(batch: AlertBatch) -> pa.Table:
    """The objects of a batch as rows of `external_events`: place, first detection and newest flux."""
    objects, sources = batch.objects, batch.diaSources
    count = objects.num_rows
    some = np.diff(sources.offsets) > 0
    last = sources.offsets[1:][some] - 1
    flux, error = np.full(count, np.nan), np.full(count, np.nan)
    flux[some] = sources.numpy("psfFlux")[last]
    error[some] = sources.numpy("psfFluxErr")[last]
    band = np.full(count, None, object)
    newest = sources.take(last, ["band"]).column("band").to_pylist()
    band[some] = np.array(newest, object)
    sigma = np.full(count, np.nan)
    if {"raErr", "decErr"} <= set(objects.column_names):
        both = [objects.column(name).to_numpy().astype(np.float64) for name in ("raErr", "decErr")]
        sigma = np.sqrt(0.5 * (both[0] ** 2 + both[1] ** 2))
    sigma = np.where(sigma > 0.0, sigma, _UNKNOWN_ERROR / 3600.0)
    columns = {
        "origin": pa.repeat(batch.survey, count),
        "eventName": objects.column("objectName"),
        "revision": pa.repeat(pa.scalar(0, pa.int32()), count),
        "kind": pa.repeat("transient", count),
        "regime": pa.repeat("optical", count),
        "band": pa.array(band.tolist(), pa.string()),
        "flux": pa.array(flux, from_pandas=True),
        "fluxErr": pa.array(error, from_pandas=True),
        "fluxUnit": pa.repeat("nJy", count),
        "role": pa.repeat("observation", count),
        "eventMjdTai": objects.column("firstDiaSourceMjdTai"),
        "noticeMjdTai": objects.column("lastDiaSourceMjdTai"),
        "ra": objects.column("ra"),
        "decl": objects.column("decl"),
        "errorRadius": pa.array((P90 * sigma).astype(np.float32)),
        "retracted": pa.repeat(False, count),
    }
    schema = arrow_schema("external_events")
    whole = [columns[f.name] if f.name in columns else pa.nulls(count, f.type) for f in schema]
    return pa.table(whole, names=schema.names).cast(schema)
