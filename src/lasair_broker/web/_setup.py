"""Making Django ready outside a web server."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SETTINGS_MODULE = "lasair_broker.web.settings"

_LOCK = 0x6C617361697203
"""Beside the numbers of the archive's own locks in the same server."""


def setup() -> None:
    """Configure Django from the installation's settings; calling it again does nothing."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", SETTINGS_MODULE)
    import django
    from django.apps import apps

    if not apps.ready:
        django.setup()


def migrate() -> None:
    """Bring the user database to the newest layout, creating it and the secret key if there are none."""
    from lasair_broker.web._database import data_folder
    from lasair_broker.web._secret import create_secret_key

    folder = data_folder()
    if folder is not None:
        Path(folder).mkdir(parents=True, exist_ok=True)
        create_secret_key(folder)
    setup()
    from django.core.management import call_command

    # The command does much more than to look, and every command of ours comes through here.
    if _layout_is_old():
        with _alone(folder):
            if _layout_is_old():
                call_command("migrate", verbosity=0, interactive=False)


def _layout_is_old() -> bool:
    from django.db import connection
    from django.db.migrations.executor import MigrationExecutor

    executor = MigrationExecutor(connection)
    return bool(executor.migration_plan(executor.loader.graph.leaf_nodes()))


@contextmanager
def _alone(folder: str | Path | None) -> Iterator[None]:
    """While the other processes of a site, which are started at the same moment, wait.

    In PostgreSQL by a lock of the session; where the database is a file, by one of a file beside it.
    """
    from django.db import connection

    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
        try:
            yield
        finally:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])
    elif folder is not None:
        with (Path(folder) / "users.lock").open("w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            yield
    else:
        yield
