"""`lasair archive`: look after the archive."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from lasair_broker.archive import Retention, copy_archive, open_archive, tidy_archive, unite_packs
from lasair_broker.archive.postgresql import PostgreSQLArchive
from lasair_broker.packets import mjd_tai_now
from lasair_broker.settings import ArchiveSettings
from lasair_broker.stream import stop_on_signals

from ._context import ArchiveOption, console, fail, opened, settings_for
from ._format import bytes_size
from ._progress import work

__all__ = ["app"]

_MJD_0 = 678_576
"""The day (Python's ordinal) on which MJD is 0."""

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
def tidy(archive: ArchiveOption = None) -> None:
    """Take out of the packs what is older than the settings keep it, and unite small ones in an object store.
    Can be interrupted and run again.

    The settings archive.keep_images_days and archive.keep_alerts_days say how many days cut-outs, and packets
    with all that is in them, are kept, by survey; without them everything is. Tables keep what was read from
    packets. Others may write to an archive in PostgreSQL meanwhile. Exit code 1 if a pack could not be read.
    """
    settings = settings_for(archive).archive
    keep = Retention(settings.keep_images_days, settings.keep_alerts_days)
    with opened(archive) as store, work("tidying") as progress:
        done = tidy_archive(store, keep, mjd_tai_now(), progress)
        united = unite_packs(store, settings.pack_bytes, mjd_tai_now(), progress)
    console.print(
        f"{done.images:,} alerts lost their images, {done.alerts:,} their packets; "
        f"{bytes_size(done.bytes)} are free",
        highlight=False,
    )
    if united.packs:
        console.print(
            f"{united.packs:,} packs were united into {united.into:,} of {bytes_size(united.bytes)}; "
            "the next run removes the old ones",
            highlight=False,
        )
    failed = {**done.failed, **united.failed}
    for pack, reason in failed.items():
        console.print(f"[red]{escape(pack)}[/]: {escape(reason)}", highlight=False)
    if failed:
        raise fail("some packs were left as they are", "To see all that is wrong: lasair archive check")


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
        str | None,
        typer.Option(
            help="Place of the packs of the archive in PostgreSQL (setting archive.packs).",
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
def snapshot(
    archive: ArchiveOption = None,
    every: Annotated[
        float | None,
        typer.Option(
            help="Stay, and bring it up to date every so many seconds.", min=1.0, show_default=False
        ),
    ] = None,
) -> None:
    """Make the columnar snapshot of an archive in PostgreSQL, or bring it up to date.

    Searches that no index serves are then answered from it, united with what has changed since: the same
    rows, much sooner. The setting archive.snapshot names its folder, on a fast disk of the machine that
    answers queries. Run it with --every 60 beside `lasair serve`. A snapshot older than a day does not count.
    """
    with opened(archive) as store, stop_on_signals() as stop:
        if not isinstance(store, PostgreSQLArchive):
            raise fail("the embedded archive needs no snapshot", "It is columnar itself.")
        while True:
            with work("reading what has changed") as progress:
                done = store.refresh_snapshot(progress)
            if done is None:
                console.print("Another process is at it.")
            else:
                console.print(
                    f"{'read' if done.anew else 'brought up to date'}: {done.objects:,} objects, "
                    f"{done.files:,} files in {done.seconds:.1f} s",
                    highlight=False,
                )
            if every is None or stop.wait(every):
                return


@app.command()
def export(
    folder: Annotated[Path, typer.Argument(help="Where to put the files; made if it is not there.")],
    archive: ArchiveOption = None,
    parquet: Annotated[
        bool, typer.Option("--parquet", help="As Parquet, a folder a table (the default).")
    ] = True,
    hats: Annotated[
        bool,
        typer.Option("--hats", help="Objects and measurements in HATS layout, which LSDB reads, instead."),
    ] = False,
    night: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d"],
            help="With --hats: only what was measured in the night that begins at noon of this day (TAI), "
            "into FOLDER/NIGHT.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Copy every table into Parquet files, for other programs; or the large ones in HATS layout, by night."""
    if night is not None and not hats:
        raise typer.BadParameter("--night goes with --hats")
    with opened(archive) as store, work("exporting") as progress:
        if hats:
            noon = None if night is None else night.toordinal() - _MJD_0 + 0.5
            target = folder if night is None else folder / f"{night:%Y-%m-%d}"
            rows = store.export_hats(target, None if noon is None else (noon, noon + 1.0), progress)
            console.print(f"{sum(rows.values()):,} rows exported to {escape(str(target))}", highlight=False)
            return
        store.export_parquet(folder, progress=progress)
    console.print(f"Exported to {escape(str(folder))}")
