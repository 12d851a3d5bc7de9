"""Clocks that jump while a worker runs.

"preload" needs libfaketime (Debian: apt-get install faketime), which shifts the clock for the whole process.
"python" needs nothing: Python's own wall clock, from which all times that Lasair writes come, is shifted (see
clock/sitecustomize.py); libraries in other languages see the true one. Either way steady clocks stay steady,
as they do when a machine's clock is set.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

__all__ = ["Clock", "libfaketime"]


def libfaketime() -> Path | None:
    """The library, if it is installed."""
    return next(iter(sorted(Path("/usr/lib").glob("**/faketime/libfaketimeMT.so.1"))), None)


class Clock:
    """The clock of a worker that is started with `environment`; `file` says how far it is off."""

    def __init__(self, file: Path, how: str) -> None:
        self._file, self._how = file, how
        self.set(0)

    def environment(self, before: Mapping[str, str]) -> dict[str, str]:
        """Variables for the worker, beside those it has."""
        if self._how == "python":
            path = [str(Path(__file__).with_name("clock")), *filter(None, [before.get("PYTHONPATH")])]
            return {"PYTHONPATH": ":".join(path), "CHAOS_CLOCK": str(self._file)}
        library = libfaketime()
        assert library is not None, "libfaketime is not there: apt-get install faketime"
        return {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_DONT_RESET": "1",
        }

    def set(self, hours: float) -> None:
        """Let it be off by so many hours from now on (within a second)."""
        partial = self._file.with_suffix(".new")
        partial.write_text(f"{round(3600 * hours):+d}")
        partial.replace(self._file)
