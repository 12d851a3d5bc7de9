"""`lasair tns`: follow the Transient Name Server."""

from __future__ import annotations

from typing import Annotated

import numpy as np
import pyarrow as pa
import typer

from lasair_broker.archive import Archive
from lasair_broker.context import TNS_RADIUS_ARCSEC, TnsBot, TnsReport, update_tns
from lasair_broker.settings import Settings
from lasair_broker.sky import WatchlistIndex
from lasair_broker.stream import renew

from ._context import console, errors, opened, pipeline_of, settings_for

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
    archive: Annotated[
        str | None,
        typer.Option(
            "--archive",
            "-a",
            metavar="FOLDER",
            help="Also give the objects of this archive what is new; it must not be in use.",
        ),
    ] = None,
) -> None:
    """Take a list of TNS in: new transients, changed types and redshifts. A running stream has them at once.

    For an address of TNS, set tns.bot_id, tns.bot_name and tns.api_key. With --archive, objects stored near
    transients that are new or have changed go through the pipeline again.
    """
    settings = settings_for(archive)
    tns = settings.tns
    bot = None
    if tns.bot_id is not None:
        bot = TnsBot(tns.bot_id, tns.bot_name, tns.api_key.get_secret_value())
    with errors.status("taking the list in …"):
        done = update_tns(source, settings.context.catalogues, bot)
    console.print(
        f"{done.new:,} new transients, {done.changed:,} changed; {done.total:,} are known", highlight=False
    )
    if archive is not None:
        with opened(archive) as store, errors.status("looking for them in the archive …"):
            renewed = _renew(store, settings, done)
        console.print(f"{renewed:,} objects of the archive were there", highlight=False)


def _renew(store: Archive, settings: Settings, done: TnsReport) -> int:
    """Compute the objects near new and changed transients anew; returns how many there are."""
    count = done.rows.num_rows
    store.write([], tables={"crossmatch_tns": done.rows})
    cones = {
        "cone_id": np.arange(count),
        "name": pa.array([""] * count, pa.string()),
        "ra": done.rows.column("ra"),
        "decl": done.rows.column("decl"),
        "radius": np.full(count, TNS_RADIUS_ARCSEC),
    }
    index = WatchlistIndex.build({0: pa.table(cones)})
    near: list[int] = []
    for places in store.object_places(index.covering_ranges()):
        ra, decl = (places.column(name).to_numpy() for name in ("ra", "decl"))
        found = np.unique(index.match(ra, decl).position)
        near += places.column("diaObjectId").take(pa.array(found)).to_pylist()
    if near:
        renew(store, pipeline_of(settings), diaObjectIds=near)
    return len(near)
