"""`lasair filter preview|health|why|hits|replay`: filters and what the archive knows."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import pyarrow.parquet as pq
import typer
from rich.markup import escape
from rich.table import Table

from lasair_broker.packets import mjd_tai_now
from lasair_broker.stream import stop_on_signals

from ._context import ArchiveOption, console, errors, opened, pipeline_of, settings_for
from ._format import number, utc
from ._moment import moment
from ._query import show_rows
from ._user import UserOption, acting

if TYPE_CHECKING:
    from lasair_broker.query import Condition

__all__ = ["add_to"]

FilterArgument = Annotated[int, typer.Argument(metavar="FILTER", help="Number of the filter.")]
VersionOption = Annotated[
    int | None, typer.Option("--version", metavar="N", help="Number of the version. Default: the newest.")
]


def add_to(app: typer.Typer) -> None:
    """Add these commands to those of filters."""
    for command in (preview, health, why, hits, replay):
        app.command()(command)


def preview(
    filter_id: FilterArgument,
    version: VersionOption = None,
    sample: Annotated[int, typer.Option(help="So many rows.", min=0)] = 10,
    timeout: Annotated[float, typer.Option(help="Stop after so many seconds.", min=0.1)] = 60.0,
    user: UserOption = None,
    archive: ArchiveOption = None,
) -> None:
    """Run a version on the archive: what it would have found. A draft can be activated afterwards."""
    with acting(user, archive) as me, opened(archive, read_only=True) as store:
        from lasair_broker.web.filters import trying

        tried, found = trying.try_version(me, filter_id, version, store, sample=sample, timeout=timeout)
    if found.rows.num_rows:
        show_rows(found.rows)
    console.print(
        f"{found.count:,} objects of the archive pass version {tried.number} ({found.seconds:.2f} s)",
        highlight=False,
    )
    shown = Table("night of", "objects alerted", "passing", "", box=None, header_style="bold")
    for each in found.nights:
        share = each.passing / each.objects if each.objects else 0.0
        shown.add_row(_date(each.night), f"{each.objects:,}", f"{each.passing:,}", f"{share:.3%}")
    if found.nights:
        console.print(shown)
        console.print(
            f"about {number(found.per_night)} hits a night, {found.fraction:.3%} of the objects alerted",
            highlight=False,
        )
    else:
        console.print("no nights to judge by: the archive has no alerts")


def health(
    filter_id: FilterArgument,
    nights: Annotated[int, typer.Option(help="So many nights.", min=1)] = 10,
    user: UserOption = None,
    archive: ArchiveOption = None,
) -> None:
    """Show how a filter fares: what it finds a night, how long it takes, and what is wrong with it."""
    with acting(user, archive) as me, opened(archive, read_only=True) as store:
        from lasair_broker.web.filters import trying

        found = trying.health(me, filter_id, store, nights=nights)
    console.print("it does not run" if found.version is None else f"version {found.version} runs")
    if found.expected_per_night is not None and found.expected_fraction is not None:
        console.print(
            f"expected: {number(found.expected_per_night)} hits a night, {found.expected_fraction:.3%}",
            highlight=False,
        )
    shown = Table("night of", "hits", "objects", "of those alerted", box=None, header_style="bold")
    for night in found.nights:
        share = f"{night.objects / night.alerted:.3%}" if night.alerted else ""
        shown.add_row(_date(night.night), f"{night.hits:,}", f"{night.objects:,}", share)
    console.print(shown)
    ran = Table("night of", "version", "batches", "ms a batch", "slowest, ms", "failures",
                box=None, header_style="bold")  # fmt: skip
    for each in found.statistics:
        mean = 1e3 * each.seconds / each.batches if each.batches else 0.0
        ran.add_row(
            f"{each.night:%Y-%m-%d}",
            str(each.version.number),
            f"{each.batches:,}",
            number(mean),
            number(1e3 * each.longest),
            f"{each.failures:,}",
        )
    console.print(ran)
    for failure in found.failures:
        console.print(
            f"[red]fails[/] since {failure.first:%Y-%m-%d %H:%M}, {failure.count:,} times: "
            f"{escape(failure.message)}",
            highlight=False,
        )


def why(
    filter_id: FilterArgument,
    object_key: Annotated[str, typer.Argument(metavar="OBJECT", help="diaObjectId or objectName.")],
    version: VersionOption = None,
    user: UserOption = None,
    archive: ArchiveOption = None,
) -> None:
    """Say which conditions of a filter an object meets, and which not, with the values seen."""
    with acting(user, archive) as me, opened(archive, read_only=True) as store:
        from lasair_broker.web.filters import trying

        key: int | str = int(object_key) if object_key.isdecimal() else object_key
        found = trying.why(me, filter_id, version, key, store)
    name = escape(found.objectName or str(found.diaObjectId))
    console.print(f"{name} {'passes' if found.passes else 'does not pass'}", highlight=False)
    for condition in found.conditions:
        _show(condition, 0)


def hits(
    filter_id: FilterArgument,
    since: Annotated[str, typer.Option(help="UTC date and time, MJD (TAI), or how long ago: 2h, 3d.")] = "7d",
    limit: Annotated[int, typer.Option(help="At most so many, the oldest.", min=1)] = 100,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    user: UserOption = None,
    archive: ArchiveOption = None,
) -> None:
    """Show what a filter has found."""
    after = (moment(since), "")
    with acting(user, archive) as me, opened(archive, read_only=True) as store:
        from lasair_broker.web.filters import trying

        found = trying.hits(me, filter_id, store, after, limit=limit)
    if as_json:
        for row in found.to_pylist():
            typer.echo(json.dumps({**row, "content": json.loads(row["content"] or "{}")}, default=str))
        return
    shown = Table("UTC", "object", "content", box=None, header_style="bold")
    for row in found.to_pylist():
        shown.add_row(utc(row["committedMjdTai"]), str(row["diaObjectId"]), escape(row["content"] or ""))
    console.print(shown)


def replay(
    filter_id: FilterArgument,
    since: Annotated[str, typer.Option(help="UTC date and time, MJD (TAI), or how long ago: 2h, 3d.")] = "1d",
    until: Annotated[str | None, typer.Option(help="As --since. Default: now.")] = None,
    version: VersionOption = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write the hits to a Parquet file.")
    ] = None,
    user: UserOption = None,
    archive: ArchiveOption = None,
) -> None:
    """Run a version over a past interval of the stream, as it would have run then. Nothing is stored."""
    begin, end = moment(since), mjd_tai_now() if until is None else moment(until)
    with (
        acting(user, archive) as me,
        opened(archive, read_only=True) as store,
        stop_on_signals() as stop,
        errors.status("replaying …") as shown,
    ):
        from lasair_broker.web.filters import trying

        def progress(alerts: int, found: int) -> None:
            shown.update(f"{alerts:,} alerts, {found:,} hits …")

        replayed = trying.replay(
            me,
            filter_id,
            version,
            store,
            pipeline_of(settings_for(archive)),
            begin,
            end,
            on_progress=progress,
            stopped=stop.is_set,
        )
    if output is not None:
        pq.write_table(replayed.hits, output)
    else:
        show_rows(replayed.hits.select(["arrivedMjdTai", "diaObjectId", "diaSourceId", "content"]))
    console.print(
        f"{replayed.hits.num_rows:,} hits in {replayed.alerts:,} alerts of {replayed.batches:,} batches",
        highlight=False,
    )
    for note in (*replayed.failures[:5], *replayed.notes):
        console.print(f"[dim]{escape(note)}[/]", highlight=False)


def _show(condition: Condition, depth: int) -> None:
    mark = {True: "[green]true   [/]", False: "[red]false  [/]", None: "[yellow]unknown[/]"}[
        condition.outcome
    ]
    seen = ", ".join(f"{name} = {_value(value)}" for name, value in condition.values.items())
    lacking = ", ".join(f"no row in {name}" for name in condition.absent)
    why = "; ".join(text for text in (lacking, seen if not condition.parts else "") if text)
    console.print(
        f"{'  ' * depth}{mark} {escape(condition.text)}" + (f"  [dim]{escape(why)}[/]" if why else ""),
        highlight=False,
        soft_wrap=True,
    )
    for part in condition.parts:
        _show(part, depth + 1)


def _value(value: Any) -> str:
    return "missing" if value is None else number(value) if isinstance(value, float) else str(value)


def _date(night: int) -> str:
    return f"{datetime.fromtimestamp((night - 40587) * 86400, UTC):%Y-%m-%d}"
