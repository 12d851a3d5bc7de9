"""Users' queries: one SELECT, bounded in rows and time, run by a role that may only read."""

# The statement is the query language's own rendering, and is run by a role that cannot write:
# ruff: noqa: S608

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa

from ..errors import (
    ArchiveError,
    ArchiveFullError,
    QueryCancelledError,
    QueryError,
    QueryMemoryError,
    QueryTimeoutError,
)
from ._session import Session
from ._tables import READER

__all__ = ["query"]

_LARGEST_RESULT = 256 * 1024**2
_WORK_MEMORY = "64MB"
_LARGEST_SPILL = "4GB"
_GLANCE_SECONDS = 0.05

_SELECT = re.compile(r"[\s(]*(SELECT|WITH|VALUES)\b", re.IGNORECASE)

_TOO_MUCH_MEMORY = ("53200", "53400")
"""Out of memory, or of the room for temporary files."""


def query(
    session: Session,
    sql: str,
    max_rows: int | None,
    timeout: float | None,
    cancelled: threading.Event | None = None,
) -> pa.Table:
    """The first `max_rows` rows of a SELECT statement (None: all), within `timeout` seconds (None: for
    ever), unless `cancelled` is set meanwhile."""
    if not _SELECT.match(sql):
        raise QueryError("only SELECT statements can be run")
    if "\0" in sql:
        raise QueryError("a query has no zero bytes")
    # Within brackets it can only be one SELECT; the role sees to what that may do.
    statement = f"SELECT * FROM ({sql}\n) AS result"
    if max_rows is not None:
        statement += f" LIMIT {int(max_rows)}"
    started = time.monotonic()
    try:
        session.run("BEGIN READ ONLY")
        _restrict(session, timeout)
        with _cancelling(session, cancelled):
            return _first_rows(session.batches(statement), max_rows)
    except QueryError:
        raise
    except ArchiveError as error:
        # While a result is read the driver tells no code, and what the server says is in its own language.
        if cancelled is not None and cancelled.is_set():
            raise QueryCancelledError("the query was cancelled") from error
        if timeout is not None and time.monotonic() - started > timeout:
            raise QueryTimeoutError(f"the query took longer than {timeout:g} seconds") from error
        if isinstance(error, ArchiveFullError) or getattr(error, "sqlstate", "") in _TOO_MUCH_MEMORY:
            raise QueryMemoryError(
                "the query needs more memory than it may use: select, group or sort fewer rows"
            ) from error
        raise QueryError(str(error)) from error
    finally:
        session.rollback()


def _restrict(session: Session, timeout: float | None) -> None:
    """What a query may do and take, until the end of the transaction."""
    milliseconds = 0 if timeout is None else max(1, int(1000 * timeout))
    session.run(
        # Only some servers let their users limit the room of temporary files.
        "SELECT CASE WHEN has_parameter_privilege('temp_file_limit', 'SET') "
        f"THEN set_config('temp_file_limit', '{_LARGEST_SPILL}', true) END, "
        f"set_config('work_mem', '{_WORK_MEMORY}', true), "
        f"set_config('statement_timeout', '{milliseconds}', true), set_config('role', '{READER}', true)"
    )


@contextmanager
def _cancelling(session: Session, cancelled: threading.Event | None) -> Iterator[None]:
    """Within, the session's statement is stopped when `cancelled` is set."""
    if cancelled is None:
        yield
        return
    done = threading.Event()

    def watch() -> None:
        while not done.wait(_GLANCE_SECONDS):
            if cancelled.is_set():
                session.cancel()  # again and again: one that comes before the statement has begun is lost

    thread = threading.Thread(target=watch, name="query watch", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _first_rows(batches: Iterator[pa.RecordBatch], max_rows: int | None) -> pa.Table:
    found, size = [], 0
    for batch in batches:
        found.append(batch)
        size += batch.nbytes
        if max_rows is not None and size > _LARGEST_RESULT:
            raise QueryMemoryError(f"the result is larger than {_LARGEST_RESULT >> 20} MB: select less of it")
    return pa.Table.from_batches(found)
