"""The Django project: settings, migrations, admin."""

from __future__ import annotations

import io
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.contrib import admin
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from lasair_broker.web import _database, _secret
from lasair_broker.web.filters import outputs
from lasair_broker.web.filters import services as filters
from lasair_broker.web.filters.services import Wording


def test_models_and_migrations_agree() -> None:
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)
    call_command("check", fail_level="WARNING", stdout=io.StringIO())


def test_every_admin_page_opens(people: Any) -> None:
    people.root.is_staff = people.root.is_superuser = True
    people.root.save()
    made = filters.create(people.ann, "f", Wording(adql="SELECT diaObjectId FROM objects"))
    hook = outputs.add(people.ann, made.pk, "webhook", url="https://example.org/x")
    client = Client()
    client.force_login(people.root)
    for model in admin.site._registry:
        meta = model._meta
        pages = [reverse(f"admin:{meta.app_label}_{meta.model_name}_changelist")]
        first = model._default_manager.first()
        if first is not None:
            pages.append(reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[first.pk]))
        for page in pages:
            answer = client.get(page)
            assert answer.status_code == 200, page
            assert hook.secret not in answer.content.decode(), "secrets are not shown"
    client.force_login(people.ann)
    assert client.get(reverse("admin:index")).status_code == 302


@pytest.mark.parametrize(
    ("url", "engine", "name"),
    [
        ("sqlite:////data/users.db", "sqlite3", "/data/users.db"),
        ("sqlite:///users.db", "sqlite3", "users.db"),
        ("postgresql://ann:p%40ss@db.example.org:5433/lasair?sslmode=require", "postgresql", "lasair"),
        ("postgresql:///lasair?host=/run/postgresql", "postgresql", "lasair"),
    ],
)
def test_database_url(monkeypatch: pytest.MonkeyPatch, url: str, engine: str, name: str) -> None:
    monkeypatch.setenv("LASAIR_USER_DATABASE", url)
    got = _database.database()
    assert got["ENGINE"].endswith(engine)
    assert got["NAME"] == name
    if "5433" in url:
        assert (got["USER"], got["PASSWORD"], got["HOST"], got["PORT"]) == (
            "ann",
            "p@ss",
            "db.example.org",
            "5433",
        )
        assert got["OPTIONS"] == {"sslmode": "require"}
    if "/run" in url:
        assert (got["HOST"], got["OPTIONS"]) == ("/run/postgresql", {})


def test_database_lies_beside_the_archive(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("LASAIR_USER_DATABASE", raising=False)
    monkeypatch.setenv("LASAIR_ARCHIVE__URL", str(tmp_path))
    assert _database.database()["NAME"] == str(tmp_path / "users.sqlite3")
    monkeypatch.setenv("LASAIR_ARCHIVE__URL", "postgresql://h/lasair")
    assert _database.database()["HOST"] == "h"
    assert _database.data_folder() is None
    monkeypatch.setenv("LASAIR_USER_DATABASE", "mysql://h/lasair")
    with pytest.raises(ValueError, match="not mysql"):
        _database.database()


def test_secret_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("LASAIR_SECRET_KEY", raising=False)
    assert _secret.secret_key(tmp_path) != _secret.secret_key(tmp_path)
    _secret.create_secret_key(tmp_path)
    key = _secret.secret_key(tmp_path)
    _secret.create_secret_key(tmp_path)
    assert _secret.secret_key(tmp_path) == key
    assert len(key) >= 50
    assert stat.S_IMODE((tmp_path / "secret-key").stat().st_mode) == 0o600
    monkeypatch.setenv("LASAIR_SECRET_KEY", "from the environment")
    assert _secret.secret_key(tmp_path) == "from the environment"


def test_new_installation(tmp_path: Path) -> None:
    """In a process of its own, as the command line does it: folder, key, database with WAL."""
    program = (
        "from lasair_broker.web import migrate; migrate(); migrate()\n"
        "from django.db import connection\n"
        "from lasair_broker.web.accounts.models import User\n"
        "User.objects.create_user('a@example.org', 'ann')\n"
        "cursor = connection.cursor(); cursor.execute('PRAGMA journal_mode'); print(cursor.fetchone()[0])\n"
        "print(User.objects.count())\n"
    )
    environment = {
        **os.environ,
        "LASAIR_ARCHIVE__URL": str(tmp_path / "new"),
        "PYTHONPATH": ":".join(sys.path),
    }
    environment.pop("LASAIR_USER_DATABASE", None)
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    assert done.stdout.split() == ["wal", "1"]
    assert sorted(p.name for p in (tmp_path / "new").glob("[su]*[ey3]")) == ["secret-key", "users.sqlite3"]
