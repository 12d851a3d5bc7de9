"""The commands of `lasair` by name, each imported only when it is called.

Importing everything takes seconds: numba, astropy, Django. `lasair --help`, completion in a shell and the
telling of a misspelt command need names and a line of help, which stand here; a test holds them to the
commands themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command, get_group

__all__ = ["COMMANDS", "CommandsByName"]


@dataclass(frozen=True, slots=True)
class _Command:
    """Where a command is: a function, or a Typer of several, of a module of this package."""

    module: str
    attribute: str
    help: str
    hidden: bool = False

    def imported(self, name: str) -> Any:
        """The command as Click runs it."""
        found = getattr(import_module(f".{self.module}", __package__), self.attribute)
        if isinstance(found, typer.Typer):
            group = get_group(found)
            group.name = name
            return group
        alone = typer.Typer(add_completion=False, pretty_exceptions_show_locals=False)
        alone.command(name, hidden=self.hidden)(found)
        return get_command(alone)


COMMANDS = {
    "run": _Command(
        "_run",
        "run_broker",
        "Run the whole broker: take alerts in, match lists, run filters, deliver what they find.",
    ),
    "serve": _Command("_serve", "serve", "Serve the site and the API."),
    "work": _Command("_work", "work", "Run background queries of the site until stopped."),
    "ingest": _Command(
        "_ingest", "ingest", "Take alerts from files, from Kafka or from the simulator into the archive."
    ),
    "simulate": _Command(
        "_simulate",
        "simulate",
        "Simulate the alerts of an LSST-like night, as packets in Rubin's schema 11, into files or Kafka.",
    ),
    "object": _Command(
        "_object",
        "show_object",
        "Show an object: summary, context, light curve, newest detections; plot it, save its images.",
    ),
    "query": _Command("_query", "run_query", "Run a read-only query on the archive."),
    "place": _Command(
        "_place",
        "show_place",
        "Say what the catalogues hold at a place: class, host, redshift, dust, and every match.",
    ),
    "status": _Command(
        "_status",
        "show_status",
        "Show what the archive holds, its size, and how far each stream has been read.",
    ),
    "latency": _Command(
        "_latency",
        "show_latency",
        "Show how long hits took: from the end of the exposure to us, into the archive, and to the user.",
    ),
    "rejected": _Command(
        "_rejected",
        "rejected",
        "List the messages that could not be read, with the reasons; save them; try them again.",
    ),
    "replay": _Command(
        "_replay",
        "replay",
        "Compute the states of objects anew, for instance after a feature was corrected.",
    ),
    "train": _Command(
        "_train",
        "train_model",
        "Train the classifier: light curves, features as the stream has them, trees, calibration, "
        "evaluation.",
    ),
    "model": _Command("_model", "app", "Models that give class probabilities: ours, and other people's."),
    "demo": _Command(
        "_demo",
        "demo",
        "Run the main job on a simulated night: alerts in LSST's real schema, enriched objects in an "
        "archive.",
    ),
    "compile-kernels": _Command(
        "_compile",
        "compile_kernels",
        "Compile the kernels of the pipeline and the archive, and keep them beside the code.",
        hidden=True,
    ),
    "archive": _Command("_archive", "app", "Look after the archive."),
    "catalogue": _Command("_catalogue", "app", "Import catalogues of the sky, and look after them."),
    "deliver": _Command("_deliver", "app", "Bring hits to users: Kafka, e-mail, webhooks, notifications."),
    "event": _Command("_event", "app", "Take in events of other surveys and missions, and look at them."),
    "messenger": _Command(
        "_messenger",
        "app",
        "Counterparts of gravitational waves, neutrinos and bursts; see also lasair event.",
    ),
    "filter": _Command("_filter", "app", "Filters: queries that run on the stream."),
    "tns": _Command("_tns", "app", "Follow the Transient Name Server (TNS)."),
    "user": _Command("_user", "app", "The people who own filters, lists, maps and annotators here."),
    "watchlist": _Command("_watchlist", "app", "Watchlists: positions to watch, up to a million in each."),
    "watchmap": _Command("_watchmap", "app", "Watchmaps: regions of the sky to watch."),
    "annotator": _Command(
        "_annotate", "app", "Annotators: topics under which people and programs speak of objects."
    ),
    "annotate": _Command(
        "_annotate",
        "annotate",
        "Annotate objects: one by options, or many by a file; all of them or, if one is wrong, none.",
    ),
}


class CommandsByName(TyperGroup):
    """A group that knows its commands by name and help, and imports the one that is called."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = {
            name: TyperCommand(name, help=command.help, hidden=command.hidden)
            for name, command in COMMANDS.items()
        }

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        name, found, rest = super().resolve_command(ctx, args)
        if name is not None:
            found = COMMANDS[name].imported(name)
        return name, found, rest
