"""What users of the site do, by its services: a process that reads one JSON order a line and answers each.

It talks with the database directly, not through the proxy; while that is away it tries again.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

from lasair_broker.web import migrate

_PATIENCE = 120.0

FILTERS = (
    "SELECT objectName, ra, decl FROM objects",
    "SELECT nDiaSources, lastDiaSourceMjdTai FROM objects WHERE nDiaSources > 3",
    "SELECT objectName, glat FROM objects WHERE ABS(glat) > 40",
    "SELECT r_psfFlux FROM objects WHERE r_psfFlux > 20000 AND nDiaSources > 1",
    "SELECT g_psfFlux, r_psfFlux FROM objects WHERE g_psfFlux > r_psfFlux",
    "SELECT ra FROM objects WHERE nrSources > 2 AND decl < 0",
    "SELECT medianR FROM objects WHERE medianR > 0.5",
    "SELECT o.ra, COUNT(*) AS n FROM objects o JOIN diaSources s ON s.diaObjectId = o.diaObjectId"
    " GROUP BY o.diaObjectId, o.ra HAVING COUNT(*) > 2",
)
"""Filters whose hits depend on an object alone: compiled ones, and one that DuckDB runs."""

_TOO_MUCH = "SELECT o.diaObjectId, COUNT(*) AS n FROM objects o " + " ".join(
    f"JOIN diaSources {each} ON {each}.diaObjectId = o.diaObjectId" for each in "abcdef"
)
POISON = {
    "slow": f"{_TOO_MUCH} WHERE a.psfFlux + b.psfFlux + c.psfFlux + d.psfFlux + e.psfFlux + f.psfFlux < 0"
    " GROUP BY o.diaObjectId",
    "greedy": f"{_TOO_MUCH} GROUP BY o.diaObjectId, " + ", ".join(f"{each}.diaSourceId" for each in "abcdef"),
}
"""Filters that no machine can run: all detections of an object with each other, six times over."""


def _activated(user: Any, name: str, adql: str, **rules: Any) -> Any:
    from lasair_broker.web.filters import outputs, services

    found = services.create(user, name, services.Wording(adql=adql, **rules))
    services.record_preview(user, found.pk, 1, services.Preview(1, 0.01, 1.0, 0.1))
    services.activate(user, found.pk, 1)
    services.share(user, found.pk, "public")
    outputs.add(user, found.pk, "kafka")
    return found


def _user() -> Any:
    from lasair_broker.web.accounts.models import User

    return User.objects.filter(username="night").first() or User.objects.create_user(
        "night@example.org", "night"
    )


def filters() -> list[str]:
    """Make everybody's filters; gives their topics."""
    made = [_activated(_user(), f"night{place}", adql) for place, adql in enumerate(FILTERS)]
    once = _activated(
        _user(), "once", "SELECT objectName FROM objects WHERE nDiaSources > 2", renotify="once"
    )
    return [found.topic for found in [*made, once]]


def poison(kind: str, number: int) -> int:
    """Activate a filter that does harm; gives its number."""
    return int(_activated(_user(), f"{kind}{number}", POISON[kind]).pk)


def health(filter_id: int) -> str:
    """What its owner is told of a filter that fails; empty if it does not."""
    from lasair_broker.web.filters.models import FilterFailure

    found = FilterFailure.objects.filter(version__filter=filter_id).order_by("-last").first()
    return "" if found is None else found.message


def deactivate(filter_id: int) -> None:
    from lasair_broker.web.filters import services

    services.deactivate(_user(), filter_id)


def submit() -> int:
    """Have a query run in the background; gives its number."""
    from lasair_broker.web.queries import jobs
    from lasair_broker.web.queries.texts import Text

    return int(jobs.submit(_user(), Text(adql="SELECT diaObjectId, ra FROM objects WHERE ra > 0")).pk)


def phase(job_id: int) -> str:
    from lasair_broker.web.queries import jobs

    return str(jobs.visible(_user(), job_id).phase)


def _patiently(do: Callable[[], Any]) -> Any:
    from django.db import Error, close_old_connections

    end = time.monotonic() + _PATIENCE
    while True:
        close_old_connections()
        try:
            return do()
        except Error:
            if time.monotonic() > end:
                raise
            time.sleep(0.5)


def main() -> None:
    migrate()
    known = {do.__name__: do for do in (filters, poison, health, deactivate, submit, phase)}
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        name, *values = json.loads(line)
        try:
            answer = {"answer": _patiently(lambda: known[name](*values))}  # noqa: B023 - called at once
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
