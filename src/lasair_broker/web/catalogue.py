"""What the queries of a user may read: every astronomical table, but only the rows of lists, maps and
annotators that the user may see."""

from __future__ import annotations

from functools import lru_cache

from django.contrib.auth.models import AnonymousUser

from lasair_broker.query import PUBLIC, Catalogue
from lasair_broker.web.accounts.models import User
from lasair_broker.web.permissions import Allowed, allowed


def catalogue_for(user: User | AnonymousUser | None, author: User | None = None) -> Catalogue:
    """What this user's queries may read now; for a filter, its owner's that `author` wrote: see
    `permissions.allowed`.

    While what the user may see stays the same, so does the object.
    """
    return _catalogue(allowed(user, author))


@lru_cache(maxsize=256)
def _catalogue(may_see: Allowed) -> Catalogue:
    watchlists = {"wl_id": sorted(may_see.watchlists)}
    topics = sorted(may_see.annotators)

    def may_use(kind: str, which: str) -> bool:
        if kind == "annotator":
            return which in may_see.annotators
        numbers = may_see.watchlists if kind == "watchlist" else may_see.watchmaps
        return which.isdecimal() and int(which) in numbers

    return Catalogue.of_tables(
        PUBLIC.relations,
        {
            "watchlist_hits": watchlists,
            "watchlist_events": watchlists,
            "area_hits": {"ar_id": sorted(may_see.watchmaps)},
            "annotations": {"topic": topics},
        },
        may_use,
    )
