"""How the stream does now: a part of the page of the status, which looks again every few seconds."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from lasair_broker.web.nights import Stage
from lasair_broker.web.site.contents import ListedRows, shown
from lasair_broker.web.site.sparklines import bars
from lasair_broker.web.site.tables import Column, Table
from lasair_broker.web.stream_now import ARRIVAL, EXPOSURE, Lately, lately, metrics_of

_STAGES = (
    Column("name", "Stage", sortable=True),
    Column("alerts", "Alerts", numeric=True, sortable=True, template="site/about/_whole.html"),
    Column("seconds", "Wall time", "s", numeric=True, digits=4, sortable=True),
    Column("cpu_seconds", "CPU", "s", numeric=True, digits=4, sortable=True),
    Column("microseconds", "An alert", "µs", numeric=True, digits=3, sortable=True),
    Column("failures", "Failures", numeric=True, sortable=True, template="site/about/_whole.html"),
)
_LAG = (
    Column("topic", "Topic or file", sortable=True),
    Column("partition", "Partition", numeric=True, sortable=True),
    Column("waiting", "Waiting", numeric=True, sortable=True, template="site/about/_whole.html"),
)
_WITHIN = (
    Column("within", "In the archive within", sortable=True, template="site/about/_duration.html"),
    Column(
        "arrival", "Since it reached us", "%", numeric=True, sortable=True, template="site/about/_share.html"
    ),
    Column(
        "exposure", "Since the exposure", "%", numeric=True, sortable=True, template="site/about/_share.html"
    ),
)


@require_safe
def show(request: HttpRequest) -> HttpResponse:
    """The part by itself, for the page, and its tables as files; for who asks otherwise the page."""
    context = context_of(request)
    if not request.htmx:  # type: ignore[attr-defined]  # set by django_htmx's middleware
        return redirect("about:status")
    return render(request, "site/about/_now.html", context)


def stages_table(request: HttpRequest, name: str, stages: list[Stage], caption: str, **look: Any) -> Table:
    """What stages did, as a table."""
    made = ListedRows(stages, _STAGES)
    return shown(request, name, _STAGES, made, caption=caption, size=100, searchable=False, **look)


def context_of(request: HttpRequest) -> dict[str, Any]:
    """What the part shows."""
    found = lately(metrics_of(settings.LASAIR))
    if found is None:
        return {"lately": None}
    look: dict[str, Any] = {"path": reverse("about:now"), "in_address": False}
    rows = _within(found)
    counts = [int(each["count"]) for each in rows]
    label = "Alerts by the time until they were in the archive; the table has the shares"
    return {
        "lately": found,
        "half": found.quantile(0.5),
        "most": found.quantile(0.99),
        "bars": bars(counts, label),
        "stages_now": stages_table(
            request,
            "now",
            list(found.stages),
            "What each stage did" if found.seconds else "What each stage has done since the stream began",
            **look,
        ),
        "within": shown(
            request,
            "within",
            _WITHIN,
            ListedRows(rows, _WITHIN),
            caption="Until alerts were in the archive",
            searchable=False,
            empty="No alert came in this time.",
            **look,
        ),
        "lag": shown(
            request,
            "lag",
            _LAG,
            ListedRows(_lag(found), _LAG),
            caption="Waiting in the source",
            sort="waiting",
            descending=True,
            size=25,
            empty="The source does not tell what waits.",
            **look,
        ),
    }


def _lag(found: Lately) -> list[dict[str, Any]]:
    return [
        {"topic": topic, "partition": partition, "waiting": int(waiting)}
        for (topic, partition), waiting in found.running.lag.items()
    ]


def _within(found: Lately) -> list[dict[str, Any]]:
    """The bounds up to that within which all came, with the share of either kind, and how many came between
    a bound and the one before."""
    arrival, exposure = found.within.get(ARRIVAL, ()), dict(found.within.get(EXPOSURE, ()))
    total = arrival[-1][1] if arrival else 0.0
    of_exposures = max(exposure.values(), default=0.0)
    rows: list[dict[str, Any]] = []
    before = 0.0
    for bound, count in arrival if total else ():
        later = exposure.get(bound, 0.0)
        rows.append(
            {
                "within": bound,
                "arrival": count / total,
                "exposure": later / of_exposures if of_exposures else None,
                "count": count - before,
            }
        )
        before = count
        if count == total and later == of_exposures:
            break
    return rows
