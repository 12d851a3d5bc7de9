"""The stage that associates a batch's objects with events."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from lasair_broker.messengers import Candidates, associate
from lasair_broker.packets import AlertBatch

from ._loader import LoadedEvents

__all__ = ["made_up_to", "match_messengers"]

_MARK = b"lasair.messengers"
_BODY = "ssObjectId"


def match_messengers(batch: AlertBatch, events: LoadedEvents | None) -> AlertBatch:
    """The batch with table `mma_hits`; without events as it was.

    It comes after the stages that say what is known at the objects' places and of their light curves.
    """
    if events is None:
        return batch
    candidates = Candidates.of_tables(
        batch.objects,
        batch.tables.get("sherlock_classifications"),
        batch.tables.get("sherlock_crossmatches"),
        batch.tables.get("classifications"),
    )
    hits = associate(candidates, events.index)
    bodies = _bodies(batch)
    if len(bodies):
        hits = hits.filter(pc.invert(pc.is_in(hits["diaObjectId"], value_set=bodies)))
    return batch.with_table("mma_hits", hits.replace_schema_metadata({_MARK: str(events.revision)}))


def made_up_to(batch: AlertBatch) -> int:
    """The newest change of events that a batch was matched with; 0 for none."""
    hits = batch.tables.get("mma_hits")
    metadata = None if hits is None else hits.schema.metadata
    return int(metadata.get(_MARK, b"0")) if metadata else 0


def _bodies(batch: AlertBatch) -> pa.Array:
    """Objects that are linked to a body of the solar system."""
    alerts = batch.alerts
    if _BODY not in alerts.column_names or "diaObjectId" not in alerts.column_names:
        return pa.array([], pa.int64())
    linked = pc.fill_null(pc.not_equal(alerts[_BODY], 0), False)
    return pc.unique(alerts.filter(linked)["diaObjectId"]).drop_null()
