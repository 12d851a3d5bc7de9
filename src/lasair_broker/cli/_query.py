"""`lasair query`: ask the archive."""

from __future__ import annotations

import csv
import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TextIO

import pyarrow as pa
import pyarrow.parquet as pq
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lasair_broker.query import ARCHIVE, QueryError, filled, parse

from ._context import ArchiveOption, console, errors, fail, opened
from ._values import SetOption, values_of

__all__ = ["run_query", "show_rows"]


_WIDEST = 1_000_000
"""Characters; no table is as wide."""


class Format(StrEnum):
    """How the rows of a result are written."""

    table = "table"
    csv = "csv"
    json = "json"
    parquet = "parquet"


def run_query(
    sql: Annotated[str, typer.Argument(help="A SELECT statement in ADQL; - reads it from standard input.")],
    archive: ArchiveOption = None,
    values: SetOption = None,
    output_format: Annotated[
        Format | None,
        typer.Option("--format", "-f", help="Default: by the ending of --output, else a table."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write the rows to a file.")
    ] = None,
    limit: Annotated[int, typer.Option(help="At most so many rows.", min=1)] = 10_000,
    timeout: Annotated[float, typer.Option(help="Stop after so many seconds.", min=0.1)] = 60.0,
) -> None:
    """Run a read-only query on the archive."""
    chosen = output_format or _by_ending(output)
    if chosen is Format.parquet and output is None:
        raise fail("Parquet is not for a terminal", "Name a file: --output FILE.parquet")
    text = sys.stdin.read() if sql == "-" else sql
    try:
        query = parse(text, ARCHIVE, filled(text, ARCHIVE, values=values_of(values)))
    except QueryError as error:
        errors.print(escape(error.pointed(text)), highlight=False, soft_wrap=True)
        raise typer.Exit(1) from None
    with opened(archive, read_only=True) as store:
        result = store.query(query.render, max_rows=limit + 1, timeout=timeout)
    answered_by = (result.schema.metadata or {}).get(b"answered_by", b"").decode()
    cut = result.num_rows > limit
    result = result.slice(0, limit)
    if chosen is Format.table:
        show_rows(result)
    elif chosen is Format.parquet:
        pq.write_table(result, output)
    elif output is None:
        _write(result, chosen, sys.stdout)
    else:
        with output.open("w", newline="", encoding="utf-8") as file:
            _write(result, chosen, file)
    rows = f"{result.num_rows:,} row{'' if result.num_rows == 1 else 's'}"
    if cut:
        rows = f"the first {rows}; there are more (--limit)"
    if answered_by:
        rows += f", from the {answered_by}"
    errors.print(f"[dim]{rows}{f' written to {escape(str(output))}' if output else ''}[/]", highlight=False)


def _by_ending(output: Path | None) -> Format:
    ending = output.suffix.lstrip(".") if output else "table"
    return Format(ending) if ending in {f.value for f in Format} else Format.csv


def show_rows(result: pa.Table) -> None:
    """Show rows for people: as a table or, where that is too wide for the terminal, a line for each value."""
    table = Table(*(escape(name) for name in result.column_names), box=None, header_style="bold")
    digits = [6 if pa.types.is_float32(column.type) else 12 for column in result.columns]
    rows = [
        [_text(value, d) for value, d in zip(row.values(), digits, strict=True)] for row in result.to_pylist()
    ]
    for row in rows:
        table.add_row(*row)
    width = console.measure(table, options=console.options.update(width=_WIDEST)).maximum
    if width <= console.width:
        console.print(table)
    elif not console.is_terminal:
        Console(width=width).print(table)
    else:
        for number, row in enumerate(rows, 1):
            console.rule(f"{number}", align="left", style="dim")
            record = Table(box=None, show_header=False)
            record.add_column(style="bold", no_wrap=True)
            record.add_column(overflow="fold")
            for name, value in zip(result.column_names, row, strict=True):
                record.add_row(escape(name), value)
            console.print(record)


def _text(value: Any, digits: int) -> str:
    if value is None:
        return ""
    return f"{value:.{digits}g}" if isinstance(value, float) else escape(str(value))


def _write(result: pa.Table, chosen: Format, file: TextIO) -> None:
    if chosen is Format.json:
        json.dump(result.to_pylist(), file, default=str, allow_nan=False)
        file.write("\n")
        return
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(result.column_names)
    columns: list[list[Any]] = [column.to_pylist() for column in result.columns]
    writer.writerows(zip(*columns, strict=True))
