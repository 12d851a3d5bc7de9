"""A PostgreSQL on files of its own that a test can stop and start, on a socket in a folder of its own."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Self

import psycopg

__all__ = ["PrivateServer", "program"]

_SECONDS = 60


def program(name: str) -> Path:
    """One of PostgreSQL's programs."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[-3]))
    on_path = shutil.which(name)
    assert found or on_path, f"there is no {name}: apt-get install postgresql"
    return Path(on_path) if on_path else found[-1]


class PrivateServer:
    """Started within; `data` are its files, made if there are none."""

    def __init__(self, data: Path | None = None) -> None:
        # A socket's path may have 107 characters: pytest's folders are longer. PostgreSQL refuses to be root.
        self.folder = Path(tempfile.mkdtemp(prefix="pg-"))
        self._user = "postgres" if os.geteuid() == 0 else None
        self.owner = self._user or pwd.getpwuid(os.geteuid()).pw_name
        self._data = data or self.folder / "data"
        self._own(self.folder)
        if not self._data.exists():
            self._own(self._data.parent)
            options = ["-A", "trust", "-U", self.owner, "-E", "UTF8", "--locale=C", "--no-sync"]
            self._run([program("initdb"), "-D", self._data, *options])
        else:
            for path in (self._data.parent, self._data, *self._data.rglob("*")):
                self._own(path)
        self._process: subprocess.Popen[bytes] | None = None

    def url(self, database: str) -> str:
        return f"postgresql://{self.owner}@/{database}?host={self.folder}"

    def start(self) -> None:
        command = [program("postgres"), "-D", self._data, "-k", self.folder, "-c", "listen_addresses="]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command, user=self._user, cwd=self.folder, stdout=log, stderr=log
            )
        end = time.monotonic() + _SECONDS
        while True:
            try:
                psycopg.connect(self.url("postgres")).close()
                return
            except psycopg.OperationalError:
                assert self._process.poll() is None, (self.folder / "log").read_text()
                assert time.monotonic() < end, "the server does not answer"
                time.sleep(0.1)

    def stop(self, how: signal.Signals = signal.SIGQUIT) -> None:
        """At once, as a failure of the machine would; or, by SIGINT, as an administrator would."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(_SECONDS)
            self._process = None

    def runs(self) -> bool:
        """Whether it does; it ends by itself where a full disk leaves it no other way."""
        return self._process is not None and self._process.poll() is None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _own(self, path: Path) -> None:
        if self._user:
            account = pwd.getpwnam(self._user)
            os.chown(path, account.pw_uid, account.pw_gid, follow_symlinks=False)

    def _run(self, command: list[Any]) -> None:
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, user=self._user, cwd=self.folder)
