"""The trace of a batch: where it came from, and what became of it."""

from __future__ import annotations

from lasair_broker.archive import WriteReport
from lasair_broker.telemetry import Span, begin, within

from ._source import Taken

__all__ = ["became", "begun"]


def begun(taken: Taken, worked: float) -> Span:
    """The span of a batch, from its reading to its commit, with that of the reading in it."""
    messages = taken.messages
    places = [f"{topic}/{partition}:{offset}" for (topic, partition), offset in taken.positions.items()]
    trace = begin("batch", {"lasair.messages": len(messages), "lasair.positions": places}, "consumer", worked)
    with within(trace):
        begin("read", {"lasair.messages": len(messages)}, seconds_ago=worked).end()
    return trace


def became(report: WriteReport) -> dict[str, int | float]:
    """What became of a batch, for its span; by the times of its hits their deliveries are found."""
    times: dict[str, float] = {}
    if report.hitsMjdTai is not None:
        times["lasair.hits_first"], times["lasair.hits_last"] = report.hitsMjdTai
    return {
        "lasair.alerts": report.alerts,
        "lasair.duplicates": report.duplicates,
        "lasair.rejected": report.rejected,
        "lasair.new_objects": report.new_objects,
        "lasair.filter_hits": report.filter_hits,
        **times,
    }
