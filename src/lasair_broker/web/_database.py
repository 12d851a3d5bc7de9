"""Where the user database is."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from lasair_broker.settings import load

DATABASE_VARIABLE = "LASAIR_USER_DATABASE"
_FILE = "users.sqlite3"


def data_folder() -> Path | None:
    """The folder of the embedded archive, or None if the archive is a database server."""
    url = load().archive.url
    return None if "://" in url and not url.startswith("file://") else Path(url.removeprefix("file://"))


def database() -> dict[str, Any]:
    """Django's description of the user database.

    By default it lies beside the archive: a SQLite file in its folder, or the same PostgreSQL. The
    environment variable LASAIR_USER_DATABASE (sqlite:///path or postgresql://user:password@host/name)
    overrides that.

    Raises
    ------
    ValueError
        If the URL is of another kind.
    """
    folder = data_folder()
    given = os.environ.get(DATABASE_VARIABLE, "")
    if not given and folder is not None:
        return sqlite(folder / _FILE)
    url = given or load().archive.url
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        return sqlite(Path(unquote(url.removeprefix("sqlite://").removeprefix("/"))))
    if parts.scheme not in ("postgresql", "postgres"):
        raise ValueError(f"the user database must be sqlite:/// or postgresql://, not {parts.scheme or url}")
    options = dict(parse_qsl(parts.query))
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": options.pop("host", unquote(parts.hostname or "")),
        "PORT": str(parts.port or ""),
        "OPTIONS": options,
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,  # the server may have been restarted meanwhile
    }


def sqlite(path: Path) -> dict[str, Any]:
    """SQLite for several processes: readers never wait, a writer waits at its beginning and does not fail."""
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(path),
        "CONN_MAX_AGE": 60,  # to open it takes longer than to ask it
        "OPTIONS": {
            "timeout": 20,
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        },
    }
