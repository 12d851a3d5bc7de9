"""How the stream does now, by the metrics that it serves: for the page of the status.

Counters tell of all that was since the stream began. What they have grown by since they were last read, by
whoever looked at the page, tells of now.
"""

from __future__ import annotations

import threading
import time
import urllib.request
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import structlog
from prometheus_client.parser import text_string_to_metric_families

from lasair_broker.settings import Settings
from lasair_broker.web.kept import kept
from lasair_broker.web.nights import Stage

__all__ = ["ARRIVAL", "EXPOSURE", "Lately", "Running", "lately", "metrics_of", "running", "since"]

_log = structlog.get_logger(__name__)

ARRIVAL, EXPOSURE = "arrival", "exposure_end"
"""What latencies count from."""

_LOOK_BACK_SECONDS = 300.0
_ASK_EVERY_SECONDS = 5.0
_PATIENCE_SECONDS = 2.0


@dataclass(frozen=True)
class Running:
    """The stream that runs now, as its /metrics page tells.

    Attributes
    ----------
    counters
        Since it began, by name: alerts, rejected_messages, …
    lag
        Messages that wait, by topic and partition.
    within
        By ARRIVAL or EXPOSURE: how many alerts were in the archive within so many seconds, cumulative; the
        last is infinite.
    last_commit
        Unix time (s) of the last commit; None if there was none yet.
    """

    stages: Sequence[Stage] = ()
    counters: Mapping[str, float] = field(default_factory=dict)
    lag: Mapping[tuple[str, int], float] = field(default_factory=dict)
    within: Mapping[str, Sequence[tuple[float, float]]] = field(default_factory=dict)
    last_commit: float | None = None


@dataclass(frozen=True)
class Lately:
    """What the stream did of late.

    Attributes
    ----------
    running
        As it stands.
    seconds
        How far back the rest looks; None: since the stream began, as nobody has asked before.
    alerts, stages, within
        What came to these in that time; as of `Running`.
    """

    running: Running
    seconds: float | None
    alerts: float
    stages: Sequence[Stage]
    within: Mapping[str, Sequence[tuple[float, float]]]

    @property
    def per_second(self) -> float | None:
        """Alerts a second."""
        return self.alerts / self.seconds if self.seconds else None

    @property
    def waiting(self) -> float | None:
        """Messages that wait in the source; None if it does not tell."""
        return sum(self.running.lag.values()) if self.running.lag else None

    @property
    def idle(self) -> float | None:
        """Seconds since the last commit."""
        last = self.running.last_commit
        return None if last is None else max(0.0, time.time() - last)

    def quantile(self, part: float, of: str = ARRIVAL) -> float | None:
        """A time (s) within which this part of the alerts were in the archive: the lowest bound that is
        counted of which that is so; None without alerts."""
        counts = self.within.get(of, ())
        total = counts[-1][1] if counts else 0.0
        if not total:
            return None
        return next(bound for bound, count in counts if count >= part * total)


def metrics_of(settings: Settings) -> str:
    """The address of the stream's metrics; "" if the settings name none."""
    metrics = settings.metrics
    own = f"http://{metrics.address}:{metrics.port}/metrics" if metrics.port else ""
    return settings.site.stream_metrics or own


def running(address: str) -> Running | None:
    """What the stream tells at this address; None if nothing does, or something else that is no stream."""
    if not address:
        return None
    try:
        with urllib.request.urlopen(address, timeout=_PATIENCE_SECONDS) as answer:  # noqa: S310 - the operator's, http by the settings
            found = _read(answer.read().decode())
            return found if "alerts" in found.counters else None
    except (OSError, ValueError) as error:
        _log.info("the stream's metrics cannot be read", address=address, reason=str(error))
        return None


def since(before: Running | None, now: Running, seconds: float | None) -> Lately:
    """What the stream did between two looks at it.

    Parameters
    ----------
    before
        None, or of a stream that was started anew since, which its counters tell: all that it did counts.
    seconds
        Between them.
    """
    alerts = now.counters.get("alerts", 0.0)
    earlier = 0.0 if before is None else before.counters.get("alerts", 0.0)
    if before is None or earlier > alerts:
        return Lately(now, None, alerts, now.stages, now.within)
    old = {stage.name: stage for stage in before.stages}
    stages = [_grown(old.get(stage.name), stage) for stage in now.stages]
    counted = {name: dict(counts) for name, counts in before.within.items()}
    return Lately(
        now,
        seconds,
        alerts - earlier,
        sorted(stages, key=lambda stage: -stage.seconds),
        {
            name: [(bound, count - counted.get(name, {}).get(bound, 0.0)) for bound, count in counts]
            for name, counts in now.within.items()
        },
    )


_looks: deque[tuple[float, str, Running]] = deque()
_guard = threading.Lock()


@kept(_ASK_EVERY_SECONDS)
def lately(address: str) -> Lately | None:
    """How the stream does that tells its metrics at this address; None if none does."""
    found, when = running(address), time.monotonic()
    if found is None:
        return None
    with _guard:
        while _looks and when - _looks[0][0] > _LOOK_BACK_SECONDS:
            _looks.popleft()
        earlier = next((look for look in _looks if look[1] == address), None)
        _looks.append((when, address, found))
    return since(None, found, None) if earlier is None else since(earlier[2], found, when - earlier[0])


def _grown(old: Stage | None, new: Stage) -> Stage:
    if old is None:
        return new
    return Stage(
        new.name,
        new.alerts - old.alerts,
        new.seconds - old.seconds,
        new.cpu_seconds - old.cpu_seconds,
        new.failures - old.failures,
    )


def _read(text: str) -> Running:
    """What Prometheus' text says of the stream."""
    stages: dict[str, dict[str, float]] = {}
    counters: dict[str, float] = {}
    lag: dict[tuple[str, int], float] = {}
    within: dict[str, list[tuple[float, float]]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            name = sample.name.removeprefix("lasair_").removesuffix("_total")
            if name.startswith("stage_") and "stage" in sample.labels:
                stages.setdefault(sample.labels["stage"], {})[name.removeprefix("stage_")] = sample.value
            elif name == "source_lag_messages":
                lag[sample.labels["topic"], int(sample.labels["partition"])] = sample.value
            elif name == "commit_latency_seconds_bucket":
                bounds = within.setdefault(sample.labels["since"], [])
                bounds.append((float(sample.labels["le"]), sample.value))
            elif sample.name.startswith("lasair_") and not sample.labels:
                counters[name] = sample.value
    known = [
        Stage(
            name,
            of.get("alerts", 0.0),
            of.get("seconds", 0.0),
            of.get("cpu_seconds", 0.0),
            of.get("failures", 0.0),
        )
        for name, of in stages.items()
    ]
    return Running(
        sorted(known, key=lambda stage: -stage.seconds),
        counters,
        lag,
        {name: sorted(bounds) for name, bounds in within.items()},
        counters.get("last_commit_timestamp_seconds") or None,
    )
