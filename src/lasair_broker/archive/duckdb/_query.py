"""Users' queries: one SELECT, bounded in rows and time, on a connection that cannot write."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import Any

import duckdb
import pyarrow as pa

from ..errors import QueryError, QueryTimeoutError

__all__ = ["query"]

_BATCH_ROWS = 50_000


def query(connection: Any, sql: str, max_rows: int | None, timeout: float | None) -> pa.Table:
    """The first `max_rows` rows of a SELECT statement (None: all), within `timeout` seconds (None: for
    ever)."""
    try:
        statements = duckdb.extract_statements(sql)
    except duckdb.Error as error:
        raise QueryError(str(error)) from error
    if len(statements) != 1:
        raise QueryError(f"one SELECT statement is wanted, not {len(statements)} statements")
    if statements[0].type != duckdb.StatementType.SELECT:
        raise QueryError("only SELECT statements can be run")
    late = threading.Event()

    def stop() -> None:
        late.set()
        connection.interrupt()

    timer = threading.Timer(timeout, stop) if timeout is not None else None
    try:
        connection.execute("BEGIN TRANSACTION READ ONLY")
        if timer is not None:
            timer.start()
        reader = connection.execute(statements[0]).to_arrow_reader(_BATCH_ROWS)
        return _first_rows(reader, max_rows)
    except (duckdb.Error, pa.ArrowException) as error:
        if late.is_set():
            raise QueryTimeoutError(f"the query took longer than {timeout:g} seconds") from error
        raise QueryError(str(error)) from error
    finally:
        if timer is not None:
            timer.cancel()
            timer.join()
        with suppress(duckdb.Error):
            connection.rollback()


def _first_rows(reader: pa.RecordBatchReader, max_rows: int | None) -> pa.Table:
    batches, rows = [], 0
    for batch in reader:
        batches.append(batch if max_rows is None else batch.slice(0, max_rows - rows))
        rows += batches[-1].num_rows
        if max_rows is not None and rows >= max_rows:
            break
    return pa.Table.from_batches(batches, reader.schema)
