"""A query run on DuckDB within limits that hold."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from ._errors import QueryError
from ._query import Query

__all__ = ["Limits", "Result", "run"]


@dataclass(frozen=True, slots=True)
class Limits:
    """What a query may take.

    Attributes
    ----------
    seconds
        Of time, from its start to its last row.
    rows, bytes
        Of the result; what is beyond is left out, and the result says so.
    """

    seconds: float = 60.0
    rows: int = 1_000_000
    bytes: int = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Result:
    """The rows, and whether there were more."""

    rows: pa.Table
    truncated: bool


def run(
    connection: duckdb.DuckDBPyConnection,
    query: Query,
    limits: Limits | None = None,
    now: float | None = None,
) -> Result:
    """Run `query` on a cursor of its own.

    Two things bound its memory. The language has no function that makes a large value, so what DuckDB's own
    ``memory_limit`` does not count stays small; and the rows are read in pieces until `limits` are reached.

    Parameters
    ----------
    connection
        To the archive.
    query
        Checked, so that its SQL is ours.
    limits
        None: the usual.
    now
        What ``mjdnow()`` means, MJD TAI; None: this moment.

    Raises
    ------
    QueryError
        If it takes too long or too much memory, or the engine cannot answer it.
    """
    limits = limits or Limits()
    sql = query.render("duckdb", now)
    cursor = connection.cursor()
    late = threading.Event()

    def stop() -> None:
        late.set()
        cursor.interrupt()

    timer = threading.Timer(limits.seconds, stop)
    timer.daemon = True
    timer.start()
    try:
        return _read(cursor.execute(sql).to_arrow_reader(10_000), limits, late)
    except duckdb.InterruptException:
        raise QueryError(
            f"the query took longer than {limits.seconds:g} s", suggestion="ask for less sky or fewer tables"
        ) from None
    except duckdb.OutOfMemoryException:
        raise QueryError(
            "the query needs more memory than it may have", suggestion="select fewer columns, or sort less"
        ) from None
    except duckdb.Error as error:
        raise QueryError(f"the archive cannot answer this: {str(error).splitlines()[0]}") from error
    except pa.ArrowException as error:
        if late.is_set():
            raise QueryError(f"the query took longer than {limits.seconds:g} s") from None
        raise QueryError(f"the archive cannot answer this: {str(error).splitlines()[0]}") from error
    finally:
        timer.cancel()
        cursor.close()


def _read(reader: pa.RecordBatchReader, limits: Limits, late: threading.Event) -> Result:
    batches: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in reader:
        if late.is_set():
            raise duckdb.InterruptException("")
        room = limits.rows - rows
        if batch.num_rows > room or size > limits.bytes:
            batches.append(batch.slice(0, max(0, room)))
            return Result(pa.Table.from_batches(batches, reader.schema), True)
        batches.append(batch)
        rows += batch.num_rows
        size += batch.nbytes
    return Result(pa.Table.from_batches(batches, reader.schema), False)
