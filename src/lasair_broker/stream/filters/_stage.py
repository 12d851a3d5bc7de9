"""Filters in the committing half of the loop: each batch's hits become part of its commit."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import structlog

from lasair_broker.archive import Archive
from lasair_broker.packets import AlertBatch
from lasair_broker.query import BatchFrame
from lasair_broker.schema import arrow_schema

from .._subscriptions import ActiveFilter, Subscriptions, TriggeredBy
from ._evaluate import evaluate
from ._isolation import Budget, Isolation
from ._linked import State
from ._metrics import FilterMetrics
from ._plans import Plan, Plans, read_by
from ._reading import Reading
from ._subjects import Subjects, annotated, newly_alerted, with_news
from ._tables import state_of_objects, tables_of_batches

__all__ = ["ANNOTATIONS", "FilterStage"]

_log = structlog.get_logger(__name__)

Int64 = npt.NDArray[np.int64]

ANNOTATIONS = ("annotations", 0)
"""The stream whose position says which annotations are in the archive."""

_MOST_ANNOTATIONS = 5000
_REPORT_SECONDS = 60.0


class FilterStage:
    """Runs all active filters: on each batch, on the objects of new annotations, and on objects of whose
    place there is news.

    Hits are rows of table `filter_hits` in the same transaction as what caused them. A filter that fails or
    takes too long loses its own hits on that batch and is told of through `Subscriptions.filter_failed`; the
    others do not notice. An error of the archive is nobody's filter's, and is raised.

    Parameters
    ----------
    archive
        Where state is read from, and annotations are written to.
    subscriptions
        Which filters run, and what was annotated.
    budget
        What a filter may take.
    on_hits
        Called when hits have been committed: be quick.
    clock
        Seconds, steadily increasing.
    """

    name = "filters"

    def __init__(
        self,
        archive: Archive,
        subscriptions: Subscriptions,
        budget: Budget | None = None,
        *,
        on_hits: Callable[[], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._archive = archive
        self._reading = Reading(archive)
        self._subscriptions = subscriptions
        self.metrics = FilterMetrics()
        self._isolation = Isolation(budget or Budget(), self._failed, self.metrics, clock)
        self._plans = Plans(self._tell)
        self._on_hits = on_hits or (lambda: None)
        self._found = False
        self._clock = clock
        self._reported = clock()

    def tables(self, batches: Sequence[AlertBatch], tables: Mapping[str, pa.Table]) -> Mapping[str, pa.Table]:
        self._found = False
        plans = self._plans.of(self._subscriptions.filters(), TriggeredBy.ALERT)
        if not plans or not batches:
            return {}
        subjects = newly_alerted(batches)
        if not len(subjects):
            return {}
        now = subjects.now
        frame = BatchFrame(tables_of_batches(self._reading, batches, tables, read_by(plans), now), now)
        hits = self._evaluated(plans, frame, subjects)
        self._found = hits.num_rows > 0
        return {"filter_hits": hits} if self._found else {}

    def committed(self) -> None:
        if self._found:
            self._on_hits()
        recovered = self._isolation.take_recovered()
        if recovered:
            self._subscriptions.filters_recovered(recovered)

    def idle(self) -> None:
        if self._archive.leads(ANNOTATIONS[0]):  # one worker of a site reads them
            self._take_annotations()
        if self._clock() - self._reported >= _REPORT_SECONDS:
            self.report()

    def report(self) -> None:
        """Tell what filters did since the last report."""
        self._reported = self._clock()
        runs = self._isolation.take_runs()
        if runs:
            self._subscriptions.filters_ran(runs)

    # News of what is known at the places of objects; whoever has them commits the hits with them.

    def hits_of_renewed(
        self,
        batches: Sequence[AlertBatch],
        tables: Mapping[str, pa.Table],
        diaObjectId: Int64,
        revision: Int64,
        arrivedMjdTai: float,
    ) -> pa.Table:
        """What the filters that run on news find among objects whose states are computed anew.

        Parameters
        ----------
        batches, tables
            As they will be written.
        diaObjectId, revision, arrivedMjdTai
            The objects of which there is news, as of which revision, and when it came (MJD TAI).
        """
        plans = self._plans.of(self._subscriptions.filters(), TriggeredBy.CONTEXT)
        if not plans or not len(diaObjectId):
            return arrow_schema("filter_hits").empty_table()
        read = read_by(plans)
        found = tables_of_batches(self._reading, batches, tables, read, arrivedMjdTai)
        return self._of_news(plans, found, diaObjectId, revision, arrivedMjdTai)

    def hits_of_matched(
        self,
        without: Callable[[Reading], State],
        tables: Mapping[str, pa.Table],
        diaObjectId: Int64,
        revision: Int64,
        arrivedMjdTai: float,
    ) -> pa.Table:
        """What the filters that run on news find among objects that are matched anew; as `hits_of_renewed`.

        Parameters
        ----------
        without
            What the archive holds of objects, without the rows that will be replaced.
        tables
            The rows that will be written.
        """
        plans = self._plans.of(self._subscriptions.filters(), TriggeredBy.CONTEXT)
        if not plans or not len(diaObjectId):
            return arrow_schema("filter_hits").empty_table()
        found = state_of_objects(without(self._reading), diaObjectId.tolist(), tables, read_by(plans))
        return self._of_news(plans, found, diaObjectId, revision, arrivedMjdTai)

    def _of_news(
        self,
        plans: Sequence[Plan],
        tables: Mapping[str, pa.Table],
        diaObjectId: Int64,
        revision: Int64,
        arrivedMjdTai: float,
    ) -> pa.Table:
        frame = BatchFrame(tables, arrivedMjdTai)
        return self._evaluated(plans, frame, with_news(diaObjectId, revision, arrivedMjdTai))

    def news_committed(self, hits: pa.Table) -> None:
        """Be told that hits of news are safe."""
        if hits.num_rows:
            self._on_hits()
        recovered = self._isolation.take_recovered()
        if recovered:
            self._subscriptions.filters_recovered(recovered)

    def _take_annotations(self) -> None:
        """Store annotations and what they made filters find, in one commit: some thousands, for alerts are to
        have their turn."""
        position = self._archive.positions().get(ANNOTATIONS, 0)
        rows, after = self._subscriptions.annotations(position, _MOST_ANNOTATIONS)
        if after <= position:
            return
        plans = self._plans.of(self._subscriptions.filters(), TriggeredBy.ANNOTATION)
        hits = self._hits_of_annotations(plans, rows) if plans and rows.num_rows else None
        tables = {"annotations": rows}
        self._found = hits is not None and hits.num_rows > 0
        if hits is not None and self._found:
            tables["filter_hits"] = hits
        self._archive.write([], positions={ANNOTATIONS: after}, tables=tables)
        self.committed()

    def _hits_of_annotations(self, plans: Sequence[Plan], rows: pa.Table) -> pa.Table:
        everything = annotated(rows)
        ids = everything.diaObjectId.tolist()
        tables = state_of_objects(self._reading, ids, {"annotations": rows}, read_by(plans))
        frame = BatchFrame(tables, everything.now)
        hits = []
        for topics, some in _by_topics(plans).items():
            subjects = everything
            if topics is not None:
                seen = rows.filter(pc.is_in(rows.column("topic"), pa.array(sorted(topics), pa.string())))
                if not seen.num_rows:
                    continue
                subjects = annotated(seen)
            hits.append(self._evaluated(some, frame, subjects))
        return pa.concat_tables([arrow_schema("filter_hits").empty_table(), *hits])

    def _evaluated(self, plans: Sequence[Plan], frame: BatchFrame, subjects: Subjects) -> pa.Table:
        return evaluate(plans, frame, subjects, self._isolation.run, self._reading.newest_hits)

    def _failed(self, plan: Plan, message: str) -> None:
        self._tell(plan.filter, message)

    def _tell(self, each: ActiveFilter, message: str) -> None:
        _log.debug("a filter failed", filter=each.filter_id, version=each.version, reason=message)
        self._subscriptions.filter_failed(each.filter_id, each.version, message)


def _by_topics(plans: Iterable[Plan]) -> dict[frozenset[str] | None, list[Plan]]:
    """The plans by the annotators that they listen to."""
    found: dict[frozenset[str] | None, list[Plan]] = {}
    for plan in plans:
        found.setdefault(plan.filter.topics, []).append(plan)
    return found
