"""The loop: read, process, commit. While one batch is being committed the next is read and decoded."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import structlog

from lasair_broker.archive import Archive, ArchiveAwayError, ArchiveError, ArchiveFullError, WriteReport
from lasair_broker.packets import mjd_tai_now
from lasair_broker.telemetry import Span, within

from ._batch_span import became, begun
from ._commit_stage import CommitStage
from ._metrics import Metrics
from ._outage import Outage
from ._pipeline import Pipeline, Processed
from ._progress import OnProgress, Progress, Tally
from ._source import Positions, Source, Taken, positions_after, select

__all__ = ["AtStep", "run"]

_log = structlog.get_logger(__name__)

AtStep = Callable[[str], None]
"""Called as the loop gets to each step: "read", "processed", "committing", "committed", "told"."""

_DAY_SECONDS = 86400.0

T = TypeVar("T")


_IN_HAND = 2
"""Batches in hand at once: one being read and processed, one being committed."""

_SHORTEST_WAIT = 0.5
"""Seconds before the archive is asked again when it is away or full, at first."""

_IDLE_SECONDS = 0.5
"""How often commit stages get their turn while no batch comes."""


class _Either(threading.Event):
    """Set when it is set itself, or when another event is."""

    def __init__(self, other: threading.Event) -> None:
        super().__init__()
        self._other = other

    def is_set(self) -> bool:
        return super().is_set() or self._other.is_set()

    def wait(self, timeout: float | None = None) -> bool:
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self.is_set():
            if deadline is not None and time.monotonic() >= deadline:
                return False
            super().wait(0.1 if deadline is None else max(0.0, min(0.1, deadline - time.monotonic())))
        return True


@dataclass(frozen=True, slots=True)
class _Ready:
    """A batch on its way from the thread that reads to the one that commits."""

    taken: Taken
    processed: Processed
    trace: Span


def run(
    source: Source,
    pipeline: Pipeline,
    archive: Archive,
    *,
    commit_stages: Sequence[CommitStage] = (),
    stop: threading.Event | None = None,
    on_progress: OnProgress | None = None,
    metrics: Metrics | None = None,
    at_step: AtStep | None = None,
) -> Progress:
    """Take alerts from `source` through `pipeline` into `archive` until the source ends or `stop` is set.

    Each batch is one commit of data and stream positions, in the order in which the source gave them, so that
    whenever this is killed the archive says what is next. Two batches are in hand at most: one being read and
    processed, one being committed.

    While the disk is full, or the archive's server or the store of its packs is away, the loop waits (and
    says so) and tries again; nothing is lost.

    Parameters
    ----------
    source
        Will be opened here, and closed at the end.
    commit_stages
        What is worked out right before each commit and becomes part of it, in this order.
    stop
        When set, what is in hand is finished and committed, and the loop returns.
    on_progress
        Called after each commit.
    metrics
        Updated after each commit.
    at_step
        Called at each step of the loop; for tests.

    Returns
    -------
    The state at the end.

    Raises
    ------
    SourceError
        If the source cannot give alerts; what it gave before is committed.
    StageBrokenError
        If a stage fails on too many alerts.
    ArchiveError
        If the archive cannot take a batch. Nothing of that batch is stored, and the next run begins with it.
    """
    loop = _Loop(
        source, pipeline, archive, commit_stages, stop or threading.Event(), at_step or (lambda step: None)
    )
    try:
        pipeline.read_known(archive)
        source.open(loop.positions)
        for ready in loop.batches():
            progress, latencies = loop.commit(ready)
            del ready  # or its messages would stay until the next batch is there
            if metrics is not None:
                metrics.update(progress, latencies)
            if on_progress is not None:
                on_progress(progress)
            loop.idle()
        loop.idle()
    finally:
        loop.end()
        source.close()
    return loop.tally.progress


class _Loop:
    """The two halves of the loop and the queue between them."""

    def __init__(
        self,
        source: Source,
        pipeline: Pipeline,
        archive: Archive,
        commit_stages: Sequence[CommitStage],
        stop: threading.Event,
        at_step: AtStep,
    ) -> None:
        self._source = source
        self._pipeline = pipeline
        self._archive = archive
        self._commit_stages = tuple(commit_stages)
        self._full = Outage("room on the archive's disk")
        self._away = Outage("the archive's server")
        self._stop = _Either(stop)
        self._at_step = at_step
        self._queue: queue.Queue[_Ready | BaseException | None] = queue.Queue(1)
        self._slots = threading.Semaphore(_IN_HAND)
        self._thread = threading.Thread(target=self._read, name="lasair-read", daemon=True)
        self.tally = Tally()

    def positions(self) -> Positions:
        """Where the archive stands, also if it is away just now."""
        return self._patiently(self._archive.positions, lambda: None)  # the source asks: it is at work

    def _patiently(self, ask: Callable[[], T], idle: Callable[[], None]) -> T:
        """What the archive answers, once it does; `idle` is called while waiting."""
        wait = _SHORTEST_WAIT
        while True:
            try:
                found = ask()
            except ArchiveAwayError as error:
                self._away.failed(str(error))
                if not self._sleep(wait, idle):
                    raise
                wait = min(2 * wait, 10.0)
            else:
                self._away.ended()
                return found

    def _sleep(self, seconds: float, idle: Callable[[], None]) -> bool:
        """Wait, and let the source know from time to time that we live; False if told to stop meanwhile."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if self._stop.wait(min(left, 0.2)):
                return False
            idle()
        return True

    def batches(self) -> _Batches:
        self._thread.start()
        return _Batches(self._queue, self.idle)

    def idle(self) -> None:
        """Let the commit stages commit what is theirs; if the archive cannot take it now, they try again."""
        for stage in self._commit_stages:
            try:
                stage.idle()
            except ArchiveFullError as error:
                self._full.failed(str(error))
            except ArchiveAwayError as error:
                self._away.failed(str(error))

    def end(self) -> None:
        """Make the reading thread leave, whatever it is at."""
        self._stop.set()
        self._source.abandon()
        while self._thread.is_alive():
            try:
                self._queue.get(timeout=0.05)
            except queue.Empty:
                continue
        if self._thread.ident is not None:
            self._thread.join()

    def _read(self) -> None:
        end: BaseException | None = None
        try:
            while self._may_read():
                started = time.thread_time()
                taken = self._source.read(self._stop)
                if taken is None:
                    break
                # Waiting for alerts is no work, so that the wall time of this stage would say nothing.
                worked = time.thread_time() - started
                self._pipeline.times.add("read", len(taken.messages), worked, worked)
                self._at_step("read")
                messages = taken.messages
                trace = begun(taken, worked)
                with within(trace):
                    processed = self._patiently(partial(self._pipeline.process, messages), self._source.idle)
                self._at_step("processed")
                self._queue.put(_Ready(taken, processed, trace))
        except BaseException as error:
            end = error
        self._queue.put(end)

    def _may_read(self) -> bool:
        """Wait until there are few enough batches in hand; False if told to stop meanwhile."""
        while not self._slots.acquire(timeout=0.2):
            if self._stop.is_set():
                return False
            self._source.idle()
        return True

    def commit(self, ready: _Ready) -> tuple[Progress, dict[str, npt.NDArray[np.float64]]]:
        """Store one batch with its positions, and tell the source."""
        self._at_step("committing")
        try:
            with within(ready.trace):
                taken, processed, report = self._write(ready)
        except BaseException as error:
            ready.trace.failed(error)
            ready.trace.end()
            raise
        ready.trace.note(became(report))
        ready.trace.end()
        self._at_step("committed")
        messages = taken.messages
        self._source.committed(ready.taken)
        self._slots.release()
        self._at_step("told")
        latencies = _latencies(processed, mjd_tai_now())
        progress = self.tally.add(
            report,
            messages=len(messages),
            size=sum(map(len, messages.values)),
            rejected=processed.rejected.num_rows,
            latency_seconds=float(latencies["arrival"].max(initial=0.0)),
            lag=self._source.lag(),
            shares=self._pipeline.times.shares(),
        )
        return progress, latencies

    def _still_held(self, ready: _Ready) -> tuple[Taken, Processed]:
        """Leave out what another worker has taken over meanwhile: it reads that again."""
        held = self._source.held(ready.taken)
        if held is None:
            return ready.taken, ready.processed
        messages = select(ready.taken.messages, held)
        _log.warning("messages left to another worker", messages=int((~held).sum()))
        left = Taken(messages, positions_after(messages), rewound=ready.taken.rewound)
        return left, self._pipeline.process(messages)

    def _write(self, ready: _Ready) -> tuple[Taken, Processed, WriteReport]:
        """Store a batch; returns what of it was ours to store. Waits while the archive cannot take it."""
        wait = _SHORTEST_WAIT
        unsure = False
        while True:
            try:
                taken, processed = self._still_held(ready)
                if unsure and self._came_through(taken):
                    report = WriteReport(alerts=processed.alerts, rejected=processed.rejected.num_rows)
                    self._written()
                    return taken, processed, report
                tables = self._tables(processed)
                with self._pipeline.times.measure("archive", len(taken.messages)):
                    report = self._archive.write(
                        processed.batches,
                        processed.rejected,
                        taken.positions,
                        tables,
                        rewound=taken.rewound,
                    )
            except (ArchiveFullError, ArchiveAwayError) as error:
                self._outage_of(error).failed(str(error))
                unsure = unsure or isinstance(error, ArchiveAwayError)
                if self._stop.wait(wait):
                    raise
                wait = min(2 * wait, 30.0)
            else:
                self._written()
                return taken, processed, report

    def _outage_of(self, error: ArchiveError) -> Outage:
        return self._full if isinstance(error, ArchiveFullError) else self._away

    def _written(self) -> None:
        self._full.ended()
        self._away.ended()
        for stage in self._commit_stages:
            stage.committed()

    def _came_through(self, taken: Taken) -> bool:
        """Whether a batch is stored although the answer to its commit was lost.

        Of one that is read anew the position does not tell; it is stored again, which adds nothing.
        """
        stored = self._archive.positions()
        return (
            bool(taken.positions)
            and not taken.rewound
            and all(stored.get(partition, -1) >= position for partition, position in taken.positions.items())
        )

    def _tables(self, processed: Processed) -> dict[str, pa.Table]:
        """What the commit stages add to the commit."""
        tables: dict[str, pa.Table] = {}
        for stage in self._commit_stages:
            with self._pipeline.times.measure(stage.name, processed.alerts):
                tables.update(stage.tables(processed.batches, tables))
        return tables


