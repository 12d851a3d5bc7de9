"""The candidates of an event: which of them are asked for, and the table of these."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest

from lasair_broker.messengers import CLASSES
from lasair_broker.web.archive import archive
from lasair_broker.web.filters.models import Filter
from lasair_broker.web.messengers import CANDIDATES
from lasair_broker.web.site.lists.common import OBJECT_CELL, archive_table, quoted
from lasair_broker.web.site.sparklines import sparklines
from lasair_broker.web.site.tables import Column, Table

__all__ = ["Wanted", "passed_filters", "table", "wanted"]

_ROWS = (
    Column("objectName", "Object", sortable=True, template=OBJECT_CELL),
    Column("tier", "Tier", sortable=True, template="site/messengers/_tier.html"),
    Column("curve", "Light curve", filed=False),
    Column("classification", "Class", template="site/messengers/_classes.html"),
    Column("contour", "Level", "%", "Smallest credible region that holds it", numeric=True, digits=3,
           sortable=True),
    Column("contour3", "In space", "%", "Smallest credible volume that holds its host", numeric=True,
           digits=3, sortable=True),
    Column("firstDays", "First seen", "days after", numeric=True, digits=3, sortable=True),
    Column("distanceSigma", "Distance", "sigma", "Host's distance less the event's", numeric=True, digits=2,
           sortable=True),
    Column("logBayesFactor", "log Bayes", numeric=True, digits=3, sortable=True),
    Column("chanceProbability", "Chance", "", "That any unrelated object fits as well", numeric=True,
           digits=2, sortable=True),
    Column("passed", "Filters", template="site/messengers/_passed.html", filed=False),
)  # fmt: skip
_STATES = {
    "": ("Candidates", "mma_hits.state = 'current' AND mma_hits.seenBefore = FALSE"),
    "before": ("Seen before the event", "mma_hits.seenBefore = TRUE"),
    "old": ("Superseded or retracted", "mma_hits.state IN ('superseded', 'retracted')"),
}
_TIERS = {
    "": ("any", ""),
    "gold": ("gold", "mma_hits.tier = 'gold'"),
    "silver": ("silver or better", "mma_hits.tier IN ('gold', 'silver')"),
    "bronze": ("bronze or better", "mma_hits.tier IN ('gold', 'silver', 'bronze')"),
}
_LEVELS = ("level", "space")
_COLUMN_OF = {"level": "contour", "space": "contour3"}
_MOST_NAMED = 2000
"""Of a filter that more candidates passed than this the newest hits count."""


@dataclass(frozen=True)
class Wanted:
    """Which candidates a request asks for.

    Attributes
    ----------
    condition
        In our query language.
    states, tiers, classes
        What can be chosen: word in the address, label, whether it is chosen.
    limits
        The largest levels, as they were given.
    passed
        The filter that they passed; 0 for any.
    narrowed
        Whether anything is asked for but candidates.
    """

    condition: str
    states: Sequence[tuple[str, str, bool]]
    tiers: Sequence[tuple[str, str, bool]]
    classes: Sequence[tuple[str, bool]]
    limits: Mapping[str, str]
    passed: int
    narrowed: bool


def passed_filters(user: Any, mw_id: int) -> dict[Filter, set[int]]:
    """Filters that the user sees, and which of an event's objects passed each."""
    rows = archive().query(
        f"""
        SELECT DISTINCT "filterId", "diaObjectId" FROM filter_hits
        WHERE "diaObjectId" IN (SELECT "diaObjectId" FROM mma_hits WHERE mw_id = {int(mw_id)})
        """,  # noqa: S608 - a number
        max_rows=100_000,
    )
    objects: dict[int, set[int]] = {}
    pairs = zip(rows["filterId"].to_pylist(), rows["diaObjectId"].to_pylist(), strict=True)
    for filter_id, diaObjectId in pairs:
        objects.setdefault(filter_id, set()).add(diaObjectId)
    seen = Filter.objects.visible_to(user).filter(pk__in=objects).order_by("name")
    return {each: objects[each.pk] for each in seen}


