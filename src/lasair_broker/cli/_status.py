"""`lasair status`: what the archive holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.markup import escape
from rich.table import Table

from lasair_broker.context.catalogues import CatalogueSet
from lasair_broker.settings import ContextSettings

from ._context import ArchiveOption, console, opened, settings_for
from ._format import bytes_size, utc

__all__ = ["show_status"]


def show_status(archive: ArchiveOption = None) -> None:
    """Show what the archive holds, its size, and how far each stream has been read."""
    with opened(archive, read_only=True) as store:
        status = store.status()
        chores = store.query("SELECT * FROM chores ORDER BY chore", max_rows=None).to_pylist()
    console.print(
        f"[bold]{escape(status.where)}[/]  {status.engine}, layout {status.version}", highlight=False
    )
    shown = Table("table", "rows", "not yet sorted in", "on disk", box=None)
    for column in shown.columns[1:]:
        column.justify = "right"
    for name, table in status.tables.items():
        if table.rows:
            recent = f"{table.recent_rows:,}" if table.recent_rows else ""
            shown.add_row(name, f"{table.rows:,}", recent, bytes_size(table.bytes))
    console.print(shown)
    console.print(
        f"database {bytes_size(status.database_bytes)}, "
        f"{status.packs} pack file{'' if status.packs == 1 else 's'} {bytes_size(status.pack_bytes)}"
        + (f", {bytes_size(status.bytes_per_alert)} for each alert" if status.bytes_per_alert else ""),
        highlight=False,
    )
    for label, moment in (
        ("newest detection", status.newestSourceMjdTai),
        ("newest alert reached us", status.newestAlertMjdTai),
    ):
        if moment is not None:
            console.print(f"{label}: MJD {moment:.5f}  {utc(moment)}", highlight=False)
    if status.positions:
        streams = Table("stream", "partition", "next offset", box=None)
        for (topic, partition), offset in sorted(status.positions.items()):
            if not topic.startswith("lasair "):  # the archive's own notes are no stream
                streams.add_row(escape(topic), str(partition), f"{offset:,}")
        console.print(streams)
    _show_chores(chores)
    _show_catalogues(settings_for(archive).context, chores)


_CHORES = {
    "context": "bringing stored objects up to the catalogues in use",
    "events": "bringing stored objects up to the newest events",
    "tns": "bringing stored objects up to the list of TNS",
    "tns lists": "fetching lists of TNS",
}


def _show_chores(chores: Sequence[Mapping[str, Any]]) -> None:
    """What the stream does besides alerts, as it last said: what is going on, and what fails."""
    for chore in chores:
        name, state = chore["chore"], chore["state"]
        if name.startswith("catalogue ") or state == "ok":
            continue
        what, since = _CHORES.get(name, name), utc(chore["changedMjdTai"])
        if state == "working":
            how = f"{chore['done']:,} of {chore['total']:,}" if chore["total"] else "begun"
            console.print(f"{escape(what)}: {how}, since {since}", highlight=False)
        else:
            why = escape(chore["message"] or "")
            console.print(f"[yellow]{escape(what)} fails since {since}: {why}[/]", highlight=False)


def _show_catalogues(context: ContextSettings, chores: Sequence[Mapping[str, Any]]) -> None:
    """Which catalogues give objects their context, and what is wrong with the others."""
    found = CatalogueSet.open(context.catalogues)
    if found:
        names = ", ".join(f"{name} ({len(catalogue):,})" for name, catalogue in sorted(found.items()))
        console.print(f"catalogues: {escape(names)}", highlight=False)
    else:
        console.print("[yellow]no catalogues:[/] objects get no context; lasair catalogue add NAME SOURCE")
    told = [state.message for state in found.states.values() if state.message]
    for chore in chores:
        name = chore["chore"].removeprefix("catalogue ")
        if chore["chore"] != name and name not in found and chore["state"] in ("missing", "damaged"):
            message = (
                f"{chore['message']} (the stream goes on without it since {utc(chore['changedMjdTai'])})"
            )
            told = [*(m for m in told if m != chore["message"]), message]
    for message in told:
        console.print(f"[yellow]{escape(message)}[/]", highlight=False)
