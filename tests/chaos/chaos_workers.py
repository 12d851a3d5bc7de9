"""Processes of a site, and the one that starts them again when they end: as systemd or Kubernetes would."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

__all__ = ["Supervisor", "Worker"]

_LOOK_SECONDS = 0.1
_PAUSE_SECONDS = 1.0
"""Between a process's end and its next start."""

_STOP_SECONDS = 120.0


class Worker:
    """One process that is to run; all it starts is in a session of its own, and ends with it.

    Parameters
    ----------
    name
        For people and its log, NAME.log in `folder`.
    command, environment
        How it is started.
    """

    def __init__(
        self, name: str, command: Sequence[str | Path], environment: Mapping[str, str], folder: Path
    ) -> None:
        self.name = name
        self.starts = 0
        self.ends: list[int] = []
        self.log = folder / f"{name}.log"
        self._command = list(command)
        self._environment = dict(environment)
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None, f"{self.name} was never started"
        return self._process.pid

    def signal(self, number: signal.Signals) -> None:
        """To the process itself; not to what it started."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def start(self) -> None:
        self.starts += 1
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                env=self._environment,
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def ended(self) -> int | None:
        """Its exit code; None while it runs."""
        return None if self._process is None else self._process.poll()

    def bury(self) -> None:
        """What it started and left behind ends with it."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

    def wait(self) -> int:
        """Until it has finished what is in hand; its exit code, or -9 if it would not."""
        assert self._process is not None
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_STOP_SECONDS)
        self.bury()
        return self._process.wait(_STOP_SECONDS)


class Supervisor:
    """Keeps workers running until it is closed."""

    def __init__(self, workers: Sequence[Worker]) -> None:
        self.workers = {worker.name: worker for worker in workers}
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="supervisor", daemon=True)
        for worker in workers:
            worker.start()
        self._thread.start()

    def close(self) -> dict[str, int]:
        """Stop all; their exit codes by name."""
        self._done.set()
        self._thread.join()
        for worker in self.workers.values():
            worker.signal(signal.SIGCONT)
            worker.signal(signal.SIGTERM)
        return {name: worker.wait() for name, worker in self.workers.items()}

    def _watch(self) -> None:
        again: dict[str, float] = {}
        while not self._done.wait(_LOOK_SECONDS):
            now = time.monotonic()
            for name, worker in self.workers.items():
                ended = worker.ended()
                if ended is None:
                    continue
                if name not in again:
                    worker.ends.append(ended)
                    worker.bury()
                    again[name] = now + _PAUSE_SECONDS
                elif now >= again[name]:
                    del again[name]
                    worker.start()
