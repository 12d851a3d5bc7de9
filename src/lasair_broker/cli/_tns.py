"""`lasair tns`: follow the Transient Name Server."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markup import escape

from lasair_broker.context import update_tns

from ._context import console, errors, settings_for
from ._news import bring_up_to_date, tns_bot_of

__all__ = ["app"]

_SHOWN_FAULTS = 5

app = typer.Typer(no_args_is_help=True, help="Follow the Transient Name Server (TNS).")


@app.callback()
def _group() -> None:
    """Makes a group of what would else be a single command."""


@app.command()
def update(
    source: Annotated[
        str,
        typer.Argument(
            metavar="FILE|URL",
            help="tns_public_objects.csv or .csv.zip, whole, or of a day or an hour: a file, or an address.",
        ),
    ],
    archive: Annotated[
        str | None,
        typer.Option(
            "--archive",
            "-a",
            metavar="FOLDER",
            help="Also give the objects of this archive what is new. Not needed where a stream runs: it does "
            "so itself.",
        ),
    ] = None,
) -> None:
    """Take a list of TNS in: new transients, changed types and redshifts.

    For an address of TNS, set tns.bot_id, tns.bot_name and tns.api_key. A running stream has them with its
    next batch, and gives them to the objects it has stored within seconds; with --archive, the archive gets
    them while no stream runs.
    """
    settings = settings_for(archive)
    with errors.status("taking the list in …"):
        done = update_tns(source, settings.context.catalogues, tns_bot_of(settings))
    console.print(
        f"{done.new:,} new transients, {done.changed:,} changed; {done.total:,} are known", highlight=False
    )
    for fault in done.faults[:_SHOWN_FAULTS]:
        errors.print(f"[bold red]not used:[/] {escape(fault)}", highlight=False)
    if len(done.faults) > _SHOWN_FAULTS:
        errors.print(f"… and {len(done.faults) - _SHOWN_FAULTS:,} more", highlight=False)
    if archive is not None:
        bring_up_to_date(archive, settings)
    if done.faults:
        raise typer.Exit(1)
