"""Looking up a few rows of many columns, over and over.

Arrow's driver asks the server twice for each result, once for its columns and once for its rows, and makes
something of every column on the way: with three hundred columns that is most of the time in which a person
waits for one object. A prepared statement is asked once, and its few rows are turned into columns here.
"""

from __future__ import annotations

import select
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import chain
from typing import Any

import psycopg
import pyarrow as pa

from lasair_broker.schema import quoted

from ..errors import ArchiveError
from ._session import BrokenSessionError, ServerError, described

__all__ = ["Columns", "Points"]


class Columns:
    """Columns that are read over and over: what is worked out of them once.

    Attributes
    ----------
    schema
        Their names and types.
    listed
        Their names as SQL lists them.
    """

    def __init__(self, schema: pa.Schema) -> None:
        self.schema = schema
        self.listed = ", ".join(map(quoted, schema.names))
        alike: dict[pa.DataType, list[int]] = {}
        for place, kind in enumerate(schema.types):
            alike.setdefault(kind, []).append(place)
        self._alike = list(alike.items())

    def table(self, rows: Sequence[tuple[Any, ...]]) -> pa.Table:
        """Rows as columns.

        To make an array takes Arrow much longer than to fill it with a few values, so columns of one type
        are made as one array and cut.
        """
        count = len(rows)
        columns: list[Any] = list(zip(*rows, strict=True)) if rows else [()] * len(self.schema)
        for kind, places in self._alike:
            values = pa.array(list(chain.from_iterable([columns[place] for place in places])), kind)
            for n, place in enumerate(places):
                columns[place] = values.slice(n * count, count)
        return pa.Table.from_arrays(columns, schema=self.schema)


class Points:
    """Connections for look-ups, opened as they are needed and kept.

    Parameters
    ----------
    url
        As libpq reads it.
    settings
        Parameters of the server for each connection.
    """

    def __init__(self, url: str, settings: Mapping[str, str]) -> None:
        self._url = url
        self._settings = dict(settings)
        self._guard = threading.Lock()
        self._idle: list[psycopg.Connection[Any]] = []
        self._closed = False

    def table(self, sql: str, parameters: Sequence[object], columns: Columns) -> pa.Table:
        """The few rows of a statement, which is prepared when it comes often and gives `columns`.

        Raises
        ------
        ArchiveError
            If the archive is closed, the server cannot be reached, or something fails there.
        """
        with self._connection() as connection:
            found = psycopg.RawCursor(connection).execute(sql, list(parameters), binary=True).fetchall()
        return columns.table(found)

    def tables(self, statements: Sequence[tuple[str, Sequence[object], Columns]]) -> list[pa.Table]:
        """The few rows of each of several statements, which are sent together.

        Raises
        ------
        ArchiveError
            As from `table`.
        """
        cursors = []
        with self._connection() as connection, connection.pipeline():
            for sql, parameters, _ in statements:
                cursor = psycopg.RawCursor(connection)
                cursors.append(cursor.execute(sql, list(parameters), binary=True))
            found = [cursor.fetchall() for cursor in cursors]
        return [columns.table(rows) for rows, (*_, columns) in zip(found, statements, strict=True)]

    @contextmanager
    def _connection(self) -> Iterator[psycopg.Connection[Any]]:
        with self._guard:
            if self._closed:
                raise ArchiveError("the archive is closed")
            connection = self._idle.pop() if self._idle else None
        try:
            if connection is not None and not _alive(connection):
                connection.close()
                self._drop_all()
                connection = None
            connection = connection or self._connected()
            yield connection
        except psycopg.Error as error:
            lost = connection is None or connection.broken or isinstance(error, psycopg.OperationalError)
            if lost:
                self._drop_all()
                where = described(self._url)
                raise BrokenSessionError(f"no connection to the archive at {where}: {error}") from error
            raise ServerError(str(error), error.sqlstate or "") from error
        finally:
            if connection is not None:
                with self._guard:
                    kept = not (self._closed or connection.broken or connection.closed)
                    if kept:
                        self._idle.append(connection)
                if not kept:
                    connection.close()

    def _connected(self) -> psycopg.Connection[Any]:
        connection = psycopg.connect(self._url, autocommit=True)
        names = ", ".join("set_config(%s, %s, false)" for _ in self._settings)
        connection.execute(
            f"SELECT {names}",
            [word for pair in self._settings.items() for word in pair],
        )
        return connection

    def _drop_all(self) -> None:
        """A server that was restarted has cut all of them off."""
        with self._guard:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def close(self) -> None:
        with self._guard:
            self._closed = True
        self._drop_all()


def _alive(connection: psycopg.Connection[Any]) -> bool:
    """Whether the server has left a connection open that nothing is done with: one that was cut off can be
    read from, as its end has come. To look costs nothing, which a question to the server would."""
    with suppress(OSError, psycopg.Error):
        looking = select.poll()
        looking.register(connection.fileno(), select.POLLIN)
        return not looking.poll(0)
    return False
