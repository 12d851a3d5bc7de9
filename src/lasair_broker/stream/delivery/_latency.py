"""How long it takes from the telescope to the user, as stored with every hit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lasair_broker.archive import Archive

__all__ = ["LATENCY_BOUNDS", "Latency", "latencies"]

_DAY_SECONDS = 86400.0

LATENCY_BOUNDS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0)
"""Upper ends of a histogram's bins, s; the last bin has no end."""

_STEPS = {
    "exposure to arrival": ("exposureEndMjdTai", "arrivedMjdTai"),
    "arrival to commit": ("arrivedMjdTai", "committedMjdTai"),
    "commit to delivery": ("committedMjdTai", "deliveredMjdTai"),
    "arrival to delivery": ("arrivedMjdTai", "deliveredMjdTai"),
    "exposure to delivery": ("exposureEndMjdTai", "deliveredMjdTai"),
}


@dataclass(frozen=True, slots=True)
class Latency:
    """The distribution of the time that one step takes.

    Attributes
    ----------
    step
        Which.
    hits
        Of which both times are known.
    p50, p90, p99, max
        Quantiles and greatest, s; None without hits.
    counts
        Hits by LATENCY_BOUNDS, one more than there are bounds.
    """

    step: str
    hits: int
    p50: float | None
    p90: float | None
    p99: float | None
    max: float | None
    counts: tuple[int, ...]

    @classmethod
    def of(cls, step: str, seconds: npt.NDArray[np.float64]) -> Latency:
        """The distribution of some seconds; NaN is not known."""
        known = seconds[np.isfinite(seconds)]
        places = np.searchsorted(np.array(LATENCY_BOUNDS), known, side="left")
        counts = tuple(np.bincount(places, minlength=len(LATENCY_BOUNDS) + 1).tolist())
        if not len(known):
            return cls(step, 0, None, None, None, None, counts)
        p50, p90, p99 = np.quantile(known, (0.5, 0.9, 0.99)).tolist()
        return cls(step, len(known), p50, p90, p99, float(known.max()), counts)


def latencies(
    archive: Archive, *, since: float | None = None, filter_id: int | None = None, most: int = 1_000_000
) -> list[Latency]:
    """The distribution of each step's time over hits that alerts caused.

    Parameters
    ----------
    since
        Only hits committed since then, MJD TAI.
    filter_id
        Only of this filter.
    most
        Only so many, the newest.
    """
    names = sorted({name for pair in _STEPS.values() for name in pair})
    conditions = ['"diaSourceId" IS NOT NULL']
    if since is not None:
        conditions.append(f'"committedMjdTai" >= {float(since)!r}')
    if filter_id is not None:
        conditions.append(f'"filterId" = {int(filter_id)}')
    columns = ", ".join(f'"{name}"' for name in names)
    found = archive.query(
        f"SELECT {columns} FROM filter_hits WHERE {' AND '.join(conditions)}"  # noqa: S608  # numbers and names of ours
        f' ORDER BY "committedMjdTai" DESC LIMIT {int(most)}',
        max_rows=None,
    )
    times = {name: found.column(name).to_numpy().astype(np.float64) for name in names}
    return [
        Latency.of(step, (times[end] - times[begin]) * _DAY_SECONDS) for step, (begin, end) in _STEPS.items()
    ]
