"""`lasair watchlist`: positions to watch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import typer
from rich.markup import escape
from rich.table import Table

from lasair_broker.query import parse

from . import _watchlist_trigger
from ._context import ArchiveOption, console, errors, opened
from ._lists import (
    Visibility,
    VisibilityArgument,
    YesOption,
    collaboration_of,
    confirm,
    given,
    match_due,
    match_state,
    refuse_rows,
)
from ._query import show_rows
from ._user import UserOption, acting, users_of

if TYPE_CHECKING:
    from lasair_broker.web.accounts.models import User
    from lasair_broker.web.watchlists.models import Watchlist

__all__ = ["app"]

app = typer.Typer(help="Watchlists: positions to watch, up to a million in each.", no_args_is_help=True)
app.add_typer(_watchlist_trigger.app, name="trigger")

ListArgument = Annotated[int, typer.Argument(metavar="LIST", help="Number of the watchlist.")]
RowArgument = Annotated[int, typer.Argument(metavar="ROW", help="Number of the row (cone_id).")]
FileArgument = Annotated[
    Path, typer.Argument(exists=True, dir_okay=False, help="CSV, VOTable, FITS or Parquet.")
]
ColumnOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="WHAT=NAME",
        help="The file's name of a column (ra, decl, name, radius, notes), if it is not a usual one.",
    ),
]
SkipOption = Annotated[bool, typer.Option(help="Leave faulty rows out instead of refusing the file.")]
RadiusOption = Annotated[float | None, typer.Option(help="Arcseconds, 1 to 3600.")]
NameOption = Annotated[str | None, typer.Option(help="Name of the source.")]
RaOption = Annotated[float | None, typer.Option(help="Right ascension, ICRS degrees.")]
DeclOption = Annotated[float | None, typer.Option(help="Declination, ICRS degrees.")]
NotesOption = Annotated[str | None, typer.Option(help="Your own notes.")]
LimitOption = Annotated[int, typer.Option(help="At most so many.", min=1)]


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Name of the list.")],
    file: Annotated[
        Path | None, typer.Argument(exists=True, dir_okay=False, help="Its rows; see upload.")
    ] = None,
    description: Annotated[str, typer.Option(help="What it is for.")] = "",
    radius: Annotated[float, typer.Option(help="Arcseconds, for rows without a radius.")] = 5.0,
    activate: Annotated[bool, typer.Option(help="Match it from now on.")] = False,
    column: ColumnOption = None,
    skip_bad_rows: SkipOption = False,
    user: UserOption = None,
    archive: ArchiveOption = None,
) -> None:
    """Make a private watchlist, with the rows of a file if one is given."""
    with acting(user, archive) as me:
        from django.db import transaction

        from lasair_broker.web.watchlists import services

        with transaction.atomic():  # a list is not made for a file that is refused
            made = services.create(me, name, description=description, default_radius=radius)
            if file is not None:
                _upload(me, made.pk, file, column, skip_bad_rows)
            if activate:
                services.set_active(me, made.pk, True)
        console.print(f"watchlist {made.pk} made", highlight=False)


@app.command()
def upload(
    watchlist: ListArgument,
    file: FileArgument,
    column: ColumnOption = None,
    skip_bad_rows: SkipOption = False,
    activate: Annotated[bool, typer.Option(help="Match it from now on.")] = False,
    user: UserOption = None,
    archive: ArchiveOption = None,
) -> None:
    """Replace the rows of a watchlist by those of a file.

    A row whose name the list had keeps its number, and with it its triggers. If a row is faulty, all faults
    are told, and nothing is stored.
    """
    with acting(user, archive) as me:
        _upload(me, watchlist, file, column, skip_bad_rows)
        if activate:
            from lasair_broker.web.watchlists import services

            services.set_active(me, watchlist, True)


def _upload(me: User, watchlist: int, file: Path, column: list[str] | None, skip_bad_rows: bool) -> None:
    from lasair_broker.web.watchlists import services

    columns = {}
    for text in column or ():
        what, equals, name = text.partition("=")
        if not equals or what not in ("ra", "decl", "name", "radius", "notes"):
            raise typer.BadParameter(f"--column {text}: write ra=…, decl=…, name=…, radius=… or notes=…")
        columns[what] = name
    with errors.status(f"reading {escape(file.name)} …"):
        try:
            version = services.upload(
                me,
                watchlist,
                file.read_bytes(),
                source_name=file.name,
                columns=columns,
                skip_bad_rows=skip_bad_rows,
            )
        except services.RowsRefused as error:
            refuse_rows(
                [str(problem) for problem in error.upload.problems],
                error.upload.num_problems,
                "Correct the rows, or leave them out: --skip-bad-rows",
            )
    console.print(f"{version.row_count:,} rows stored as version {version.number}", highlight=False)


@app.command("list")
def show_lists(user: UserOption = None, archive: ArchiveOption = None) -> None:
    """Show the watchlists you see: your own, your collaborations', and public ones."""
    with acting(user, archive) as me:
        from lasair_broker.web.watchlists import services

        shown = Table("list", "name", "rows", "active", "owner", "seen by", box=None, header_style="bold")
        for each in services.visible(me):
            rows = f"{each.current.row_count:,}" if each.current else "0"
            active = "yes" if each.active else ""
            shown.add_row(
                str(each.pk), escape(each.name), rows, active, escape(each.owner.username), _seen_by(each)
            )
        console.print(shown)


