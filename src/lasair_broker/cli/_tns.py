"""`lasair tns`: follow the Transient Name Server."""

from __future__ import annotations

from typing import Annotated

import typer

from lasair_broker.context import TnsBot, update_tns

from ._context import console, errors, settings_for

__all__ = ["app"]

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
) -> None:
    """Take a list of TNS in: new transients, changed types and redshifts. A running stream has them at once.

    For an address of TNS, set tns.bot_id, tns.bot_name and tns.api_key.
    """
    settings = settings_for(None)
    tns = settings.tns
    bot = None
    if tns.bot_id is not None:
        bot = TnsBot(tns.bot_id, tns.bot_name, tns.api_key.get_secret_value())
    with errors.status("taking the list in …"):
        done = update_tns(source, settings.context.catalogues, bot)
    console.print(
        f"{done.new:,} new transients, {done.changed:,} changed; {done.total:,} are known", highlight=False
    )
