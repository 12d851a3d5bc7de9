"""`lasair work`: a process that runs background queries, beside the site."""

from __future__ import annotations

from typing import Annotated

import typer

from lasair_broker.stream import stop_on_signals
from lasair_broker.telemetry import set_up_logging, traced

from ._context import ArchiveOption, console, settings_for
from ._user import users_of
from ._watched import MetricsPort, metrics_at, tell_of_metrics

__all__ = ["work"]


def work(
    threads: Annotated[
        int | None, typer.Option(help="Queries at once. Default: the setting site.job_threads.", min=1)
    ] = None,
    metrics_port: MetricsPort = None,
    archive: ArchiveOption = None,
) -> None:
    """Run background queries of the site until stopped.

    The site runs them by itself; this is for a site with many. Any number of these may run at once; an
    embedded archive is read through the process that has it open.
    """
    settings = settings_for(archive, **metrics_at(metrics_port))
    set_up_logging(settings.logging)
    users_of(archive)
    from lasair_broker.web.archive import let_go
    from lasair_broker.web.operations import job_metrics, served
    from lasair_broker.web.queries.worker import workers

    count = threads or max(1, settings.site.job_threads)
    with (
        traced(settings.telemetry, "work"),
        stop_on_signals() as stop,
        workers(count),
        served(settings.metrics, job_metrics()) as port,
    ):
        tell_of_metrics(settings.metrics.address, port)
        console.print("running background queries; Ctrl-C stops it, and loses nothing", highlight=False)
        while not stop.wait(1.0):
            pass
    let_go()
