"""`lasair ingest`: take alerts into the archive."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from lasair_broker.archive import open_archive
from lasair_broker.packets.simulator import LSST_ALERTS_PER_SECOND, Simulation
from lasair_broker.settings import Settings
from lasair_broker.stream import (
    FileSource,
    KafkaSource,
    Metrics,
    Progress,
    SimulatorSource,
    Source,
    run,
    serve_metrics,
    stop_on_signals,
    warm_up,
)

from ._context import ArchiveOption, console, errors, pipeline_of, settings_for
from ._logging import set_up_logging
from ._progress import StreamDisplay

__all__ = ["ingest", "run_stream", "tell"]


class Start(StrEnum):
    """Where to begin a Kafka partition that the archive has no position for."""

    beginning = "beginning"
    end = "end"


def ingest(
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[FILES]...",
            help="Packets: .avro, .avro.gz, .tar, .tar.gz, .tar.xz, .parquet, or folders of these.",
        ),
    ] = None,
    kafka: Annotated[
        str | None, typer.Option(metavar="HOST:PORT[,…]", help="Read from this Kafka until stopped.")
    ] = None,
    topic: Annotated[
        list[str] | None,
        typer.Option(help="Topic to read; may be given more than once; ^… is a pattern."),
    ] = None,
    group: Annotated[
        str | None, typer.Option(help="Consumer group; workers of one group share the work.")
    ] = None,
    start: Annotated[
        Start | None, typer.Option("--from", help="Where to begin what the archive has never read.")
    ] = None,
    until_end: Annotated[
        bool, typer.Option(help="Stop at the end of what Kafka held when it was asked first.")
    ] = False,
    simulate: Annotated[
        int | None, typer.Option(metavar="N", help="Simulate about N alerts of an LSST-like night.", min=1)
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the simulation; the same seed gives the same night.")] = 1,
    paced: Annotated[
        bool, typer.Option(help="Simulate at LSST's pace, 10,000 alerts every 39 s, not as fast as possible.")
    ] = False,
    again: Annotated[bool, typer.Option(help="Read files again that have been read before.")] = False,
    metrics_port: Annotated[
        int | None,
        typer.Option(metavar="PORT", help="Serve Prometheus metrics at /metrics.", min=0, max=65535),
    ] = None,
    archive: ArchiveOption = None,
) -> None:
    """Take alerts from files, from Kafka or from the simulator into the archive.

    An interrupted ingest goes on exactly where the archive stands when the command is given again. Ctrl-C (or
    SIGTERM) finishes the batch in hand and stops; a second one stops at once, and loses nothing either.
    """
    if sum(bool(given) for given in (files, kafka, simulate)) != 1:
        raise typer.BadParameter("give one of FILES, --kafka or --simulate")
    if kafka and not topic and not settings_for(archive).kafka.topics:
        raise typer.BadParameter("which topic? Give --topic, or the setting kafka.topics")
    sections: dict[str, Any] = {}
    overrides = {"bootstrap": kafka, "topics": topic, "group": group, "start": start.value if start else None}
    sections["kafka"] = {name: value for name, value in overrides.items() if value}
    if metrics_port is not None:
        sections["metrics"] = {"port": metrics_port}
    settings = settings_for(archive, **sections)
    source = _source(settings, files, kafka, simulate, seed, paced, again, until_end)
    what = "files" if files else f"Kafka {settings.kafka.bootstrap}" if kafka else "simulation"
    progress = run_stream(source, settings, what, total=simulate)
    tell(progress)


def run_stream(source: Source, settings: Settings, what: str, total: int | None = None) -> Progress:
    """Run the whole pipeline from `source` into the archive, shown live, until it ends or is stopped."""
    set_up_logging(settings.logging)
    pipeline = pipeline_of(settings)
    with errors.status("getting the compiled kernels ready (the first time takes a minute or two) …"):
        warm_up(pipeline)
    metrics = Metrics(pipeline.times)
    server = None
    if settings.metrics.port is not None:
        server = serve_metrics(metrics, settings.metrics.port, settings.metrics.address)
        console.print(
            f"metrics at http://{settings.metrics.address}:{server.server_port}/metrics", highlight=False
        )
    try:
        with (
            open_archive(settings.archive) as archive,
            stop_on_signals() as stop,
            StreamDisplay(what, total) as display,
        ):
            return run(source, pipeline, archive, stop=stop, on_progress=display.show, metrics=metrics)
    finally:
        if server is not None:
            server.shutdown()


def tell(progress: Progress) -> None:
    """Say what a run did."""
    console.print(
        f"{progress.alerts:,} alerts stored in {progress.seconds:.1f} s"
        f" ({progress.messages / max(progress.seconds, 1e-9):,.0f}/s):"
        f" {progress.new_objects:,} new objects, {progress.updated_objects:,} newer states",
        highlight=False,
    )
    if progress.duplicates:
        console.print(f"{progress.duplicates:,} were there already", highlight=False)
    if progress.rejected:
        console.print(
            f"[yellow]{progress.rejected:,} messages could not be read and are kept:[/] lasair rejected",
            highlight=False,
        )


def _source(
    settings: Settings,
    files: list[Path] | None,
    kafka: str | None,
    simulate: int | None,
    seed: int,
    paced: bool,
    again: bool,
    until_end: bool,
) -> Source:
    if files:
        return FileSource(files, settings.stream, again=again)
    if kafka:
        return KafkaSource(settings.kafka, settings.stream, until_end=until_end)
    assert simulate is not None  # noqa: S101 - one of the three was given
    return SimulatorSource(
        Simulation.night(simulate, seed=seed),
        settings.stream,
        alerts_per_second=LSST_ALERTS_PER_SECOND if paced else None,
    )
