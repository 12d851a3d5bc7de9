"""Searching a snapshot together with what has changed since."""

# Names in statements are the schema's own, values are numbers or names of our files:
# ruff: noqa: S608

from __future__ import annotations

import re
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow as pa
import structlog

from lasair_broker.schema import TABLES, arrow_schema, quoted

from ...duckdb._query import query as run
from ...errors import ArchiveError, QueryError
from ...records import Progress
from .._session import Session
from .._tables import NAMESPACE
from . import _changes
from ._changes import KEPT, WHOLE
from ._manifest import Manifest
from ._place import SnapshotPlace, listed
from ._refresh import LASTS_SECONDS, Refreshed, refresh

__all__ = ["Columnar", "Overlay"]

_log = structlog.get_logger(__name__)

_DEAR = 10_000.0
"""Cost, in the server's units (a page read), from which a search is worth the reading of what changed."""

_MOST_CHANGED = 300_000
_PLANNING_MILLISECONDS = 5_000
_QUOTED = re.compile(r'"((?:[^"]|"")+)"')


@dataclass(frozen=True, slots=True)
class Overlay:
    """What a search needs beside the files of a snapshot: the objects that have changed, and rows of
    tables."""

    manifest: Manifest
    ids: pa.Table
    rows: dict[str, pa.Table]


class Columnar:
    """Keeps a snapshot, and answers searches from it.

    Parameters
    ----------
    place
        Where it is.
    """

    def __init__(self, place: SnapshotPlace) -> None:
        self._place = place
        self._guard = threading.Lock()
        self._root: Any = None

    def refresh(self, session: Session, progress: Progress | None = None) -> Refreshed | None:
        """See `refresh`."""
        return refresh(session, self._place, _name_of(session), progress)

    def overlay(self, session: Session, plain: str, columnar: str) -> Overlay | None:
        """What a search needs beside the snapshot's files; None if the server had better answer it.

        Parameters
        ----------
        session
            Within a transaction that sees one state of the archive, of the archive's own user.
        plain, columnar
            The query as PostgreSQL and as DuckDB read it.
        """
        try:
            return self._overlay(session, plain, columnar)
        except ArchiveError as error:
            _log.warning("the snapshot is not used", reason=str(error))
            return None

    def answer(
        self,
        overlay: Overlay,
        columnar: str,
        max_rows: int | None,
        timeout: float | None,
        cancelled: threading.Event | None,
    ) -> pa.Table:
        """The result of a search.

        Raises
        ------
        QueryError
            As `Archive.query`.
        """
        cursor = self._cursor()
        try:
            self._lay_out(cursor, overlay)
            found = run(cursor, columnar, max_rows, timeout, cancelled)
        except duckdb.Error as error:
            raise QueryError(f"the snapshot cannot be read: {error}") from error
        finally:
            with suppress(duckdb.Error):
                cursor.close()
        age = max(0.0, time.time() - overlay.manifest.taken)
        said = (
            f"columnar snapshot, {age:.0f} s old, united with {overlay.ids.num_rows:,} objects changed since"
        )
        return found.replace_schema_metadata({b"answered_by": said.encode()})

    def close(self) -> None:
        """Close DuckDB; searches that run are stopped."""
        with self._guard:
            if self._root is not None:
                self._root.close()
                self._root = None

    def _overlay(self, session: Session, plain: str, columnar: str) -> Overlay | None:
        names = set(_QUOTED.findall(columnar))
        tables = names & TABLES.keys()
        if not tables & set(KEPT) or not tables <= {*KEPT, *WHOLE}:
            return None
        manifest = Manifest.read(self._place.folder)
        if manifest is None or not self._is_dear(session, plain) or manifest.archive != _name_of(session):
            return None
        ((age,),) = session.rows(f"SELECT extract(epoch FROM now())::float8 - {manifest.taken!r}")
        if age > LASTS_SECONDS or _changes.count_changed(session, manifest.state) > _MOST_CHANGED:
            _log.warning("the snapshot is too old: it is not refreshed", age_seconds=round(age))
            return None
        ids = _changes.changed_ids(session, manifest.state)
        rows = {}
        for name in sorted(tables):
            wanted = _wanted(name, names)
            if name in KEPT:
                found = _changes.changed_rows(session, name, wanted, manifest.state)
            else:
                found = session.table(f"SELECT {', '.join(map(quoted, wanted))} FROM {quoted(name)}")
            schema = arrow_schema(name)
            rows[name] = found.cast(pa.schema([schema.field(column) for column in wanted]))
        return Overlay(manifest, ids, rows)

    def _is_dear(self, session: Session, plain: str) -> bool:
        """Whether the server thinks that it would have to read much."""
        try:
            session.run(f"SELECT set_config('statement_timeout', '{_PLANNING_MILLISECONDS}', true)")
            plan = session.plan(plain)
        except ArchiveError:
            return False
        return float(plan["Total Cost"]) > _DEAR

    def _cursor(self) -> Any:
        with self._guard:
            if self._root is None:
                root = self._place.connect()
                root.execute("SET GLOBAL parquet_metadata_cache = true")
                root.execute(f"SET allowed_directories = {listed([self._place.folder])}")
                root.execute("SET enable_external_access = false")
                root.execute("SET lock_configuration = true")
                self._root = root
            return self._root.cursor()

    def _lay_out(self, cursor: Any, overlay: Overlay) -> None:
        """Give the connection each table as it is now: of what is in the files, what has not changed, and
        the rows of what has."""
        cursor.register("_changed", overlay.ids)
        for name, rows in overlay.rows.items():
            cursor.register(f"_new_{name}", rows)
            columns = ", ".join(map(quoted, rows.column_names))
            parts = [f"SELECT {columns} FROM _new_{name}"]
            files = overlay.manifest.paths(self._place.folder, name)
            if files:
                unchanged = "" if not overlay.ids.num_rows else " ANTI JOIN _changed USING (diaObjectId)"
                parts.insert(0, f"SELECT {columns} FROM read_parquet({listed(files)}){unchanged}")
            cursor.execute(f"CREATE TEMP VIEW {quoted(name)} AS {' UNION ALL '.join(parts)}")


def _wanted(name: str, names: set[str]) -> list[str]:
    """The columns of a table that a query names."""
    return [
        column for column in arrow_schema(name).names if column in names or column == "diaObjectId"
    ] or arrow_schema(name).names[:1]


def _name_of(session: Session) -> str:
    """What tells this archive apart from others."""
    ((name,),) = session.rows(
        "SELECT concat_ws('/', current_database(), (SELECT oid FROM pg_database "
        f"WHERE datname = current_database()), '{NAMESPACE}'::regnamespace::oid)"
    )
    return str(name)
