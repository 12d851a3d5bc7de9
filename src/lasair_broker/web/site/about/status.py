"""How the stream does."""

from __future__ import annotations

from typing import Any

import numpy as np
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from lasair_broker.query import PUBLIC
from lasair_broker.web.archive import archive
from lasair_broker.web.nights import QUANTILES, Night, chores, nights, rates, seconds_of
from lasair_broker.web.site.about.now import context_of, stages_table
from lasair_broker.web.site.contents import ListedRows, shown
from lasair_broker.web.site.tables import Column
from lasair_broker.web.site.templatetags.status import date_of_mjd

_NIGHTS = (
    Column(
        "mjd",
        "Night",
        sortable=True,
        template="site/about/_night.html",
        plain=lambda night: date_of_mjd(night.mjd),
    ),
    Column("alerts", "Alerts", numeric=True, sortable=True, template="site/about/_count.html"),
    Column("objects", "Objects", numeric=True, sortable=True, template="site/about/_count.html"),
    Column(
        "half",
        "Half within",
        numeric=True,
        sortable=True,
        template="site/about/_duration.html",
        description="After their arrival; files have seconds.",
    ),
    Column(
        "most",
        "95% within",
        numeric=True,
        sortable=True,
        template="site/about/_duration.html",
        description="After their arrival; files have seconds.",
    ),
    Column(
        "lag_max",
        "Waiting",
        numeric=True,
        sortable=True,
        template="site/about/_count.html",
        description="The most messages that waited in the source during that night.",
    ),
    Column(
        "microseconds",
        "An alert",
        "µs",
        numeric=True,
        digits=3,
        sortable=True,
        description="Wall time of all stages for an alert during that night.",
    ),
)
_TABLES = (
    Column("name", "Table", sortable=True, template="site/about/_held_table.html"),
    Column("rows", "Rows", numeric=True, sortable=True, template="site/about/_count.html"),
    Column("bytes", "Bytes", numeric=True, sortable=True, template="site/about/_bytes.html"),
)


@require_safe
def status(request: HttpRequest) -> HttpResponse:
    """Rates, latencies, stages, what the archive holds; of a night, if one is asked for."""
    known = nights()
    asked = request.GET.get("night", "")
    newest = next((each for each in known if each.alerts), known[0] if known else None)
    night = next((each for each in known if str(each.mjd) == asked), newest)
    held = archive().status()
    # Of hits, rows of private lists would be counted too.
    tables = [
        {"name": name, "rows": held.tables[name].rows, "bytes": held.tables[name].bytes}
        for name in PUBLIC.relations
        if name in held.tables and not name.endswith(("_hits", "_events"))
    ]
    times, counts = rates()
    context = {
        "held": held,
        "bytes": held.database_bytes + held.pack_bytes,
        "tables": shown(
            request, "held", _TABLES, ListedRows(tables, _TABLES), caption="Tables of the archive", size=100
        ),
        "nights": known,
        "by_night": shown(
            request,
            "nights",
            _NIGHTS,
            ListedRows(known, _NIGHTS),
            caption="Night by night",
            size=25,
            title=True,
            searchable=False,
            empty="There is none yet.",
        ),
        "night": night,
        "stages": stages_table(request, "stages", list(night.work.stages), "Stages in that night")
        if night is not None and night.work.stages
        else None,
        "quantiles": [f"{part:.0%}" for part in QUANTILES],
        "chores": chores(),
        "charts": {
            "rates": {"times": times, "counts": counts},
            "nights": _by_night(known),
            "latencies": _distribution(night) if night is not None else None,
        },
        **context_of(request),
    }
    return render(request, "site/about/status.html", context)


def _by_night(known: list[Night]) -> dict[str, list[Any]]:
    """Lists for the chart of nights, oldest first."""
    ordered = known[::-1]
    return {
        "mjd": [night.mjd for night in ordered],
        "alerts": [night.alerts for night in ordered],
        "arrival": [night.since_arrival.quantile(0.5) for night in ordered],
        "exposure": [night.since_exposure.quantile(0.5) for night in ordered],
    }


def _distribution(night: Night) -> dict[str, Any]:
    """For the chart: the steps of both, and one before and after, with the counts of each."""
    both = night.since_arrival, night.since_exposure
    steps = np.unique(np.concatenate([of.steps for of in both]))
    if not len(steps):
        return {"seconds": [], "arrival": [], "exposure": []}
    steps = np.arange(steps[0] - 1, steps[-1] + 2)
    counts = [np.zeros(len(steps)) for _ in both]
    for of, into in zip(both, counts, strict=True):
        into[of.steps - steps[0]] = of.counts
    return {
        "seconds": seconds_of(steps).tolist(),
        "arrival": counts[0].tolist(),
        "exposure": counts[1].tolist(),
    }
