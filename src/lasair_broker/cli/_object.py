"""`lasair object`: what is known of one object."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
import typer
from rich.columns import Columns
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table

from lasair_broker.archive import LightCurve
from lasair_broker.packets import BANDS, CUTOUTS
from lasair_broker.schema import table as schema_table

from ._chart import chart
from ._context import ArchiveOption, console, fail, opened
from ._format import hours_and_degrees, magnitude, number, utc
from ._object_context import show_context
from ._plot import plot_light_curve

__all__ = ["show_object"]


def show_object(
    name: Annotated[str, typer.Argument(metavar="ID", help="diaObjectId, or a name such as ZTF21abiuvdk.")],
    archive: ArchiveOption = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw the light curve; .png, .pdf or .svg.")
    ] = None,
    rows: Annotated[int, typer.Option(help="How many detections to list, newest first.", min=0)] = 10,
    every: Annotated[bool, typer.Option("--all", help="List every column that has a value.")] = False,
    cutouts: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Save the images of the newest detection, FITS and PNG."),
    ] = None,
) -> None:
    """Show an object: summary, context, light curve, newest detections; plot it, save its images."""
    with opened(archive, read_only=True) as store:
        found = store.object(int(name) if name.isdecimal() else name)
        if found.num_rows == 0:
            raise fail(
                f"no object {escape(name)} in this archive",
                'To look around: lasair query "SELECT objectName, nDiaSources FROM objects LIMIT 10"',
            )
        row = found.to_pylist()[0]
        curve = store.light_curve(row["diaObjectId"])
        _summary(row, curve)
        show_context(store, row)
        _drawing(curve)
        if rows:
            _detections(curve.diaSources, rows)
        if every:
            _every_column(row)
        if plot is not None:
            try:
                plot_light_curve(
                    plot,
                    row["objectName"] or str(row["diaObjectId"]),
                    curve.diaSources,
                    curve.diaForcedSources,
                    curve.diaNondetectionLimits,
                )
            except ValueError as error:
                raise fail(f"cannot draw {plot}: {error}") from None
            console.print(f"Light curve drawn in {plot}")
        if cutouts is not None:
            cutouts.mkdir(parents=True, exist_ok=True)
            newest = curve.diaSources["diaSourceId"].to_pylist()[-1]
            saved = 0
            for which in CUTOUTS:
                for ending, content in (
                    ("fits", store.cutout(newest, which)),
                    ("png", store.cutout_png(newest, which)),
                ):
                    if content is not None:
                        (cutouts / f"{newest}_cutout{which}.{ending}").write_bytes(content)
                        saved += 1
            console.print(f"{saved} images of detection {newest} saved in {cutouts}")


def _summary(row: dict[str, Any], curve: LightCurve) -> None:
    left = Table.grid(padding=(0, 2))
    ra, decl = row["ra"], row["decl"]
    left.add_row("[dim]survey[/]", row["survey"])
    left.add_row("[dim]diaObjectId[/]", str(row["diaObjectId"]))
    left.add_row("[dim]position[/]", f"{ra:.6f} {decl:+.6f}   {hours_and_degrees(ra, decl)}")
    if row.get("glat") is not None:
        left.add_row("[dim]galactic latitude[/]", f"{row['glat']:+.2f}°")
    for label, key in (
        ("first detection", "firstDiaSourceMjdTai"),
        ("last detection", "lastDiaSourceMjdTai"),
    ):
        if row.get(key) is not None:
            left.add_row(f"[dim]{label}[/]", f"MJD {row[key]:.4f}   {utc(row[key])}")
    counts = ", ".join(f"{row[f'n{b}Sources']} {b}" for b in BANDS if row.get(f"n{b}Sources"))
    left.add_row("[dim]detections[/]", f"{curve.diaSources.num_rows}" + (f"  ({counts})" if counts else ""))
    left.add_row("[dim]forced points[/]", str(curve.diaForcedSources.num_rows))
    if curve.diaNondetectionLimits.num_rows:
        left.add_row("[dim]limits[/]", str(curve.diaNondetectionLimits.num_rows))
    if row.get("latestR") is not None:
        left.add_row(
            "[dim]reliability[/]", f"newest {row['latestR']:.2f}, median {number(row.get('medianR'))}"
        )

    right = Table("band", "newest flux", "mag", "mean flux", box=None, header_style="dim")
    for band in BANDS:
        newest = row.get(f"{band}_psfFlux")
        if newest is not None:
            right.add_row(band, f"{newest:,.0f}", magnitude(newest), number(row.get(f"{band}_psfFluxMean")))
    name = row["objectName"] or str(row["diaObjectId"])
    console.print(Panel(Columns([left, right], padding=(0, 4)), title=f"[bold]{escape(name)}[/]"))


def _drawing(curve: LightCurve) -> None:
    tables = [curve.diaSources, curve.diaForcedSources]
    time = np.concatenate([_floats(t["midpointMjdTai"]) for t in tables])
    flux = np.concatenate([_floats(t["psfFlux"]) for t in tables])
    band = [b for t in tables for b in t["band"].to_pylist()]
    lines = chart(time, flux, band, width=min(console.width, 100))
    if lines:
        console.print("[dim]difference flux (nJy) against MJD TAI[/]")
        console.print("\n".join(lines), highlight=False, markup=False)


def _detections(sources: pa.Table, rows: int) -> None:
    shown = Table("diaSourceId", "MJD (TAI)", "band", "flux (nJy)", "±", "mag", "reliability", box=None)
    names = ["diaSourceId", "midpointMjdTai", "band", "psfFlux", "psfFluxErr", "reliability"]
    for line in reversed(sources.select(names).slice(max(0, sources.num_rows - rows)).to_pylist()):
        shown.add_row(
            str(line["diaSourceId"]),
            f"{line['midpointMjdTai']:.5f}",
            line["band"] or "",
            number(line["psfFlux"]),
            number(line["psfFluxErr"]),
            magnitude(line["psfFlux"]),
            number(line["reliability"]),
        )
    console.print(shown)
    if sources.num_rows > rows:
        console.print(
            f"[dim]… and {sources.num_rows - rows} earlier detections (--rows {sources.num_rows})[/]"
        )


def _every_column(row: dict[str, Any]) -> None:
    shown = Table("column", "value", "unit", "meaning", box=None)
    for column in schema_table("objects").columns:
        value = row.get(column.name)
        if value is not None:
            shown.add_row(
                column.name, escape(number(value)), column.unit or "", f"[dim]{escape(column.description)}[/]"
            )
    console.print(shown)


def _floats(column: pa.ChunkedArray) -> Any:
    return column.to_numpy().astype(np.float64)
