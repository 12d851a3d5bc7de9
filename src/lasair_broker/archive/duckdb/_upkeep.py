"""Sorting recent rows in, checkpoints, and compaction."""

# Names in statements are the schema's own, values are numbers or parameters:
# ruff: noqa: S608

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lasair_broker.schema import TABLES, quoted

from ..interface import Progress
from . import _tables

__all__ = ["compact", "settle"]

_SLICE_VALUES = 60_000_000
"""Values (rows × columns) that compaction sorts at once: about half a gigabyte."""


def settle(connection: Any) -> None:
    """Sort the recent rows of all tables into a new run each, and bring DuckDB's log into its file.

    Each table is one transaction; killed in between, the rest is done the next time.
    """
    for table, order in _tables.SORTED.items():
        _sort_in(connection, table, order)
    connection.execute("CHECKPOINT")


def _sort_in(connection: Any, table: str, order: tuple[str, ...]) -> None:
    recent, target = quoted(f"{table}_recent"), quoted(f"{table}_sorted")
    if connection.execute(f"SELECT 1 FROM {recent} LIMIT 1").fetchone() is None:
        return
    connection.begin()
    try:
        connection.execute(
            f"INSERT INTO {target} BY NAME SELECT {_tables.column_list(table)} FROM {recent} "
            f"ORDER BY {', '.join(map(quoted, order))}"
        )
        connection.execute(f"TRUNCATE {recent}")
        connection.commit()
    except BaseException:
        connection.rollback()
        raise


def compact(connection: Any, progress: Progress | None = None) -> None:
    """Sort every table in one run, slice by slice; killed in between, it goes on where it was."""
    settle(connection)
    done = 0.0
    share = 1.0 / len(_tables.SORTED)
    for table, order in _tables.SORTED.items():
        for part in _slices(connection, table, order):
            if progress is not None:
                progress(table, done + share * part)
        done += share
    connection.execute("DELETE FROM archive_compaction")
    connection.execute("CHECKPOINT")
    if progress is not None:
        progress("done", 1.0)


def _slices(connection: Any, table: str, order: tuple[str, ...]) -> Iterator[float]:
    """Sort a table slice by slice of its first sorting column, a transaction each; yields the share done."""
    target, key = quoted(f"{table}_sorted"), quoted(order[0])
    (rows,) = connection.execute(f"SELECT count(*) FROM {target}").fetchone()
    found = connection.execute("SELECT below FROM archive_compaction WHERE name = ?", [table]).fetchone()
    low = None if found is None else found[0]
    count = -(-rows * len(TABLES[table].columns) // _SLICE_VALUES)
    for number, high in enumerate([*_bounds(connection, target, key, low, count), None], start=1):
        limits = []
        if low is not None:
            limits.append(f"{key} >= {low}")
        if high is not None:
            limits.append(f"({key} < {high}{f' OR {key} IS NULL' if low is None else ''})")
        condition = " AND ".join(limits) or "TRUE"
        connection.begin()
        try:
            if not _is_one_run(connection, target, key, condition):
                (newest,) = connection.execute(f"SELECT max(rowid) FROM {target}").fetchone()
                connection.execute(
                    f"INSERT INTO {target} BY NAME SELECT {_tables.column_list(table)} FROM {target} "
                    f"WHERE {condition} ORDER BY {', '.join(map(quoted, order))}"
                )
                connection.execute(f"DELETE FROM {target} WHERE ({condition}) AND rowid <= {newest}")
            connection.execute("DELETE FROM archive_compaction WHERE name = ?", [table])
            # A finished table is marked too, so that a resumed compaction does not begin it again.
            below = 2**63 - 1 if high is None else high
            connection.execute("INSERT INTO archive_compaction VALUES (?, ?)", [table, below])
            connection.commit()
        except BaseException:
            connection.rollback()
            raise
        connection.execute("CHECKPOINT")  # gives the room of the old rows back
        low = high
        yield number / max(count, 1)


def _bounds(connection: Any, target: str, key: str, low: int | None, count: int) -> list[int]:
    """Values of the key, above `low`, that cut the table into about equal slices, `count` of the whole
    table."""
    if count < 2:
        return []
    quantiles = ", ".join(str(number / count) for number in range(1, count))
    (bounds,) = connection.execute(
        f"SELECT quantile_disc({key}, [{quantiles}]) FROM (SELECT {key} FROM {target} USING SAMPLE 200000)"
    ).fetchone()
    return sorted({bound for bound in bounds or [] if bound is not None and (low is None or bound > low)})


def _is_one_run(connection: Any, target: str, key: str, condition: str) -> bool:
    """Whether the rows of a slice lie one after the other and in order already."""
    rows, span, out_of_order = connection.execute(
        f"SELECT count(*), max(place) - min(place) + 1, count(*) FILTER (value < before) FROM ("
        f"SELECT rowid AS place, {key} AS value, lag({key}) OVER (ORDER BY rowid) AS before "
        f"FROM {target} WHERE {condition})"
    ).fetchone()
    return bool(rows == 0 or (rows == span and out_of_order == 0))
