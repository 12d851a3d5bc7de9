"""What Prometheus is shown of deliveries."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from ._outputs import Kind, Outcome

__all__ = ["DeliveryMetrics"]

_BOUNDS = np.array([0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300, 1800, 3600, 86400], np.float64)


class DeliveryMetrics(Collector):
    """Attempts and hits by channel, and the time until hits were delivered. Register it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._backlog: Callable[[], Mapping[str, tuple[int, float]]] = dict
        self._attempts: Counter[tuple[str, str]] = Counter()
        self._hits: Counter[str] = Counter()
        self._held_back: Counter[str] = Counter()
        self._counts: dict[tuple[str, str], npt.NDArray[np.int64]] = {}
        self._sums: defaultdict[tuple[str, str], float] = defaultdict(float)

    def follow(self, backlog: Callable[[], Mapping[str, tuple[int, float]]]) -> None:
        """Show a backlog, too: outputs that wait, and seconds since the first of them does, by channel."""
        self._backlog = backlog

    def add(self, outcomes: Sequence[Outcome]) -> None:
        """Count what became of attempts."""
        with self._lock:
            for outcome in outcomes:
                channel = str(outcome.output.channel)
                self._attempts[channel, "failed" if outcome.error else "delivered"] += 1
                if outcome.error or outcome.kind is Kind.SUMMARY:
                    continue
                self._hits[channel] += len(outcome.hits) - len(outcome.refused)
                self._held_back[channel] += outcome.held_back
                for since, seconds in outcome.latencies.items():
                    self._time((channel, since), seconds[np.isfinite(seconds)])

    def _time(self, key: tuple[str, str], seconds: npt.NDArray[np.float64]) -> None:
        counts = self._counts.setdefault(key, np.zeros(len(_BOUNDS) + 1, np.int64))
        counts += np.bincount(np.searchsorted(_BOUNDS, seconds, side="left"), minlength=len(counts))
        self._sums[key] += float(seconds.sum())

    def collect(self) -> Iterator[Metric]:
        with self._lock:
            attempts, hits, held = dict(self._attempts), dict(self._hits), dict(self._held_back)
            latency = {key: counts.copy() for key, counts in self._counts.items()}
            sums = dict(self._sums)
        tried = CounterMetricFamily(
            "lasair_delivery_attempts", "Attempts to deliver hits.", labels=["channel", "result"]
        )
        for (channel, result), count in attempts.items():
            tried.add_metric([channel, result], count)
        yield tried
        for name, meaning, counter in (
            ("lasair_delivered_hits", "Hits delivered; one that goes to two outputs counts twice.", hits),
            ("lasair_held_back_hits", "Hits above outputs' limits, summed up instead.", held),
        ):
            family = CounterMetricFamily(name, meaning, labels=["channel"])
            for channel, count in counter.items():
                family.add_metric([channel], count)
            yield family
        bounds = [*(f"{bound:g}" for bound in _BOUNDS), "+Inf"]
        histogram = HistogramMetricFamily(
            "lasair_delivery_latency_seconds", "Time until a hit was delivered.", labels=["channel", "since"]
        )
        for key, counts in latency.items():
            cumulative = np.cumsum(counts).astype(float).tolist()
            histogram.add_metric(list(key), list(zip(bounds, cumulative, strict=True)), sums[key])
        yield histogram
        backlog = self._backlog()
        for name, meaning, place in (
            ("lasair_outbox_outputs", "Outputs that have hits to be sent.", 0),
            ("lasair_outbox_seconds", "How long the output that waits longest has waited here.", 1),
        ):
            gauge = GaugeMetricFamily(name, meaning, labels=["channel"])
            for channel, found in backlog.items():
                gauge.add_metric([channel], found[place])
            yield gauge
