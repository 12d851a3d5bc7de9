"""The page of a process of the site for those who watch it, at a port of its own: metrics and health."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import Any

from django.db import connections
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from lasair_broker.settings import MetricsSettings
from lasair_broker.stream import OutageMetrics, operations, operations_served
from lasair_broker.web.health import failing
from lasair_broker.web.watched import JOB_SECONDS, JOBS, REQUEST_SECONDS, REQUESTS, JobsWaiting

Application = Callable[..., Iterable[bytes]]

SHARED_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""Names the folder through which processes add up their counts, as prometheus_client reads it."""


def job_metrics() -> list[Collector]:
    """What a process counts that runs background queries."""
    return [JOBS, JOB_SECONDS, JobsWaiting()]


def site_metrics() -> list[Collector]:
    """What a process counts that serves the site; if there are several, what all of them count."""
    if SHARED_VARIABLE in os.environ:
        return [MultiProcessCollector(None), JobsWaiting()]  # type: ignore[no-untyped-call]
    return [REQUESTS, REQUEST_SECONDS, *job_metrics()]


def beside(application: Application, port: int) -> Application:
    """The site, and at this port its page of metrics and health instead."""
    page = operations([*site_metrics(), OutageMetrics()], _failing)

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        return (page if environ["SERVER_PORT"] == str(port) else application)(environ, start_response)

    return answer


def served(settings: MetricsSettings, collectors: Iterable[Collector]) -> AbstractContextManager[int | None]:
    """The page of a process that serves no site, if the settings want it; gives its port."""
    return operations_served(settings, collectors, _failing)


def _failing() -> list[str]:
    """As for a request of Django's, which gives connections back that have served their time."""
    try:
        return failing()
    finally:
        connections.close_all()
