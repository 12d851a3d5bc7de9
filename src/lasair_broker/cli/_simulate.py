"""`lasair simulate`: write or send a simulated night."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from lasair_broker.packets.simulator import LSST_ALERTS_PER_SECOND, Simulation, produce, write_files

from ._context import console, errors, fail, settings_for

__all__ = ["simulate"]


class Layout(StrEnum):
    """How simulated packets lie in files."""

    container = "container"
    tar = "tar"
    messages = "messages"


def simulate(
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write the packets here, a file (or folder) a visit.")
    ] = None,
    kafka: Annotated[
        str | None, typer.Option(metavar="HOST:PORT[,…]", help="Send the packets to this Kafka.")
    ] = None,
    topic: Annotated[str, typer.Option(help="The topic to send them to.")] = "lsst-alerts-v11",
    alerts: Annotated[int, typer.Option("--alerts", "-n", help="About so many.", min=1)] = 10_000,
    seed: Annotated[int, typer.Option(help="The same seed gives the same sky and night.")] = 1,
    layout: Annotated[
        Layout,
        typer.Option(
            help="One object container a visit; one tar of framed messages a visit; or one file a message."
        ),
    ] = Layout.container,
    deflate: Annotated[bool, typer.Option(help="Compress the containers.")] = False,
    truth: Annotated[
        bool, typer.Option(help="Also write truth.parquet: what each object really is.")
    ] = False,
    catalogue: Annotated[
        bool, typer.Option(help="Also write catalogue.parquet: the stars and galaxies of the sky.")
    ] = False,
    rate: Annotated[
        float | None,
        typer.Option(
            metavar="PER_SECOND",
            help=f"Alerts a second (LSST: {LSST_ALERTS_PER_SECOND:.0f}); default: as fast as possible.",
            min=0.001,
        ),
    ] = None,
) -> None:
    """Simulate the alerts of an LSST-like night, as packets in Rubin's schema 11, into files or Kafka."""
    if (out is None) == (kafka is None):
        raise typer.BadParameter("give one of --out and --kafka")
    simulation = Simulation.night(alerts, seed=seed)
    columns = (TextColumn("simulating"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=errors, transient=True) as bar:
        task = bar.add_task("simulating", total=alerts)
        if out is not None:
            written = write_files(
                simulation,
                out,
                layout=layout.value,
                compression="deflate" if deflate else "null",
                truth=truth,
                catalogue=catalogue,
                progress=lambda done: bar.advance(task, done),
            )
        else:
            config = settings_for(None, kafka={"bootstrap": kafka}).kafka.librdkafka()
            try:
                sent = produce(
                    simulation,
                    str(kafka),
                    topic,
                    alerts_per_second=rate,
                    config=config,
                    progress=lambda done: bar.advance(task, done),
                )
            except RuntimeError as error:
                raise fail(escape(str(error))) from None
    if out is not None:
        console.print(
            f"{len(written)} files in {escape(str(out))}; to take them in: lasair ingest {escape(str(out))}"
        )
    else:
        console.print(f"{sent:,} alerts sent to {escape(topic)} at {escape(str(kafka))}")
