"""Counts, seconds, failures, lag and latencies for Prometheus."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from ._progress import Progress
from ._times import StageTimes

__all__ = ["Metrics"]

_LATENCY_BOUNDS = np.array([0.1, 0.3, 1, 3, 10, 30, 60, 120, 300, 600, 1800, 3600, 86400], np.float64)


class _Latencies:
    """A histogram of seconds, filled a batch at a time."""

    def __init__(self) -> None:
        self._counts = np.zeros(len(_LATENCY_BOUNDS) + 1, np.int64)
        self._sum = 0.0

    def add(self, seconds: npt.NDArray[np.float64]) -> None:
        known = seconds[np.isfinite(seconds)]
        places = np.searchsorted(_LATENCY_BOUNDS, known, side="left")
        self._counts += np.bincount(places, minlength=len(self._counts))
        self._sum += float(known.sum())

    def buckets(self) -> tuple[list[tuple[str, float]], float]:
        bounds = [*(str(bound) for bound in _LATENCY_BOUNDS.tolist()), "+Inf"]
        return list(zip(bounds, np.cumsum(self._counts).astype(float).tolist(), strict=True)), self._sum


class Metrics(Collector):
    """What Prometheus is shown; register it, or let `serve_operations` do so."""

    def __init__(self, times: StageTimes) -> None:
        self._times = times
        self._lock = threading.Lock()
        self._progress = Progress()
        self._last_commit = 0.0
        self._latencies = {"arrival": _Latencies(), "exposure_end": _Latencies()}

    def update(self, progress: Progress, latencies: Mapping[str, npt.NDArray[np.float64]]) -> None:
        """Take over the state after a commit, and the latencies (s) of its alerts by what they count from."""
        with self._lock:
            self._progress = progress
            self._last_commit = time.time()
            for since, seconds in latencies.items():
                self._latencies[since].add(seconds)

    def collect(self) -> Iterator[Metric]:
        with self._lock:
            progress, last_commit = self._progress, self._last_commit
            latencies = {since: found.buckets() for since, found in self._latencies.items()}
        yield from self._counts(progress)
        yield from self._stages()
        lag = GaugeMetricFamily(
            "lasair_source_lag_messages", "Messages waiting in the source.", labels=["topic", "partition"]
        )
        for (topic, partition), waiting in progress.lag.items():
            lag.add_metric([topic, str(partition)], waiting)
        yield lag
        yield GaugeMetricFamily(
            "lasair_last_commit_timestamp_seconds",
            "When this process committed last, seconds since 1970; 0: not yet.",
            value=last_commit,
        )
        latency = HistogramMetricFamily(
            "lasair_commit_latency_seconds", "Time until an alert was safe in the archive.", labels=["since"]
        )
        for since, (buckets, total) in latencies.items():
            latency.add_metric([since], buckets, total)
        yield latency

    def _counts(self, progress: Progress) -> Iterator[Metric]:
        for name, value, meaning in (
            ("messages", progress.messages, "Messages taken from the source and committed."),
            ("message_bytes", progress.bytes, "Bytes of messages committed."),
            ("alerts", progress.alerts, "Alerts stored."),
            ("duplicate_alerts", progress.duplicates, "Alerts that were already in the archive."),
            ("rejected_messages", progress.rejected, "Messages that could not be read or processed."),
            ("new_objects", progress.new_objects, "Objects seen for the first time."),
            ("updated_objects", progress.updated_objects, "Times an object was given a newer state."),
            ("filter_hits", progress.filter_hits, "Hits of filters stored with batches of alerts."),
            ("commits", progress.batches, "Batches committed."),
        ):
            yield CounterMetricFamily(f"lasair_{name}", meaning, value=value)

    def _stages(self) -> Iterator[Metric]:
        alerts = CounterMetricFamily("lasair_stage_alerts", "Alerts through a stage.", labels=["stage"])
        seconds = CounterMetricFamily("lasair_stage_seconds", "Wall time of a stage.", labels=["stage"])
        cpu = CounterMetricFamily("lasair_stage_cpu_seconds", "CPU time of a stage.", labels=["stage"])
        failures = CounterMetricFamily("lasair_stage_failures", "Times a stage raised.", labels=["stage"])
        for name, spent in self._times.report().items():
            alerts.add_metric([name], spent.alerts)
            seconds.add_metric([name], spent.seconds)
            cpu.add_metric([name], spent.cpu_seconds)
            failures.add_metric([name], spent.failures)
        yield from (alerts, seconds, cpu, failures)
