"""`lasair rejected`: messages that could not be read."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from lasair_broker.stream import retry_rejected

from ._context import ArchiveOption, console, opened, pipeline_of, settings_for
from ._format import bytes_size, utc

__all__ = ["rejected"]


def rejected(
    retry: Annotated[
        bool, typer.Option("--retry", help="Read them again, for instance now that their schema is known.")
    ] = False,
    save: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Save their bytes, a file a message, to look at.")
    ] = None,
    limit: Annotated[int, typer.Option(help="List at most so many.", min=1)] = 20,
    archive: ArchiveOption = None,
) -> None:
    """List the messages that could not be read, with the reasons; save them; try them again."""
    with opened(archive, read_only=not retry) as store:
        if retry:
            report = retry_rejected(store, pipeline_of(settings_for(archive)))
            console.print(f"{report.stored:,} messages could be read now; {report.rejected:,} still cannot")
            return
        table = store.rejected()
    if table.num_rows == 0:
        console.print("No message was rejected.")
        return
    rows = table.to_pylist()
    if save is not None:
        save.mkdir(parents=True, exist_ok=True)
        for row in rows:
            name = f"{Path(row['topic']).name}_{row['partition']}_{row['offset']}.bin"
            (save / name).write_bytes(row["message"])
        console.print(f"{len(rows)} messages saved in {escape(str(save))}")
    reasons = Table("messages", "reason", box=None)
    for reason, count in Counter(row["reason"] for row in rows).most_common(10):
        reasons.add_row(f"{count:,}", escape(reason))
    console.print(reasons)
    shown = Table("stream", "partition", "offset", "arrived", "size", "reason", box=None)
    for row in rows[:limit]:
        shown.add_row(
            escape(row["topic"]),
            str(row["partition"]),
            str(row["offset"]),
            utc(row["arrivedMjdTai"]),
            bytes_size(len(row["message"])),
            escape(row["reason"]),
        )
    console.print(shown)
    if len(rows) > limit:
        console.print(f"[dim]… and {len(rows) - limit:,} more (--limit)[/]")
