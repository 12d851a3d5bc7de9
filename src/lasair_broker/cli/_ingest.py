"""`lasair ingest`: take alerts into the archive."""

from __future__ import annotations

from lasair_broker.stream import FileSource, Progress, Source

from ._broker import run_stream
from ._context import ArchiveOption, console
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

__all__ = ["ingest", "tell"]


def ingest(
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
    archive: ArchiveOption = None,
) -> None:
    """Take alerts from files, from Kafka or from the simulator into the archive.

    Without a source it is the Kafka of the settings. Lists are matched and filters run on the alerts; what
    filters find is stored, and delivered by `lasair run` or `lasair deliver`. An interrupted ingest goes on
    exactly where the archive stands when the command is given again. Ctrl-C (or SIGTERM) finishes the batch
    in hand and stops; a second one stops at once, and loses nothing either.
    """
    chosen = Chosen.by(
        archive, files, kafka, topic, group, start, until_end, simulate, seed, paced, again, metrics_port
    )
    tell(run_stream(chosen.source, chosen.settings, chosen.what, chosen.total), chosen.source)


def tell(progress: Progress, source: Source) -> None:
    """Say what a run did."""
    console.print(
        f"{progress.alerts:,} alerts stored in {progress.seconds:.1f} s"
        f" ({progress.messages / max(progress.seconds, 1e-9):,.0f}/s):"
        f" {progress.new_objects:,} new objects, {progress.updated_objects:,} newer states",
        highlight=False,
    )
    if progress.filter_hits:
        console.print(f"{progress.filter_hits:,} hits of filters", highlight=False)
    if progress.duplicates:
        console.print(f"{progress.duplicates:,} were there already", highlight=False)
    if isinstance(source, FileSource) and (known := len(source.already_ingested())):
        files = "1 file was" if known == 1 else f"{known:,} files were"
        console.print(f"{files} ingested before (to read all again: --again)", highlight=False)
    if progress.rejected:
        console.print(
            f"[yellow]{progress.rejected:,} messages could not be read and are kept:[/] lasair rejected",
            highlight=False,
        )
