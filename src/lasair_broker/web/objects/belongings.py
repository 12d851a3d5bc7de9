"""Lists, maps and filters that an object is in, as far as the viewer may see them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import AnonymousUser

from lasair_broker.web.accounts.models import User
from lasair_broker.web.archive import archive, rows_for
from lasair_broker.web.filters.models import Filter
from lasair_broker.web.watchlists.models import Watchlist
from lasair_broker.web.watchmaps.models import Watchmap

_MOST_FILTERS = 200
"""Of more filters than this only those are shown that the object passed."""


@dataclass(frozen=True, slots=True)
class Passed:
    """A filter, and how often the object passed it.

    Attributes
    ----------
    filter
        The filter; the viewer sees it.
    mine
        Whether it belongs to the viewer or a collaboration of theirs.
    times
        How often the object passed.
    first, last
        MJD TAI of the first and the last time; None if never.
    """

    filter: Filter
    mine: bool
    times: int
    first: float | None
    last: float | None


def watchlist_hits(user: User | AnonymousUser | None, diaObjectId: int) -> list[dict[str, Any]]:
    """The rows of watchlists that the object lies at, nearest first, with the list as `watchlist`."""
    hits = rows_for(user, "watchlist_hits", [diaObjectId]).sort_by("arcsec").to_pylist()
    lists = Watchlist.objects.visible_to(user).in_bulk({hit["wl_id"] for hit in hits})
    return [{**hit, "watchlist": lists[hit["wl_id"]]} for hit in hits if hit["wl_id"] in lists]


def watchmap_hits(user: User | AnonymousUser | None, diaObjectId: int) -> list[Watchmap]:
    """The watchmaps that the object lies in."""
    numbers = rows_for(user, "area_hits", [diaObjectId])["ar_id"].to_pylist()
    return list(Watchmap.objects.visible_to(user).filter(pk__in=numbers).order_by("name"))


def event_hits(user: User | AnonymousUser | None, diaObjectId: int) -> list[dict[str, Any]]:
    """The events of others that the object may belong to, the nearest in time first."""
    hits: list[dict[str, Any]] = rows_for(user, "event_hits", [diaObjectId]).to_pylist()
    return sorted(hits, key=lambda hit: abs(hit["firstDays"]) if hit["firstDays"] is not None else 1e9)


def filters_of(user: User | AnonymousUser | None, diaObjectId: int) -> list[Passed]:
    """The viewer's filters, and others' that the viewer sees and the object passed; those it passed first."""
    columns = ["filterId", "committedMjdTai"]
    hits = archive().rows_of_objects("filter_hits", [diaObjectId], columns)
    counts = hits.group_by("filterId").aggregate(
        [("committedMjdTai", "count"), ("committedMjdTai", "min"), ("committedMjdTai", "max")]
    )
    passed = {row["filterId"]: row for row in counts.to_pylist()}
    seen = Filter.objects.visible_to(user).select_related("owner", "active_version")
    mine = set(Filter.objects.editable_by(user).values_list("pk", flat=True))
    found = []
    for each in seen.filter(pk__in=[*passed, *(mine if len(mine) <= _MOST_FILTERS else [])]):
        row = passed.get(each.pk)
        found.append(
            Passed(
                filter=each,
                mine=each.pk in mine,
                times=row["committedMjdTai_count"] if row else 0,
                first=row["committedMjdTai_min"] if row else None,
                last=row["committedMjdTai_max"] if row else None,
            )
        )
    return sorted(found, key=lambda one: (-(one.last or 0.0), one.filter.name))
