"""A PostgreSQL of one's own for a measurement, set up as a site would."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

__all__ = ["private_server"]

_SETTINGS = {
    "shared_buffers": "2GB",
    "max_wal_size": "16GB",
    "checkpoint_timeout": "15min",
    "wal_compression": "lz4",
    "work_mem": "32MB",
    "maintenance_work_mem": "512MB",
}


@contextmanager
def private_server(data: Path | None = None) -> Iterator[str]:
    """The URL of a PostgreSQL that keeps what it commits, on a socket in a folder of its own.

    With `data`, its tables lie there: those of an earlier run, or of this one for a later.
    """
    binaries = max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parts[-2]))
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    data = data or folder / "data"
    user = "postgres" if os.geteuid() == 0 else None
    if user:
        os.chown(folder, pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid)
    owner = user or pwd.getpwuid(os.geteuid()).pw_name
    if not data.exists():
        subprocess.run(
            [binaries / "initdb", "-D", data, "-A", "trust", "-U", owner, "-E", "UTF8", "--locale=C"],
            check=True, stdout=subprocess.DEVNULL, user=user, cwd=folder,
        )  # fmt: skip
    options = [word for name, value in _SETTINGS.items() for word in ("-c", f"{name}={value}")]
    running = subprocess.Popen(
        [binaries / "postgres", "-D", data, "-k", folder, "-c", "listen_addresses=", *options],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, user=user, cwd=folder,
    )  # fmt: skip
    url = f"postgresql://{owner}@/postgres?host={folder}"
    try:
        while True:
            try:
                psycopg.connect(url).close()
                break
            except psycopg.OperationalError:
                time.sleep(0.2)
        yield url
    finally:
        running.send_signal(signal.SIGINT)  # whoever is still connected is not waited for
        running.wait()
        shutil.rmtree(folder)
