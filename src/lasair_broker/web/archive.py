"""How the site reads the archive: of this process, if it has one open, else opened when first asked for."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import suppress

import pyarrow as pa
import pyarrow.compute as pc
from django.contrib.auth.models import AnonymousUser

from lasair_broker.archive import Archive, ArchiveLockedError, open_archive
from lasair_broker.query import ARCHIVE, Query, parse
from lasair_broker.settings import load
from lasair_broker.web.accounts.models import User
from lasair_broker.web.catalogue import catalogue_for
from lasair_broker.web.errors import NotFound
from lasair_broker.web.kept import forget
from lasair_broker.web.limits import limits_of

_lock = threading.Lock()
_archive: Archive | None = None
_ours = False


def use(opened: Archive | None) -> None:
    """Read this archive, which the process has open; None: the one that the settings name, from now on."""
    global _archive, _ours
    with _lock:
        _archive, _ours = opened, False
    forget()


def archive() -> Archive:
    """The archive that views read.

    Raises
    ------
    ArchiveError
        If it cannot be opened.
    """
    global _archive, _ours
    with _lock:
        if _archive is None:
            _archive = open_archive(load().archive, read_only=True)
            with suppress(ArchiveLockedError):  # another process has it, and serves it
                _archive.serve()  # to the other processes of the site
            _ours = True
        return _archive


def let_go() -> None:
    """Open the archive anew when it is next asked for: the process through which it was read may have ended.

    One that was given to `use` stays.
    """
    global _archive, _ours
    with _lock:
        if _archive is not None and _ours:
            _archive.close()
            _archive, _ours = None, False


def object_number(key: int | str) -> int:
    """The number of the object of this number or name.

    Raises
    ------
    NotFound
        If the archive knows none.
    """
    found = archive().object(key, ["diaObjectId"])
    if not found.num_rows:
        raise NotFound(f"there is no object {str(key)[:40]}")
    return int(found["diaObjectId"][0].as_py())


def rows_for(user: User | AnonymousUser | None, name: str, diaObjectIds: Sequence[int]) -> pa.Table:
    """The rows that a table has for objects, without those of lists, maps and annotators that the user may
    not see.

    Raises
    ------
    QueryError
        If there is no such table, or it is nobody's to read.
    """
    relation = catalogue_for(user).relation(name, None)
    rows = archive().rows_of_objects(relation.name, diaObjectIds)
    for column, seen in relation.only:
        rows = rows.filter(pc.is_in(rows[column], pa.array(seen, rows[column].type)))
    return rows


def ask(
    user: User | AnonymousUser | None,
    query: Query,
    *,
    limit: int | None = None,
    offset: int = 0,
    background: bool = False,
    cancelled: threading.Event | None = None,
) -> tuple[pa.Table, bool]:
    """The answer to a query that was parsed with the user's catalogue, within the user's limits.

    Parameters
    ----------
    limit
        At most so many rows; more than the user's class may have are not given.
    offset
        So many rows of the result come before these.
    background
        Nobody waits for it: the limits are those of background queries.
    cancelled
        Set it in another thread to stop the query.

    Returns
    -------
    The rows, and whether there are more.

    Raises
    ------
    archive.QueryError
        If it fails, takes too long, or is cancelled.
    """
    limits = limits_of(user)
    allowed, seconds = (limits.job_rows, limits.job_seconds) if background else (limits.rows, limits.seconds)
    most = allowed if limit is None else min(limit, allowed)
    rows = archive().query(query.render, max_rows=offset + most + 1, timeout=seconds, cancelled=cancelled)
    return rows.slice(offset, most), rows.num_rows > offset + most


def newest_hits(filter_id: int, limit: int, before: tuple[float, str] | None = None) -> pa.Table:
    """The newest hits of a filter, newest first; `before` one of them, (committedMjdTai, hitId), if given.

    Who may see the filter, the caller has asked.
    """
    earlier = ""
    if before is not None:
        mjd, hit = float(before[0]), before[1].replace("'", "''")
        earlier = f" AND (committedMjdTai < {mjd!r} OR (committedMjdTai = {mjd!r} AND hitId < '{hit}'))"
    query = parse(
        f"SELECT TOP {int(limit)} * FROM filter_hits WHERE filterId = {int(filter_id)}{earlier} "  # noqa: S608 - our own language, which is parsed, with numbers and a quoted text
        "ORDER BY committedMjdTai DESC, hitId DESC",
        ARCHIVE,
    )
    return archive().query(query.render(archive().engine), max_rows=limit)
