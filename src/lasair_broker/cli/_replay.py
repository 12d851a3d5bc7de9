"""`lasair replay`: put stored alerts through the pipeline again."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markup import escape

from lasair_broker.stream import replay as replay_stored
from lasair_broker.stream import stop_on_signals

from ._context import ArchiveOption, console, errors, fail, opened, pipeline_of, settings_for

__all__ = ["replay"]


def replay(
    since: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", help="Only alerts that arrived since: MJD (TAI), or a date such as 2026-04-08."
        ),
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="TIME", help="Only alerts that arrived before.")
    ] = None,
    objects: Annotated[
        list[int] | None,
        typer.Option("--object", metavar="ID", help="Only alerts of this object; repeatable."),
    ] = None,
    archive: ArchiveOption = None,
) -> None:
    """Put stored alerts through the pipeline again, for instance after a feature was corrected.

    The raw packets are decoded anew, and each object's state is computed anew from them. Nothing is stored
    twice.
    """
    period = (_mjd(since, 0.0), _mjd(until, 1e6))
    alerts = objects_changed = 0
    with opened(archive) as store, stop_on_signals() as stop, errors.status("replaying …") as shown:
        for batch in replay_stored(
            store, pipeline_of(settings_for(archive)), arrivedMjdTai=period, diaObjectIds=objects or None
        ):
            report = store.write([batch])
            alerts += batch.alerts.num_rows
            objects_changed += report.updated_objects
            shown.update(f"{alerts:,} alerts replayed …")
            if stop.is_set():
                break
    console.print(f"{alerts:,} alerts replayed, {objects_changed:,} objects given their new state")


def _mjd(text: str | None, default: float) -> float:
    """A time as MJD TAI, from MJD or a UTC date."""
    if text is None:
        return default
    try:
        return float(text)
    except ValueError:
        from astropy.time import Time

        try:
            return float(Time(text, scale="utc").tai.mjd)
        except ValueError:
            raise fail(f"{escape(text)} is neither an MJD nor a date such as 2026-04-08T23:00") from None
