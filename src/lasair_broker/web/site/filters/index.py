"""Lists of filters: one's own, those shared with one, and the gallery of public ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.decorators import login_required
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.safestring import SafeString
from django.views.decorators.http import require_safe

from lasair_broker.packets import mjd_tai_now
from lasair_broker.web.accounts.models import User
from lasair_broker.web.archive import archive
from lasair_broker.web.filters import services
from lasair_broker.web.filters.models import Filter, FilterQuerySet
from lasair_broker.web.sharing import Visibility
from lasair_broker.web.site.query.tables import object_address
from lasair_broker.web.site.sparklines import bars, sparklines
from lasair_broker.web.site.tables import Column, Table, asked
from lasair_broker.web.tags.models import Tag

_NIGHTS = 14
_NAME = Column("name", "Filter", template="site/filters/_cell_name.html", sortable=True)
_STATE = Column("state", "State", template="site/filters/_cell_state.html")
_HITS = Column("hits", "Hits, last 14 nights", template="site/filters/_cell_hits.html")
_SHARED = Column("sharing", "Shared with", template="site/filters/_cell_sharing.html")
_OWNER = Column("owner", "Owner", sortable=True)
_EXPECTED = Column(
    "expected", "Expected", unit="a night", numeric=True, digits=3, description="By its preview"
)
_CHANGED = Column("modified", "Changed", template="site/query/_cell_time.html", sortable=True)
_FORKS = Column("forks", "Copies", numeric=True, sortable=True, description="Made by others of it")
_FORK = Column("fork", "", template="site/filters/_cell_fork.html")

_MINE = (_NAME, _STATE, _HITS, _EXPECTED, _SHARED, _CHANGED)
_OTHERS = (_NAME, _OWNER, _STATE, _HITS, _EXPECTED, _CHANGED, _FORK)
_GALLERY = (_NAME, _OWNER, _STATE, _HITS, _EXPECTED, _FORKS, _CHANGED, _FORK)
_ORDER = {"name": "name", "owner": "owner__username", "modified": "modified", "forks": "fork_count"}


@dataclass(frozen=True)
class Line:
    """A filter in a list."""

    found: Filter
    nights: Sequence[int]
    bars: SafeString

    name = property(lambda self: self.found.name)
    state = property(lambda self: self.found.active_version)
    hits = property(lambda self: sum(self.nights))
    owner = property(lambda self: self.found.owner.username)
    sharing = property(lambda self: self.found.visibility)
    modified = property(lambda self: self.found.modified)
    forks = property(lambda self: self.found.fork_count)
    fork = property(lambda self: self.found.pk)

    @property
    def expected(self) -> float | None:
        """Hits a night, as the preview of the version that runs said."""
        version = self.found.active_version
        return None if version is None else version.preview_per_night


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """The user's own filters and those shared with the user; for the anonymous, the gallery."""
    user = request.user
    if not isinstance(user, User):
        return redirect("filters:gallery")
    mine = Filter.objects.filter(owner=user)
    groups = user.memberships.values("collaboration")
    shared = Filter.objects.filter(visibility=Visibility.GROUP, collaboration__in=groups).exclude(owner=user)
    context = {
        "mine": _table(request, "mine", "My filters", mine, _MINE, _EMPTY),
        "shared": _table(request, "shared", "Shared with me", shared, _OTHERS) if shared.exists() else None,
        "deleted": services.deleted_by(user)[:20],
    }
    return render(request, "site/filters/index.html", context)


_EMPTY = "You have no filter yet. Write one, or begin with a copy of one from the gallery."


@require_safe
def gallery(request: HttpRequest) -> HttpResponse:
    """Public filters of everybody, to look at and to copy."""
    public = Filter.objects.filter(visibility=Visibility.PUBLIC, owner__is_active=True)
    table = _table(
        request, "gallery", "Public filters", public, _GALLERY, "No filter is public yet.", sort="-forks"
    )
    return render(request, "site/filters/gallery.html", {"table": table})


