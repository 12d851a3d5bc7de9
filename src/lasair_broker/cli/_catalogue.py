"""`lasair catalogue`: import catalogues, and look after them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from lasair_broker.context.catalogues import (
    CatalogueSet,
    add_catalogue,
    check_catalogue,
    mapping_text,
    read_description,
    remove_catalogue,
    shipped_descriptions,
    source_columns,
)

from ._context import console, fail, settings_for
from ._format import bytes_size
from ._progress import work

__all__ = ["app"]

app = typer.Typer(help="Import catalogues of the sky, and look after them.", no_args_is_help=True)

_Folder = Annotated[
    Path | None,
    typer.Option(
        "--folder",
        "-f",
        metavar="DIR",
        help="Where catalogues are kept. Default: context.catalogues (LASAIR_CONTEXT__CATALOGUES).",
    ),
]
_Name = Annotated[str, typer.Argument(help="What to call it: small letters, digits and _.")]


def _folder(given: Path | None) -> Path:
    return given if given is not None else settings_for(None).context.catalogues


@app.command()
def add(
    name: _Name,
    source: Annotated[
        str,
        typer.Argument(
            help="CSV, FITS, VOTable or Parquet; a folder or pattern of such files; or a HATS folder. "
            "A path, or a URL such as https://…"
        ),
    ],
    mapping: Annotated[
        str | None,
        typer.Option(
            "--mapping",
            "-m",
            metavar="FILE",
            help="What the columns are: a YAML file, or the name of a mapping that comes with Lasair. "
            "Default: the one called as the catalogue.",
        ),
    ] = None,
    skip_bad_rows: Annotated[
        bool,
        typer.Option(
            "--skip-bad-rows",
            help="Leave out rows without a position and values that are no numbers, and list them in "
            "rejected.csv.",
        ),
    ] = False,
    folder: _Folder = None,
) -> None:
    """Import a catalogue, or a new version of it. Can be interrupted: the same command goes on."""
    if mapping is None and name not in shipped_descriptions():
        raise fail(
            f"no mapping called {escape(name)} comes with Lasair",
            "Name one with --mapping; `lasair catalogue mappings` lists those there are, "
            f"`lasair catalogue columns {escape(source)}` the columns to map",
        )
    description = read_description(mapping or name)
    with work(f"importing {name}") as progress:
        version = add_catalogue(
            _folder(folder), name, source, description, skip_bad_rows=skip_bad_rows, progress=progress
        )
    console.print(f"{name}: {version.rows:,} rows, version {version.version}", highlight=False)
    if version.absent:
        console.print(f"[yellow]Not in the source:[/] {', '.join(version.absent)}", highlight=False)
    if version.rejected:
        where = _folder(folder) / name / f"v-{version.version}" / "rejected.csv"
        console.print(f"{version.rejected:,} faults, listed in {escape(str(where))}", highlight=False)


@app.command("list")
def show_list(folder: _Folder = None) -> None:
    """Show the catalogues there are."""
    found = CatalogueSet.open(_folder(folder))
    if not found.states:
        console.print(f"There are no catalogues in {escape(str(_folder(folder)))}.", highlight=False)
        return
    table = Table("name", "state", "rows", "size", "quality", "kind", "imported", "licence", box=None)
    for name, state in sorted(found.states.items()):
        catalogue = found.get(name)
        if catalogue is None:
            table.add_row(name, f"[red]{state.state}[/]", "", "", "", "", "", escape(state.message))
            continue
        about, details = catalogue.description, catalogue.details
        size = sum(facts["bytes"] for facts in details.files.values())
        table.add_row(
            name,
            "ok",
            f"{len(catalogue):,}",
            bytes_size(size),
            f"{about.quality:g}",
            about.kind,
            details.imported_at[:10],
            escape(about.licence),
        )
    console.print(table)


@app.command()
def check(
    names: Annotated[list[str] | None, typer.Argument(help="Which ones. Default: all.")] = None,
    folder: _Folder = None,
) -> None:
    """Read catalogues whole and compare with what was written. Exit code 1 if something is wrong."""
    where = _folder(folder)
    findings: list[str] = []
    chosen = names or sorted(CatalogueSet.open(where).states)
    with work("checking") as progress:
        for name in chosen:
            findings += check_catalogue(where, name, progress)
    for finding in findings:
        console.print(f"[red]error[/] {escape(finding)}", highlight=False)
    if findings:
        raise fail("not every catalogue is sound", "Import those again: lasair catalogue add")
    console.print(f"Sound: {', '.join(chosen) or 'there are none'}.", highlight=False)


@app.command()
def remove(name: _Name, folder: _Folder = None) -> None:
    """Remove a catalogue. A running stream goes on without it, and says that it is missing."""
    remove_catalogue(_folder(folder), name)
    console.print(f"Removed {name}.", highlight=False)


@app.command()
def mappings(
    name: Annotated[str | None, typer.Argument(help="Show this one, to be copied and changed.")] = None,
) -> None:
    """List the mappings that come with Lasair, or show one."""
    if name is not None:
        console.print(mapping_text(name), markup=False, highlight=False, soft_wrap=True)
        return
    table = Table("name", "catalogue", "where its files come from", box=None)
    for shipped in shipped_descriptions():
        about = read_description(shipped)
        table.add_row(shipped, escape(about.title), escape(about.source))
    console.print(table)


@app.command()
def columns(source: Annotated[str, typer.Argument(help="As for `lasair catalogue add`.")]) -> None:
    """Show the columns of a source, for a mapping."""
    for column, unit in source_columns(source).items():
        console.print(f"{column}  [{unit}]" if unit else column, markup=False, highlight=False)
