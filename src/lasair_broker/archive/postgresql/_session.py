"""Sessions with the server: statements in, Arrow in and out, and errors as the archive's own."""

# Names in statements are the schema's own, values are numbers or parameters:

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

import adbc_driver_manager
import adbc_driver_postgresql.dbapi
import pyarrow as pa
import pyarrow.compute as pc

from ..errors import ArchiveAwayError, ArchiveError, ArchiveFullError
from ._tables import NAMESPACE

__all__ = ["BrokenSessionError", "ConflictError", "Pool", "ServerError", "Session", "described"]

_BATCH_BYTES = 4 * 1024**2
"""How much of a result is read at once."""

_FULL = ("53100",)
_CONFLICTS = ("40001", "40P01", "23505")
"""Not serializable, a deadlock, a key that another has put there in the same moment."""

_BROKEN = ("08", "57P", "25P03")
"""Classes and codes of a connection that is gone, the last because we were silent for too long."""

_FRESH_SECONDS = 0.1
"""A session that was used so short a time ago is taken to live: no server is restarted faster."""


class ServerError(ArchiveError):
    """The server refused a statement.

    Attributes
    ----------
    sqlstate
        Its code for the reason; empty if there is none.
    """

    def __init__(self, message: str, sqlstate: str = "") -> None:
        super().__init__(message)
        self.sqlstate = sqlstate


class ConflictError(ServerError):
    """Two transactions stood in each other's way, and this one was ended: it may be tried again."""


class BrokenSessionError(ServerError, ArchiveAwayError):
    """The connection to the server is gone."""


def described(url: str) -> str:
    """A database URL without its secrets."""
    parts = urlsplit(url)
    host = parts.hostname or "localhost"
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{host}{port}{parts.path}"


class Session:
    """One connection to the server; used by one thread at a time.

    Transactions are begun and ended by statements; without them each statement is one.

    Parameters
    ----------
    url
        As libpq reads it.
    settings
        Parameters of the server for this session, by name.

    Raises
    ------
    ArchiveError
        If the server cannot be reached or refuses.
    """

    def __init__(self, url: str, settings: dict[str, str]) -> None:
        try:
            self._connection = adbc_driver_postgresql.dbapi.connect(url, autocommit=True)
        except adbc_driver_manager.Error as error:
            raise BrokenSessionError(
                f"cannot open the archive at {described(url)}: {_said(error)}"
            ) from error
        self.broken = False
        self._used = time.monotonic()
        try:
            self.run(
                "SELECT "
                + ", ".join(f"set_config('{name}', '{value}', false)" for name, value in settings.items())
            )
        except BaseException:
            self.close()
            raise

    def alive(self) -> bool:
        """Whether the server still answers; asked only if nothing was for a while."""
        if time.monotonic() - self._used > _FRESH_SECONDS:
            with suppress(ArchiveError):
                self.run("SELECT 1")
                return True
            return False
        return not self.broken

    def run(self, sql: str, parameters: Sequence[object] = ()) -> None:
        """Run a statement, whatever it gives."""
        with self._cursor() as cursor:
            cursor.execute(sql, list(parameters) or None)
            # To its end: an error that comes with the rows would else be lost.
            cursor.fetch_arrow_table()

    def table(self, sql: str, parameters: Sequence[object] = ()) -> pa.Table:
        """The result of a statement."""
        with self._cursor() as cursor:
            cursor.execute(sql, list(parameters) or None)
            return _plain(cursor.fetch_arrow_table())

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """The result of a statement as Python values."""
        columns = [column.to_pylist() for column in self.table(sql, parameters).columns]
        return list(zip(*columns, strict=True))

    def plan(self, sql: str) -> Any:
        """How the server would run a statement, as EXPLAIN tells it in JSON."""
        with self._cursor() as cursor:
            # Which COPY, by which the driver takes results, does not know.
            cursor.adbc_statement.set_options(**{"adbc.postgresql.use_copy": "false"})
            cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}")
            (found,) = _plain(cursor.fetch_arrow_table()).column(0).to_pylist()
        return json.loads(found)[0]["Plan"]

    def batches(self, sql: str, parameters: Sequence[object] = ()) -> Iterator[pa.RecordBatch]:
        """The result of a statement, piece by piece as the server sends it; the first may have no rows."""
        with self._cursor() as cursor:
            cursor.adbc_statement.set_options(**{"adbc.postgresql.batch_size_hint_bytes": str(_BATCH_BYTES)})
            cursor.execute(sql, list(parameters) or None)
            reader = cursor.fetch_record_batch()
            schema = _plain(reader.schema.empty_table()).schema
            whole = False
            try:
                yield pa.RecordBatch.from_pylist([], schema)
                for batch in reader:
                    yield from _plain(pa.Table.from_batches([batch])).to_batches()
                whole = True
            finally:
                # What nobody waits for would be sent to the end before the session could do anything else.
                self.broken = self.broken or not whole

    def copy(self, rows: pa.Table, target: str, *, temporary: bool = False) -> None:
        """Append rows to a table of this archive, or to a temporary one, by COPY."""
        if not rows.num_rows:
            return
        where = {"temporary": True} if temporary else {"db_schema_name": NAMESPACE}
        with self._cursor() as cursor:
            cursor.adbc_ingest(target, _storable(rows), mode="append", **where)

    @contextmanager
    def transaction(self, how: str = "") -> Iterator[None]:
        """A transaction; rolled back if something is raised within."""
        self.run(f"BEGIN {how}")
        try:
            yield
            self.run("COMMIT")
        except BaseException:
            self.rollback()
            raise

    def rollback(self) -> None:
        """End the transaction without its changes; a session in which that fails is of no use any more."""
        if not self.broken:
            with suppress(ArchiveError):
                self.run("ROLLBACK")
                return
        self.close()

    def cancel(self) -> None:
        """Stop the statement that another thread runs on this session."""
        with suppress(adbc_driver_manager.Error):
            self._connection.adbc_cancel()

    def close(self) -> None:
        self.broken = True
        with suppress(adbc_driver_manager.Error, RuntimeError):
            self._connection.close()

    @contextmanager
    def _cursor(self) -> Iterator[Any]:
        try:
            with self._connection.cursor() as cursor:
                yield cursor
            self._used = time.monotonic()
        except (adbc_driver_manager.Error, pa.ArrowException, OSError) as error:
            failure = _explained(error)
            self.broken = self.broken or isinstance(failure, BrokenSessionError)
            raise failure from error


