"""`lasair event`: events that other surveys and missions announce."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import pyarrow as pa
import pyarrow.compute as pc
import typer
from rich.markup import escape
from rich.table import Table

from lasair_broker.archive import Archive
from lasair_broker.context.events import (
    EventError,
    EventFile,
    EventIndex,
    read_events,
    read_mapping,
    read_stored,
    remove_events,
    shipped_mappings,
    update_events,
)

from ._context import console, errors, fail, opened, settings_for
from ._progress import work

__all__ = ["app"]

app = typer.Typer(
    help="Take in events of other surveys and missions, and look at them.", no_args_is_help=True
)

_SHOWN_ROWS = 5
"""Refused rows of a file that are told one by one."""

_OBJECTS_AT_ONCE = 50_000

_ArchiveOption = Annotated[
    str | None,
    typer.Option(
        "--archive",
        "-a",
        metavar="FOLDER",
        help="Also match with the objects of this archive; it must not be in use.",
    ),
]
_Origin = Annotated[
    str | None, typer.Option("--origin", help="Only of this origin, as `lasair event list` shows it.")
]
_Name = Annotated[str, typer.Argument(help="Name of the event.")]


@app.command()
def add(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE…",
            help="GCN notices (JSON), VOEvents (XML), tables (CSV, Parquet) or alerts (Avro).",
        ),
    ],
    mapping: Annotated[
        str | None,
        typer.Option(
            "--mapping",
            "-m",
            metavar="FILE",
            help="What the columns of tables are: a YAML file, or the name of one that `lasair event "
            "mappings` shows. Default: the one that fits.",
        ),
    ] = None,
    tests: Annotated[
        bool,
        typer.Option("--tests", help="Also take in notices that say they are tests. They match nothing."),
    ] = False,
    archive: _ArchiveOption = None,
) -> None:
    """Take events in. A running stream matches its alerts with them at once.

    A newer notice of an event takes the place of the older; an older one changes nothing. A file that cannot
    be read is told and the others go on; the exit code is then 1. With --archive, objects stored are matched
    too.
    """
    settings = settings_for(archive)
    chosen = read_mapping(mapping) if mapping else None
    read: list[pa.Table] = []
    failed = 0
    with work("reading") as progress:
        for number, path in enumerate(files):
            progress(path.name, number / len(files))
            try:
                found = read_events(path, chosen)
            except EventError as error:
                failed += 1
                errors.print(f"[bold red]not taken in:[/] {escape(str(error))}", highlight=False)
                continue
            failed += bool(found.refused)
            _tell_refused(path, found)
            read.append(found.rows)
    if not read:
        raise fail("no events were taken in")
    rows = pa.concat_tables(read)
    if not tests:
        real = pc.equal(rows["role"], "observation")
        left_out = rows.num_rows - (pc.sum(real).as_py() or 0)
        rows = rows.filter(real)
        if left_out:
            errors.print(f"{left_out:,} tests left out (--tests takes them in)", highlight=False)
    with errors.status("taking them in …"):
        done = update_events(settings.context.catalogues, rows)
    console.print(
        f"{done.new:,} new events, {done.changed:,} changed; {done.total:,} are known", highlight=False
    )
    _tell_unmatched(done.rows)
    if archive is not None:
        with opened(archive) as store, work("matching with the archive") as progress:
            hits = _match(store, done.rows)
        console.print(f"{hits:,} hits in the archive", highlight=False)
    if failed:
        raise typer.Exit(1)


def _tell_refused(path: Path, found: EventFile) -> None:
    for row in found.refused[:_SHOWN_ROWS]:
        errors.print(
            f"[bold red]left out:[/] {escape(str(path))} line {row.line}, "
            f"column {escape(row.column)}: {escape(row.reason)}",
            highlight=False,
        )
    more = len(found.refused) - _SHOWN_ROWS
    if more > 0:
        errors.print(f"… and {more:,} more rows of {escape(str(path))}", highlight=False)


def _tell_unmatched(rows: pa.Table) -> None:
    current = rows.filter(pc.and_(pc.invert(rows["retracted"]), pc.equal(rows["role"], "observation")))
    lacking = current.num_rows - len(EventIndex.build(current))
    if lacking:
        errors.print(
            f"{lacking:,} of them have no position with an error, or none small enough, and match nothing",
            highlight=False,
        )


def _match(store: Archive, rows: pa.Table) -> int:
    """Store events and their hits in an archive, in the place of those it had; how many hits there are."""
    store.write([], tables={"external_events": rows})
    index = EventIndex.build(rows)
    hits = [index.hits(_objects(store, []))]
    for places in store.object_places(index.covering_ranges(), _OBJECTS_AT_ONCE):
        near = index.near(places["ra"].to_numpy(), places["decl"].to_numpy())
        if len(near):
            hits.append(index.hits(_objects(store, places["diaObjectId"].take(pa.array(near)).to_pylist())))
    found = pa.concat_tables(hits)
    for number in rows["mw_id"].to_pylist():
        mine = found.filter(pc.equal(found["mw_id"], number))
        store.replace_list_hits("event_hits", number, mine, first=True)
    return int(found.num_rows)


def _objects(store: Archive, ids: Sequence[int]) -> pa.Table:
    columns = ("diaObjectId", "ra", "decl", "firstDiaSourceMjdTai", "lastDiaSourceMjdTai")
    return store.rows_of_objects("objects", ids, columns)


@app.command("list")
def show_list(
    origin: _Origin = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="So many, the newest.")] = 50,
) -> None:
    """Show the events there are, the newest first."""
    rows = read_stored(settings_for(None).context.catalogues)
    if origin is not None:
        rows = rows.filter(pc.equal(rows["origin"], origin))
    total = rows.num_rows
    if not total:
        console.print("There are no events. Take some in: lasair event add FILE", highlight=False)
        return
    table = Table("origin", "name", "kind", "MJD (TAI)", "RA", "Dec", "90% radius", "state", box=None)
    for row in rows.sort_by([("eventMjdTai", "descending")]).slice(0, limit).to_pylist():
        state = "retracted" if row["retracted"] else row["role"] if row["role"] != "observation" else ""
        table.add_row(
            escape(row["origin"]), escape(row["eventName"]), escape(row["eventClass"] or row["kind"] or ""),
            _figure(row["eventMjdTai"], ".4f"), _figure(row["ra"], ".5f"), _figure(row["decl"], "+.5f"),
            _radius(row["errorRadius"]), state,
        )  # fmt: skip
    console.print(table)
    if total > limit:
        console.print(f"… and {total - limit:,} more", highlight=False)


@app.command()
def show(name: _Name, origin: _Origin = None) -> None:
    """Show all that is known of an event."""
    rows = read_stored(settings_for(None).context.catalogues)
    rows = rows.filter(pc.equal(rows["eventName"], name))
    if origin is not None:
        rows = rows.filter(pc.equal(rows["origin"], origin))
    if not rows.num_rows:
        raise fail(f"there is no event {escape(name)}", "lasair event list shows those there are")
    for row in rows.to_pylist():
        table = Table(box=None, show_header=False)
        for column, value in row.items():
            if value is not None:
                table.add_row(column, escape(str(value)))
        console.print(table)


@app.command()
def remove(name: _Name, origin: _Origin = None, archive: _ArchiveOption = None) -> None:
    """Forget an event. With --archive, also its hits in an archive, where it stays marked as removed."""
    settings = settings_for(archive)
    gone = remove_events(settings.context.catalogues, name, origin)
    if not gone.num_rows:
        raise fail(f"there is no event {escape(name)}", "lasair event list shows those there are")
    if archive is not None:
        place = gone.schema.get_field_index("role")
        marked = gone.set_column(place, "role", pa.array(["removed"] * gone.num_rows))
        with opened(archive) as store:
            _match(store, marked)
    console.print(f"{gone.num_rows} removed", highlight=False)


@app.command()
def mappings() -> None:
    """Show the mappings of tables that come with Lasair."""
    table = Table("name", "table", "where it comes from", box=None)
    for name, mapping in shipped_mappings().items():
        table.add_row(name, escape(mapping.title), escape(mapping.source))
    console.print(table)


def _figure(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


def _radius(degrees: float | None) -> str:
    if degrees is None:
        return ""
    return f"{degrees:.2f}°" if degrees >= 0.1 else f"{3600.0 * degrees:.1f}″"
