"""`lasair archive`: look after the archive."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from ._context import ArchiveOption, console, fail, opened
from ._format import bytes_size
from ._progress import work

__all__ = ["app"]

app = typer.Typer(help="Look after the archive.", no_args_is_help=True)


@app.command()
def check(archive: ArchiveOption = None) -> None:
    """Compare the tables with each other and with the pack files. Exit code 1 if something is wrong."""
    with opened(archive, read_only=True) as store, work("checking") as progress:
        findings = store.check(progress)
    for finding in findings:
        colour = "red" if finding.severity == "error" else "yellow"
        console.print(
            f"[{colour}]{finding.severity}[/] {escape(finding.place)}: {escape(finding.message)}",
            highlight=False,
        )
    if any(finding.severity == "error" for finding in findings):
        raise fail("the archive is damaged", "What can be read can be exported: lasair archive export FOLDER")
    if any("no alert is known in this pack" in finding.message for finding in findings):
        console.print("To remove such packs: lasair archive compact --remove-unknown-packs", highlight=False)
    console.print("The archive is sound.")


@app.command()
def compact(
    archive: ArchiveOption = None,
    remove_unknown_packs: Annotated[
        bool,
        typer.Option(
            "--remove-unknown-packs",
            help="Also remove pack files in which no alert is known. A crash leaves such files; but they may "
            "also be newer than the back-up that the archive was restored from, and are then worth keeping.",
        ),
    ] = False,
) -> None:
    """Sort everything in, so that look-ups are as fast as they can be. Can be interrupted and run again."""
    with opened(archive) as store:
        if remove_unknown_packs:
            packs = store.unknown_packs()
            for pack, size in packs.items():
                console.print(f"removing {escape(pack)}, {bytes_size(size)}", highlight=False)
            if not packs:
                console.print("There are no unknown packs.")
        with work("compacting") as progress:
            store.compact(progress, remove_unknown_packs=remove_unknown_packs)
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