class _Batches:
    """What comes through the queue, until its end; an error of the reading thread is raised here."""

    def __init__(
        self, source: queue.Queue[_Ready | BaseException | None], on_idle: Callable[[], None]
    ) -> None:
        self._queue = source
        self._on_idle = on_idle

    def __iter__(self) -> _Batches:
        return self

    def __next__(self) -> _Ready:
        found = self._next()
        if found is None:
            raise StopIteration
        if isinstance(found, BaseException):
            raise found
        return found

    def _next(self) -> _Ready | BaseException | None:
        while True:
            try:
                return self._queue.get(timeout=_IDLE_SECONDS)
            except queue.Empty:
                self._on_idle()


def _latencies(processed: Processed, now: float) -> dict[str, npt.NDArray[np.float64]]:
    """Seconds until now since each alert arrived, and since its exposure ended."""
    return {
        since: np.concatenate(
            [np.zeros(0), *(_seconds_since(batch.alerts, column, now) for batch in processed.batches)]
        )
        for since, column in (("arrival", "arrivedMjdTai"), ("exposure_end", "exposureEndMjdTai"))
    }


def _seconds_since(alerts: pa.Table, column: str, now: float) -> npt.NDArray[np.float64]:
    if column not in alerts.column_names:
        return np.zeros(0)
    times = alerts.column(column).cast(pa.float64()).to_numpy(zero_copy_only=False)
    return np.asarray((now - times) * _DAY_SECONDS)
