"""What the tests of delivery need: a user database as in use, a real Kafka, an archive with hits."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "kafka"))  # for `kafka_broker`

from kafka_broker import KafkaBroker

from lasair_broker.archive import Archive, open_archive
from lasair_broker.web import setup
from lasair_broker.web._database import sqlite

setup()


@pytest.fixture(scope="session")
def kafka() -> Iterator[str]:
    """The bootstrap address of a broker; `LASAIR_TEST_KAFKA` names one that runs already."""
    running = os.environ.get("LASAIR_TEST_KAFKA")
    if running:
        yield running
        return
    with KafkaBroker() as broker:
        yield broker.bootstrap


def _use(settings: dict[str, Any]) -> None:
    from django.db import connections

    connections["default"].close()
    connections.settings["default"] = settings
    del connections["default"]  # made anew when it is used next


@pytest.fixture(scope="session")
def _empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty user database, to be copied: making one takes seconds."""
    from django.core.management import call_command
    from django.db import connections

    before = connections.settings["default"]
    path = tmp_path_factory.mktemp("users") / "users.sqlite3"
    _use({**before, "OPTIONS": {}, **sqlite(path)})
    call_command("migrate", verbosity=0)
    with connections["default"].cursor() as cursor:
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    _use(before)
    return path


@pytest.fixture
def user_database(tmp_path: Path, _empty: Path) -> Iterator[Path]:
    """An empty user database of this test's own, which other threads and processes can use too."""
    from django.db import connections

    before = connections.settings["default"]
    path = Path(shutil.copy(_empty, tmp_path / "users.sqlite3"))
    _use({**before, "OPTIONS": {}, **sqlite(path)})
    yield path
    _use(before)
    assert connections["default"]


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    with open_archive(tmp_path / "archive") as opened:
        yield opened


@pytest.fixture
def made_filter(user_database: Path) -> Callable[..., Any]:
    """Make a filter with an active version: ``made_filter("name", visibility="public")``."""
    from lasair_broker.web.accounts.models import User
    from lasair_broker.web.filters import services

    def make(name: str, visibility: str = "public", collaboration: Any = None, owner: str = "ann") -> Any:
        user = User.objects.filter(username=owner).first() or User.objects.create_user(
            f"{owner}@example.org", owner
        )
        wording = services.Wording(
            adql="SELECT diaObjectId, ra, decl, nDiaSources, objectName FROM objects WHERE nDiaSources > 0"
        )
        found = services.create(user, name, wording)
        services.record_preview(user, found.pk, 1, services.Preview(1, 0.001, 1.0, 0.1))
        services.activate(user, found.pk, 1)
        if visibility != "private":
            found = services.share(user, found.pk, visibility, collaboration)
        return found

    return make
