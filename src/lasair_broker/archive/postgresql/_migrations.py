"""Making the tables, and bringing an archive of an older version, or with fewer columns, up to date."""

# Names in statements are the schema's own, values are numbers or parameters:
# ruff: noqa: S608

from __future__ import annotations

from collections.abc import Callable, Mapping

from lasair_broker.schema import TABLES, quoted, sql_type

from ..errors import ArchiveError, ArchiveVersionError
from . import _tables
from ._session import Session
from ._tables import NAMESPACE, READER

__all__ = ["MIGRATIONS", "migrate"]

MIGRATIONS: Mapping[int, Callable[[Session], None]] = {}
"""What brings a layout to the version of its key from the one before. It gets a session within a
transaction."""

_LOCK = 0x6C617361697200  # "lasair", so that no other program's lock has it by chance


def migrate(
    session: Session,
    version: int = _tables.VERSION,
    migrations: Mapping[int, Callable[[Session], None]] = MIGRATIONS,
    *,
    distributed: bool = False,
) -> None:
    """Make or migrate all tables, in one transaction; workers that start together do it one after another.

    Parameters
    ----------
    session
        A session with the server.
    version, migrations
        The version wanted, and the way there.
    distributed
        Whether the tables, which must be new, are spread over the servers of Citus.

    Raises
    ------
    ArchiveVersionError
        If the archive is of a newer version.
    ArchiveError
        If a column has another type than the schema says, or the tables cannot be made.
    """
    if _is_current(session, version):
        if distributed:
            raise ArchiveError("the archive is there already: only a new one can be spread over servers")
        return
    if distributed:
        _need_citus(session)
    with session.transaction():
        session.run(f"SELECT pg_advisory_xact_lock({_LOCK})")
        session.run(f"CREATE SCHEMA IF NOT EXISTS {NAMESPACE}")
        for statement in _tables.bookkeeping():
            session.run(statement)
        found = session.rows("SELECT version FROM archive_layout")
        if not found:
            session.run(f"INSERT INTO archive_layout VALUES ({int(version)})")
        else:
            _refuse_newer(found[0][0], version)
            for step in range(found[0][0] + 1, version + 1):
                migrations[step](session)
            session.run(f"UPDATE archive_layout SET version = {int(version)}")
        _complete(session)
        _let_read(session)
    if distributed:
        for statement in _tables.distribution():
            session.run(statement)


def _need_citus(session: Session) -> None:
    if not session.rows("SELECT 1 FROM pg_available_extensions WHERE name = 'citus'"):
        raise ArchiveError(
            "the server has no Citus: install the extension, and put it into shared_preload_libraries, or "
            "begin an archive on one server"
        )
    session.run("CREATE EXTENSION IF NOT EXISTS citus")


def _is_current(session: Session, version: int) -> bool:
    """Whether nothing is to be done; then no right to make tables is needed."""
    if not session.rows(f"SELECT 1 WHERE to_regclass('{NAMESPACE}.archive_layout') IS NOT NULL"):
        return False
    found = session.rows("SELECT version FROM archive_layout")
    if not found:
        return False
    _refuse_newer(found[0][0], version)
    present = _present(session)
    return found[0][0] == version and all(
        name in present and all(column.name in present[name] for column in definition.columns)
        for name, definition in TABLES.items()
    )


def _refuse_newer(found: int, version: int) -> None:
    if found > version:
        raise ArchiveVersionError(
            f"the archive has layout {found}, but this program knows layouts up to {version}: "
            "it was written by a newer version of Lasair, which must be used to open it"
        )


def _present(session: Session) -> dict[str, dict[str, str]]:
    """The types of the columns of the tables that are there."""
    present: dict[str, dict[str, str]] = {}
    rows = session.rows(
        "SELECT c.relname, a.attname, format_type(a.atttypid, NULL) FROM pg_attribute a "
        "JOIN pg_class c ON c.oid = a.attrelid "
        f"WHERE c.relnamespace = '{NAMESPACE}'::regnamespace AND a.attnum > 0 AND NOT a.attisdropped "
        "AND c.relkind IN ('r', 'p')"
    )
    for table, column, kind in rows:
        present.setdefault(table, {})[column] = kind
    return present


def _complete(session: Session) -> None:
    """Make the tables and add the columns that the schema has and the database has not."""
    present = _present(session)
    for name, definition in TABLES.items():
        columns = present.get(name)
        if columns is None:
            for statement in _tables.create(name):
                session.run(statement)
            continue
        for statement in _tables.missing_columns(name, columns):
            session.run(statement)
        for column in definition.columns:
            wanted = sql_type(column.datatype, "postgresql")
            if columns.get(column.name, wanted) != wanted:
                raise ArchiveError(
                    f"column {column.name} of {name} is {columns[column.name]}, but the schema says {wanted}"
                )


def _let_read(session: Session) -> None:
    """The role of users' queries, which sees the tables of the schema and nothing of the user database."""
    if not session.rows(f"SELECT 1 FROM pg_roles WHERE rolname = '{READER}'"):
        if not session.rows(
            "SELECT 1 FROM pg_roles WHERE rolname = current_user AND (rolcreaterole OR rolsuper)"
        ):
            raise ArchiveError(
                f"users' queries need a role that may only read, and this user may not make it; as an "
                f'administrator run: CREATE ROLE {READER} NOLOGIN; GRANT {READER} TO "USER"'
            )
        session.run(f"CREATE ROLE {READER} NOLOGIN NOINHERIT")
    if not session.rows(f"SELECT 1 WHERE pg_has_role(current_user, '{READER}', 'MEMBER')"):
        session.run(f"GRANT {READER} TO current_user")
    session.run(f"GRANT USAGE ON SCHEMA {NAMESPACE} TO {READER}")
    session.run(f"GRANT SELECT ON {', '.join(map(quoted, TABLES))} TO {READER}")