@app.command()
def show(watchlist: ListArgument, user: UserOption = None, archive: ArchiveOption = None) -> None:
    """Show a watchlist: what it is, and how far its match with the archive has come."""
    with acting(user, archive) as me:
        from lasair_broker.web.watchlists import services

        found = services.get(me, watchlist)
        shown = Table.grid(padding=(0, 2))
        shown.add_row("name", escape(found.name))
        shown.add_row("owner", escape(found.owner.username))
        shown.add_row("seen by", _seen_by(found))
        shown.add_row("active", "yes" if found.active else "no")
        shown.add_row("default radius", f"{found.default_radius:g}″")
        if found.description:
            shown.add_row("description", escape(found.description))
        version = found.current
        if version is not None:
            shown.add_row("rows", f"{version.row_count:,}, version {version.number}")
            if found.active:
                state = match_state(
                    version.match,
                    version.match_done,
                    version.match_total,
                    version.match_hits,
                    version.match_message,
                )
                shown.add_row("match with the archive", state)
        shown.add_row("triggers", str(len(services.triggers(me, watchlist))))
        console.print(shown)


def _seen_by(found: Watchlist) -> str:
    return escape(found.collaboration.name) if found.collaboration else found.visibility


@app.command()
def rows(
    watchlist: ListArgument,
    name: Annotated[str, typer.Option(help="Only rows whose name holds this.")] = "",
    after: Annotated[int, typer.Option(help="Only rows with a greater number.")] = 0,
    limit: LimitOption = 100,
    user: UserOption = None,
    archive: ArchiveOption = None,
) -> None:
    """Show rows of a watchlist."""
    with acting(user, archive) as me:
        from lasair_broker.web.watchlists import services

        show_rows(services.rows(me, watchlist, after_cone_id=after, limit=limit, name=name))


@app.command()
def export(
    watchlist: ListArgument,
    file: Annotated[Path, typer.Argument(help="A .csv or .parquet file, to be written.")],
    user: UserOption = None,
    archive: ArchiveOption = None,
) -> None:
    """Write all rows of a watchlist to a file."""
    with acting(user, archive) as me:
        from lasair_broker.web.watchlists import services

        table = services.all_rows(me, watchlist)
    if file.suffix == ".parquet":
        pa.parquet.write_table(table, file)
    elif file.suffix == ".csv":
        pa.csv.write_csv(table, file)
    else:
        raise typer.BadParameter("name a .csv or a .parquet file")
    console.print(f"{table.num_rows:,} rows written to {escape(str(file))}", highlight=False)


@app.command("add-row")
def add_row(
    watchlist: ListArgument,
    name: Annotated[str, typer.Option(help="Name of the source.")],
    ra: Annotated[float, typer.Option(help="Right ascension, ICRS degrees.")],
    decl: Annotated[float, typer.Option(help="Declination, ICRS degrees.")],
    radius: RadiusOption = None,
    notes: NotesOption = None,
    user: UserOption = None,
    archive: ArchiveOption = None,
) -> None:
    """Add a row to a watchlist."""
    with acting(user, archive) as me:
        from lasair_broker.web.watchlists import services

        made = services.add_row(me, watchlist, name=name, ra=ra, decl=decl, radius=radius, notes=notes)
        console.print(f"row {made} added", highlight=False)


@app.command("edit-row")
def edit_row(
    watchlist: ListArgument,
    row: RowArgument,
    name: NameOption = None,
    ra: RaOption = None,
    decl: DeclOption = None,
    radius: RadiusOption = None,
    notes: NotesOption = None,
    user: UserOption = None,
    archive: ArchiveOption = None,
) -> None:
    """Change a row of a watchlist in place."""
    values = given(name=name, ra=ra, decl=decl, radius=radius, notes=notes)
    if not values:
        raise typer.BadParameter("say what to change: --name, --ra, --decl, --radius or --notes")
    with acting(user, archive) as me:
        from lasair_broker.web.watchlists import services

        services.edit_row(me, watchlist, row, **values)
        console.print(f"row {row} changed", highlight=False)


