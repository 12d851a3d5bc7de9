"""A user database for the tests, and people to fill it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lasair_broker.web import setup
from lasair_broker.web._database import database as database_from_settings
from lasair_broker.web._database import sqlite

setup()  # the models can be imported only afterwards


# Each is made once: bringing one to the newest layout takes seconds, and files of tests use both in turn.


@pytest.fixture(scope="session")
def _sqlite(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    # A file, as in use, not Django's usual test database in memory.
    return _migrated(sqlite(tmp_path_factory.mktemp("users") / "users.sqlite3"))


@pytest.fixture(scope="session")
def _postgresql(postgresql: str) -> dict[str, Any]:
    parts = dict(part.split("=") for part in postgresql.split())
    with pytest.MonkeyPatch.context() as patch:
        url = f"postgresql://{parts['user']}@/{parts['dbname']}?host={parts['host']}"
        patch.setenv("LASAIR_USER_DATABASE", url)
        return _migrated(database_from_settings())


def _migrated(place: dict[str, Any]) -> dict[str, Any]:
    from django.core.management import call_command

    _use(place)
    call_command("migrate", verbosity=0)
    return place


def _use(place: dict[str, Any]) -> None:
    from django.db import connections

    connections.close_all()
    connections.settings["default"] = {**connections.settings["default"], "OPTIONS": {}, **place}
    del connections["default"]  # made anew when it is used next


@pytest.fixture(scope="session", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def _database(request: pytest.FixtureRequest) -> Iterator[None]:
    from django.conf import settings
    from django.db import connections
    from django.test.utils import setup_test_environment, teardown_test_environment

    _use(request.getfixturevalue(f"_{request.param}"))
    assert connections["default"].vendor == request.param
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # fast
    setup_test_environment()
    yield
    connections.close_all()
    teardown_test_environment()


@pytest.fixture(scope="session", autouse=True)
def _static_files_are_looked_up_once() -> Iterator[None]:
    """Not by each of thousands of clients, as each has a site of its own in this process."""
    from whitenoise.middleware import WhiteNoiseMiddleware

    look_up, found = WhiteNoiseMiddleware.add_files_from_finders, dict[str, Any]()

    def once(site: WhiteNoiseMiddleware) -> None:
        if not found:
            look_up(site)
            found.update(site.files)
        site.files.update(found)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WhiteNoiseMiddleware, "add_files_from_finders", once)
        yield


@pytest.fixture(autouse=True)
def database(_database: None) -> Iterator[None]:
    """Every test begins with the empty database, and with numbers from 1: what it does is rolled back."""
    from django.db import transaction

    with transaction.atomic():
        _numbers_from_1()
        sid = transaction.savepoint()
        yield
        transaction.savepoint_rollback(sid)


def _numbers_from_1() -> None:
    """PostgreSQL's sequences are not rolled back."""
    from django.apps import apps
    from django.core.management.color import no_style
    from django.db import connection

    with connection.cursor() as cursor:
        for statement in connection.ops.sequence_reset_sql(no_style(), apps.get_models()):
            cursor.execute(statement)


class People:
    """Users by name, made when first asked for."""

    def __getattr__(self, name: str):  # type: ignore[no-untyped-def]  # User, which only Django's set-up makes
        from lasair_broker.web.accounts.models import User

        user = User.objects.create_user(f"{name}@example.org", name)
        setattr(self, name, user)
        return user


@pytest.fixture
def people() -> People:
    return People()


@pytest.fixture
def team(people: People) -> Callable[..., object]:
    """Make a collaboration: ``team("4MOST", manager=..., editor=..., member=...)``."""

    def make(name: str, **members: object) -> object:
        from lasair_broker.web.accounts.models import Collaboration, Membership

        made = Collaboration.objects.create(name=name, slug=name.lower())
        for role, user in members.items():
            Membership.objects.create(user=user, collaboration=made, role=role)
        return made

    return make
