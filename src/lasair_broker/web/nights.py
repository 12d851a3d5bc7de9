"""How the stream did, night by night: for the page of the status."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from lasair_broker.query import ARCHIVE, parse
from lasair_broker.web.archive import archive
from lasair_broker.web.kept import kept

NIGHTS = 60
_STEPS = 10
"""Latencies are counted in so many steps for a factor of ten."""

_LONGEST_SECONDS = 30 * 86400.0
_KEPT_SECONDS = 60.0
QUANTILES = (0.5, 0.95, 0.99)
Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Latencies:
    """How long alerts took: counts by logarithmic steps, so that quantiles are good to 12 per cent.

    Attributes
    ----------
    steps
        Those that have alerts: ten times the logarithm (base 10) of seconds, rounded down.
    counts
        Alerts in each.
    """

    steps: Int64
    counts: Int64

    def quantile(self, part: float) -> float | None:
        """The time (s) within which this part of the alerts came; None without alerts."""
        total = self.counts.sum()
        if not total:
            return None
        return float(seconds_of(self.steps[np.searchsorted(np.cumsum(self.counts), part * total)]))

    @property
    def quantiles(self) -> list[float | None]:
        """Those of QUANTILES."""
        return [self.quantile(part) for part in QUANTILES]


@dataclass(frozen=True)
class Stage:
    """What a stage of the stream has done, since the stream began or in some time."""

    name: str
    alerts: float
    seconds: float
    cpu_seconds: float
    failures: float

    @property
    def microseconds(self) -> float | None:
        """Of wall time for an alert."""
        return 1e6 * self.seconds / self.alerts if self.alerts else None


@dataclass(frozen=True)
class Work:
    """What the stream did in a night, by when it worked.

    Attributes
    ----------
    stages
        What took longest first.
    lag_mean, lag_max
        Messages that waited after a commit; None if the source does not tell.
    """

    stages: Sequence[Stage] = ()
    lag_mean: float | None = None
    lag_max: int | None = None

    @property
    def microseconds(self) -> float | None:
        """Of wall time of all stages for an alert."""
        alerts = max((stage.alerts for stage in self.stages), default=0.0)
        return 1e6 * sum(stage.seconds for stage in self.stages) / alerts if alerts else None


@dataclass(frozen=True)
class Night:
    """A night, from noon to noon in Chile (UTC - 12 h, as Rubin counts days of observing).

    Attributes
    ----------
    mjd
        The MJD of its date.
    alerts, objects
        How many there were.
    since_arrival, since_exposure
        Until alerts were in the archive: after they had reached us, and after the exposure had ended.
    work
        What the stream did while that night lasted.
    """

    mjd: int
    alerts: int
    objects: int
    since_arrival: Latencies
    since_exposure: Latencies
    work: Work = field(default_factory=Work)

    @property
    def microseconds(self) -> float | None:
        """Of wall time of all stages for an alert, in what the stream did in that night."""
        return self.work.microseconds

    @property
    def lag_max(self) -> int | None:
        """The most messages that waited."""
        return self.work.lag_max

    @property
    def half(self) -> float | None:
        """The time (s) after their arrival within which half of the alerts were in the archive."""
        return self.since_arrival.quantile(0.5)

    @property
    def most(self) -> float | None:
        """The same of 95 in a hundred."""
        return self.since_arrival.quantile(0.95)


@kept(_KEPT_SECONDS)
def nights() -> list[Night]:
    """The newest nights, newest first, by when their alerts were observed."""
    night = "FLOOR(midpointMjdTai - 0.5)"
    newest = archive().status().newestSourceMjdTai
    since = f"midpointMjdTai > {(newest or 0.0) - 4 * NIGHTS!r}"
    counts = _rows(
        f"SELECT {night} AS night, COUNT(*) AS alerts, COUNT(DISTINCT diaObjectId) AS objects "  # noqa: S608 - our own language, with a number
        f"FROM alerts WHERE {since} GROUP BY {night} ORDER BY night DESC",
    )[:NIGHTS]
    arrival = _latencies(night, "committedMjdTai - arrivedMjdTai", since)
    exposure = _latencies(night, "committedMjdTai - exposureEndMjdTai", since)
    none = Latencies(np.empty(0, np.int64), np.empty(0, np.int64))
    worked = work()
    observed = [int(row["night"]) for row in counts]
    found = {
        night: Night(
            night,
            row["alerts"],
            row["objects"],
            arrival.get(night, none),
            exposure.get(night, none),
            worked.get(night, Work()),
        )
        for night, row in zip(observed, counts, strict=True)
    }
    # Alerts of the past may be taken in in a night of which there are none.
    found |= {night: Night(night, 0, 0, none, none, of) for night, of in worked.items() if night not in found}
    return [found[night] for night in sorted(found, reverse=True)[:NIGHTS]]


@kept(_KEPT_SECONDS)
def work() -> dict[int, Work]:
    """What the stream did in each of the newest nights, all its processes together."""
    rows = _rows(
        "SELECT night, stage, SUM(alerts) AS alerts, SUM(seconds) AS seconds, SUM(cpuSeconds) AS cpu, "
        "SUM(failures) AS failures, AVG(lagMean) AS lagMean, MAX(lagMax) AS lagMax "
        "FROM stage_nights GROUP BY night, stage ORDER BY night DESC"
    )
    found: dict[int, list[dict[str, Any]]] = {}
    for row in rows:
        if row["night"] in found or len(found) < NIGHTS:
            found.setdefault(row["night"], []).append(row)
    return {night: _work_of(of) for night, of in found.items()}


def _work_of(rows: Sequence[Mapping[str, Any]]) -> Work:
    stages = [
        Stage(row["stage"], float(row["alerts"]), row["seconds"], row["cpu"], float(row["failures"]))
        for row in rows
    ]
    reading = next((row for row in rows if row["lagMax"] is not None), None)
    return Work(
        sorted(stages, key=lambda stage: -stage.seconds),
        None if reading is None else reading["lagMean"],
        None if reading is None else int(reading["lagMax"]),
    )


@kept(_KEPT_SECONDS)
def rates() -> tuple[list[int], list[int]]:
    """Alerts that reached us in each minute of the day before the newest: Unix times (s, UTC) and counts."""
    newest = archive().status().newestAlertMjdTai
    if newest is None:
        return [], []
    minute = "FLOOR(arrivedMjdTai * 1440)"
    rows = _rows(
        f"SELECT {minute} AS minute, COUNT(*) AS alerts FROM alerts "  # noqa: S608 - as above
        f"WHERE arrivedMjdTai > {newest - 1.0!r} GROUP BY {minute} ORDER BY minute"
    )
    if not rows:
        return [], []
    first, last = int(rows[0]["minute"]) - 1, int(rows[-1]["minute"]) + 1  # a minute without, on both sides
    counts = np.zeros(last - first + 1, np.int64)
    counts[[int(row["minute"]) - first for row in rows]] = [row["alerts"] for row in rows]
    return [unix_time((first + n) / 1440.0) for n in range(len(counts))], counts.tolist()


def unix_time(mjd_tai: float) -> int:
    """Seconds since 1970 UTC of a time in MJD TAI."""
    from astropy.time import Time

    return round(float(Time(mjd_tai, format="mjd", scale="tai").unix))


def chores() -> list[dict[str, Any]]:
    """What the stream does beside taking alerts in, and how that stands."""
    return _rows("SELECT * FROM chores ORDER BY chore")


def _latencies(night: str, days: str, since: str) -> dict[int, Latencies]:
    """Times in steps, by night; those that cannot be, of alerts taken in long after they were sent, are left
    out."""
    step = f"FLOOR(LOG10(({days}) * 86400) * {_STEPS})"
    rows = _rows(
        f"SELECT {night} AS night, {step} AS step, COUNT(*) AS alerts FROM alerts "  # noqa: S608 - as above
        f"WHERE {since} AND {days} > 0 AND ({days}) * 86400 < {_LONGEST_SECONDS} "
        f"GROUP BY {night}, {step} ORDER BY night, step"
    )
    found: dict[int, list[tuple[int, int]]] = {}
    for row in rows:
        found.setdefault(int(row["night"]), []).append((int(row["step"]), row["alerts"]))
    return {
        key: Latencies(*(np.array(column, np.int64) for column in zip(*of, strict=True)))
        for key, of in found.items()
    }


def seconds_of(steps: npt.ArrayLike) -> Float64:
    """The middle of steps of latencies."""
    return np.asarray(10.0 ** ((np.asarray(steps) + 0.5) / _STEPS), np.float64)


def _rows(text: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (
        archive().query(parse(text, ARCHIVE).render(archive().engine), max_rows=None).to_pylist()
    )
    return found
