"""A tour of five minutes through the pages themselves: each step is a page, with a few words on it."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse

from lasair_broker.query import PUBLIC, parse
from lasair_broker.web.archive import archive
from lasair_broker.web.kept import kept


@dataclass(frozen=True)
class Step:
    """A step: the page it is on, and what is said there."""

    title: str
    text: str
    address: str


@dataclass(frozen=True)
class Stop:
    """Where in the tour a page is: the step, its number from 1, and the addresses before and after."""

    step: Step
    number: int
    count: int
    before: str
    after: str


_STEPS = (
    (
        "The sky, as it changes",
        "Each symbol is an object in which something changed lately: its shape and colour tell what "
        "is known at its place, its strength how new it is. Point at one, or go from one to the next "
        "with the arrow keys. What comes in while you look lights up.",
        "front:front",
        (),
    ),
    (
        "Finding an object",
        "The box above takes what you have: a number, a name of ZTF or TNS, a position in any usual "
        "notation, with a radius if you like. Here, a list of them can be pasted. Press / to come to "
        "the box from anywhere.",
        "front:search",
        (),
    ),
    (
        "All about one object",
        "Light curve, images, host and class, each with where it comes from. Mark a part of the light "
        "curve for its statistics, fold it, see it as flux or magnitude; the panels below load as you "
        "come to them.",
        "objects:object",
        ("example",),
    ),
    (
        "Asking the archive",
        "A query in SQL (ADQL), with completion and the columns beside it. Try: the objects with a "
        "rise, far from the Galactic plane. Larger ones run in the background, and can be downloaded "
        "in the formats of the field.",
        "query:index",
        (),
    ),
    (
        "Being told",
        "A filter is a query that runs on each alert: what it would find in the archive, you are told "
        "the moment it happens. See how many hits a night it would have, before you let it run.",
        "filters:gallery",
        (),
    ),
    (
        "Your own sources and regions",
        "Upload a list of positions or a region; alerts that fall there are marked, and filters can "
        "ask for them.",
        "lists:watchlists",
        (),
    ),
    (
        "From your own programs",
        "All that the pages do, programs can do: the API is described here, and can be tried. Tokens "
        "are made on the page of your account. That was the tour.",
        "swagger",
        (),
    ),
)


def steps() -> list[Step]:
    """The steps whose pages there are."""
    found = []
    for title, text, route, needs in _STEPS:
        arguments = [_example()] if needs else []
        if None in arguments:
            continue
        try:
            found.append(Step(title, text, reverse(route, args=arguments)))
        except NoReverseMatch:
            continue
    return found


def stop(request: HttpRequest) -> Stop | None:
    """Where in the tour this page is; None if nobody is on it."""
    asked = request.GET.get("tour", "")
    if not asked.isascii() or not asked.isdecimal() or len(asked) > 2:
        return None
    known, number = steps(), int(asked)
    if not 1 <= number <= len(known) or known[number - 1].address != request.path:
        return None
    before = f"{known[number - 2].address}?tour={number - 1}" if number > 1 else ""
    after = f"{known[number].address}?tour={number + 1}" if number < len(known) else ""
    return Stop(known[number - 1], number, len(known), before, after)


@kept(600.0)
def _example() -> int | None:
    """The object that was seen most often: there is much to look at."""
    query = parse("SELECT TOP 1 diaObjectId FROM objects ORDER BY nDiaSources DESC, diaObjectId", PUBLIC)
    found = archive().query(query.render(archive().engine), max_rows=1)["diaObjectId"].to_pylist()
    return found[0] if found else None
