"""How it stands with chores and catalogues, for Prometheus."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from ._keeper import ContextKeeper

__all__ = ["ContextMetrics"]


class ContextMetrics(Collector):
    """What Prometheus is shown of a keeper."""

    def __init__(self, keeper: ContextKeeper) -> None:
        self._keeper = keeper

    def collect(self) -> Iterator[Metric]:
        usable = GaugeMetricFamily(
            "lasair_catalogue_usable",
            "1 for a catalogue in use, 0 for one that is gone.",
            labels=["catalogue"],
        )
        well = GaugeMetricFamily(
            "lasair_chore_ok",
            "0 while news of the sky cannot be carried to stored objects.",
            labels=["chore"],
        )
        left = GaugeMetricFamily(
            "lasair_chore_left", "How much of a chore is yet to be done.", labels=["chore"]
        )
        for name, standing in self._keeper.standings.items():
            kind, _, which = name.partition(" ")
            if kind == "catalogue":
                if standing.state != "removed":
                    usable.add_metric([which], float(standing.state == "ok"))
                continue
            well.add_metric([name], float(standing.state != "failed"))
            left.add_metric([name], float((standing.total or 0) - (standing.done or 0)))
        yield from (usable, well, left)
