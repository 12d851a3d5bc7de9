"""`lasair status`: what the archive holds."""

from __future__ import annotations

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
            if topic != "lasair users":  # no stream: which user database the archive belongs to
                streams.add_row(escape(topic), str(partition), f"{offset:,}")
        console.print(streams)
    _show_catalogues(settings_for(archive).context)


def _show_catalogues(context: ContextSettings) -> None:
    """Which catalogues give objects their context, and what is wrong with the others."""
    found = CatalogueSet.open(context.catalogues)
    if found:
        names = ", ".join(f"{name} ({len(catalogue):,})" for name, catalogue in sorted(found.items()))
        console.print(f"catalogues: {escape(names)}", highlight=False)
    else:
        console.print("[yellow]no catalogues:[/] objects get no context; lasair catalogue add NAME SOURCE")
    for state in found.states.values():
        if state.message:
            console.print(f"[yellow]{escape(state.message)}[/]", highlight=False)
