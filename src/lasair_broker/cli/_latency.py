"""`lasair latency`: how long hits take from the telescope to the user."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer
from rich.table import Table

from lasair_broker.stream.delivery import LATENCY_BOUNDS, Latency, latencies

from ._context import ArchiveOption, console, opened
from ._moment import moment

__all__ = ["show_latency"]

_BAR = 40


def show_latency(
    since: Annotated[
        str | None,
        typer.Option(help="Only hits found since: UTC date and time, MJD (TAI), or how long ago: 2h, 3d."),
    ] = None,
    filter_id: Annotated[int | None, typer.Option("--filter", help="Only hits of this filter.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    archive: ArchiveOption = None,
) -> None:
    """Show how long hits took: from the end of the exposure to us, into the archive, and to the user."""
    begin = None if since is None else moment(since)
    with opened(archive, read_only=True) as store:
        found = latencies(store, since=begin, filter_id=filter_id)
    if as_json:
        print(json.dumps({"bounds": LATENCY_BOUNDS, "steps": [asdict(latency) for latency in found]}))
        return
    shown = Table("", "hits", "half", "90 %", "99 %", "all", box=None, header_style="bold")
    for column in shown.columns[1:]:
        column.justify = "right"
    for latency in found:
        quantiles = (latency.p50, latency.p90, latency.p99, latency.max)
        shown.add_row(latency.step, f"{latency.hits:,}", *(_seconds(value) for value in quantiles))
    console.print(shown)
    for latency in found:
        if latency.hits and latency.step in ("arrival to delivery", "arrival to commit"):
            console.print(f"\n[bold]{latency.step}[/]")
            _histogram(latency)


def _histogram(latency: Latency) -> None:
    most = max(latency.counts)
    labels = [*(f"≤ {_seconds(bound)}" for bound in LATENCY_BOUNDS), f"> {_seconds(LATENCY_BOUNDS[-1])}"]
    filled = [index for index, count in enumerate(latency.counts) if count]
    for index in range(filled[0], filled[-1] + 1):
        count = latency.counts[index]
        bar = "█" * round(_BAR * count / most) or ("▏" if count else "")
        console.print(f"{labels[index]:>10} {bar:<{_BAR}} {count:,}", highlight=False)


def _seconds(value: float | None) -> str:
    if value is None:
        return ""
    if value < 120:
        return f"{value:.3g} s"
    return f"{value / 60:.3g} min" if value < 7200 else f"{value / 3600:.3g} h"
