"""A running site, and the commands beside it."""

from __future__ import annotations

import subprocess
import sys
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
