"""`lasair replay`: compute the states of objects anew from stored alerts."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markup import escape

from lasair_broker.archive import Archive
from lasair_broker.stream import Pipeline, renew, stop_on_signals

from ._context import ArchiveOption, console, fail, opened, pipeline_of, settings_for
from ._news import bring_up_to_date
from ._progress import work

__all__ = ["replay"]


def replay(
    since: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="Only objects of alerts that arrived since: MJD (TAI), or a date such as 2026-04-08.",
        ),
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="TIME", help="Only objects of alerts that arrived before.")
    ] = None,
    objects: Annotated[
        list[int] | None,
        typer.Option("--object", metavar="ID", help="Only this object; repeatable."),
    ] = None,
    outdated: Annotated[
        bool,
        typer.Option(
            "--outdated",
            help="Only objects that lack news: of the catalogues and rules in use, of TNS, of events. It "
            "goes on where it was interrupted. A running stream does so by itself.",
        ),
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on where an interrupted replay of the same choice stopped.")
    ] = False,
    archive: ArchiveOption = None,
) -> None:
    """Compute the states of objects anew, for instance after a feature was corrected.

    The newest stored packet of each object goes through the pipeline again, and what comes out replaces the
    object's state, its features and its matches. No alert, row or hit is stored twice. Ctrl-C finishes the
    batch in hand; --resume goes on from there, also after a crash.
    """
    period = (_mjd(since, 0.0), _mjd(until, 1e6))
    settings = settings_for(archive)
    if outdated:
        if objects or since or until:
            raise fail("--outdated chooses the objects itself", "Give it without --object, --since, --until")
        bring_up_to_date(archive, settings)
        return
    with opened(archive) as store:
        _replay(store, pipeline_of(settings), objects, period, resume)


def _replay(
    store: Archive, pipeline: Pipeline, objects: list[int] | None, period: tuple[float, float], resume: bool
) -> None:
    with stop_on_signals() as stop, work("replaying") as progress:
        report = renew(
            store,
            pipeline,
            diaObjectIds=objects or None,
            arrivedMjdTai=period,
            resume=resume,
            stop=stop,
            on_progress=lambda done, of: progress(f"{done:,} of {of:,} objects", done / of),
        )
    console.print(f"{report.objects:,} objects replayed, {report.renewed:,} given their new state")
    if not report.complete:
        raise fail("stopped before the end", "To go on from here: the same command with --resume")


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
