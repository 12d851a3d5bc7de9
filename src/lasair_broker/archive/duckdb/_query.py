"""Users' queries: one SELECT, bounded in rows, time and memory, on a connection that cannot write."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from typing import Any

import duckdb
import pyarrow as pa

from ..errors import QueryCancelledError, QueryError, QueryMemoryError, QueryTimeoutError

__all__ = ["query"]

_BATCH_ROWS = 2_048
"""As many as DuckDB works on at a time, so that wide rows are counted before they fill the memory."""
_BATCH_ROWS_OF_ALL = 50_000
_LARGEST_RESULT = 256 * 1024**2
_SHARE_OF_MEMORY = 0.6
"""Of DuckDB's memory, which the writer needs too, that may be in use while a user's query runs."""
_GLANCE_SECONDS = 0.05

_LARGEST_SPILL = 4 * 1024**3
"""Bytes of temporary files, which take the room of the disk that the stream writes to."""

_SPILT = "SELECT sum(size) FROM duckdb_temporary_files()"
_USED = """
    SELECT sum(memory_usage_bytes) FROM duckdb_memory()
    WHERE tag NOT IN ('BASE_TABLE', 'METADATA', 'EXTERNAL_FILE_CACHE', 'OBJECT_CACHE', 'IN_MEMORY_TABLE')
"""
"""Bytes that are neither blocks kept for the next time nor newly written rows, which a statement that needs
the room pushes out to the disk: while much is written they fill nearly all that nobody else uses."""


def query(
    connection: Any,
    sql: str,
    max_rows: int | None,
    timeout: float | None,
    cancelled: threading.Event | None = None,
) -> pa.Table:
    """The first `max_rows` rows of a SELECT statement (None: all), within `timeout` seconds (None: for
    ever), unless `cancelled` is set meanwhile."""
    try:
        statements = duckdb.extract_statements(sql)
    except duckdb.Error as error:
        raise QueryError(str(error)) from error
    if len(statements) != 1:
        raise QueryError(f"one SELECT statement is wanted, not {len(statements)} statements")
    if statements[0].type != duckdb.StatementType.SELECT:
        raise QueryError("only SELECT statements can be run")
    watch = _Watch(connection, timeout, cancelled)
    try:
        connection.execute("BEGIN TRANSACTION READ ONLY")
        watch.start()
        rows = _BATCH_ROWS_OF_ALL if max_rows is None else _BATCH_ROWS
        reader = connection.execute(statements[0]).to_arrow_reader(rows)
        return _first_rows(reader, max_rows)
    except duckdb.OutOfMemoryException as error:
        raise QueryMemoryError(_TOO_MUCH_MEMORY) from error
    except (duckdb.Error, pa.ArrowException, OSError) as error:  # the last is how Arrow tells an interruption
        raise watch.reason or QueryError(str(error)) from error
    finally:
        watch.stop()
        with suppress(duckdb.Error):
            connection.rollback()


_TOO_MUCH_MEMORY = "the query needs more memory than it may use: select, group or sort fewer rows"


class _Watch(threading.Thread):
    """Stops a query when its time is over, when somebody cancels it, or when memory runs short.

    Attributes
    ----------
    reason
        Why it was stopped; None if it was not.
    """

    def __init__(self, connection: Any, timeout: float | None, cancelled: threading.Event | None) -> None:
        super().__init__(name="query watch", daemon=True)
        self.reason: QueryError | None = None
        self._connection = connection
        self._timeout = timeout
        self._cancelled = cancelled
        self._done = threading.Event()

    def run(self) -> None:
        started, over = time.monotonic(), 0
        if self._done.wait(_GLANCE_SECONDS):
            return  # most queries need no watching
        gauge = self._connection.cursor()
        limit = _memory_limit(gauge)
        while True:
            if self.reason is None:
                # Twice, as the writer's own needs come and go.
                much = (
                    _bytes(gauge, _USED) > _SHARE_OF_MEMORY * limit or _bytes(gauge, _SPILT) > _LARGEST_SPILL
                )
                over = over + 1 if much else 0
                if self._timeout is not None and time.monotonic() - started > self._timeout:
                    self.reason = QueryTimeoutError(f"the query took longer than {self._timeout:g} seconds")
                elif self._cancelled is not None and self._cancelled.is_set():
                    self.reason = QueryCancelledError("the query was cancelled")
                elif over > 1:
                    self.reason = QueryMemoryError(_TOO_MUCH_MEMORY)
            if self.reason is not None:
                # Again and again: an interruption that comes before the statement has begun is lost.
                self._connection.interrupt()
            if self._done.wait(_GLANCE_SECONDS):
                break
        gauge.close()

    def stop(self) -> None:
        """Watch no longer; no interruption comes after this."""
        self._done.set()
        if self.ident is not None:
            self.join()


def _memory_limit(gauge: Any) -> float:
    """Bytes that DuckDB may use."""
    (written,) = gauge.execute("SELECT current_setting('memory_limit')").fetchone()
    number, unit = str(written).split()
    return float(number) * {"bytes": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}[unit]


def _bytes(gauge: Any, sql: str) -> int:
    return int(gauge.execute(sql).fetchone()[0] or 0)


def _first_rows(reader: pa.RecordBatchReader, max_rows: int | None) -> pa.Table:
    batches, rows, size = [], 0, 0
    for batch in reader:
        batches.append(batch if max_rows is None else batch.slice(0, max_rows - rows))
        rows += batches[-1].num_rows
        size += batches[-1].nbytes
        if max_rows is None:
            continue
        if size > _LARGEST_RESULT:
            raise QueryMemoryError(f"the result is larger than {_LARGEST_RESULT >> 20} MB: select less of it")
        if rows >= max_rows:
            break
    return pa.Table.from_batches(batches, reader.schema)
