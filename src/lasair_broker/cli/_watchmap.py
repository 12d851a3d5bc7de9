"""`lasair watchmap`: regions of the sky to watch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from lasair_broker.query import parse
from lasair_broker.sky import UploadError, read_watchlist

from ._context import ArchiveOption, console, fail, opened
from ._lists import (
    Visibility,
    VisibilityArgument,
    YesOption,
    collaboration_of,
    confirm,
    match_due,
    match_state,
    refuse_rows,
)
from ._query import show_rows
from ._user import UserOption, acting, users_of

if TYPE_CHECKING:
    from lasair_broker.web.watchmaps.models import Watchmap

__all__ = ["app"]

app = typer.Typer(help="Watchmaps: regions of the sky to watch.", no_args_is_help=True)

MapArgument = Annotated[int, typer.Argument(metavar="MAP", help="Number of the watchmap.")]
FileArgument = Annotated[
    Path, typer.Argument(exists=True, dir_okay=False, help="A MOC: FITS, JSON or ASCII.")
]


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Name of the map.")],
    file: Annotated[
        Path | None, typer.Argument(exists=True, dir_okay=False, help="A MOC: FITS, JSON or ASCII.")
    ] = None,
    circle: Annotated[
        tuple[float, float, float] | None,
        typer.Option(metavar="RA DECL RADIUS", help="A circle, degrees."),
    ] = None,
    polygon: Annotated[
        str | None, typer.Option(metavar="'RA DECL, RA DECL, …'", help="A polygon, its corners in degrees.")
    ] = None,
    fields: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", exists=True, dir_okay=False, help="A list of fields: CSV with ra, decl and name."
        ),
    ] = None,
    radius: Annotated[float | None, typer.Option(help="Radius of each field, degrees.")] = None,
    description: Annotated[str, typer.Option(help="What it is for.")] = "",
    user: UserOption = None,
    archive: ArchiveOption = None,
) -> None:
    """Make a private watchmap from a MOC, a circle, a polygon or a list of fields. It is active at once."""
    if sum(way is not None for way in (file, circle, polygon, fields)) != 1:
        raise typer.BadParameter("give one of FILE, --circle, --polygon or --fields")
    if (fields is None) != (radius is None):
        raise typer.BadParameter("--fields needs --radius, and --radius is only for --fields")
    with acting(user, archive) as me:
        from lasair_broker.web.watchmaps import services

        if file is not None:
            made = services.create_from_file(me, name, file.read_bytes(), description=description)
        elif circle is not None:
            made = services.create_circle(me, name, *circle, description=description)
        elif polygon is not None:
            made = services.create_polygon(me, name, *_corners(polygon), description=description)
        else:
            assert fields is not None  # noqa: S101 - for the type checker: one of the four was given
            assert radius is not None  # noqa: S101
            ra, decl = _fields(fields)
            made = services.create_fields(me, name, ra, decl, radius, description=description)
        console.print(f"watchmap {made.pk} made: {_area(made)}", highlight=False)


def _corners(text: str) -> tuple[list[float], list[float]]:
    corners = [corner.split() for corner in text.split(",") if corner.strip()]
    try:
        pairs = [(float(ra), float(decl)) for ra, decl in corners]
    except ValueError:
        raise typer.BadParameter("write the corners as 'RA DECL, RA DECL, …', in degrees") from None
    return [ra for ra, _ in pairs], [decl for _, decl in pairs]


def _fields(file: Path) -> tuple[list[float], list[float]]:
    try:
        read = read_watchlist(file.read_bytes())
    except UploadError as error:
        raise fail(f"{escape(file.name)}: {escape(str(error))}") from None
    if read.num_problems:
        refuse_rows([str(problem) for problem in read.problems], read.num_problems, "Correct these rows.")
    return read.rows.column("ra").to_pylist(), read.rows.column("decl").to_pylist()


@app.command()
def upload(
    watchmap: MapArgument, file: FileArgument, user: UserOption = None, archive: ArchiveOption = None
) -> None:
    """Replace the region of a watchmap by that of a MOC."""
    with acting(user, archive) as me:
        from lasair_broker.web.watchmaps import services

        changed = services.replace(me, watchmap, file.read_bytes())
        console.print(f"watchmap {watchmap} is now {_area(changed)}", highlight=False)


@app.command("list")
def show_maps(user: UserOption = None, archive: ArchiveOption = None) -> None:
    """Show the watchmaps you see: your own, your collaborations', and public ones."""
    with acting(user, archive) as me:
        from lasair_broker.web.watchmaps import services

        shown = Table("map", "name", "area", "active", "owner", "seen by", box=None, header_style="bold")
        for each in services.visible(me):
            active = "yes" if each.active else ""
            owner = escape(each.owner.username)
            shown.add_row(str(each.pk), escape(each.name), _area(each), active, owner, _seen_by(each))
        console.print(shown)


