"""The front page, and what its map and its tables ask for afterwards."""

from __future__ import annotations

from typing import cast

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

from lasair_broker.web.accounts.models import User
from lasair_broker.web.recent import SPANS, hits_of_own_filters, recent_counts, recent_objects
from lasair_broker.web.site.all_sky import Picture
from lasair_broker.web.site.contents import ArrowRows, shown
from lasair_broker.web.site.tables import Column

_SPAN = 3
_IN_TABLE = 10
_NEWEST = (
    Column("objectName", "Object", sortable=True, template="site/front/_object.html"),
    Column("classification", "Class", sortable=True, template="site/front/_class.html"),
    Column("nDiaSources", "Seen", description="How often it was detected.", numeric=True, sortable=True),
    Column("lastDiaSourceMjdTai", "UTC", sortable=True, template="site/front/_utc.html"),
)


@require_safe
def front(request: HttpRequest) -> HttpResponse:
    """What is new in the sky."""
    recent = recent_objects(_SPAN)
    context = {
        "counts": recent_counts(),
        "recent": recent,
        "newest": shown(
            request,
            "newest",
            _NEWEST,
            ArrowRows(recent.rows),
            caption="Newest",
            title=True,
            sort="lastDiaSourceMjdTai",
            descending=True,
            size=_IN_TABLE,
            search_label="Words, or nDiaSources > 5",
            empty="There is no alert yet.",
        ),
        "spans": SPANS,
        "span": _SPAN,
        "sky": Picture(label=f"All-sky map of {recent.count} objects; the table beside it has the newest."),
    }
    return render(request, "site/front/front.html", context)


@require_safe
@cache_control(private=True, max_age=10)
def sky(request: HttpRequest) -> HttpResponse:
    """The objects that the map shows, a list for each column; numbers of objects as text."""
    asked = request.GET.get("days", "")
    recent = recent_objects(int(asked) if asked in map(str, SPANS) else _SPAN)
    columns = recent.rows.to_pydict()
    columns["diaObjectId"] = [str(number) for number in columns["diaObjectId"]]
    return JsonResponse({"newest": recent.newest, "count": recent.count, "objects": columns})


@login_required
@require_safe
def hits(request: HttpRequest) -> HttpResponse:
    """The newest hits of one's filters."""
    rows = hits_of_own_filters(cast(User, request.user))
    return render(request, "site/front/_hits.html", {"hits": rows})
