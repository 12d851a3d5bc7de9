"""How long each stage takes, on how many alerts, and how often it fails."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

from lasair_broker.telemetry import span

__all__ = ["StageTime", "StageTimes"]


@dataclass(frozen=True, slots=True)
class StageTime:
    """What one stage has done so far.

    Attributes
    ----------
    alerts
        Alerts that went through it.
    seconds
        Wall time it took.
    cpu_seconds
        Time on the processor of the thread that ran it (not of helpers it may have started).
    failures
        How often it raised.
    """

    alerts: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    failures: int = 0


class StageTimes:
    """Sums for each stage, from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stages: dict[str, StageTime] = {}

    @contextmanager
    def measure(self, stage: str, alerts: int) -> Iterator[None]:
        """Count what happens within, a span of its own, as work of `stage` on so many alerts."""
        wall, cpu = time.perf_counter(), time.thread_time()
        failures = 1
        try:
            with span(stage, {"lasair.alerts": alerts}):
                yield
            failures = 0
        finally:
            self.add(
                stage,
                0 if failures else alerts,
                time.perf_counter() - wall,
                time.thread_time() - cpu,
                failures,
            )

    def add(
        self, stage: str, alerts: int, seconds: float, cpu_seconds: float = 0.0, failures: int = 0
    ) -> None:
        """Add to the sums of `stage`."""
        with self._lock:
            old = self._stages.get(stage, StageTime())
            self._stages[stage] = replace(
                old,
                alerts=old.alerts + alerts,
                seconds=old.seconds + seconds,
                cpu_seconds=old.cpu_seconds + cpu_seconds,
                failures=old.failures + failures,
            )

    def report(self) -> Mapping[str, StageTime]:
        """The sums so far, in the order in which stages first ran."""
        with self._lock:
            return dict(self._stages)

    def shares(self) -> Mapping[str, float]:
        """The part of all wall time that each stage took, adding up to 1; empty before the first."""
        report = self.report()
        total = sum(stage.seconds for stage in report.values())
        return {name: stage.seconds / total for name, stage in report.items()} if total else {}
