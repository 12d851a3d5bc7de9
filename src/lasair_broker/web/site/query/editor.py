"""What the editor of queries needs to know: the user's lists, and the functions of the language."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.contrib.auth.models import AnonymousUser

from lasair_broker.query import described_functions
from lasair_broker.web.accounts.models import User
from lasair_broker.web.annotators.models import Annotator
from lasair_broker.web.watchlists.models import Watchlist
from lasair_broker.web.watchmaps.models import Watchmap

EXAMPLES = (
    (
        "Young and bright",
        "SELECT objects.diaObjectId, objects.ra, objects.decl, objects.nDiaSources,\n"
        "       flux2mag(objects.latest_psfFlux) AS mag\nFROM objects\n"
        "WHERE objects.nDiaSources < 20\n  AND objects.latest_psfFlux > 3000\n"
        "ORDER BY objects.lastDiaSourceMjdTai DESC",
    ),
    (
        "Supernova candidates by context",
        "SELECT objects.diaObjectId, objects.ra, objects.decl,\n"
        "       sherlock_classifications.classification, sherlock_classifications.separationArcsec\n"
        "FROM objects\nJOIN sherlock_classifications "
        "ON sherlock_classifications.diaObjectId = objects.diaObjectId\n"
        "WHERE sherlock_classifications.classification IN ('SN', 'NT')\n  AND objects.nDiaSources > 3",
    ),
    (
        "Around a place",
        "SELECT diaObjectId, ra, decl,\n"
        "       DISTANCE(POINT(ra, decl), POINT(150.1, 2.2)) * 3600 AS arcsec\n"
        "FROM objects\nWHERE CONTAINS(POINT(ra, decl), CIRCLE(150.1, 2.2, 0.5)) = 1\nORDER BY arcsec",
    ),
    (
        "How many of each class",
        "SELECT classification, COUNT(*) AS objects\nFROM sherlock_classifications\n"
        "GROUP BY classification\nORDER BY objects DESC",
    ),
)
"""Titles and texts, with which somebody may begin."""


def choices(user: User | AnonymousUser) -> dict[str, Any]:
    """The lists, maps and annotators that the user's queries may name, and the functions there are."""
    return {
        "watchlists": _named(Watchlist.objects.visible_to(user).order_by("name").values_list("pk", "name")),
        "watchmaps": _named(Watchmap.objects.visible_to(user).order_by("name").values_list("pk", "name")),
        "annotators": _named(
            Annotator.objects.visible_to(user).order_by("topic").values_list("topic", "topic")
        ),
        "functions": [asdict(function) for function in described_functions()],
    }


def _named(rows: Any) -> list[dict[str, str]]:
    return [{"which": str(which), "name": str(name)} for which, name in rows[:1000]]
