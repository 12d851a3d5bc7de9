"""How the stream does."""

from __future__ import annotations

from typing import Any

import numpy as np
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from lasair_broker.query import PUBLIC
from lasair_broker.web.archive import archive
from lasair_broker.web.nights import QUANTILES, Night, chores, nights, rates, running, seconds_of


@require_safe
def status(request: HttpRequest) -> HttpResponse:
    """Rates, latencies, stages, what the archive holds; of a night, if one is asked for."""
    known = nights()
    asked = request.GET.get("night", "")
    night = next((each for each in known if str(each.mjd) == asked), known[0] if known else None)
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
        "tables": tables,
        "nights": known,
        "night": night,
        "quantiles": [f"{part:.0%}" for part in QUANTILES],
        "chores": chores(),
        "running": running(settings.LASAIR.metrics),
        "charts": {
            "rates": {"times": times, "counts": counts},
            "nights": _by_night(known),
            "latencies": _distribution(night) if night is not None else None,
        },
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
