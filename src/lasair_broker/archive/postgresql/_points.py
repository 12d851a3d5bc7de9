"""Looking up a few rows of many columns, over and over.

Arrow's driver asks the server twice for each result, once for its columns and once for its rows, and makes
something of every column on the way: with three hundred columns that is most of the time in which a person
waits for one object. A prepared statement is asked once, and its few rows are turned into columns here.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
import pyarrow as pa

from ..errors import ArchiveError
from ._session import BrokenSessionError, ServerError, described

__all__ = ["Points"]


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

    def table(self, sql: str, parameters: Sequence[object], schema: pa.Schema) -> pa.Table:
        """The few rows of a statement, which is prepared when it comes often; its columns are those of
        `schema`.

        Raises
        ------
        ArchiveError
            If the archive is closed, the server cannot be reached, or something fails there.
        """
        with self._connection() as connection:
            found = psycopg.RawCursor(connection).execute(sql, list(parameters), binary=True).fetchall()
        columns = list(zip(*found, strict=True)) if found else [()] * len(schema)
        arrays = [pa.array(values, field.type) for values, field in zip(columns, schema, strict=True)]
        return pa.Table.from_arrays(arrays, schema=schema)

    @contextmanager
    def _connection(self) -> Iterator[psycopg.Connection[Any]]:
        with self._guard:
            if self._closed:
                raise ArchiveError("the archive is closed")
            connection = self._idle.pop() if self._idle else None
        try:
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
