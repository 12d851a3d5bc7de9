"""Whose data a user's query may touch: what the query language asks before it plans."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.auth.models import AnonymousUser

from lasair_broker.web.accounts.models import User
from lasair_broker.web.annotators.models import Annotator
from lasair_broker.web.watchlists.models import Watchlist
from lasair_broker.web.watchmaps.models import Watchmap


@dataclass(frozen=True)
class Allowed:
    """The lists, maps and annotators a query may use; rows of hit tables for others must not be seen.

    Attributes
    ----------
    watchlists, watchmaps
        Numbers (wl_id, ar_id).
    annotators
        Topics.
    """

    watchlists: frozenset[int]
    watchmaps: frozenset[int]
    annotators: frozenset[str]


def allowed(user: User | AnonymousUser | None, author: User | None = None) -> Allowed:
    """What queries of this user may use.

    Parameters
    ----------
    user
        For a filter, its owner.
    author
        Who wrote the query, if that was somebody else: it may use only what both may. So nobody sees,
        through a filter that they may edit, what only its owner may see.
    """
    if author is not None and author != user:
        both = (allowed(user), allowed(author))
        return Allowed(
            *(
                getattr(both[0], name) & getattr(both[1], name)
                for name in ("watchlists", "watchmaps", "annotators")
            )
        )
    return Allowed(
        watchlists=frozenset(Watchlist.objects.visible_to(user).values_list("pk", flat=True)),
        watchmaps=frozenset(Watchmap.objects.visible_to(user).values_list("pk", flat=True)),
        annotators=frozenset(Annotator.objects.visible_to(user).values_list("topic", flat=True)),
    )
