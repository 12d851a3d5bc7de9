"""Requests and background queries as those see them who watch the site: counted, timed, traced."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from django.conf import settings
from django.db import Error, connection
from django.http import HttpRequest, HttpResponseBase
from prometheus_client import Counter, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from lasair_broker.telemetry import span

REQUESTS = Counter(
    "lasair_web_requests",
    "Requests answered, by the name of the address.",
    ["route", "method", "status"],
    registry=None,
)
REQUEST_SECONDS = Histogram(
    "lasair_web_request_seconds",
    "Time until an answer began.",
    ["route"],
    buckets=(0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60),
    registry=None,
)
JOBS = Counter("lasair_jobs", "Background queries that have ended, by how.", ["phase"], registry=None)
JOB_SECONDS = Histogram(
    "lasair_job_seconds",
    "How long background queries ran.",
    buckets=(0.1, 0.5, 1, 5, 10, 30, 60, 300, 600, 1800, 3600),
    registry=None,
)

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class JobsWaiting(Collector):
    """Background queries that nobody has begun yet, of the whole site."""

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """What it collects, for which nobody has to be asked."""
        yield GaugeMetricFamily("lasair_jobs_waiting", "Background queries that wait to be begun.")

    def collect(self) -> Iterator[Metric]:
        from django_tasks_db.models import DBTaskResult

        from lasair_broker.web.queries.running import QUEUE

        try:
            waiting = DBTaskResult.objects.ready().filter(queue_name=QUEUE).count()
        except Error:  # that the user database is away is told elsewhere
            return
        finally:
            connection.close()  # this is no request, at whose end Django would see to it
        for family in self.describe():
            family.add_metric([], waiting)
            yield family


def watched(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Django's form of a middleware; the first one, so that it sees what the others answer."""

    def answer(request: HttpRequest) -> HttpResponseBase:
        began = time.perf_counter()
        method = request.method if request.method in _METHODS else "other"
        with span(f"{method}", {"http.request.method": f"{method}"}, "server") as trace:
            response = get_response(request)
            route, pattern = _route(request)
            trace.rename(f"{method} {route}")
            trace.note({"http.route": pattern, "http.response.status_code": response.status_code})
            if response.status_code >= 500:
                trace.failed(response.reason_phrase)
        REQUESTS.labels(route, method, f"{response.status_code // 100}xx").inc()
        REQUEST_SECONDS.labels(route).observe(time.perf_counter() - began)
        return response

    return answer


def _route(request: HttpRequest) -> tuple[str, str]:
    """The name of the address that was asked for, and its pattern: never what users wrote into it."""
    found = request.resolver_match
    if found is not None:
        return found.view_name, f"/{found.route}"
    prefix = f"/{settings.STATIC_URL.lstrip('/')}"
    return ("static", f"{prefix}<path>") if request.path_info.startswith(prefix) else ("unknown", "")
