"""A running site, and the commands beside it."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

LASAIR = Path(sys.executable).with_name("lasair")


@dataclass(frozen=True)
class Site:
    """A running `lasair serve`."""

    address: str
    folder: Path
    environment: dict[str, str]

    def lasair(self, *arguments: str, said: str = "") -> str:
        """What a command beside it prints."""
        done = subprocess.run(
            [LASAIR, *arguments],
            env=self.environment,
            input=said,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()


@contextmanager
def serving(folder: Path, environment: dict[str, str]) -> Iterator[Site]:
    """A site on the archive in a folder, as long as it is needed."""
    command = [LASAIR, "serve", "--port", "0"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            found = re.fullmatch(r"site at (http://\S+)/\n", server.stdout.readline())
            assert found is not None
            yield Site(found[1], folder, environment)
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(timeout=30)
