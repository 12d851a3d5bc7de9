"""`lasair event`: events that other surveys and missions announce."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import pyarrow as pa
import pyarrow.compute as pc
import typer
from rich.markup import escape
from rich.table import Table

from lasair_broker.context.events import (
    EventError,
    EventFile,
    EventIndex,
    read_events,
    read_mapping,
    read_stored,
    remove_events,
    shipped_mappings,
    take_in,
)

from ._context import console, errors, fail, settings_for
from ._news import bring_up_to_date
from ._progress import work

__all__ = ["app"]

app = typer.Typer(
    help="Take in events of other surveys and missions, and look at them.", no_args_is_help=True
)

_SHOWN_ROWS = 5
"""Refused rows of a file that are told one by one."""

_ArchiveOption = Annotated[
    str | None,
    typer.Option(
        "--archive",
        "-a",
        metavar="FOLDER",
        help="Also match with the objects of this archive. Not needed where a stream runs: it does so "
        "itself.",
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
    """Take events in. A running stream matches its alerts with them at once, and what it has stored within
    seconds.

    A newer notice of an event takes the place of the older; an older one changes nothing. A file that cannot
    be read is told and the others go on; the exit code is then 1. With --archive, objects stored are matched
    while no stream runs.
    """
    settings = settings_for(archive)
    chosen = read_mapping(mapping) if mapping else None
    read: list[EventFile] = []
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
            for problem in found.problems:
                errors.print(f"{escape(str(path))}: {escape(problem)}", highlight=False)
            _tell_refused(path, found)
            read.append(found)
    if not read:
        raise fail("no events were taken in")
    if not tests:
        read, left_out = _without_tests(read)
        if left_out:
            errors.print(f"{left_out:,} tests left out (--tests takes them in)", highlight=False)
    with errors.status("taking them in …"):
        done = take_in(settings.context.catalogues, read)
    console.print(
        f"{done.new:,} new events, {done.changed:,} changed; {done.total:,} are known", highlight=False
    )
    _tell_unmatched(done.rows)
    if archive is not None:
        bring_up_to_date(archive, settings)
    if failed:
        raise typer.Exit(1)


def _without_tests(files: list[EventFile]) -> tuple[list[EventFile], int]:
    """The files without tests, and how many these were."""
    kept = [
        replace(file, rows=file.rows.filter(pc.equal(file.rows["role"], "observation"))) for file in files
    ]
    return kept, sum(file.rows.num_rows for file in files) - sum(file.rows.num_rows for file in kept)


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
    with_map = pc.sum(current["skymap"].is_valid()).as_py() or 0
    lacking = current.num_rows - with_map - len(EventIndex.build(current.filter(current["skymap"].is_null())))
    if lacking:
        errors.print(
            f"{lacking:,} of them have no position with an error, or none small enough, and match nothing",
            highlight=False,
        )


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
    table = Table(
        "origin", "name", "kind", "MJD (TAI)", "RA", "Dec", "90% radius", "90% area", "Mpc", "state", box=None
    )
    for row in rows.sort_by([("eventMjdTai", "descending")]).slice(0, limit).to_pylist():
        state = "retracted" if row["retracted"] else row["role"] if row["role"] != "observation" else ""
        table.add_row(
            escape(row["origin"]), escape(row["eventName"]), escape(row["eventClass"] or row["kind"] or ""),
            _figure(row["eventMjdTai"], ".4f"), _figure(row["ra"], ".5f"), _figure(row["decl"], "+.5f"),
            _radius(row["errorRadius"]), _area(row["area90"]), _figure(row["distance"], ".0f"), state,
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
    """Forget an event, and its hits: within seconds where a stream runs, else with --archive."""
    settings = settings_for(archive)
    gone = remove_events(settings.context.catalogues, name, origin)
    if not gone.num_rows:
        raise fail(f"there is no event {escape(name)}", "lasair event list shows those there are")
    if archive is not None:
        bring_up_to_date(archive, settings)
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


def _area(square_degrees: float | None) -> str:
    if square_degrees is None or square_degrees < 0.1:
        return ""
    return f"{square_degrees:,.1f} deg²"


def _radius(degrees: float | None) -> str:
    if degrees is None:
        return ""
    return f"{degrees:.2f}°" if degrees >= 0.1 else f"{3600.0 * degrees:.1f}″"
