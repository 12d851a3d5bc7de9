"""Servers that several packages' tests share: real ones, private to the test run and gone after it."""

from __future__ import annotations

import gc
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from hypothesis import settings
from psycopg.conninfo import make_conninfo

# Whether a commit is fit is not left to luck: CI tries the same examples each time, `make explore` others.
settings.register_profile("same examples", derandomize=True, database=None, print_blob=True)

# What tests import stays; looking through it for garbage as often as by default takes a fifth of their time.
gc.set_threshold(50_000, 20, 50)


def _postgresql_binaries() -> Path:
    on_path = shutil.which("initdb")
    if on_path:
        return Path(on_path).parent
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(p.parts[-3]))
    if not versions:
        pytest.fail("these tests need PostgreSQL 15 or newer: apt-get install postgresql")
    return versions[-1].parent


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The connection string of an empty PostgreSQL server that listens on a socket in a folder of its own;
    `LASAIR_TEST_POSTGRES` names one that runs already."""
    running = os.environ.get("LASAIR_TEST_POSTGRES")
    if running:
        yield make_conninfo(running)
        return
    binaries = _postgresql_binaries()
    folder = Path(
        tempfile.mkdtemp(prefix="pg-")
    )  # a socket's path may have 107 characters: pytest's are longer
    # PostgreSQL refuses to run as root.
    user = "postgres" if os.geteuid() == 0 else None
    if user:
        account = pwd.getpwnam(user)
        os.chown(folder, account.pw_uid, account.pw_gid)
    data = folder / "data"
    owner = user or pwd.getpwuid(os.geteuid()).pw_name
    subprocess.run(
        [
            binaries / "initdb",
            "-D",
            data,
            "-A",
            "trust",
            "-U",
            owner,
            "-E",
            "UTF8",
            "--locale=C",
            "--no-sync",
        ],
        check=True,
        stdout=subprocess.DEVNULL,
        user=user,
        cwd=folder,
    )
    quick = ["-c", "fsync=off", "-c", "full_page_writes=off", "-c", "jit=off"]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [binaries / "postgres", "-D", data, "-k", folder, "-c", "listen_addresses=", *quick],
            stdout=log,
            stderr=log,
            user=user,
            cwd=folder,
        )
    conninfo = f"host={folder} user={owner} dbname=postgres"
    try:
        _wait_for(conninfo, server, folder / "log")
        yield conninfo
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(timeout=30)
        shutil.rmtree(folder)


def _wait_for(conninfo: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            psycopg.connect(conninfo).close()
        except psycopg.OperationalError:
            if server.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"PostgreSQL did not start:\n{log.read_text()}")
            time.sleep(0.1)
        else:
            return
