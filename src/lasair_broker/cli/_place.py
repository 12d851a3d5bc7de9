"""`lasair place`: what is known at a place on the sky."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from lasair_broker.context import classify

from ._context import console, context_of, fail, settings_for

__all__ = ["show_place"]


def show_place(
    ra: Annotated[float, typer.Argument(help="Right ascension, degrees, ICRS.", min=0.0, max=360.0)],
    decl: Annotated[float, typer.Argument(help="Declination, degrees; of a negative one: -- RA DECL.")],
    mjd: Annotated[
        float | None, typer.Option(help="Time at which stars that move are matched, MJD TAI.")
    ] = None,
) -> None:
    """Say what the catalogues hold at a place: class, host, redshift, dust, and every match."""
    if abs(decl) > 90.0:
        raise typer.BadParameter(f"declination must lie between -90 and 90 degrees, not {decl}")
    loader = context_of(settings_for(None))
    resources = loader.current()
    if resources.sources is None:
        raise fail("there are no catalogues to look into", "Import some: lasair catalogue add NAME SOURCE")
    verdicts, matches = classify([ra], [decl], mjd, resources)
    (said,) = verdicts.to_pylist()
    console.print(f"[bold]{said['classification']}[/]  {escape(said['description'])}", highlight=False)
    console.print(f"[dim]{escape(said['reasons'])}[/]", highlight=False)
    if said["redshift"] is not None:
        low, high = said["redshiftP16"], said["redshiftP84"]
        likely = f"; between {low:.4f} and {high:.4f} with 68 per cent" if low is not None else ""
        console.print(f"redshift {said['redshift']:.4f} ({said['redshiftKind']}){likely}", highlight=False)
    dust = resources.dust([ra], [decl])
    console.print(
        f"E(B-V) {dust.ebv[0]:.3f} ± {dust.error[0]:.3f} mag ({escape(dust.source)})", highlight=False
    )
    if matches.num_rows:
        shown = Table("", "class", "catalogue", "source", "kind", "″", "mag", "z", "host", box=None)
        for row in matches.to_pylist():
            magnitude = f"{row['MagFilter']} {row['Mag']:.1f}" if row["Mag"] is not None else ""
            shown.add_row(
                str(row["rank"]),
                row["association_type"],
                escape(row["catalogue_table_name"]),
                escape(row["catalogue_object_id"] or ""),
                row["catalogue_object_type"],
                f"{row['separationArcsec']:.2f}",
                magnitude,
                _decimals(row["z"] if row["z"] is not None else row["photoZ"]),
                _decimals(row["hostProbability"]),
            )
        console.print(shown)
    for problem in loader.problems:
        console.print(f"[yellow]{escape(problem)}[/]", highlight=False)


def _decimals(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
