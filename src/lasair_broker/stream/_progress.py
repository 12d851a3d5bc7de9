"""How far a run is, for whoever shows it."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from lasair_broker.archive import WriteReport

from ._source import Partition

__all__ = ["OnProgress", "Progress", "Tally"]

_RECENT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Progress:
    """State of a run after a commit.

    Attributes
    ----------
    messages, bytes
        Messages taken from the source and committed, and their size.
    alerts, duplicates, rejected
        Of these: alerts stored, alerts the archive already had, messages that could not be read.
    new_objects, updated_objects
        Objects seen for the first time, and times a known one was given a newer state.
    filter_hits
        Hits of filters stored with these alerts.
    batches
        Commits so far.
    seconds
        Since the run began.
    alerts_per_second
        Messages committed a second, over the last ten seconds or so.
    lag
        Messages known to wait, by topic and partition.
    shares
        The part of all work that each stage takes (adds up to 1).
    latency_seconds
        From arrival to commit, of the oldest message of the last batch.
    """

    messages: int = 0
    bytes: int = 0
    alerts: int = 0
    duplicates: int = 0
    rejected: int = 0
    new_objects: int = 0
    updated_objects: int = 0
    filter_hits: int = 0
    batches: int = 0
    seconds: float = 0.0
    alerts_per_second: float = 0.0
    lag: Mapping[Partition, int] = field(default_factory=dict)
    shares: Mapping[str, float] = field(default_factory=dict)
    latency_seconds: float = 0.0


OnProgress = Callable[[Progress], None]
"""Called after each commit, in the thread that commits: be quick."""


class Tally:
    """Adds up what commits report."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began = clock()
        self._recent: deque[tuple[float, int]] = deque([(self._began, 0)])
        self.progress = Progress()

    def add(
        self,
        report: WriteReport,
        *,
        messages: int,
        size: int,
        rejected: int,
        latency_seconds: float,
        lag: Mapping[Partition, int],
        shares: Mapping[str, float],
    ) -> Progress:
        """Count one commit of so many messages of `size` bytes together."""
        now, old = self._clock(), self.progress
        done = old.messages + messages
        self._recent.append((now, done))
        while len(self._recent) > 2 and now - self._recent[1][0] > _RECENT_SECONDS:
            self._recent.popleft()
        since, before = self._recent[0]
        self.progress = Progress(
            messages=done,
            bytes=old.bytes + size,
            alerts=old.alerts + report.alerts,
            duplicates=old.duplicates + report.duplicates,
            rejected=old.rejected + rejected,
            new_objects=old.new_objects + report.new_objects,
            updated_objects=old.updated_objects + report.updated_objects,
            filter_hits=old.filter_hits + report.filter_hits,
            batches=old.batches + 1,
            seconds=now - self._began,
            alerts_per_second=(done - before) / max(now - since, 1e-9),
            lag=lag,
            shares=shares,
            latency_seconds=latency_seconds,
        )
        return self.progress
