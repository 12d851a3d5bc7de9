"""`lasair demo`: a simulated night through the whole broker, and a look at what it found."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Annotated, Any

import pyarrow as pa
import pyarrow.compute as pc
import typer
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table

from lasair_broker.archive import Archive, open_archive
from lasair_broker.packets.simulator import Simulation
from lasair_broker.settings import Settings
from lasair_broker.stream import Progress, SimulatorSource

from ._broker import run_stream
from ._context import console, errors, fail, settings_for
from ._format import bytes_size, magnitude, number
from ._simulated_catalogue import write_simulated_catalogue

__all__ = ["demo"]

_SHOWN = ("SN Ia", "SN II", "SLSN", "TDE", "KN", "AGN", "CV", "microlensing", "RR Lyrae")
_LOOKED_AT = 6
_QUERY = (
    "SELECT objectName, ra, decl, nDiaSources, latest_psfFlux FROM objects "
    "WHERE latestR > 0.9 ORDER BY nDiaSources DESC LIMIT 10"
)


def demo(
    folder: Annotated[
        Path, typer.Option(metavar="FOLDER", help="The archive of the demo; made anew.")
    ] = Path("demo-data"),
    alerts: Annotated[int, typer.Option("--alerts", "-n", help="About so many.", min=100)] = 20_000,
    seed: Annotated[int, typer.Option(help="The same seed gives the same sky and night.")] = 1,
) -> None:
    """Run the main job on a simulated night: alerts in LSST's real schema, enriched objects in an archive."""
    if folder.exists():
        if not (folder / "archive.duckdb").exists():
            raise fail(f"{folder} exists and is not an archive", "Name another: --folder FOLDER")
        shutil.rmtree(folder)
    settings = settings_for(str(folder), context={"catalogues": folder / "catalogues"})
    console.print(
        f"A night of about {alerts:,} LSST alerts (Rubin's schema 11, histories, forced photometry, images), "
        f"simulated as it streams in. The archive is the folder [bold]{escape(str(folder))}[/].",
        highlight=False,
    )
    simulation = Simulation.night(alerts, seed=seed)
    with errors.status("writing the catalogue of the simulated sky …"):
        sources = write_simulated_catalogue(simulation, settings.context.catalogues)
    console.print(f"Its sky has a catalogue, of {sources:,} stars and galaxies.", highlight=False)
    progress = run_stream(
        SimulatorSource(simulation, settings.stream), settings, "simulated night", total=alerts
    )
    with open_archive(settings.archive) as archive:
        _report(archive, progress)
        _objects(archive, simulation, settings)


def _report(archive: Archive, progress: Progress) -> None:
    status = archive.status()
    rows = Table.grid(padding=(0, 2))
    rate = progress.messages / max(progress.seconds, 1e-9)
    rows.add_row("alerts", f"{progress.alerts:,} in {progress.seconds:.1f} s: {rate:,.0f} a second")
    rows.add_row(
        "objects", f"{progress.new_objects:,}, and {progress.updated_objects:,} newer states of them"
    )
    for label, name in (
        ("detections", "diaSources"),
        ("forced points", "diaForcedSources"),
        ("asteroids", "ssSources"),
    ):
        if name in status.tables:
            rows.add_row(label, f"{status.tables[name].rows:,}")
    classes = archive.query(
        "SELECT classification, count(*) AS number FROM sherlock_classifications "
        "GROUP BY classification ORDER BY number DESC",
        max_rows=None,
    )
    found = zip(*(column.to_pylist() for column in classes.columns), strict=True)
    rows.add_row("context", ", ".join(f"{count:,} {name}" for name, count in found))
    rows.add_row("rejected", f"{progress.rejected:,}")
    rows.add_row("archive", f"{bytes_size(status.bytes_per_alert)} an alert, images and raw packets included")
    shares = sorted(progress.shares.items(), key=lambda share: -share[1])
    rows.add_row("time went to", ", ".join(f"{stage} {share:.0%}" for stage, share in shares))
    console.print(Panel(rows, title="[bold]Report[/]", expand=False))


def _objects(archive: Archive, simulation: Simulation, settings: Settings) -> None:
    """A handful of objects, of different kinds as far as the night has them, and how to look at them."""
    truth = simulation.truth().filter(pc.field("diaObjectId").is_valid()).select(["diaObjectId", "class"])
    found = archive.query(
        'SELECT o."diaObjectId", o."objectName", o."nDiaSources", o."latest_psfFlux", o."BBBTemp", '
        'o."latestPairColourMag", o."latestPairColourBands", s.classification FROM objects o '
        'JOIN sherlock_classifications s ON s."diaObjectId" = o."diaObjectId" '
        'WHERE o."medianR" > 0.5 AND o."nDiaSources" >= 8 AND o."latest_psfFlux" > 0',
        max_rows=None,
    ).join(truth, "diaObjectId")
    order = pa.array([_SHOWN.index(c) if c in _SHOWN else len(_SHOWN) for c in found["class"].to_pylist()])
    found = found.append_column("order", order).sort_by(
        [("order", "ascending"), ("nDiaSources", "descending"), ("diaObjectId", "ascending")]
    )
    rows: list[dict[str, Any]] = []
    for row in found.to_pylist():
        if row["class"] not in {r["class"] for r in rows} and len(rows) < _LOOKED_AT:
            rows.append(row)
    if not rows:
        console.print(
            "[yellow]The night was too short for objects with eight detections; try more --alerts[/]"
        )
        return
    shown = Table("object", "really is", "context", "seen", "mag", "colour", "blackbody", box=None)
    shown.columns[0].no_wrap = True
    for row in rows:
        colour = number(row["latestPairColourMag"])
        shown.add_row(
            row["objectName"],
            f"[dim]{row['class']}[/]",
            row["classification"],
            str(row["nDiaSources"]),
            magnitude(row["latest_psfFlux"]),
            f"{row['latestPairColourBands']} {colour}" if colour else "",
            f"{row['BBBTemp']:.1f} kK" if row["BBBTemp"] is not None else "",
        )
    console.print(shown)
    name, key = rows[0]["objectName"], rows[0]["diaObjectId"]
    began = time.perf_counter()
    archive.light_curve(key)
    took = 1000 * (time.perf_counter() - began)
    examples = (
        "source .venv/bin/activate",
        f"export LASAIR_ARCHIVE__URL={settings.archive.url}",
        f"export LASAIR_CONTEXT__CATALOGUES={settings.context.catalogues}",
        f"lasair object {name}",
        f"lasair object {name} --plot light-curve.png --cutouts images",
        f'lasair query "{_QUERY}"',
        "lasair status",
    )
    console.print(f"\nLook at them (to find a light curve took {took:.0f} ms):\n", highlight=False)
    for line in examples:
        console.print(f"  {line}", highlight=False, markup=False, soft_wrap=True)
