"""Magnitude triggers of watchlists on a batch: what they noticed, and how far they have come.

The state of each pair of a trigger and an object lies in the archive and is committed with the points that
made it. So after a kill the same points are judged from the same state, a packet that comes again holds
nothing new, and the identity of an event depends on nothing but what it is of.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from lasair_broker.archive import Archive
from lasair_broker.packets import BANDS, AlertBatch, SourceTable
from lasair_broker.schema import arrow_schema, conform
from lasair_broker.sky import (
    TriggerEvents,
    TriggerLightCurves,
    Triggers,
    TriggerState,
    evaluate_triggers,
)

__all__ = ["EVENTS", "STATES", "compile_triggers", "trigger_tables"]

Int64 = npt.NDArray[np.int64]

EVENTS, STATES = "watchlist_events", "watchlist_trigger_states"

_SIDES = ("Fades", "Brightens")
_DIRECTIONS = ("fades", "brightens")


class _Pairs(NamedTuple):
    """Pairs of a trigger and an object in a watchlist, all of one length.

    `object` is the object's row in the batch, `trigger` the trigger's index, `hit` the row of the hits.
    """

    object: Int64
    trigger: Int64
    hit: Int64
    cone_id: Int64
    diaObjectId: Int64


def trigger_tables(
    batches: Sequence[AlertBatch], triggers: Triggers, archive: Archive
) -> Mapping[str, pa.Table]:
    """Evaluate the triggers on what is new in the light curves of the batches' objects.

    Parameters
    ----------
    batches
        With their hits in table `watchlist_hits`.
    triggers
        The active ones.
    archive
        Holds the states as of the commit before.

    Returns
    -------
    The new rows of tables `watchlist_events` and `watchlist_trigger_states`; without any, no table.
    """
    events = [arrow_schema(EVENTS).empty_table()]
    states = [arrow_schema(STATES).empty_table()]
    for batch in batches if len(triggers.trigger_id) else ():
        hits = batch.tables["watchlist_hits"]
        pairs = _pairs(batch, hits, triggers)
        if not len(pairs.object):
            continue
        known = pa.concat_tables(
            [archive.rows_of_objects(STATES, np.unique(pairs.diaObjectId).tolist()), *states]
        )
        before = _state(pairs, triggers, known)
        chosen = np.unique(pairs.object)
        found, after = evaluate_triggers(
            TriggerLightCurves.of(_Chosen(batch.diaSources, chosen), _Chosen(batch.diaForcedSources, chosen)),
            triggers,
            _ids(batch.objects)[chosen],
            np.searchsorted(chosen, pairs.object),
            pairs.trigger,
            pairs.cone_id,
            before,
        )
        events.append(_event_rows(batch, hits, pairs, triggers, found))
        states.append(_state_rows(pairs, triggers, before, after))
    new = {EVENTS: pa.concat_tables(events), STATES: pa.concat_tables(states)}
    return {name: rows for name, rows in new.items() if rows.num_rows}


def compile_triggers() -> None:
    """Have the kernels compiled, or loaded, by evaluating nothing."""
    none, reals = np.zeros(0, np.int64), np.zeros(0)
    flags = np.zeros(0, np.bool_)
    bands = np.zeros(0, np.int8)
    offsets = np.zeros(1, np.int64)
    curves = TriggerLightCurves(offsets, reals, bands, reals, reals, reals, reals, none, flags)
    initial = TriggerState.initial(np.zeros(0, np.int8))
    evaluate_triggers(curves, Triggers.of([]), none, none, none, none, initial)


class _Chosen:
    """The light curves of some objects of a batch, without what has been withdrawn."""

    def __init__(self, table: SourceTable, objects: Int64) -> None:
        begin, end = table.offsets[objects], table.offsets[objects + 1]
        length = end - begin
        rows = np.repeat(begin - np.cumsum(length) + length, length) + np.arange(length.sum())
        kept = np.isnan(table.numpy("timeWithdrawnMjdTai")[rows])
        self._table = table
        self._rows = rows[kept]
        self.offsets = np.append(0, np.cumsum(kept))[np.append(0, np.cumsum(length))]

    def numpy(self, name: str) -> npt.NDArray[Any]:
        values: npt.NDArray[Any] = self._table.numpy(name)[self._rows]
        return values


def _pairs(batch: AlertBatch, hits: pa.Table, triggers: Triggers) -> _Pairs:
    wl_id, cone_id = (hits.column(name).to_numpy().astype(np.int64) for name in ("wl_id", "cone_id"))
    hit, trigger = triggers.pairs(wl_id, cone_id)
    of_hit = _ids(hits)
    place = pc.index_in(pa.array(of_hit[hit]), pa.array(_ids(batch.objects))).to_numpy(zero_copy_only=False)
    return _Pairs(place.astype(np.int64), trigger, hit, cone_id[hit], of_hit[hit])


def _state(pairs: _Pairs, triggers: Triggers, known: pa.Table) -> TriggerState:
    """The state of each pair: the last row of its key in `known`, if that is of the trigger as it is now."""
    state = TriggerState.initial(triggers.kind[pairs.trigger])
    keys = pa.table(
        {
            "triggerId": triggers.trigger_id[pairs.trigger],
            "cone_id": pairs.cone_id,
            "diaObjectId": pairs.diaObjectId,
            "start": triggers.start_mjd[pairs.trigger],
            "pair": np.arange(len(pairs.object)),
        }
    )
    known = known.append_column("row", pa.array(np.arange(known.num_rows)))
    found = keys.join(known, ["triggerId", "cone_id", "diaObjectId"], join_type="inner")
    found = found.filter(pc.equal(found.column("startMjdTai").fill_null(-np.inf), found.column("start")))
    found = found.sort_by("row")  # of one pair the newest is written last
    place = found.column("pair").to_numpy()
    for name, into in (("seenMjdTai", state.seen_mjd), ("eventMjdTai", state.event_mjd)):
        into[place] = found.column(name).fill_null(-np.inf).to_numpy()
    for side, word in enumerate(_SIDES):
        state.armed[place, side] = found.column(f"armed{word}").to_numpy()
        state.run[place, side] = found.column(f"run{word}").to_numpy()
    return state


def _state_rows(pairs: _Pairs, triggers: Triggers, before: TriggerState, after: TriggerState) -> pa.Table:
    """The states that have changed."""
    moved = np.flatnonzero(after.seen_mjd > before.seen_mjd)
    rows = {
        "triggerId": triggers.trigger_id[pairs.trigger[moved]],
        "cone_id": pairs.cone_id[moved],
        "diaObjectId": pairs.diaObjectId[moved],
        "startMjdTai": _finite(triggers.start_mjd[pairs.trigger[moved]]),
        "seenMjdTai": _finite(after.seen_mjd[moved]),
        "eventMjdTai": _finite(after.event_mjd[moved]),
    }
    for side, word in enumerate(_SIDES):
        rows[f"armed{word}"] = after.armed[moved, side].astype(np.int32)
        rows[f"run{word}"] = after.run[moved, side].astype(np.int32)
    return conform(pa.table(rows), STATES)


def _event_rows(
    batch: AlertBatch, hits: pa.Table, pairs: _Pairs, triggers: Triggers, found: TriggerEvents
) -> pa.Table:
    hit, trigger = pa.array(pairs.hit[found.pair]), pairs.trigger[found.pair]
    of_object = pairs.diaObjectId[found.pair]
    source_id = pa.array(found.source_id)
    rows = {
        "eventId": found.event_id,
        "diaObjectId": of_object,
        "wl_id": hits.column("wl_id").take(hit),
        "cone_id": hits.column("cone_id").take(hit),
        "name": hits.column("name").take(hit),
        "triggerId": triggers.trigger_id[trigger],
        "midpointMjdTai": found.midpointMjdTai,
        "foundMjdTai": _arrival(batch, of_object),
        "band": pa.DictionaryArray.from_arrays(found.band, list(BANDS)).cast(pa.string()),
        "direction": pa.array(_DIRECTIONS).take(pa.array((found.direction > 0).astype(np.int8))),
        "total": triggers.total[trigger],
        "flux": found.flux,
        "fluxErr": _finite(found.fluxErr),
        "magnitude": _finite(found.magnitude),
        "limitFlux": _finite(found.limit_flux),
        "baselineFlux": _finite(found.baseline_flux),
        "diaSourceId": pc.if_else(pa.array(~found.forced), source_id, None),
        "diaForcedSourceId": pc.if_else(pa.array(found.forced), source_id, None),
    }
    return conform(pa.table(rows), EVENTS)


def _arrival(batch: AlertBatch, of_object: Int64) -> pa.Array:
    """When the newest alert of each of these objects arrived, MJD TAI."""
    newest = (
        batch.alerts.select(["diaObjectId", "arrivedMjdTai"])
        .group_by("diaObjectId")
        .aggregate([("arrivedMjdTai", "max")])
    )
    place = pc.index_in(pa.array(of_object), newest.column("diaObjectId").combine_chunks())
    return newest.column("arrivedMjdTai_max").combine_chunks().take(place)


def _ids(table: pa.Table) -> Int64:
    ids: Int64 = table.column("diaObjectId").to_numpy()
    return ids


def _finite(values: npt.NDArray[np.float64]) -> pa.Array:
    """Values as Arrow, NULL for what is not a number."""
    return pa.array(values, mask=~np.isfinite(values))
