"""`lasair replay`: compute the states of objects anew from stored alerts."""

from __future__ import annotations

from typing import Annotated

import pyarrow as pa
import pyarrow.compute as pc
import typer
from rich.markup import escape

from lasair_broker.archive import Archive
from lasair_broker.stream import Pipeline, renew, stop_on_signals

from ._context import ArchiveOption, console, context_of, errors, fail, opened, pipeline_of, settings_for
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
            help="Only objects whose context is not from the catalogues and rules that are in use now.",
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
    if outdated and objects:
        raise fail("--outdated chooses the objects itself", "Give --object or --outdated, not both")
    settings = settings_for(archive)
    with opened(archive) as store:
        if outdated:
            sources = context_of(settings).current().sources
            if sources is None:
                raise fail("there are no catalogues", "Import some: lasair catalogue add NAME SOURCE")
            with errors.status("looking for objects with another context …"):
                objects = _outdated(store, sources.digest)
            if not objects:
                console.print("no object's context is out of date")
                return
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


def _outdated(store: Archive, configuration: str) -> list[int]:
    """Objects with a context of another configuration, or with none."""
    found: list[int] = []
    for places in store.object_places():
        ids = places.column("diaObjectId")
        said = store.rows_of_objects(
            "sherlock_classifications", ids.to_pylist(), ["diaObjectId", "configuration"]
        )
        newest = said.filter(pc.fill_null(pc.equal(said.column("configuration"), configuration), False))
        current = pc.is_in(ids, value_set=pa.array(newest.column("diaObjectId").to_pylist(), ids.type))
        found += ids.filter(pc.invert(current)).to_pylist()
    return found


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