_KEPT = (
    Column("diaObjectId", "Object", template="site/filters/_cell_object.html"),
    Column("curve", "Light curve", template="site/filters/_cell_curve.html"),
    Column("label", "Under", sortable=False),
    Column("created", "Since", template="site/query/_cell_time.html"),
    Column("drop", "", template="site/filters/_cell_drop.html"),
)


@login_required
@require_safe
def kept(request: HttpRequest) -> HttpResponse:
    """The objects that the user keeps."""
    wanted = asked(request, "kept", _KEPT)
    found = Tag.objects.visible_to(request.user)
    if wanted.search:
        number = int(wanted.search) if wanted.search.isdecimal() and len(wanted.search) < 19 else None
        found = found.filter(Q(label__icontains=wanted.search) | Q(diaObjectId=number))
    tags = list(found[wanted.offset : wanted.offset + wanted.size])
    curves = sparklines([tag.diaObjectId for tag in tags])
    rows = [
        {
            "diaObjectId": {"text": str(tag.diaObjectId), "address": object_address(str(tag.diaObjectId))},
            "curve": curves.get(tag.diaObjectId, ""),
            "label": tag.label,
            "created": tag.created,
            "drop": tag.pk,
        }
        for tag in tags
    ]
    table = Table(
        name="kept",
        caption="Objects that I keep",
        columns=_KEPT,
        rows=rows,
        asked=wanted,
        parameters=request.GET,
        total=found.count(),
        searchable=True,
        search_label="Search by word or number",
        empty="You keep no object yet. Press s on a result of a filter to keep it.",
    )
    return render(request, "site/filters/kept.html", {"table": table})


def _table(
    request: HttpRequest,
    name: str,
    caption: str,
    found: FilterQuerySet,
    columns: Sequence[Column],
    empty: str = "There is none.",
    *,
    sort: str = "name",
) -> Table:
    wanted = asked(request, name, columns, sort=sort.lstrip("-"), descending=sort.startswith("-"))
    if wanted.search:
        found = found.filter(
            Q(name__icontains=wanted.search)
            | Q(description__icontains=wanted.search)
            | Q(owner__username__icontains=wanted.search)
        )
    total = found.count()
    found = found.order_by(("-" if wanted.descending else "") + _ORDER[wanted.sort], "pk")
    page = list(
        found.select_related("owner", "collaboration", "active_version")[
            wanted.offset : wanted.offset + wanted.size
        ]
    )
    return Table(
        name=name,
        caption=caption,
        columns=columns,
        rows=_lines(page),
        asked=wanted,
        parameters=request.GET,
        total=total,
        searchable=total > 5 or bool(wanted.search),
        search_label="Search in names and descriptions",
        empty=empty,
        title=name != "gallery",
    )


def _lines(found: Sequence[Filter]) -> list[Line]:
    nights = _hits_by_night([each.pk for each in found])
    lines = []
    for each in found:
        counts = nights.get(each.pk, [0] * _NIGHTS)
        label = f"hits in the last {_NIGHTS} nights: {', '.join(map(str, counts))}"
        lines.append(Line(each, counts, bars(counts, label)))
    return lines


def _hits_by_night(filter_ids: Sequence[int]) -> dict[int, list[int]]:
    """The hits of some filters in the last nights, oldest first; a night counts by the time of arrival."""
    if not filter_ids:
        return {}
    last = int(mjd_tai_now() - 0.5)
    rows: Any = archive().query(
        f"""
        SELECT "filterId", floor("arrivedMjdTai" - 0.5)::INT AS night, count(*) AS hits FROM filter_hits
        WHERE "filterId" IN ({", ".join(str(int(number)) for number in filter_ids)})
          AND "committedMjdTai" >= {last - _NIGHTS + 1.5}
        GROUP BY "filterId", night
        """,  # noqa: S608 - numbers of ours
        max_rows=None,
    )
    found: dict[int, list[int]] = {}
    for number, night, hits in zip(*(column.to_pylist() for column in rows.columns), strict=True):
        place = _NIGHTS - 1 - (last - night)
        if 0 <= place < _NIGHTS:
            found.setdefault(number, [0] * _NIGHTS)[place] = hits
    return found
