"""What a filter would have found, and what it has found: figures from the archive."""

# Names in statements are the schema's own, values are numbers, and users' queries come from the renderer:
# ruff: noqa: S608

from __future__ import annotations

import time
from dataclasses import dataclass

import pyarrow as pa

from lasair_broker.archive import Archive
from lasair_broker.query import OBJECT, Query, mjd_now, of_objects

__all__ = ["FilterPreview", "HitsOfNight", "NightOfFilter", "hits_by_night", "preview"]

_LOOK_BACK_DAYS = 60


@dataclass(frozen=True, slots=True)
class NightOfFilter:
    """One night in a preview.

    Attributes
    ----------
    night
        The MJD at whose noon UTC it begins (Rubin's day of observation, UTC−12 h).
    objects, passing
        Objects with an alert in it, and how many of these the filter takes.
    """

    night: int
    objects: int
    passing: int


@dataclass(frozen=True, slots=True)
class FilterPreview:
    """What a filter finds in the archive.

    Attributes
    ----------
    count
        Objects of the whole archive that it takes now.
    fraction
        Of the objects alerted in the nights looked at, the part that it takes; 0 without any.
    per_night
        Hits to expect in a night: the mean over these nights.
    seconds
        How long the query took on the whole archive.
    nights
        The newest nights, newest first.
    rows
        A few rows of the result, as the query orders them.
    """

    count: int
    fraction: float
    per_night: float
    seconds: float
    nights: tuple[NightOfFilter, ...]
    rows: pa.Table


@dataclass(frozen=True, slots=True)
class HitsOfNight:
    """What a filter has found in a night: its hits, their objects, and all objects alerted then."""

    night: int
    hits: int
    objects: int
    alerted: int


def preview(
    archive: Archive, query: Query, *, nights: int = 5, sample: int = 10, timeout: float = 60.0
) -> FilterPreview:
    """Run a filter's query on the archive.

    A night is judged by the objects that were alerted in it, in their newest state, with ``mjdnow()`` at the
    end of that night. So an object that has changed since is taken for what it is now: `replay` tells what
    truly would have been found.

    Parameters
    ----------
    nights
        So many of the newest nights with alerts are looked at.
    sample
        At most so many rows are given.
    timeout
        Seconds for each statement.

    Raises
    ------
    QueryError
        Of `query`: if it cannot be a filter; of `archive`: if it fails, or QueryTimeoutError.
    """
    by_object = of_objects(query)
    began = time.perf_counter()
    found = archive.query(
        f'SELECT count(DISTINCT "{OBJECT}") FROM ({by_object.render("duckdb", mjd_now())})', timeout=timeout
    )
    seconds = time.perf_counter() - began
    rows = archive.query(query.render("duckdb", mjd_now()), max_rows=sample, timeout=timeout)
    looked_at = []
    for night, end in _newest_nights(archive, nights, timeout):
        numbers = archive.query(
            f"""
            WITH alerted AS (SELECT DISTINCT diaObjectId AS id FROM alerts WHERE diaObjectId IS NOT NULL
                             AND midpointMjdTai >= {night + 0.5} AND midpointMjdTai < {night + 1.5}),
                 passing AS (SELECT DISTINCT "{OBJECT}" AS id FROM ({by_object.render("duckdb", end)}))
            SELECT count(*), count(passing.id) FROM alerted LEFT JOIN passing USING (id)
            """,
            timeout=timeout,
        )
        looked_at.append(NightOfFilter(night, *(column[0].as_py() for column in numbers.columns)))
    objects = sum(each.objects for each in looked_at)
    passing = sum(each.passing for each in looked_at)
    return FilterPreview(
        count=found.column(0)[0].as_py(),
        fraction=passing / objects if objects else 0.0,
        per_night=passing / len(looked_at) if looked_at else 0.0,
        seconds=seconds,
        nights=tuple(looked_at),
        rows=rows,
    )


def _newest_nights(archive: Archive, count: int, timeout: float) -> list[tuple[int, float]]:
    """The newest nights with alerts, and when the last alert of each arrived (MJD TAI)."""
    rows = archive.query(
        f"""
        SELECT floor(midpointMjdTai - 0.5)::INT AS night, max(arrivedMjdTai) FROM alerts
        WHERE diaObjectId IS NOT NULL
          AND midpointMjdTai > (SELECT max(midpointMjdTai) FROM alerts) - {_LOOK_BACK_DAYS}
        GROUP BY night ORDER BY night DESC LIMIT {int(count)}
        """,
        timeout=timeout,
    )
    return list(zip(*(column.to_pylist() for column in rows.columns), strict=True))


def hits_by_night(
    archive: Archive, filter_id: int, *, nights: int = 10, timeout: float = 60.0
) -> list[HitsOfNight]:
    """What a filter has found in the last nights, newest first; a night counts by the time of arrival."""
    since = mjd_now() - nights - 1
    rows = archive.query(
        f"""
        WITH found AS (
            SELECT floor(arrivedMjdTai - 0.5)::INT AS night, count(*) AS hits,
                   count(DISTINCT diaObjectId) AS objects
            FROM filter_hits WHERE filterId = {int(filter_id)} AND committedMjdTai >= {since!r} GROUP BY night
        ), alerted AS (
            SELECT floor(arrivedMjdTai - 0.5)::INT AS night, count(DISTINCT diaObjectId) AS objects
            FROM alerts WHERE arrivedMjdTai >= {since!r} AND diaObjectId IS NOT NULL GROUP BY night
        )
        SELECT night, coalesce(found.hits, 0), coalesce(found.objects, 0), coalesce(alerted.objects, 0)
        FROM found FULL JOIN alerted USING (night) ORDER BY night DESC LIMIT {int(nights)}
        """,
        timeout=timeout,
    )
    return [HitsOfNight(*row) for row in zip(*(column.to_pylist() for column in rows.columns), strict=True)]
