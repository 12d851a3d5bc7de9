"""`lasair run`: everything in one process."""

from __future__ import annotations

from typing import Annotated

import typer

from ._broker import run_stream
from ._context import ArchiveOption
from ._ingest import tell
from ._sources import (
    Again,
    Chosen,
    Files,
    Group,
    Kafka,
    Paced,
    Seed,
    Simulate,
    StartOption,
    Topic,
    UntilEnd,
)
from ._watched import MetricsPort

__all__ = ["run_broker"]

SitePort = Annotated[
    int | None, typer.Option(help="Serve the site and the API at this TCP port, too.", min=0, max=65535)
]


def run_broker(
    files: Files = None,
    kafka: Kafka = None,
    topic: Topic = None,
    group: Group = None,
    start: StartOption = None,
    until_end: UntilEnd = False,
    simulate: Simulate = None,
    seed: Seed = 1,
    paced: Paced = False,
    again: Again = False,
    metrics_port: MetricsPort = None,
    port: SitePort = None,
    archive: ArchiveOption = None,
) -> None:
    """Run the whole broker: take alerts in, match lists, run filters, deliver what they find.

    The source is given as for `lasair ingest`; without one it is the Kafka of the settings, and without that
    there are no alerts, but annotations are taken in, lists are matched with the archive, and hits are
    delivered. Ctrl-C (or SIGTERM) finishes what is in hand and stops; a second one stops at once, and loses
    nothing either.
    """
    chosen = Chosen.by(
        archive,
        files,
        kafka,
        topic,
        group,
        start,
        until_end,
        simulate,
        seed,
        paced,
        again,
        metrics_port,
        may_be_idle=True,
    )
    settings = chosen.settings
    if port is not None:
        settings = settings.model_copy(update={"site": settings.site.model_copy(update={"port": port})})
    progress = run_stream(chosen.source, settings, chosen.what, chosen.total, deliver=True)
    tell(progress, chosen.source)
