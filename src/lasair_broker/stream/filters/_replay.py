"""A filter run over a past interval of the stream, as it would have run then."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lasair_broker.archive import Archive, Stored
from lasair_broker.packets import AlertBatch
from lasair_broker.query import BatchFrame, Hits, QueryError
from lasair_broker.schema import TABLES, arrow_schema

from .._pipeline import Pipeline
from .._subscriptions import ActiveFilter, ActiveFilters, TriggeredBy
from ._evaluate import evaluate
from ._plans import Plan, Plans, read_by
from ._subjects import mjd_tai_of, newly_alerted
from ._tables import LIGHT_CURVES, tables_of_batches

__all__ = ["Replayed", "replay_filter"]

_PAGE = 10_000
_AS_NOW = frozenset(
    {"annotations", "area_hits", "classifications", "crossmatch_tns", "event_hits", "external_events"}
    | {"mma_hits", "partners"}
    | {"sherlock_classifications", "sherlock_crossmatches", "watchlist_events", "watchlist_hits"}
)
"""Tables of which the archive keeps no history."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a filter would have found.

    Attributes
    ----------
    hits
        Rows of table `filter_hits`, in the order in which they would have been committed; their identities
        are those that they had, or would have had.
    alerts, batches, failures
        Alerts gone through, in so many commits, and the commits on which the filter failed.
    notes
        What could not be as it was then.
    """

    hits: pa.Table
    alerts: int = 0
    batches: int = 0
    failures: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass
class _Failures:
    messages: list[str] = field(default_factory=list)

    def add(self, each: ActiveFilter, message: str) -> None:
        self.messages.append(message)


def replay_filter(
    archive: Archive,
    pipeline: Pipeline,
    each: ActiveFilter,
    since: float,
    until: float,
    *,
    on_progress: Callable[[int, int], None] | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> Replayed:
    """Run a filter over the alerts that arrived in a half-open interval, in the batches they came in.

    Alerts are decoded anew and go through the pipeline as it is today. ``mjdnow()`` is the time of arrival of
    each batch. Light curves and alerts are seen up to that batch, annotations if they had been made by then;
    of other tables the archive keeps no history, and the notes say so. A rule for telling again begins with
    what the filter had told before the interval.

    Parameters
    ----------
    each
        The filter; one that runs on annotations only has nothing to replay.
    since, until
        MJD TAI of arrival.
    on_progress
        Called with the number of alerts gone through, and of hits.
    stopped
        Asked between batches whether to stop there.

    Raises
    ------
    QueryError
        If the query cannot be a filter.
    """
    failures = _Failures()
    plans = Plans(failures.add).of(ActiveFilters((each,)), TriggeredBy.ALERT)
    if failures.messages:
        raise QueryError(failures.messages[0])
    pipeline.read_known(archive)
    hits = [arrow_schema("filter_hits").empty_table()]
    told = _told_before(archive, each, since)
    alerts = commits = count = 0
    failed: list[str] = []
    for stored in _as_committed(archive.replay(arrivedMjdTai=(since, until))):
        if stopped():
            break
        batches = [batch for part in stored for batch in pipeline.process(part).batches]
        commits += 1
        alerts += sum(len(part.payloads) for part in stored)
        if plans and batches:
            found = _on_commit(archive, plans, batches, told, failed)
            if found.num_rows:
                hits.append(found)
                count += found.num_rows
                told = _newest_of_objects([told, found]) if not each.renotify.always else told
        if on_progress is not None:
            on_progress(alerts, count)
    return Replayed(pa.concat_tables(hits), alerts, commits, tuple(failed), _notes(plans))


def _on_commit(
    archive: Archive, plans: Sequence[Plan], batches: Sequence[AlertBatch], told: pa.Table, failed: list[str]
) -> pa.Table:
    subjects = newly_alerted(batches)
    if not len(subjects):
        return arrow_schema("filter_hits").empty_table()
    past = _Past(archive, batches, subjects.now)
    frame = BatchFrame(tables_of_batches(past, batches, {}, read_by(plans), subjects.now), subjects.now)

    def run(plan: Plan, frame: BatchFrame, objects: int) -> Hits | None:
        try:
            return plan.run(frame)
        except QueryError as error:
            failed.append(str(error))
            return None

    return evaluate(plans, frame, subjects, run, lambda filters, objects, columns: told)


class _Past:
    """The archive's tables as they were when some batches came, as far as it knows."""

    def __init__(self, archive: Archive, batches: Sequence[AlertBatch], now: float) -> None:
        self._archive = archive
        self._now = now
        newest = [batch.objects.select(["diaObjectId", "lastDiaSourceMjdTai"]) for batch in batches]
        self._newest = pa.concat_tables(newest)

    def rows_of_objects(
        self, name: str, diaObjectIds: Sequence[int], /, columns: Sequence[str] | None = None
    ) -> pa.Table:
        rows = self._archive.rows_of_objects(name, diaObjectIds, columns)
        if name in LIGHT_CURVES:
            place = pc.index_in(rows.column("diaObjectId"), self._newest.column("diaObjectId"))
            newest = self._newest.column("lastDiaSourceMjdTai").take(place)
            return rows.filter(pc.less_equal(rows.column("midpointMjdTai"), newest))
        if name == "alerts":
            return rows.filter(pc.less_equal(rows.column("arrivedMjdTai"), self._now))
        if "timestamp" in TABLES[name].by_name:
            return rows.filter(pa.array(mjd_tai_of(rows.column("timestamp")) <= self._now))
        return rows

    def query(self, sql: str, /, *, max_rows: int | None) -> pa.Table:
        return self._archive.query(sql, max_rows=max_rows)


