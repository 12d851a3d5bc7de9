"""`lasair archive`: look after the archive."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from lasair_broker.archive import copy_archive, open_archive
from lasair_broker.settings import ArchiveSettings

from ._context import ArchiveOption, console, fail, opened, settings_for
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
def init(
    archive: ArchiveOption = None,
    distributed: Annotated[
        bool,
        typer.Option("--distributed", help="Spread its tables over the servers of Citus, by object."),
    ] = False,
) -> None:
    """Make an archive, if it is not there. Every command that writes does so too, but not --distributed."""
    where = settings_for(archive).archive
    if distributed and not where.url.startswith(("postgresql://", "postgres://")):
        raise fail(
            "only an archive in PostgreSQL can be spread over servers", "Name a postgresql:// address."
        )
    with open_archive(where, distributed=distributed) as made:
        console.print(f"The archive is ready: {escape(made.status().where)}", highlight=False)


@app.command()
def copy(
    source: Annotated[
        str, typer.Argument(metavar="FROM", help="A folder, or postgresql://user@host/database.")
    ],
    target: Annotated[str, typer.Argument(metavar="TO", help="Where to copy it; made if it is not there.")],
    packs: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the packs of the archive in PostgreSQL (setting archive.packs).",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Move house: copy an archive from one engine to the other, images and raw alerts included.

    Nothing may be written to either meanwhile: stop `lasair run` and `lasair ingest` first. Every piece is
    compared with what it was copied from. If this is broken off, give the same command again: what is there
    already is not copied twice. Users, filters and lists are in a database of their own, which is not copied.
    """
    if source == target:
        raise fail("that is the same archive twice", "Name where to copy to.")
    if "://" not in source and not Path(source).is_dir():
        raise fail(f"there is no archive at {escape(source)}", "Name the archive to copy from first.")

    def place(url: str) -> ArchiveSettings:
        settings = settings_for(url).archive
        return settings if packs is None else settings.model_copy(update={"packs": packs})

    with (
        open_archive(place(source)) as theirs,
        open_archive(place(target)) as ours,
        work("copying") as progress,
    ):
        copied = copy_archive(theirs, ours, progress)
    rows = sum(copied.rows.values())
    console.print(
        f"{rows:,} rows and {bytes_size(copied.pack_bytes)} of packs are the same in both archives"
        + (f"; {copied.already:,} rows were there already" if copied.already else ""),
        highlight=False,
    )


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
