"""Archives of either engine by name, and the PostgreSQL server in which they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import psycopg
from psycopg.conninfo import conninfo_to_dict

from lasair_broker.archive import Archive
from lasair_broker.archive.duckdb import DuckDBArchive
from lasair_broker.archive.postgresql import PostgreSQLArchive

__all__ = ["Places", "Server", "pack_writer"]

_TEMPLATE = "lasair_template"


class Places:
    """Where archives of an engine are: each name is one, made when it is first opened."""

    def __init__(self, engine: str, folder: Path, server: Server | None) -> None:
        self.engine = engine
        self.folder = folder
        self._server = server
        self._opened: list[Archive] = []
        self._databases: dict[str, str] = {}

    def __call__(self, name: str = "archive", **options: Any) -> Archive:
        """An archive, opened; options that the engine has no use for are left out."""
        archive: Archive
        if self._server is None:
            archive = DuckDBArchive(self.folder / name, **{"threads": 1, **options})
        else:
            packs = {key: value for key, value in options.items() if key == "pack_bytes"}
            archive = PostgreSQLArchive(self.url(name), self.folder / name / "packs", **packs)
        self._opened.append(archive)
        return archive

    def url(self, name: str = "archive") -> str:
        """The address of an archive."""
        if self._server is None:
            return str(self.folder / name)
        if name not in self._databases:
            self._databases[name] = self._server.database()
        return self._server.url(self._databases[name])

    def close(self) -> None:
        for archive in self._opened:
            archive.close()
        for name in self._databases.values():
            assert self._server is not None
            self._server.drop(name)


class Server:
    """A PostgreSQL in which databases with the archive's tables are made by copying one that has them."""

    def __init__(self, conninfo: str) -> None:
        parts = conninfo_to_dict(conninfo)
        parts.pop("dbname", None)
        self._where = "postgresql:///{}?" + urlencode(parts).replace("{", "%7B").replace("}", "%7D")
        self._connection = psycopg.connect(conninfo, autocommit=True)
        self._count = 0
        self._connection.execute(f"DROP DATABASE IF EXISTS {_TEMPLATE}")
        self._connection.execute(f"CREATE DATABASE {_TEMPLATE}")

    def url(self, database: str = _TEMPLATE) -> str:
        return self._where.format(database)

    def database(self) -> str:
        self._count += 1
        name = f"lasair_{self._count}"
        self._connection.execute(f"DROP DATABASE IF EXISTS {name}")
        self._connection.execute(f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE}")
        return name

    def drop(self, database: str) -> None:
        self._connection.execute(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")

    def close(self) -> None:
        self._connection.close()


def pack_writer(archive: Any) -> Any:
    """What appends to an archive's packs."""
    return archive._packs if archive.engine == "duckdb" else archive._committer.packs