def _as_committed(stored: Iterable[Stored]) -> Iterator[list[Stored]]:
    """Stored alerts, put together as they were committed, and by writer schema within that."""
    commit: float | None = None
    parts: list[Stored] = []
    for each in stored:
        times = each.alerts.column("committedMjdTai").to_numpy()
        ends = np.flatnonzero(np.diff(times)) + 1
        for start, stop in zip([0, *ends], [*ends, len(times)], strict=True):
            if parts and times[start] != commit:
                yield _by_schema(parts)
                parts = []
            commit = float(times[start])
            parts.append(_slice(each, start, stop))
    if parts:
        yield _by_schema(parts)


def _slice(stored: Stored, start: int, stop: int) -> Stored:
    payloads = stored.payloads
    some = replace(payloads, address=payloads.address[start:stop], length=payloads.length[start:stop])
    return Stored(some, stored.alerts.slice(start, stop - start))


def _by_schema(parts: Sequence[Stored]) -> list[Stored]:
    """One part for each writer schema, so that the alerts of an object are united as they were."""
    found: dict[int, list[Stored]] = {}
    for part in parts:
        found.setdefault(part.payloads.schema_fingerprint, []).append(part)
    joined = []
    for same in found.values():
        payloads = replace(
            same[0].payloads,
            address=np.concatenate([part.payloads.address for part in same]),
            length=np.concatenate([part.payloads.length for part in same]),
            owners=tuple(owner for part in same for owner in part.payloads.owners),
        )
        joined.append(Stored(payloads, pa.concat_tables([part.alerts for part in same])))
    return joined


def _told_before(archive: Archive, each: ActiveFilter, since: float) -> pa.Table:
    """The newest hit of each object that the filter had told of before the interval."""
    told = arrow_schema("filter_hits").empty_table()
    if each.renotify.always:
        return told
    after = (0.0, "")
    while True:
        page = archive.hits_after(each.filter_id, after, until=since, limit=_PAGE)
        if not page.num_rows:
            return told
        told = _newest_of_objects([told, page])
        after = (page.column("committedMjdTai")[-1].as_py(), page.column("hitId")[-1].as_py())


def _newest_of_objects(hits: Sequence[pa.Table]) -> pa.Table:
    rows = pa.concat_tables(hits, promote_options="permissive")
    numbered = rows.select(["diaObjectId"]).append_column("row", pa.array(np.arange(rows.num_rows)))
    last = numbered.group_by("diaObjectId").aggregate([("row", "max")]).column("row_max")
    return rows.take(np.sort(last.to_numpy()))


def _notes(plans: Sequence[Plan]) -> tuple[str, ...]:
    tables = sorted(_AS_NOW.intersection(read_by(plans)))
    notes = ["features are worked out by this version of the program"]
    if "annotations" in tables:
        notes.append("annotations are those known then, as far as they have not been replaced since")
        tables.remove("annotations")
    if tables:
        notes.append(f"{', '.join(tables)}: as they are now, as the archive keeps no history of them")
    return tuple(notes)
