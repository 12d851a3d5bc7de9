"""Lists of filters: one's own, those shared with one, and the gallery of public ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.decorators import login_required
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.safestring import SafeString
from django.views.decorators.http import require_safe

from lasair_broker.packets import mjd_tai_now
from lasair_broker.web import trash
from lasair_broker.web.accounts.models import User
from lasair_broker.web.archive import archive
from lasair_broker.web.filters.models import Category, Filter, FilterQuerySet
from lasair_broker.web.sharing import Visibility
from lasair_broker.web.site.contents import StoredRows, shown
from lasair_broker.web.site.query.tables import object_address
from lasair_broker.web.site.sparklines import bars, sparklines
from lasair_broker.web.site.tables import Column, Table
from lasair_broker.web.tags.models import Tag

_NIGHTS = 14
_NAME = Column("name", "Filter", template="site/filters/_cell_name.html", sortable=True)
_STATE = Column(
    "state",
    "State",
    template="site/filters/_cell_state.html",
    sortable=True,
    plain=lambda line: f"runs, version {line.state.number}" if line.state else "draft",
)
_HITS = Column("hits", "Hits, last 14 nights", template="site/filters/_cell_hits.html")
_SHARED = Column("sharing", "Shared with", template="site/filters/_cell_sharing.html", sortable=True)
_OWNER = Column("owner", "Owner", sortable=True)
_EXPECTED = Column(
    "expected",
    "Expected",
    unit="a night",
    numeric=True,
    digits=3,
    description="By its preview",
    sortable=True,
)
_CHANGED = Column("modified", "Changed", template="site/query/_cell_time.html", sortable=True)
_CATEGORY = Column("category", "Looks for", sortable=True)
_STARS = Column(
    "stars",
    "Stars",
    template="site/filters/_cell_star.html",
    sortable=True,
    description="People who find it useful",
)
_FORKS = Column("forks", "Copies", numeric=True, sortable=True, description="Made by others of it")
_FORK = Column("fork", "", template="site/filters/_cell_fork.html", filed=False)

_MINE = (_NAME, _STATE, _HITS, _EXPECTED, _SHARED, _CHANGED)
_OTHERS = (_NAME, _OWNER, _STATE, _HITS, _EXPECTED, _CHANGED, _FORK)
_GALLERY = (_STARS, _NAME, _CATEGORY, _OWNER, _STATE, _HITS, _EXPECTED, _FORKS, _CHANGED, _FORK)
_ORDERS = {
    "owner": "owner__username",
    "forks": "fork_count",
    "stars": "star_count",
    "state": "active_version__number",
    "sharing": "visibility",
    "expected": "active_version__preview_per_night",
}


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
    stars = property(lambda self: self.found.star_count)
    category = property(lambda self: self.found.get_category_display())
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
        "deleted": trash.removed_things(user, Filter)[:20],
    }
    return render(request, "site/filters/index.html", context)


_EMPTY = "You have no filter yet. Write one, or begin with a copy of one from the gallery."


@require_safe
def gallery(request: HttpRequest) -> HttpResponse:
    """Public filters of everybody, to look at and to copy."""
    public = Filter.objects.filter(visibility=Visibility.PUBLIC, owner__is_active=True)
    counts = dict(public.values_list("category").annotate(n=Count("pk")).values_list("category", "n"))
    chosen = request.GET.get("category", "")
    if chosen in Category.values:
        public = public.filter(category=chosen)
    empty = "No such filter is public yet." if chosen in Category.values else "No filter is public yet."
    table = _table(
        request, "gallery", "Public filters", public.with_stars(request.user), _GALLERY, empty, sort="-stars"
    )
    categories = [
        (each, label, counts[each], each == chosen) for each, label in Category.choices if each in counts
    ]
    context = {"table": table, "categories": categories, "all": sum(counts.values()), "chosen": chosen}
    return render(request, "site/filters/gallery.html", context)


_KEPT = (
    Column(
        "diaObjectId",
        "Object",
        template="site/filters/_cell_object.html",
        sortable=True,
        plain=lambda row: int(row["diaObjectId"]["text"]),
    ),
    Column("curve", "Light curve", template="site/filters/_cell_curve.html", filed=False),
    Column("label", "Under", template="site/filters/_cell_label.html", sortable=True),
    Column("owner", "By", sortable=True),
    Column("collaboration", "Seen by", sortable=True),
    Column("created", "Since", template="site/query/_cell_time.html", sortable=True),
    Column("drop", "", template="site/filters/_cell_drop.html", filed=False),
)


@login_required
@require_safe
def kept(request: HttpRequest) -> HttpResponse:
    """The objects that the user keeps."""
    table = shown(
        request,
        "kept",
        _KEPT,
        StoredRows(
            Tag.objects.visible_to(request.user).select_related("owner", "collaboration"),
            _KEPT,
            ("label", "diaObjectId", "owner__username", "collaboration__name"),
            {"owner": "owner__username", "collaboration": "collaboration__name"},
            lambda tags: _kept(request, tags),
        ),
        caption="Objects that I keep",
        search_label="Search by word, number, person",
        empty="You keep no object yet. Press s on a result of a filter, or tag an object on its page.",
    )
    return render(request, "site/filters/kept.html", {"table": table})


def _kept(request: HttpRequest, tags: Sequence[Tag]) -> list[dict[str, Any]]:
    curves = sparklines([tag.diaObjectId for tag in tags])
    return [
        {
            "diaObjectId": {"text": str(tag.diaObjectId), "address": object_address(str(tag.diaObjectId))},
            "curve": curves.get(tag.diaObjectId, ""),
            "label": tag.label,
            "owner": tag.owner.username,
            "collaboration": tag.collaboration.name if tag.collaboration else "only me",
            "created": tag.created,
            "drop": tag.pk if tag.owner == request.user else None,
        }
        for tag in tags
    ]


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
    stored = found.select_related("owner", "collaboration", "active_version")
    return shown(
        request,
        name,
        columns,
        StoredRows(stored, columns, ("name", "description", "owner__username"), _ORDERS, _lines),
        caption=caption,
        sort=sort.lstrip("-"),
        descending=sort.startswith("-"),
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
