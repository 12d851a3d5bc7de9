"""The stages that match a batch with users' lists and maps."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from lasair_broker.packets import AlertBatch

from .._pipeline import Resource, Stage
from .._subscriptions import ActiveLists

__all__ = ["fresh_hits", "list_stages", "match_watchlists", "match_watchmaps"]

_TOKEN = b"lists"
"""Metadata of a table of hits: the token of the lists that they are of."""


def list_stages(lists: Resource[ActiveLists]) -> tuple[Stage[Any], ...]:
    """The stages, in order."""
    return (Stage("watchlists", match_watchlists, lists), Stage("watchmaps", match_watchmaps, lists))


def match_watchlists(batch: AlertBatch, lists: ActiveLists) -> AlertBatch:
    """Add table `watchlist_hits`: the sources of active watchlists within whose radius an object lies.

    An object without a position lies in no list. The table has all rows of the batch's objects, also if these
    are none: what the archive has of them is replaced.
    """
    ra, decl = (_positions(batch, name) for name in ("ra", "decl"))
    hits = lists.watchlists.hits(_ids(batch), ra, decl)
    return batch.with_table("watchlist_hits", _marked(hits, lists))


def match_watchmaps(batch: AlertBatch, lists: ActiveLists) -> AlertBatch:
    """Add table `area_hits`: the active watchmaps in which an object lies; as `match_watchlists`."""
    cells = batch.objects.column("healpix29").cast(pa.int64()).fill_null(-1).to_numpy()
    return batch.with_table("area_hits", _marked(lists.watchmaps.hits(_ids(batch), cells), lists))


def fresh_hits(batch: AlertBatch, lists: ActiveLists) -> AlertBatch:
    """The batch with hits of these lists, if it was matched with lists as they were before."""
    for name, match in (("watchlist_hits", match_watchlists), ("area_hits", match_watchmaps)):
        hits = batch.tables.get(name)
        if hits is None or (hits.schema.metadata or {}).get(_TOKEN) != lists.token.encode():
            batch = match(batch, lists)
    return batch


def _ids(batch: AlertBatch) -> pa.Array:
    return batch.objects.column("diaObjectId").combine_chunks()


def _positions(batch: AlertBatch, name: str) -> npt.NDArray[np.float64]:
    """A coordinate in degrees, NaN for NULL."""
    return np.asarray(batch.objects.column(name).cast(pa.float64()).to_numpy())


def _marked(hits: pa.Table, lists: ActiveLists) -> pa.Table:
    return hits.replace_schema_metadata({_TOKEN: lists.token.encode()})
