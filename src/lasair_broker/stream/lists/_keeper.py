"""Lists, maps and triggers while the stream runs: always the newest ones, and the archive brought up to them.

Three threads meet here. The one that commits calls `tables`, `committed` and `idle`, and is the only one that
writes hits into the archive, so that a match with the whole archive and the stream never overtake each other.
A second looks for changed lists, a third works out the hits of the archive's objects.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import structlog

from lasair_broker.archive import Archive
from lasair_broker.packets import AlertBatch, mjd_tai_now
from lasair_broker.sky import WatchlistIndex, WatchmapIndex

from .._pipeline import Resource
from .._subscriptions import ActiveLists, Subscriptions
from ._matching import ListMatching, MatchTask, empty_hits, hits_of_places, number_of_objects, parts
from ._stages import fresh_hits
from ._triggers import compile_triggers, trigger_tables

__all__ = ["ListKeeper"]

_log = structlog.get_logger(__name__)

_LATE_DAYS = 10 / 1440
"""So long before a match begins may an alert have arrived that another worker stores later, matched with the
lists as they were."""

_LOOKS = 3
"""After so many looks for changes other workers have the lists, too."""

_RENEWED_AT_ONCE = 10_000
"""Objects that no other worker may write to meanwhile."""

_LIST_OF = {"watchlist_hits": "wl_id", "area_hits": "ar_id"}


class _StoppedError(Exception):
    """The process ends before the match has."""


class _Match:
    """A match with the archive on its way from the thread that computes to the one that commits."""

    def __init__(self, task: MatchTask, index: WatchlistIndex | WatchmapIndex | None) -> None:
        self.task = task
        self.index = index
        self.begun = threading.Event()
        self.parts: queue.Queue[pa.Table | None] = queue.Queue(2)
        self.over = threading.Event()
        self.error: Exception | None = None
        self.touched: list[npt.NDArray[np.int64]] = []
        self.since = 0.0
        self.stored_parts = False
        self.known_to_others = 0.0
        self.others: frozenset[str] | None = None


class ListKeeper:
    """The stage of the committing half that sees to lists (a `CommitStage`), and its threads.

    Parameters
    ----------
    subscriptions
        Where the lists are.
    archive
        Where hits are stored.
    matching
        What is to be matched with the whole archive; None: nothing.
    every_seconds
        How often changes are looked for.

    Attributes
    ----------
    lists
        What the stages of `list_stages` need.
    """

    name = "lists"

    def __init__(
        self,
        subscriptions: Subscriptions,
        archive: Archive,
        matching: ListMatching | None = None,
        *,
        every_seconds: float = 1.0,
    ) -> None:
        self._subscriptions = subscriptions
        self._archive = archive
        self._alone = archive.engine == "duckdb"  # this process is the only one that writes
        self._matching = matching
        self._every = every_seconds
        self._looking = threading.Lock()
        self._stop = threading.Event()
        self._match: _Match | None = None
        self._again: set[tuple[str, int]] = set()
        self._said: dict[str, str] = {}
        self._threads: list[threading.Thread] = []
        self.lists = Resource(ActiveLists())
        self.look()
        compile_triggers()  # not when the first object of a list is seen

    # While it runs

    def start(self) -> None:
        """Look for changes from now on."""
        loops = [self.look] if self._matching is None else [self.look, self.match_next]
        for step in loops:
            name = f"lasair-lists-{step.__name__}"
            thread = threading.Thread(target=self._repeat, args=(step,), name=name, daemon=True)
            self._threads.append(thread)
            thread.start()

    def stop(self) -> None:
        """Stop looking; a match that has not ended is begun anew by the next process."""
        self._stop.set()
        for thread in self._threads:
            thread.join()
        self._threads.clear()

    @contextmanager
    def running(self) -> Iterator[ListKeeper]:
        """Started within, stopped afterwards."""
        self.start()
        try:
            yield self
        finally:
            self.stop()

    # The thread that commits

    def tables(self, batches: Sequence[AlertBatch], tables: Mapping[str, pa.Table]) -> Mapping[str, pa.Table]:
        """Events and states of triggers; and the hits of batches matched before the lists last changed."""
        lists = self.lists.get()
        fresh = [fresh_hits(batch, lists) for batch in batches]
        late = [(old, new) for old, new in zip(batches, fresh, strict=True) if old is not new]
        rows = dict(trigger_tables(fresh, lists.triggers, self._archive))
        for name in _LIST_OF if late else ():
            rows[name] = pa.concat_tables([new.tables[name].replace_schema_metadata() for _, new in late])
            for old, new in late:
                self._again |= _lost(name, old.tables.get(name), new.tables[name])
        if self._match is not None and self._match.begun.is_set():
            self._match.touched.extend(batch.objects.column("diaObjectId").to_numpy() for batch in batches)
        return rows

    def committed(self) -> None:
        """Nothing is to be done then."""

    def idle(self) -> None:
        """Store a part of what the match with the archive has found."""
        match = self._match
        if match is None:
            return
        try:
            self._store(match)
        except Exception as error:  # a match may fail; the stream goes on, and says so itself if it cannot
            match.error = error
            self._match = None
            match.begun.set()
            match.over.set()

    def _store(self, match: _Match) -> None:
        table, list_id = match.task.table, match.task.list_id
        if not match.begun.is_set():
            self._archive.replace_list_hits(table, list_id, empty_hits(table), first=True)
            match.since = mjd_tai_now() - _LATE_DAYS
            match.known_to_others = time.monotonic() + _LOOKS * self._every
            match.begun.set()  # from here on the stream gives what it touches the right hits itself
            return
        if not match.stored_parts:
            try:
                part = match.parts.get_nowait()
            except queue.Empty:
                return
            if part is not None:
                hits = _untouched(part, match.touched)
                if hits.num_rows:
                    self._archive.replace_list_hits(table, list_id, hits, first=False)
                return
            match.stored_parts = True
        if self._others_may_err(match):
            return
        if match.index is not None:
            at = partial(hits_of_places, match.index)
            wrong = self._perhaps_wrong(match, at)
            for start in range(0, len(wrong), _RENEWED_AT_ONCE):
                some = wrong[start : start + _RENEWED_AT_ONCE].tolist()
                self._archive.renew_list_hits(table, list_id, some, at)
        elif not self._alone:
            self._archive.replace_list_hits(table, list_id, empty_hits(table), first=True)
        self._match = None
        match.over.set()

    def _others_may_err(self, match: _Match) -> bool:
        """Whether another worker may yet store hits as they were before the list, or leave in place what was
        worked out of an old place; once it may not, what it touched is known."""
        if self._alone:
            return False
        if match.others is None:
            if time.monotonic() < match.known_to_others:
                return True
            match.others = self._archive.writers()
        return not match.others.isdisjoint(self._archive.writers())

    def _perhaps_wrong(self, match: _Match, at: Callable[[pa.Table], pa.Table]) -> npt.NDArray[np.int64]:
        """Objects of which an alert came meanwhile, and that have or should have hits."""
        touched = np.unique(np.concatenate([*match.touched, self._touched_elsewhere(match.since)])).tolist()
        if not touched:
            return np.zeros(0, np.int64)
        table, column = match.task.table, _LIST_OF[match.task.table]
        places = self._archive.rows_of_objects("objects", touched, ["diaObjectId", "ra", "decl"])
        there = self._archive.rows_of_objects(table, touched, ["diaObjectId", column])
        there = there.filter(pc.equal(there.column(column), match.task.list_id))
        ids = [found.column("diaObjectId").to_numpy() for found in (at(places), there)]
        wrong: npt.NDArray[np.int64] = np.unique(np.concatenate(ids))
        return wrong

    def _touched_elsewhere(self, since: float) -> npt.NDArray[np.int64]:
        """Objects of which other workers of a site may have stored an alert, matched with older lists."""
        if self._alone:
            return np.zeros(0, np.int64)
        found = self._archive.query(
            f'SELECT DISTINCT "diaObjectId" FROM alerts WHERE "arrivedMjdTai" >= {since!r} '  # noqa: S608 - a number
            'AND "diaObjectId" IS NOT NULL',
            max_rows=None,
            timeout=None,
        )
        ids: npt.NDArray[np.int64] = found.column(0).to_numpy()
        return ids

    # The threads that look and match

    def look(self) -> None:
        """Take over the lists as they are now."""
        with self._looking:
            now = self._subscriptions.lists()
            before = self.lists.get()
            if now is not before:
                if self._matching is not None:
                    self._matching.expect(_numbers(now) - _numbers(before))
                self.lists.swap(now)
                if _numbers(now) or _numbers(before):
                    _log.info("lists changed", watchlist_rows=len(now.watchlists), maps=len(now.watchmaps))

    def match_next(self) -> None:
        """Match with the archive what is due, while another thread calls `idle`."""
        if self._matching is None or not self._archive.leads("lists"):
            return
        for lost in list(self._again):
            self._matching.again(*lost)
            self._again.discard(lost)
        while not self._stop.is_set() and (task := self._matching.due()) is not None:
            try:
                # First what is to be matched, then the lists: the stream has it too when the match begins.
                match = _Match(task, task.load())
                self.look()
                found = self._run(match)
            except _StoppedError:
                return
            except Exception as error:
                _log.warning("a list could not be matched with the archive", reason=str(error))
                task.failed(str(error))
            else:
                task.ended(found)

    def _run(self, match: _Match) -> int:
        task = match.task
        task.began(number_of_objects(self._archive))
        self._match = match
        self._wait(match.begun)
        done = found = 0
        for looked_at, hits in parts(match.index, self._archive) if match.index is not None else ():
            self._put(match, hits)
            done, found = done + looked_at, found + hits.num_rows
            task.progress(done, found)
        self._put(match, None)
        self._wait(match.over)
        if match.error is not None:
            raise match.error
        return found

    def _put(self, match: _Match, hits: pa.Table | None) -> None:
        while not match.over.is_set():
            if self._stop.is_set():
                raise _StoppedError
            try:
                match.parts.put(hits, timeout=0.2)
            except queue.Full:
                continue
            return

    def _wait(self, event: threading.Event) -> None:
        while not event.wait(0.2):
            if self._stop.is_set():
                raise _StoppedError

    def _repeat(self, step: object) -> None:
        assert callable(step)  # noqa: S101 - for the type checker
        name = getattr(step, "__name__", "")
        while not self._stop.wait(self._every):
            try:
                step()
                self._said.pop(name, None)
            except Exception as error:  # the user database may be away for a while: say it once
                if self._said.get(name) != str(error):
                    self._said[name] = str(error)
                    _log.warning("lists could not be looked up; it is tried again", reason=str(error))


def _untouched(hits: pa.Table, touched: Sequence[npt.NDArray[np.int64]]) -> pa.Table:
    """Without those of objects of which an alert came meanwhile, whose hits stand there already: these may be
    of old places."""
    if not touched or not hits.num_rows:
        return hits
    ids = hits.column("diaObjectId").to_numpy()
    return hits.filter(pa.array(~np.isin(ids, np.concatenate(touched))))


def _numbers(lists: ActiveLists) -> set[tuple[str, int]]:
    """Table of hits and number of every list and map."""
    watchlists = {("watchlist_hits", number) for number in lists.watchlists.list_ids}
    return watchlists | {("area_hits", number) for number in lists.watchmaps.map_ids}


def _lost(name: str, old: pa.Table | None, new: pa.Table) -> set[tuple[str, int]]:
    """The lists that had hits in `old` which they have no more in `new`."""
    if old is None:
        return set()
    keys = [key for key in ("diaObjectId", _LIST_OF[name], "cone_id") if key in new.column_names]
    gone = old.select(keys).join(new.select(keys), keys, join_type="left anti")
    return {(name, int(list_id)) for list_id in gone.column(_LIST_OF[name]).unique().to_pylist()}