@app.command("delete-row")
def delete_row(
    watchlist: ListArgument, row: RowArgument, user: UserOption = None, archive: ArchiveOption = None
) -> None:
    """Remove a row of a watchlist."""
    with acting(user, archive) as me:
        from lasair_broker.web.watchlists import services

        services.delete_row(me, watchlist, row)
        console.print(f"row {row} removed", highlight=False)


@app.command()
def activate(watchlist: ListArgument, user: UserOption = None, archive: ArchiveOption = None) -> None:
    """Match a watchlist: on the stream within seconds, with the whole archive in the background."""
    _set_active(watchlist, user, archive, active=True)


@app.command()
def deactivate(watchlist: ListArgument, user: UserOption = None, archive: ArchiveOption = None) -> None:
    """Match a watchlist no longer; its hits are removed."""
    _set_active(watchlist, user, archive, active=False)


def _set_active(watchlist: int, user: str | None, archive: str | None, *, active: bool) -> None:
    with acting(user, archive) as me:
        from lasair_broker.web.watchlists import services

        services.set_active(me, watchlist, active)
        console.print(f"watchlist {watchlist} is {'active' if active else 'not active'}", highlight=False)


@app.command()
def share(
    watchlist: ListArgument,
    visibility: VisibilityArgument,
    collaboration: Annotated[
        str | None, typer.Option("--with", metavar="NAME", help="Short name of the collaboration.")
    ] = None,
    user: UserOption = None,
    archive: ArchiveOption = None,
) -> None:
    """Say who sees a watchlist and its hits."""
    with acting(user, archive) as me:
        from lasair_broker.web.watchlists import services

        services.share(me, watchlist, visibility.value, collaboration_of(collaboration))
        seen = collaboration if visibility is Visibility.group else visibility.value
        console.print(f"watchlist {watchlist} is seen by: {escape(str(seen))}", highlight=False)


@app.command()
def delete(
    watchlist: ListArgument, yes: YesOption = False, user: UserOption = None, archive: ArchiveOption = None
) -> None:
    """Remove a watchlist with its rows, triggers and hits."""
    with acting(user, archive) as me:
        from lasair_broker.web.watchlists import services

        found = services.get(me, watchlist)
        confirm(f"Remove the watchlist {found.name}?", yes)
        services.delete(me, watchlist)
        console.print(f"watchlist {watchlist} removed", highlight=False)


@app.command()
def hits(
    watchlist: ListArgument,
    limit: LimitOption = 100,
    user: UserOption = None,
    archive: ArchiveOption = None,
) -> None:
    """Show the objects in a watchlist: those with the newest detections."""
    _show_found(
        watchlist,
        "o.diaObjectId, o.objectName, h.cone_id, h.name, h.arcsec, o.ra, o.decl, o.lastDiaSourceMjdTai",
        "watchlist_hits AS h JOIN objects AS o ON o.diaObjectId = h.diaObjectId",
        "o.lastDiaSourceMjdTai DESC, h.arcsec",
        limit,
        user,
        archive,
    )


@app.command()
def events(
    watchlist: ListArgument,
    limit: LimitOption = 100,
    user: UserOption = None,
    archive: ArchiveOption = None,
) -> None:
    """Show what the triggers of a watchlist noticed, newest first."""
    _show_found(
        watchlist,
        "h.eventId, h.triggerId, h.diaObjectId, h.cone_id, h.name, h.midpointMjdTai, h.band, h.direction, "
        "h.magnitude",
        "watchlist_events AS h",
        "h.midpointMjdTai DESC",
        limit,
        user,
        archive,
    )


def _show_found(
    watchlist: int, columns: str, source: str, order: str, limit: int, user: str | None, archive: str | None
) -> None:
    with acting(user, archive) as me:
        from lasair_broker.web.catalogue import catalogue_for
        from lasair_broker.web.watchlists import services

        services.get(me, watchlist)
        text = f"SELECT TOP {limit} {columns} FROM {source} WHERE h.wl_id = {watchlist} ORDER BY {order}"  # noqa: S608 - ADQL, and checked
        query = parse(text, catalogue_for(me))
        with opened(archive, read_only=True) as store:
            found = store.query(query.render(store.engine), max_rows=limit)
        show_rows(found)


@app.command()
def match(archive: ArchiveOption = None) -> None:
    """Match all lists and maps that are due with the archive now, while nothing else uses it."""
    users_of(archive)
    match_due(archive)