class Pool:
    """Sessions for reading, opened as they are needed and kept.

    Parameters
    ----------
    url
        As libpq reads it.
    settings
        Parameters of the server for each session.
    """

    def __init__(self, url: str, settings: dict[str, str]) -> None:
        self._url = url
        self._settings = settings
        self._guard = threading.Lock()
        self._idle: list[Session] = []
        self._used: set[Session] = set()
        self._closed = False

    @contextmanager
    def session(self) -> Iterator[Session]:
        """A session of one's own.

        Raises
        ------
        ArchiveError
            If the archive is closed, the server cannot be reached, or something fails there.
        """
        session = self._idle_one() or Session(self._url, self._settings)
        with self._guard:
            self._used.add(session)
        try:
            yield session
        finally:
            with self._guard:
                self._used.discard(session)
                kept = not session.broken and not self._closed
                if kept:
                    self._idle.append(session)
            if session.broken:
                self._drop_idle()
            if not kept:
                session.close()

    def _idle_one(self) -> Session | None:
        """A session that is open and lives; None if there is none."""
        with self._guard:
            if self._closed:
                raise ArchiveError("the archive is closed")
            session = self._idle.pop() if self._idle else None
        if session is None or session.alive():
            return session
        session.close()
        self._drop_idle()
        return None

    def _drop_idle(self) -> None:
        """A server that was restarted has cut all of them off."""
        with self._guard:
            idle, self._idle = self._idle, []
        for session in idle:
            session.close()

    @contextmanager
    def snapshot(self) -> Iterator[Session]:
        """A session whose statements, which only read, see one state of the archive."""
        with self.session() as session:
            session.run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            try:
                yield session
            finally:
                session.rollback()

    def close(self) -> None:
        """Close all; statements that run are stopped."""
        with self._guard:
            self._closed = True
            for session in self._used:
                session.cancel()
            for session in self._idle:
                session.close()
            self._idle.clear()


def _storable(rows: pa.Table) -> pa.Table:
    """Rows without the one character that PostgreSQL's text cannot hold, zero."""
    for place, field in enumerate(rows.schema):
        if pa.types.is_string(field.type) and pc.any(pc.match_substring(rows.column(place), "\0")).as_py():
            rows = rows.set_column(place, field, pc.replace_substring(rows.column(place), "\0", "\ufffd"))
    return rows


def _plain(rows: pa.Table) -> pa.Table:
    """A result in the types that the other engine gives too: without the driver's notes, and numerics as
    double precision."""
    fields, columns = [], []
    for field, column in zip(rows.schema, rows.columns, strict=True):
        if isinstance(field.type, pa.BaseExtensionType):
            numeric = getattr(field.type, "type_name", "") == "numeric"
            chunks = [chunk.storage for chunk in column.chunks]
            column = pa.chunked_array(chunks, field.type.storage_type)
            if numeric:
                column = pc.cast(column, pa.float64())
        fields.append(pa.field(field.name, column.type))
        columns.append(column)
    return pa.Table.from_arrays(columns, schema=pa.schema(fields))


def _said(error: BaseException) -> str:
    """What the server said, without the driver's words around it."""
    text = str(error)
    found = re.search(r"(?:ERROR|FATAL|error):\s+(.*?)(?:\n|\. SQLSTATE|$)", text)
    return found[1] if found else text.strip().splitlines()[0]


def _explained(error: BaseException) -> ArchiveError:
    """An error of the driver as one of the archive."""
    state = getattr(error, "sqlstate", None) or ""
    said = _said(error)
    if state in _FULL:
        return ArchiveFullError(f"the server's disk is full, nothing was written: {said}")
    if state in _CONFLICTS:
        return ConflictError(said, state)
    lost = re.search(r"connection|terminat|SSL SYSCALL", str(error)) is not None
    if state.startswith(_BROKEN) or (not state and lost):
        return BrokenSessionError(f"the connection to PostgreSQL is gone: {said}", state)
    return ServerError(said, state)
