"""The commands of `lasair`, and how their errors are told."""

from __future__ import annotations

import os
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from lasair_broker.archive import ArchiveError, ArchiveLockedError, QueryError
from lasair_broker.context import ContextError
from lasair_broker.context.catalogues import CatalogueError
from lasair_broker.packets import PacketFileError, SchemaFileError, UnknownSchemaError
from lasair_broker.settings import CONFIG_VARIABLE, SettingsError
from lasair_broker.stream import SourceError, StageBrokenError, SubscriptionFileError

from . import (
    _annotate,
    _archive,
    _catalogue,
    _deliver,
    _event,
    _filter,
    _messenger,
    _tns,
    _user,
    _watchlist,
    _watchmap,
)
from ._compile import compile_kernels
from ._context import console, fail
from ._demo import demo
from ._ingest import ingest
from ._latency import show_latency
from ._object import show_object
from ._place import show_place
from ._query import run_query
from ._rejected import rejected
from ._replay import replay
from ._run import run_broker
from ._serve import serve
from ._simulate import simulate
from ._status import show_status
from ._work import work

__all__ = ["app", "main"]

app = typer.Typer(
    help="Lasair, an alert broker for astronomy: alerts in, enriched and searchable objects out.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("run")(run_broker)
app.command()(serve)
app.command()(work)
app.command()(ingest)
app.command()(simulate)
app.command("object")(show_object)
app.command("query")(run_query)
app.command("place")(show_place)
app.command("status")(show_status)
app.command("latency")(show_latency)
app.command()(rejected)
app.command()(replay)
app.command()(demo)
app.command(hidden=True)(compile_kernels)
app.add_typer(_archive.app, name="archive")
app.add_typer(_catalogue.app, name="catalogue")
app.add_typer(_deliver.app, name="deliver")
app.add_typer(_event.app, name="event")
app.add_typer(_messenger.app, name="messenger")
app.add_typer(_filter.app, name="filter")
app.add_typer(_tns.app, name="tns")
app.add_typer(_user.app, name="user")
app.add_typer(_watchlist.app, name="watchlist")
app.add_typer(_watchmap.app, name="watchmap")
app.add_typer(_annotate.app, name="annotator")
app.command()(_annotate.annotate)


@app.callback()
def _options(
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help=f"Settings, TOML or YAML. Default: the environment variable {CONFIG_VARIABLE}.",
        ),
    ] = None,
    show_version: Annotated[
        bool, typer.Option("--version", help="Show the version and leave.", is_eager=True)
    ] = False,
) -> None:
    if show_version:
        console.print(f"lasair-broker {version('lasair-broker')}", highlight=False)
        raise typer.Exit
    if config is not None:
        os.environ[CONFIG_VARIABLE] = str(config)


def main() -> None:
    """Run `lasair`: exit code 0 for success, 1 for an error (told in one line), 2 for a misused command."""
    try:
        app()
    except ArchiveLockedError as error:
        _leave(error, "An embedded archive has one user at a time; wait for it, or stop it.")
    except (
        ArchiveError,
        CatalogueError,
        ContextError,
        PacketFileError,
        QueryError,
        SchemaFileError,
        SettingsError,
        SourceError,
        StageBrokenError,
        SubscriptionFileError,
        UnknownSchemaError,
    ) as error:
        _leave(error)
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except BrokenPipeError:
        raise SystemExit(141) from None
    except OSError as error:
        if error.filename is None:
            raise  # of none of the files that a command was given
        _leave(f"{error.filename}: {error.strerror}")


def _leave(error: Exception | str, hint: str | None = None) -> None:
    raise SystemExit(fail(escape(str(error)), hint).exit_code)
