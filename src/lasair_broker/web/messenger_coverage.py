"""What our survey has looked at of an event's region, night by night."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lasair_broker.sky import SkyMap
from lasair_broker.web.archive import archive

__all__ = ["Night", "coverage"]

_COARSE = 6
"""Order of the cells by which it is told what was looked at: 0.9 degrees."""

_SHIFT = 2 * (29 - _COARSE)
_CELL_DEG2 = 41_252.961_249_419 / (12 << (2 * _COARSE))
_TABLES = ("diaSources", "diaForcedSources", "diaNondetectionLimits")
"""Wherever one of these was measured, an image was taken."""

_MOST_ROWS = 2_000_000


@dataclass(frozen=True)
class Night:
    """A day after the event.

    Attributes
    ----------
    day
        Its end, days after the event.
    that_day, so_far
        Share of the event's probability in cells that were looked at on this day; until its end.
    area
        Square degrees of the 90 per cent region that were looked at until its end.
    times
        How often a cell of the region was looked at on this day, on average of those that were.
    """

    day: int
    that_day: float
    so_far: float
    area: float
    times: float

    @property
    def that_day_percent(self) -> float:
        """Per cent, for people."""
        return 100.0 * self.that_day

    @property
    def so_far_percent(self) -> float:
        """The same until its end."""
        return 100.0 * self.so_far


def coverage(event: Mapping[str, Any], skymap: SkyMap, days: int = 14) -> list[Night]:
    """What was looked at on each of the days after an event, by where detections, forced measurements and
    limits are.

    A cell of 0.9 degrees counts as looked at by one image if anything was measured in it at its time. Where
    no object is known nothing is measured, so that it is a lower bound.
    """
    since = float(event["eventMjdTai"])
    newest = archive().status().newestSourceMjdTai
    # Days that are still to come say nothing.
    days = max(min(days, 0 if newest is None else math.ceil(newest - since)), 0)
    probability, share90 = _cells_of(skymap)
    near = probability > 1e-9
    looks = _looks(since, days, near)
    day = np.clip(looks[:, 1].astype(np.int64), 0, days - 1)
    cell = looks[:, 0].astype(np.int64)
    nights = []
    seen = np.zeros(len(probability), np.bool_)
    for number in range(days):
        here = cell[day == number]
        today = np.unique(here)
        seen[today] = True
        inside = share90[here] > 0.0
        places = len(np.unique(here[inside]))
        nights.append(
            Night(
                day=number + 1,
                that_day=float(probability[today].sum()),
                so_far=float(probability[seen].sum()),
                area=float(share90[seen].sum() * _CELL_DEG2),
                times=float(inside.sum() / places) if places else 0.0,
            )
        )
    return nights


def _looks(since: float, days: int, near: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """Cells of the region and times (days after the event) of images in each, shape (n, 2)."""
    cells = np.flatnonzero(near)
    if not len(cells):
        return np.zeros((0, 2))
    low, high = int(cells[0]) << _SHIFT, (int(cells[-1]) + 1) << _SHIFT
    parts = " UNION ALL ".join(
        f'SELECT healpix29 >> {_SHIFT} AS cell, "midpointMjdTai" AS seen FROM {table} '  # noqa: S608 - numbers and our own names
        f'WHERE "midpointMjdTai" >= {since!r} AND "midpointMjdTai" < {since + days!r} '
        f"AND healpix29 >= {low} AND healpix29 < {high}"
        for table in _TABLES
    )
    # Images of one place are minutes apart; what is measured in one has one time to some seconds.
    sql = f"SELECT DISTINCT cell, floor((seen - {since!r}) * 2880) / 2880 AS seen FROM ({parts}) AS looks"  # noqa: S608 - as above
    rows = archive().query(sql, max_rows=_MOST_ROWS, timeout=20.0)
    looks = np.stack([rows[name].to_numpy().astype(np.float64) for name in ("cell", "seen")], axis=1)
    return looks[near[looks[:, 0].astype(np.int64)]]


def _cells_of(skymap: SkyMap) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Probability of each coarse cell, and the share of its area that is in the 90 per cent region."""
    # A cell of the map that is larger is spread over those that it holds.
    pieces = np.maximum(skymap.size >> _SHIFT, 1)
    which = np.repeat(skymap.start >> _SHIFT, pieces)
    cell = which + np.arange(len(which)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    total = 12 << (2 * _COARSE)
    probability = np.bincount(cell, np.repeat(skymap.probability / pieces, pieces), total)
    inside = np.where(skymap.level <= 0.9, skymap.size / pieces / float(1 << _SHIFT), 0.0)
    return np.asarray(probability, np.float64), np.asarray(
        np.bincount(cell, np.repeat(inside, pieces), total), np.float64
    )
