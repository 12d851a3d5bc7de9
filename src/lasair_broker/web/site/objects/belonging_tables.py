"""The tables of what an object belongs to: lists, maps, events, sets of points, classes; of why a filter
takes it; and of when it can be observed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from lasair_broker.query import Condition
from lasair_broker.web.accounts.models import User
from lasair_broker.web.objects.head import Probability
from lasair_broker.web.photometry.models import PhotometrySet
from lasair_broker.web.sharing import Visibility
from lasair_broker.web.site.contents import ListedRows, shown
from lasair_broker.web.site.objects.panel_tables import downloads
from lasair_broker.web.site.tables import Column, Table
from lasair_broker.web.watchmaps.models import Watchmap

_WATCHLISTS = (
    Column("list", "Watchlist", sortable=True, template="site/objects/_cell_watchlist.html"),
    Column("row", "Row", sortable=True),
    Column("arcsec", "Separation", "″", numeric=True, digits=2, sortable=True),
)
_WATCHMAPS = (
    Column("name", "Watchmap", sortable=True, template="site/objects/_cell_watchmap.html"),
    Column("area_deg2", "Area", "deg²", numeric=True, digits=4, sortable=True),
)
_EVENTS = (
    Column("eventName", "Event", sortable=True),
    Column("origin", "From", sortable=True),
    Column("kind", "Kind", sortable=True),
    Column("eventClass", "Class", sortable=True),
    Column("separationArcsec", "Separation", "″", numeric=True, digits=3, sortable=True),
    Column("offsetSigma", "Offset", "σ", numeric=True, digits=2, sortable=True),
    Column(
        "firstDays",
        "First seen",
        "d after",
        numeric=True,
        sortable=True,
        template="site/objects/_cell_signed.html",
    ),
)
_MAPS = (
    Column("eventName", "Event", sortable=True, template="site/objects/_cell_event.html"),
    Column("kind", "Kind", sortable=True),
    Column("tier", "Tier", sortable=True),
    Column("state", "State", sortable=True),
    Column("contour", "Level", numeric=True, sortable=True, template="site/objects/_cell_percent.html"),
    Column("distance", "Distance", "Mpc", numeric=True, digits=3, sortable=True),
)
_SETS = (
    Column("name", "Set", sortable=True),
    Column("owner", "Owner", sortable=True),
    Column("provenance", "From", sortable=True),
    Column("count", "Points", numeric=True, digits=4, sortable=True),
    Column("seen_by", "Seen by", sortable=True),
    Column("own", "", template="site/objects/_cell_points_actions.html", filed=False),
)
_CLASSES = (
    Column("node", "Class", sortable=True),
    Column(
        "probability",
        "Probability",
        numeric=True,
        sortable=True,
        template="site/objects/_cell_bar.html",
    ),
)
_CONDITIONS = (
    Column("text", "Condition", sortable=True, template="site/objects/_cell_code.html"),
    Column("holds", "Holds", sortable=True, template="site/objects/_cell_holds.html"),
    Column("values", "Values"),
)
_HOURS = (
    Column("utc", "UTC", sortable=True),
    Column("elevation", "Elevation", "°", numeric=True, digits=3, sortable=True),
    Column("airmass", "Airmass", numeric=True, digits=3, sortable=True),
    Column("sun", "Sun", "°", numeric=True, digits=3, sortable=True),
    Column("moon", "Moon", "°", numeric=True, digits=3, sortable=True),
    Column("moon_distance", "Distance from the Moon", "°", numeric=True, digits=3, sortable=True),
)


def _part(
    request: HttpRequest, name: str, columns: Sequence[Column], rows: Sequence[Any], **look: Any
) -> Table:
    """A table in a part of the page."""
    made = ListedRows(rows, columns)
    return shown(request, name, columns, made, size=25, in_address=False, **look)


def watchlists(request: HttpRequest, hits: Sequence[Mapping[str, Any]]) -> Table:
    """The rows of watchlists that it lies at."""
    rows = [
        {
            "list": hit["watchlist"].name,
            "number": hit["wl_id"],
            "row": hit["name"] or str(hit["cone_id"]),
            "arcsec": hit["arcsec"],
        }
        for hit in hits
    ]
    empty = "In no watchlist that you may see."
    return _part(request, "watchlists", _WATCHLISTS, rows, caption="Watchlists", sort="arcsec", empty=empty)


def watchmaps(request: HttpRequest, found: Sequence[Watchmap]) -> Table:
    """The maps that it lies in."""
    empty = "In no watchmap that you may see."
    return _part(request, "watchmaps", _WATCHMAPS, found, caption="Watchmaps", sort="name", empty=empty)


def events(request: HttpRequest, hits: Sequence[Mapping[str, Any]]) -> Table:
    """Events of others in whose error regions it lies, the nearest in time first."""
    empty = "In the error region of no known event."
    return _part(request, "events", _EVENTS, hits, caption="Events of others", empty=empty)


def maps(request: HttpRequest, hits: Sequence[Mapping[str, Any]]) -> Table:
    """Probability maps of messengers that it lies in."""
    empty = "In no probability map."
    caption = "Gravitational waves and other maps"
    return _part(request, "maps", _MAPS, hits, caption=caption, sort="contour", empty=empty)


def point_sets(
    request: HttpRequest, key: str, sets: Sequence[PhotometrySet], count_of: Mapping[int, int]
) -> Table:
    """The sets of points that users added; the files have the points."""
    rows = [
        {
            "key": key,
            "pk": each.pk,
            "name": each.name,
            "owner": each.owner.username,
            "provenance": each.provenance,
            "count": count_of.get(each.pk, 0),
            "seen_by": _seen_by(each),
            "own": isinstance(request.user, User) and each.owner_id == request.user.pk,
        }
        for each in sets
    ]
    return _part(
        request,
        "sets",
        _SETS,
        rows,
        caption="Sets of points",
        empty="Nobody has added points that you may see.",
        path=reverse("objects:panel", args=[key, "points"]),
        downloads=downloads(key, "points") if rows else None,
    )


def classes(request: HttpRequest, rows: Sequence[Probability]) -> list[tuple[str, str, Table]]:
    """Of each model its name, its version, and the probabilities it gives."""
    return [
        (
            model,
            version,
            _part(
                request,
                f"classes{number}",
                _CLASSES,
                list(of),
                caption=f"Class probabilities of {model}",
                searchable=False,
            ),
        )
        for number, ((model, version), of) in enumerate(
            groupby(rows, key=lambda row: (row.model, row.version))
        )
    ]


def conditions(request: HttpRequest, number: int, found: Sequence[Condition]) -> Table:
    """The conditions of a filter: whether they hold of it, and with what values."""
    rows = [
        {
            "text": each.text,
            "holds": "not known" if each.outcome is None else "yes" if each.outcome else "no",
            "values": _values(each),
        }
        for each in found
    ]
    return _part(
        request, f"why{number}", _CONDITIONS, rows, caption="Its conditions", empty="The query has none."
    )


def hours(request: HttpRequest, rows: Sequence[Mapping[str, Any]]) -> Table:
    """The night hour by hour."""
    return _part(request, "hours", _HOURS, rows, caption="Hour by hour", searchable=False)


def _values(of: Condition) -> str:
    said = [f"{name} = {'NULL' if value is None else value}" for name, value in of.values.items()]
    if of.absent:
        said.append(f"no row in {', '.join(of.absent)}")
    return ", ".join(said)


def _seen_by(thing: PhotometrySet) -> str:
    if thing.visibility == Visibility.GROUP and thing.collaboration is not None:
        return thing.collaboration.name
    return "everybody" if thing.visibility == Visibility.PUBLIC else "only its owner"
