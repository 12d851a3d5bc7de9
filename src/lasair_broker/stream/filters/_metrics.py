"""Counts of filters for Prometheus: by how they run, never by whose they are."""

from __future__ import annotations

import threading
from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

__all__ = ["FilterMetrics"]

_COUNTS = {
    "runs": "Filters run on a batch.",
    "seconds": "Wall time of filters.",
    "rows": "Rows that filters gave.",
    "failures": "Times a filter failed or took too long.",
    "skipped": "Times a filter was left out because it is paused.",
}


class FilterMetrics(Collector):
    """Sums over all filters that are compiled to numpy, and over all that run in DuckDB."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sums: dict[str, dict[str, float]] = {}

    def ran(self, kind: str, seconds: float, rows: int, *, failed: bool) -> None:
        """Count one run."""
        self._add(kind, runs=1, seconds=seconds, rows=rows, failures=int(failed))

    def skipped(self, kind: str) -> None:
        """Count one that was left out."""
        self._add(kind, skipped=1)

    def _add(self, kind: str, **values: float) -> None:
        with self._lock:
            sums = self._sums.setdefault(kind, dict.fromkeys(_COUNTS, 0.0))
            for name, value in values.items():
                sums[name] += value

    def collect(self) -> Iterator[Metric]:
        with self._lock:
            sums = {kind: dict(values) for kind, values in self._sums.items()}
        for name, meaning in _COUNTS.items():
            family = CounterMetricFamily(f"lasair_filter_{name}", meaning, labels=["kind"])
            for kind, values in sums.items():
                family.add_metric([kind], values[name])
            yield family
