"""Making Django ready outside a web server."""

from __future__ import annotations

import os
from pathlib import Path

SETTINGS_MODULE = "lasair_broker.web.settings"


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
    from django.db import connection
    from django.db.migrations.executor import MigrationExecutor

    executor = MigrationExecutor(connection)
    # The command does much more than to look, and every command of ours comes through here.
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        call_command("migrate", verbosity=0, interactive=False)
