"""Finding objects by number, name or position."""

from __future__ import annotations

from dataclasses import replace

from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_http_methods, require_safe

from lasair_broker.web.errors import Invalid
from lasair_broker.web.search import Found, look_for, suggested, understood
from lasair_broker.web.site.contents import ListedRows, shown
from lasair_broker.web.site.tables import Column, Table

_COLUMNS = (
    Column("asked", "Looked for"),
    Column("objectName", "Object", template="site/front/_object.html"),
    Column("separationArcsec", "Distance", "″", "From the position.", numeric=True, digits=3),
    Column("tns_name", "TNS"),
    Column("ra", "RA", "°", "Right ascension, ICRS.", numeric=True, template="site/front/_degrees.html"),
    Column("decl", "Decl", "°", "Declination, ICRS.", numeric=True, template="site/front/_degrees.html"),
    Column("nDiaSources", "Detections", numeric=True),
    Column("lastDiaSourceMjdTai", "Last seen", "MJD", numeric=True, template="site/front/_mjd.html"),
)


@require_http_methods(["GET", "HEAD", "POST"])
def search(request: HttpRequest) -> HttpResponseBase:
    """What was looked for; if that is one object, its page. Long lists come by POST."""
    text = (request.POST if request.method == "POST" else request.GET).get("q", "").strip()
    context: dict[str, object] = {"text": text}
    if not text:
        return render(request, "site/front/search.html", context)
    try:
        found = look_for(understood(text))
    except Invalid as error:
        context["fault"] = next(iter(error.faults.values()))
        return render(request, "site/front/search.html", context, status=400)
    if len(found.lines) == 1 and found.bodies:
        return redirect("objects:ss-object", found.bodies[0])
    if len(found.lines) == 1 and len(found.rows) == 1:
        return redirect("objects:object", found.rows[0]["diaObjectId"])
    context |= {"found": found, "table": _table(request, found)}
    return render(request, "site/front/search.html", context)


@require_safe
@cache_control(private=True, max_age=60)
def suggest(request: HttpRequest) -> HttpResponse:
    """Objects whose number or name begins with what was typed so far."""
    rows = suggested(request.GET.get("q", ""))
    return JsonResponse(
        {
            "suggestions": [
                {
                    "name": row["objectName"],
                    "beside": row["tns_name"] or "",
                    "detections": row["nDiaSources"],
                    "address": reverse("objects:object", args=[row["diaObjectId"]]),
                }
                for row in rows
            ]
        }
    )


def _table(request: HttpRequest, found: Found) -> Table:
    """All rows on one page: there are no more than were looked for."""
    several = len(found.lines) > 1
    positions = any(line.position is not None for line in found.lines)
    wanted = {"asked": several, "separationArcsec": positions}
    by_address = request.method != "POST"  # a list that was posted is in no address to come back to
    columns = [replace(column, sortable=by_address) for column in _COLUMNS if wanted.get(column.name, True)]
    return shown(
        request,
        "found",
        columns,
        ListedRows(found.rows, columns),
        caption="Objects found",
        size=max(1, len(found.rows)),
        searchable=by_address and len(found.rows) > 1,
        downloads=None if by_address else (),
        empty="There is no such object here.",
        title=True,
    )
