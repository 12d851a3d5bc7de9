"""What came in lately: for the front page."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from lasair_broker.query import ARCHIVE, PUBLIC, parse
from lasair_broker.web.accounts.models import User
from lasair_broker.web.archive import archive
from lasair_broker.web.filters.models import Filter
from lasair_broker.web.kept import kept

SPANS = (1, 3, 10, 30)
"""Days before the newest detection that may be looked at."""

MOST_SHOWN = 3000
_COLUMNS = (
    "diaObjectId",
    "objectName",
    "ra",
    "decl",
    "firstDiaSourceMjdTai",
    "lastDiaSourceMjdTai",
    "nDiaSources",
)
_KEPT_SECONDS = 20.0


@dataclass(frozen=True)
class Recent:
    """Objects that were seen in some days.

    Attributes
    ----------
    newest
        Time of the newest detection of all, MJD TAI; None in an empty archive.
    count
        Objects that were seen in these days.
    rows
        Those that are shown: all, or of too many an even choice. Columns of `objects`, and `classification`.
    """

    newest: float | None
    count: int
    rows: pa.Table


@kept(_KEPT_SECONDS)
def recent_objects(days: int) -> Recent:
    """The objects seen in the days before the newest detection, newest first."""
    newest = archive().status().newestSourceMjdTai
    after = repr((newest or 0.0) - days)
    (count,) = _one(f"SELECT COUNT(*) AS n FROM objects WHERE lastDiaSourceMjdTai > {after}").values()  # noqa: S608 - our own language, with a number
    # Numbers of objects are spread evenly, so that their rest chooses evenly from the sky.
    every = max(1, math.ceil(count / MOST_SHOWN))
    chosen = f" AND MOD(diaObjectId, {every}) = 0" if every > 1 else ""
    query = parse(
        f"SELECT TOP {MOST_SHOWN} {', '.join(_COLUMNS)} FROM objects "  # noqa: S608 - as above
        f"WHERE lastDiaSourceMjdTai > {after}{chosen} ORDER BY lastDiaSourceMjdTai DESC",
        PUBLIC,
    )
    rows = archive().query(query.render, max_rows=MOST_SHOWN)
    said = archive().rows_of_objects(
        "sherlock_classifications", rows["diaObjectId"].to_pylist(), ["diaObjectId", "classification"]
    )
    place = pc.index_in(rows["diaObjectId"], value_set=said["diaObjectId"].combine_chunks())
    return Recent(newest, count, rows.append_column("classification", said["classification"].take(place)))


@kept(_KEPT_SECONDS)
def recent_counts() -> Mapping[str, int | float | None]:
    """How much there is, and how much of it came in the day before the newest alert."""
    status = archive().status()
    newest = status.newestAlertMjdTai
    counts: dict[str, int | float | None] = {
        name: status.tables[name].rows
        for name in ("objects", "diaSources", "alerts")
        if name in status.tables
    }
    lately = _one(
        "SELECT COUNT(*) AS alerts, COUNT(DISTINCT diaObjectId) AS objects FROM alerts "  # noqa: S608 - as above
        f"WHERE arrivedMjdTai > {(newest or 0.0) - 1.0!r}"
    )
    new = repr((status.newestSourceMjdTai or 0.0) - 1.0)
    fresh = _one(
        f"SELECT COUNT(*) AS n FROM objects WHERE firstDiaSourceMjdTai > {new}"  # noqa: S608 - as above
    )
    return {
        **counts,
        "newest": newest,
        "lately_alerts": lately["alerts"],
        "lately_objects": lately["objects"],
        "new_objects": fresh["n"],
    }


def hits_of_own_filters(user: User, limit: int = 10) -> list[dict[str, Any]]:
    """The newest hits of a user's own filters, newest first, each with the `filter` and the `objectName`."""
    own = dict(Filter.objects.filter(owner=user).values_list("pk", "name"))
    if not own:
        return []
    numbers = ", ".join(map(str, own))
    query = parse(
        f"SELECT TOP {int(limit)} filterId, diaObjectId, committedMjdTai FROM filter_hits "  # noqa: S608 - as above
        f"WHERE filterId IN ({numbers}) ORDER BY committedMjdTai DESC, hitId DESC",
        ARCHIVE,
    )
    rows: list[dict[str, Any]] = archive().query(query.render, max_rows=limit).to_pylist()
    ids = sorted({row["diaObjectId"] for row in rows})
    named = archive().rows_of_objects("objects", ids, ["diaObjectId", "objectName"]).to_pylist()
    names = {row["diaObjectId"]: row["objectName"] for row in named}
    return [
        {
            **row,
            "filter": own[row["filterId"]],
            "objectName": names.get(row["diaObjectId"], row["diaObjectId"]),
        }
        for row in rows
    ]


def _one(text: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = archive().query(parse(text, PUBLIC).render, max_rows=1).to_pylist()
    return found[0]
