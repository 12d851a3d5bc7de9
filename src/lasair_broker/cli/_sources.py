"""Where alerts come from, as `lasair ingest` and `lasair run` are told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from lasair_broker.packets.simulator import LSST_ALERTS_PER_SECOND, Simulation
from lasair_broker.settings import Settings
from lasair_broker.stream import FileSource, IdleSource, KafkaSource, SimulatorSource, Source

from ._context import settings_for
from ._watched import metrics_at

__all__ = [
    "Again",
    "Chosen",
    "Files",
    "Group",
    "Kafka",
    "Paced",
    "Seed",
    "Simulate",
    "Start",
    "StartOption",
    "Topic",
    "UntilEnd",
]


class Start(StrEnum):
    """Where to begin a Kafka partition that the archive has no position for."""

    beginning = "beginning"
    end = "end"


Files = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="[FILES]...",
        help="Packets: .avro, .avro.gz, .tar, .tar.gz, .tar.xz, .parquet, or folders of these.",
    ),
]
Kafka = Annotated[
    str | None, typer.Option(metavar="HOST:PORT[,…]", help="Read from this Kafka until stopped.")
]
Topic = Annotated[
    list[str] | None,
    typer.Option(help="Topic to read; may be given more than once; ^… is a pattern."),
]
Group = Annotated[str | None, typer.Option(help="Consumer group; workers of one group share the work.")]
StartOption = Annotated[
    Start | None, typer.Option("--from", help="Where to begin what the archive has never read.")
]
UntilEnd = Annotated[bool, typer.Option(help="Stop at the end of what Kafka held when it was asked first.")]
Simulate = Annotated[
    int | None, typer.Option(metavar="N", help="Simulate about N alerts of an LSST-like night.", min=1)
]
Seed = Annotated[int, typer.Option(help="Of the simulation; the same seed gives the same night.")]
Paced = Annotated[
    bool, typer.Option(help="Simulate at LSST's pace, 10,000 alerts every 39 s, not as fast as possible.")
]
Again = Annotated[bool, typer.Option(help="Read files again that have been read before.")]


@dataclass(frozen=True)
class Chosen:
    """A source, the settings with what the command was told, and words for people.

    Attributes
    ----------
    total
        About how many alerts it will give; None if that is not known.
    """

    source: Source
    settings: Settings
    what: str
    total: int | None = None

    @classmethod
    def by(
        cls,
        archive: str | None,
        files: Sequence[Path] | None,
        kafka: str | None,
        topic: Sequence[str] | None,
        group: str | None,
        start: Start | None,
        until_end: bool,
        simulate: int | None,
        seed: int,
        paced: bool,
        again: bool,
        metrics_port: int | None,
        *,
        may_be_idle: bool = False,
    ) -> Chosen:
        """What the options of a command choose.

        Raises
        ------
        BadParameter
            If they do not go together.
        """
        if sum(bool(given) for given in (files, kafka, simulate)) > 1:
            raise typer.BadParameter("give one of FILES, --kafka or --simulate")
        sections: dict[str, Any] = {}
        overrides = {"bootstrap": kafka, "topics": topic, "group": group, "start": start and start.value}
        sections["kafka"] = {name: value for name, value in overrides.items() if value}
        settings = settings_for(archive, **sections, **metrics_at(metrics_port))
        if files:
            return cls(FileSource(files, settings.stream, again=again), settings, "files")
        if simulate:
            pace = LSST_ALERTS_PER_SECOND if paced else None
            night = Simulation.night(simulate, seed=seed)
            source = SimulatorSource(night, settings.stream, alerts_per_second=pace)
            return cls(source, settings, "simulation", simulate)
        if settings.kafka.bootstrap:
            if not settings.kafka.topics:
                raise typer.BadParameter("which topic? Give --topic, or the setting kafka.topics")
            reader = KafkaSource(settings.kafka, settings.stream, until_end=until_end)
            return cls(reader, settings, f"Kafka {settings.kafka.bootstrap}")
        if may_be_idle:
            return cls(IdleSource(), settings, "no source")
        raise typer.BadParameter("give one of FILES, --kafka or --simulate, or the setting kafka.bootstrap")
