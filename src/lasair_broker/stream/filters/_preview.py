"""What a filter would have found, and what it has found: figures from the archive."""

# Names in statements are the schema's own, values are numbers, and users' queries come from the renderer:
# ruff: noqa: S608

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import pyarrow as pa

from lasair_broker.archive import Archive
from lasair_broker.query import OBJECT, Query, mjd_now, of_objects

__all__ = [
    "FilterPreview",
    "HitsOfNight",
    "Makeup",
    "NightOfFilter",
    "hits_by_night",
    "makeup_of_hits",
    "preview",
]

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
class Makeup:
    """What kind of objects a filter takes.

    Attributes
    ----------
    classes
        Sherlock's classes and how many objects are of each, the most frequent first; None: of no class.
    magnitudes
        AB magnitude of the newest detection, difference flux: the 5th, 50th and 95th percentile; None if no
        object has one.
    """

    classes: tuple[tuple[str | None, int], ...]
    magnitudes: tuple[float, float, float] | None


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
    makeup
        What kind of objects it takes; None if that was not asked.
    """

    count: int
    fraction: float
    per_night: float
    seconds: float
    nights: tuple[NightOfFilter, ...]
    rows: pa.Table
    makeup: Makeup | None = None


@dataclass(frozen=True, slots=True)
class HitsOfNight:
    """What a filter has found in a night: its hits, their objects, and all objects alerted then."""

    night: int
    hits: int
    objects: int
    alerted: int


def preview(
    archive: Archive,
    query: Query,
    *,
    nights: int = 5,
    night: int | None = None,
    sample: int = 10,
    makeup: bool = False,
    timeout: float = 60.0,
    cancelled: threading.Event | None = None,
) -> FilterPreview:
    """Run a filter's query on the archive.

    A night is judged by the objects that were alerted in it, in their newest state, with ``mjdnow()`` at the
    end of that night. So an object that has changed since is taken for what it is now: `replay` tells what
    truly would have been found.

    Parameters
    ----------
    nights
        So many of the newest nights with alerts are looked at.
    night
        Only this one is looked at instead, and `count` and `makeup` are of the objects alerted in it.
    sample
        At most so many rows are given.
    makeup
        Whether to tell what kind of objects it takes.
    timeout
        Seconds for each statement.
    cancelled
        Set it in another thread to stop.

    Raises
    ------
    QueryError
        Of `query`: if it cannot be a filter; of `archive`: if it fails, or QueryTimeoutError.
    """
    by_object = of_objects(query)

    def ask(sql: str, most: int = 10_000) -> pa.Table:
        return archive.query(sql, max_rows=most, timeout=timeout, cancelled=cancelled)

    ends = _nights(ask, nights, night)
    now = ends[0][1] if night is not None and ends else mjd_now()
    passing = f'SELECT DISTINCT "{OBJECT}" AS id FROM ({by_object.render(archive.engine, now)}) q'
    if night is not None:
        passing += f' WHERE "{OBJECT}" IN ({_alerted_in(night)})'
    began = time.perf_counter()
    count = ask(f"SELECT count(*) AS n FROM ({passing}) p").column(0)[0].as_py()
    seconds = time.perf_counter() - began
    rows = ask(query.render(archive.engine, now), sample)
    looked_at = []
    for each, end in ends:
        numbers = ask(
            f"""
            WITH alerted AS ({_alerted_in(each)}),
                 passing AS (SELECT DISTINCT "{OBJECT}" AS id
                             FROM ({by_object.render(archive.engine, end)}) q)
            SELECT count(*) AS objects, count(passing.id) AS passing FROM alerted LEFT JOIN passing USING (id)
            """
        )
        looked_at.append(NightOfFilter(each, *(column[0].as_py() for column in numbers.columns)))
    objects = sum(each.objects for each in looked_at)
    taken = sum(each.passing for each in looked_at)
    return FilterPreview(
        count=count,
        fraction=taken / objects if objects else 0.0,
        per_night=taken / len(looked_at) if looked_at else 0.0,
        seconds=seconds,
        nights=tuple(looked_at),
        rows=rows,
        makeup=_makeup(ask, passing) if makeup else None,
    )


def makeup_of_hits(archive: Archive, filter_id: int, *, days: float = 30.0, timeout: float = 60.0) -> Makeup:
    """What kind of objects a filter has found in the last days."""
    passing = (
        f'SELECT DISTINCT "diaObjectId" AS id FROM filter_hits WHERE "filterId" = {int(filter_id)} '
        f'AND "committedMjdTai" >= {mjd_now() - days!r}'
    )
    return _makeup(lambda sql: archive.query(sql, timeout=timeout), passing)


def _makeup(ask: Callable[[str], pa.Table], passing: str) -> Makeup:
    """The makeup of the objects whose numbers the statement `passing` gives as `id`."""
    classes = ask(
        f"""
        SELECT s.classification, count(*) AS objects FROM ({passing}) AS p
        LEFT JOIN sherlock_classifications AS s ON s."diaObjectId" = p.id
        GROUP BY s.classification ORDER BY objects DESC, s.classification LIMIT 20
        """
    )
    shares = ", ".join(
        f'percentile_cont({share}) WITHIN GROUP (ORDER BY 31.4 - 2.5 * ln(o."latest_psfFlux") / ln(10))'
        for share in (0.05, 0.5, 0.95)
    )
    found = ask(
        f'SELECT {shares} FROM ({passing}) AS p JOIN objects AS o ON o."diaObjectId" = p.id '
        'WHERE o."latest_psfFlux" > 0'
    )
    faint = [column[0].as_py() for column in found.columns]
    return Makeup(
        tuple(zip(classes.column(0).to_pylist(), classes.column(1).to_pylist(), strict=True)),
        None if faint[0] is None else (float(faint[0]), float(faint[1]), float(faint[2])),
    )


def _alerted_in(night: int) -> str:
    return (
        'SELECT DISTINCT "diaObjectId" AS id FROM alerts WHERE "diaObjectId" IS NOT NULL '
        f'AND "midpointMjdTai" >= {night + 0.5} AND "midpointMjdTai" < {night + 1.5}'
    )


def _nights(ask: Callable[[str], pa.Table], count: int, night: int | None) -> list[tuple[int, float]]:
    """The newest nights with alerts, or the one asked for, and when the last alert of each arrived (MJD
    TAI)."""
    within = (
        f'"midpointMjdTai" > (SELECT max("midpointMjdTai") FROM alerts) - {_LOOK_BACK_DAYS}'
        if night is None
        else f'"midpointMjdTai" >= {int(night) + 0.5} AND "midpointMjdTai" < {int(night) + 1.5}'
    )
    rows = ask(
        f"""
        SELECT floor("midpointMjdTai" - 0.5)::INT AS night, max("arrivedMjdTai") AS arrived FROM alerts
        WHERE "diaObjectId" IS NOT NULL AND {within}
        GROUP BY night ORDER BY night DESC LIMIT {int(count)}
        """
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
            SELECT floor("arrivedMjdTai" - 0.5)::INT AS night, count(*) AS hits,
                   count(DISTINCT "diaObjectId") AS objects
            FROM filter_hits
            WHERE "filterId" = {int(filter_id)} AND "committedMjdTai" >= {since!r} GROUP BY night
        ), alerted AS (
            SELECT floor("arrivedMjdTai" - 0.5)::INT AS night, count(DISTINCT "diaObjectId") AS objects
            FROM alerts WHERE "arrivedMjdTai" >= {since!r} AND "diaObjectId" IS NOT NULL GROUP BY night
        )
        SELECT night, coalesce(found.hits, 0), coalesce(found.objects, 0), coalesce(alerted.objects, 0)
        FROM found FULL JOIN alerted USING (night) ORDER BY night DESC LIMIT {int(nights)}
        """,
        timeout=timeout,
    )
    return [HitsOfNight(*row) for row in zip(*(column.to_pylist() for column in rows.columns), strict=True)]
