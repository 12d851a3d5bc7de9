"""`lasair archive`: look after the archive."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from ._context import ArchiveOption, console, fail, opened
from ._progress import work

__all__ = ["app"]

app = typer.Typer(help="Look after the archive.", no_args_is_help=True)


@app.command()
def check(archive: ArchiveOption = None) -> None:
    """Compare the tables with each other and with the pack files. Exit code 1 if something is wrong."""
    with opened(archive) as store, work("checking") as progress:
        findings = store.check(progress)
    for finding in findings:
        colour = "red" if finding.severity == "error" else "yellow"
        console.print(
            f"[{colour}]{finding.severity}[/] {escape(finding.place)}: {escape(finding.message)}",
            highlight=False,
        )
    if any(finding.severity == "error" for finding in findings):
        raise fail("the archive is damaged", "What can be read can be exported: lasair archive export FOLDER")
    console.print("The archive is sound.")


@app.command()
def compact(archive: ArchiveOption = None) -> None:
    """Sort everything in, so that look-ups are as fast as they can be. Can be interrupted and run again."""
    with opened(archive) as store, work("compacting") as progress:
        store.compact(progress)
    console.print("Everything is sorted in.")


@app.command()
def export(
    folder: Annotated[Path, typer.Argument(help="Where to put the files; made if it is not there.")],
    archive: ArchiveOption = None,
    parquet: Annotated[
        bool, typer.Option("--parquet", help="As Parquet, a folder a table (the default).")
    ] = True,
) -> None:
    """Copy every table into Parquet files, for other programs."""
    with opened(archive) as store, work("exporting") as progress:
        store.export_parquet(folder, progress=progress)
    console.print(f"Exported to {escape(str(folder))}")
