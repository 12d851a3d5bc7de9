"""One filter's failure or slowness is nobody else's: a budget for each, and a pause for who overruns it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from lasair_broker.query import BatchFrame, Hits

from .._subscriptions import FilterRun
from ._metrics import FilterMetrics
from ._plans import Plan

__all__ = ["Budget", "Isolation"]

Key = tuple[int, int]

_LEAST_SECONDS = 0.02
"""Between two looks at what a filter has computed."""


@dataclass(frozen=True, slots=True)
class Budget:
    """What a filter may take.

    Attributes
    ----------
    seconds
        Of computing, for one batch; waiting does not count, or on a machine that is busy, or stood still for
        a while, filters would be stopped that do no harm. A query in DuckDB is interrupted then; what is
        compiled ends by itself.
    strikes
        So many overruns one after the other, and the filter is paused.
    first_pause, longest_pause
        Seconds of the first pause; each next is twice as long, up to the longest.
    """

    seconds: float = 2.0
    strikes: int = 3
    first_pause: float = 60.0
    longest_pause: float = 3600.0


@dataclass(slots=True)
class _Record:
    """How a filter has fared lately."""

    strikes: int = 0
    pause: float = 0.0
    paused_until: float = 0.0
    failing: bool = True  # until it has run well once: it may have failed in a process before this one


class Isolation:
    """Runs filters one by one, each within its budget, and keeps account of them.

    Parameters
    ----------
    budget
        Of each filter.
    failed
        Told of a filter that failed or overran, and how, each time.
    metrics
        Where to count.
    clock
        Seconds, steadily increasing.
    """

    def __init__(
        self,
        budget: Budget,
        failed: Callable[[Plan, str], None],
        metrics: FilterMetrics,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._budget = budget
        self._failed = failed
        self._metrics = metrics
        self._clock = clock
        self._records: dict[Key, _Record] = {}
        self._runs: dict[Key, FilterRun] = {}
        self._recovered: list[Key] = []

    def run(self, plan: Plan, frame: BatchFrame, alerts: int) -> Hits | None:
        """The filter's rows on a batch; None if it fails, overruns or is paused."""
        record = self._records.setdefault(plan.key, _Record())
        if record.paused_until > self._clock():
            self._metrics.skipped(plan.kind)
            return None
        began = time.thread_time()
        late = threading.Event()
        hits, error = None, ""
        try:
            hits = self._interrupted_when_late(plan, frame, late)
        except MemoryError:
            error = "it takes too much memory"
        except Exception as failure:
            # Whatever it is, it is this filter's, and the others are to run.
            error = str(failure) or type(failure).__name__
        seconds = time.thread_time() - began
        if late.is_set():
            error = f"it took longer than {self._budget.seconds:g} seconds on a batch and was stopped"
        elif hits is not None and seconds > self._budget.seconds:
            error = f"it took longer than {self._budget.seconds:g} seconds on a batch"
        self._account(plan, record, seconds, alerts, 0 if hits is None else hits.rows.num_rows, error)
        return hits

    def _interrupted_when_late(self, plan: Plan, frame: BatchFrame, late: threading.Event) -> Hits:
        if plan.stream.compiled:
            return plan.run(frame)

        used, done = _own_clock(), threading.Event()

        def watch() -> None:
            left = self._budget.seconds
            while not done.wait(max(left, _LEAST_SECONDS)):
                left = self._budget.seconds - used()
                if left <= 0:
                    late.set()
                    frame.interrupt()  # again and again, for its query may not have begun yet

        watching = threading.Thread(target=watch, name="lasair-filter-budget", daemon=True)
        watching.start()
        try:
            return plan.run(frame)
        finally:
            done.set()
            watching.join()  # or it might interrupt the next filter

    def _account(
        self, plan: Plan, record: _Record, seconds: float, alerts: int, rows: int, error: str
    ) -> None:
        run = self._runs.get(plan.key) or FilterRun(*plan.key)
        self._runs[plan.key] = replace(
            run,
            batches=run.batches + 1,
            alerts=run.alerts + alerts,
            rows=run.rows + rows,
            seconds=run.seconds + seconds,
            longest=max(run.longest, seconds),
            failures=run.failures + bool(error),
        )
        self._metrics.ran(plan.kind, seconds, rows, failed=bool(error))
        if not error:
            if record.failing:
                self._recovered.append(plan.key)
            record.failing, record.strikes, record.pause = False, 0, 0.0
            return
        record.failing = True
        if seconds > self._budget.seconds:
            record.strikes += 1
            if record.strikes >= self._budget.strikes:
                record.pause = min(
                    max(2 * record.pause, self._budget.first_pause), self._budget.longest_pause
                )
                record.paused_until = self._clock() + record.pause
                error += "; it is paused for a while, as that happened again and again"
        self._failed(plan, error)

    def take_recovered(self) -> list[Key]:
        """The filters that have run well since they last failed, or for the first time; each once."""
        recovered, self._recovered = self._recovered, []
        return recovered

    def take_runs(self) -> list[FilterRun]:
        """What filters did since this was asked last."""
        runs, self._runs = self._runs, {}
        return list(runs.values())


def _own_clock() -> Callable[[], float]:
    """Seconds of computing by the calling thread from now on, for another thread to read; where the system
    does not tell them, seconds."""
    if not hasattr(time, "pthread_getcpuclockid"):
        start = time.monotonic()
        return lambda: time.monotonic() - start
    clock = time.pthread_getcpuclockid(threading.get_ident())
    began = time.clock_gettime(clock)
    return lambda: time.clock_gettime(clock) - began