def wanted(request: HttpRequest, passed: Mapping[Filter, set[int]]) -> Wanted:
    """What the address of a request asks for; what it says that is not known counts as not said."""
    said = {name: request.GET.get(name, "").replace("\0", "")[:40] for name in ("show", "tier", "class")}
    state = said["show"] if said["show"] in _STATES else ""
    tier = said["tier"] if said["tier"] in _TIERS else ""
    kind = said["class"] if said["class"] in CLASSES else ""
    conditions = [_STATES[state][1]]
    if tier:
        conditions.append(_TIERS[tier][1])
    if kind:
        conditions.append(f"sherlock_classifications.classification = {quoted(kind)}")
    limits = {}
    for name in _LEVELS:
        limit = _level(request.GET.get(name, ""))
        limits[name] = "" if limit is None else f"{limit:g}"
        if limit is not None:
            conditions.append(f"mma_hits.{_COLUMN_OF[name]} <= {limit!r}")
    number = request.GET.get("passed", "")
    chosen = next((each for each in passed if str(each.pk) == number), None)
    if chosen is not None:
        numbers = sorted(passed[chosen], reverse=True)[:_MOST_NAMED]
        conditions.append(f"mma_hits.diaObjectId IN ({', '.join(map(str, numbers))})")
    return Wanted(
        condition=" AND ".join(conditions),
        states=[(key, label, key == state) for key, (label, _) in _STATES.items()],
        tiers=[(key, label, key == tier) for key, (label, _) in _TIERS.items()],
        classes=[(each, each == kind) for each in CLASSES],
        limits=limits,
        passed=0 if chosen is None else chosen.pk,
        narrowed=len(conditions) > 1,
    )


def table(
    request: HttpRequest, event: Mapping[str, Any], asked: Wanted, passed: Mapping[Filter, set[int]]
) -> Table:
    """The candidates, the best first."""
    names = (
        "tier", "state", "contour", "contour3", "firstDays", "distanceSigma", "logBayesFactor",
        "chanceProbability",
    )  # fmt: skip

    def made(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        numbers = [row["diaObjectId"] for row in rows]
        curves = sparklines(numbers)
        light = archive().rows_of_objects("classifications", numbers) if numbers else None
        return [
            {
                **row,
                "curve": curves.get(row["diaObjectId"], ""),
                "passed": [each for each, ids in passed.items() if row["diaObjectId"] in ids],
                "light": _top(light, row["diaObjectId"]),
            }
            for row in rows
        ]

    return archive_table(
        request,
        "candidates",
        _ROWS,
        select="mma_hits.diaObjectId, objects.objectName, sherlock_classifications.classification, "
        + ", ".join(f"mma_hits.{n}" for n in names),
        source=f"{CANDIDATES} LEFT JOIN sherlock_classifications "
        "ON sherlock_classifications.diaObjectId = mma_hits.diaObjectId",
        where=f"mma_hits.mw_id = {int(event['mw_id'])} AND {asked.condition}",
        caption="Objects that may be its counterpart",
        empty="None is like that; ask for less." if asked.narrowed else "There are none so far.",
        sort="logBayesFactor",
        descending=True,
        orders={name: f"mma_hits.{name}" for name in names} | {"objectName": "objects.objectName"},
        search_in="objects.objectName",
        search_label="Name of the object",
        made=made,
    )


def _top(rows: Any, diaObjectId: int) -> tuple[str, float] | None:
    """The most probable class of an object by its light curve."""
    if rows is None:
        return None
    mine = [row for row in rows.to_pylist() if row["diaObjectId"] == diaObjectId and row["topClass"]]
    if not mine:
        return None
    best = max(mine, key=lambda row: row["topProbability"] or 0.0)
    return best["topClass"], best["topProbability"]


def _level(text: str) -> float | None:
    try:
        level = float(text)
    except ValueError:
        return None
    return level if math.isfinite(level) and 0.0 < level <= 100.0 else None