@app.command()
def show(watchmap: MapArgument, user: UserOption = None, archive: ArchiveOption = None) -> None:
    """Show a watchmap: what it is, its area, and how far its match with the archive has come."""
    with acting(user, archive) as me:
        from lasair_broker.web.watchmaps import services

        found = services.get(me, watchmap)
        shown = Table.grid(padding=(0, 2))
        shown.add_row("name", escape(found.name))
        shown.add_row("owner", escape(found.owner.username))
        shown.add_row("seen by", _seen_by(found))
        shown.add_row("active", "yes" if found.active else "no")
        shown.add_row("area", _area(found))
        shown.add_row("finest order", str(found.order))
        shown.add_row("made from", escape(found.get_origin_display()))
        if found.description:
            shown.add_row("description", escape(found.description))
        if found.active:
            state = match_state(
                found.match, found.match_done, found.match_total, found.match_hits, found.match_message
            )
            shown.add_row("match with the archive", state)
        console.print(shown)


@app.command()
def area(watchmap: MapArgument, user: UserOption = None, archive: ArchiveOption = None) -> None:
    """Print the area of a watchmap in square degrees."""
    with acting(user, archive) as me:
        from lasair_broker.web.watchmaps import services

        console.print(f"{services.get(me, watchmap).area_deg2:.6g}", highlight=False)


@app.command()
def export(
    watchmap: MapArgument,
    file: Annotated[Path, typer.Argument(help="A FITS file, to be written.")],
    user: UserOption = None,
    archive: ArchiveOption = None,
) -> None:
    """Write a watchmap as a MOC in FITS."""
    with acting(user, archive) as me:
        from lasair_broker.web.watchmaps import services

        file.write_bytes(services.region(me, watchmap).to_fits())
        console.print(f"written to {escape(str(file))}", highlight=False)


@app.command()
def activate(watchmap: MapArgument, user: UserOption = None, archive: ArchiveOption = None) -> None:
    """Match a watchmap: on the stream within seconds, with the whole archive in the background."""
    _set_active(watchmap, user, archive, active=True)


@app.command()
def deactivate(watchmap: MapArgument, user: UserOption = None, archive: ArchiveOption = None) -> None:
    """Match a watchmap no longer; its hits are removed."""
    _set_active(watchmap, user, archive, active=False)


def _set_active(watchmap: int, user: str | None, archive: str | None, *, active: bool) -> None:
    with acting(user, archive) as me:
        from lasair_broker.web.watchmaps import services

        services.describe(me, watchmap, active=active)
        console.print(f"watchmap {watchmap} is {'active' if active else 'not active'}", highlight=False)


@app.command()
def share(
    watchmap: MapArgument,
    visibility: VisibilityArgument,
    collaboration: Annotated[
        str | None, typer.Option("--with", metavar="NAME", help="Short name of the collaboration.")
    ] = None,
    user: UserOption = None,
    archive: ArchiveOption = None,
) -> None:
    """Say who sees a watchmap and its hits."""
    with acting(user, archive) as me:
        from lasair_broker.web.watchmaps import services

        services.share(me, watchmap, visibility.value, collaboration_of(collaboration))
        seen = collaboration if visibility is Visibility.group else visibility.value
        console.print(f"watchmap {watchmap} is seen by: {escape(str(seen))}", highlight=False)


@app.command()
def delete(
    watchmap: MapArgument, yes: YesOption = False, user: UserOption = None, archive: ArchiveOption = None
) -> None:
    """Remove a watchmap and its hits."""
    with acting(user, archive) as me:
        from lasair_broker.web.watchmaps import services

        found = services.get(me, watchmap)
        confirm(f"Remove the watchmap {found.name}?", yes)
        services.delete(me, watchmap)
        console.print(f"watchmap {watchmap} removed", highlight=False)


@app.command()
def hits(
    watchmap: MapArgument,
    limit: Annotated[int, typer.Option(help="At most so many.", min=1)] = 100,
    user: UserOption = None,
    archive: ArchiveOption = None,
) -> None:
    """Show the objects in a watchmap: those with the newest detections."""
    with acting(user, archive) as me:
        from lasair_broker.web.catalogue import catalogue_for
        from lasair_broker.web.watchmaps import services

        services.get(me, watchmap)
        text = (
            f"SELECT TOP {limit} o.diaObjectId, o.objectName, o.ra, o.decl, o.lastDiaSourceMjdTai "  # noqa: S608 - ADQL, and checked
            f"FROM area_hits AS h JOIN objects AS o ON o.diaObjectId = h.diaObjectId "
            f"WHERE h.ar_id = {watchmap} ORDER BY o.lastDiaSourceMjdTai DESC"
        )
        query = parse(text, catalogue_for(me))
        with opened(archive, read_only=True) as store:
            found = store.query(query.render(store.engine), max_rows=limit)
        show_rows(found)


@app.command()
def match(archive: ArchiveOption = None) -> None:
    """Match all lists and maps that are due with the archive now, while nothing else uses it."""
    users_of(archive)
    match_due(archive)


def _area(found: Watchmap) -> str:
    return f"{found.area_deg2:,.4g} square degrees"


def _seen_by(found: Watchmap) -> str:
    return escape(found.collaboration.name) if found.collaboration else found.visibility
