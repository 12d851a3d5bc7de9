"""Sorting recent rows in, checkpoints, and compaction."""

# Names in statements are the schema's own, values are numbers or parameters:
# ruff: noqa: S608

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lasair_broker.schema import TABLES, quoted

from . import _tables

__all__ = ["compaction", "settle"]

_SLICE_VALUES = 60_000_000
"""Values (rows × columns) that compaction sorts at once: about half a gigabyte."""

_FINISHED = 2**63 - 1


def settle(connection: Any) -> None:
    """Sort the recent rows of light curves into a new run each, and bring DuckDB's log into its file.

    Each table is one transaction; killed in between, the rest is done the next time.
    """
    for table in _tables.RUNS:
        _sort_in(connection, table)
    connection.execute("CHECKPOINT")


def _sort_in(connection: Any, table: str) -> None:
    recent, target = quoted(f"{table}_recent"), quoted(f"{table}_sorted")
    if connection.execute(f"SELECT 1 FROM {recent} LIMIT 1").fetchone() is None:
        return
    connection.begin()
    try:
        connection.execute(
            f"INSERT INTO {target} BY NAME SELECT {_tables.column_list(table)} FROM {recent} "
            f"ORDER BY {', '.join(map(quoted, _tables.SORTED[table]))}"
        )
        connection.execute(f"TRUNCATE {recent}")
        connection.commit()
    except BaseException:
        connection.rollback()
        raise


def compaction(connection: Any) -> Iterator[tuple[str, float]]:
    """Sort every table into one run, slice by slice; yields after each slice the table and the share done.

    A slice is one transaction, and nothing is open between two, so that batches can be written meanwhile.
    Killed anywhere, it goes on with the next slice when it is begun again.
    """
    share = 1.0 / len(_tables.SORTED)
    for number, (table, order) in enumerate(_tables.SORTED.items()):
        for part in _slices(connection, table, order):
            yield table, share * (number + part)
    connection.execute("DELETE FROM archive_compaction")
    connection.execute("CHECKPOINT")
    yield "done", 1.0


def _slices(connection: Any, table: str, order: tuple[str, ...]) -> Iterator[float]:
    """Sort a table slice by slice of its first sorting column; yields the share done."""
    target, recent, key = quoted(f"{table}_sorted"), quoted(f"{table}_recent"), quoted(order[0])
    found = connection.execute("SELECT below FROM archive_compaction WHERE name = ?", [table]).fetchone()
    low = None if found is None else int(found[0])
    if low == _FINISHED:
        return
    bounds = _bounds(connection, table, key, low)
    for number, high in enumerate([*bounds, None], start=1):
        limits = []
        if low is not None:
            limits.append(f"{key} >= {low}")
        if high is not None:
            limits.append(f"({key} < {high}{f' OR {key} IS NULL' if low is None else ''})")
        condition = " AND ".join(limits) or "TRUE"
        connection.begin()
        try:
            if not _is_one_run(connection, target, recent, key, condition):
                (newest,) = connection.execute(f"SELECT coalesce(max(rowid), -1) FROM {target}").fetchone()
                connection.execute(
                    f"INSERT INTO {target} BY NAME SELECT {_tables.column_list(table)} FROM {quoted(table)} "
                    f"WHERE {condition} ORDER BY {', '.join(map(quoted, order))}"
                )
                connection.execute(f"DELETE FROM {target} WHERE ({condition}) AND rowid <= {newest}")
                connection.execute(f"DELETE FROM {recent} WHERE {condition}")
            connection.execute("DELETE FROM archive_compaction WHERE name = ?", [table])
            # A finished table is marked too, so that a resumed compaction does not begin it again.
            below = _FINISHED if high is None else high
            connection.execute("INSERT INTO archive_compaction VALUES (?, ?)", [table, below])
            connection.commit()
        except BaseException:
            connection.rollback()
            raise
        connection.execute("CHECKPOINT")  # gives the room of the old rows back
        low = high
        yield number / (len(bounds) + 1)


def _bounds(connection: Any, table: str, key: str, low: int | None) -> list[int]:
    """Values of the key, above `low`, that cut the rows from there on into slices of about equal size."""
    above = "TRUE" if low is None else f"{key} >= {low}"
    (rows,) = connection.execute(f"SELECT count(*) FROM {quoted(table)} WHERE {above}").fetchone()
    count = -(-rows * len(TABLES[table].columns) // _SLICE_VALUES)
    if count < 2:
        return []
    quantiles = ", ".join(str(number / count) for number in range(1, count))
    (bounds,) = connection.execute(
        f"SELECT quantile_disc({key}, [{quantiles}]) FROM (SELECT {key} FROM "
        f"(SELECT {key} FROM {quoted(table)} WHERE {above}) USING SAMPLE 200000)"
    ).fetchone()
    return sorted(
        {int(bound) for bound in bounds or [] if bound is not None and (low is None or bound > low)}
    )


def _is_one_run(connection: Any, target: str, recent: str, key: str, condition: str) -> bool:
    """Whether the rows of a slice lie one after the other, and in order, already."""
    if connection.execute(f"SELECT 1 FROM {recent} WHERE {condition} LIMIT 1").fetchone() is not None:
        return False
    rows, span, out_of_order = connection.execute(
        f"SELECT count(*), max(place) - min(place) + 1, count(*) FILTER (value < before) FROM ("
        f"SELECT rowid AS place, {key} AS value, lag({key}) OVER (ORDER BY rowid) AS before "
        f"FROM {target} WHERE {condition})"
    ).fetchone()
    return bool(rows == 0 or (rows == span and out_of_order == 0))
