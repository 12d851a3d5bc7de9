"""The places that the bar above each page leads to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from django.urls import NoReverseMatch, reverse


@dataclass(frozen=True)
class Place:
    """An entry of the bar, or of a menu in it.

    Attributes
    ----------
    route
        The name of its address.
    places
        Those of its menu; then it leads nowhere itself.
    """

    label: str
    route: str = ""
    places: tuple[Place, ...] = ()


@dataclass(frozen=True)
class Entry:
    """A place as a page shows it: with its address, and whether the page belongs to it."""

    label: str
    address: str
    here: bool
    entries: list[Entry] = field(default_factory=list)


PLACES = (
    Place("Sky", "front:front"),
    Place("Filters", "filters:index"),
    Place("Query", "query:index"),
    Place(
        "Lists",
        places=(
            Place("Watchlists", "lists:watchlists"),
            Place("Watchmaps", "lists:watchmaps"),
            Place("Annotators", "lists:annotators"),
        ),
    ),
    Place(
        "Context",
        places=(
            Place("Catalogues", "sky:catalogues"),
            Place("Events", "sky:events"),
            Place("Messengers", "messengers:index"),
        ),
    ),
    Place(
        "About",
        places=(
            Place("Schema", "about:schema"),
            Place("Status", "about:status"),
            Place("API", "swagger"),
            Place("Help", "about:help"),
        ),
    ),
)


def entries(path: str, places: tuple[Place, ...] = PLACES) -> Iterator[Entry]:
    """Those whose pages there are, for the page of this path."""
    for place in places:
        if place.places:
            within = list(entries(path, place.places))
            if within:
                yield Entry(place.label, "", any(entry.here for entry in within), within)
        elif address := address_of(place.route):
            here = path == address if address == "/" else path.startswith(address)
            yield Entry(place.label, address, here)


def address_of(route: str) -> str:
    """The address of a route; "" if there is no such page."""
    try:
        return reverse(route)
    except NoReverseMatch:
        return ""
