"""A delivery worker that can be killed at any step. Forks a fresh one for each line on standard input.

A line is a step and the count at which this step is deadly; an empty line is a worker that goes on until all
hits are delivered. How each ended is written to standard output. Arguments: archive, user database, Kafka.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

os.environ["LASAIR_USER_DATABASE"] = f"sqlite:///{sys.argv[2]}"

import structlog

from lasair_broker.archive import Archive, open_archive
from lasair_broker.settings import DeliverySettings
from lasair_broker.stream.delivery import KafkaSender, _deliveries
from lasair_broker.web import setup

setup()

# A site waits 20 s for a worker that has died; so long no test waits.
_deliveries._LEASE_SECONDS, _deliveries._RENEW_SECONDS = 0.5, 0.1  # type: ignore[misc]  # as constants
KafkaSender.most = 150


def _watch(owner: type, method: str, reached: Callable[[str], None]) -> None:
    """Report when a method is entered and left."""
    original = getattr(owner, method)

    def watched(*arguments: Any, **named: Any) -> Any:
        reached(f"before {method}")
        done = original(*arguments, **named)
        reached(f"after {method}")
        return done

    setattr(owner, method, watched)


def _kill_at(step: str, count: int) -> Callable[[str], None]:
    left, lock = count, threading.Lock()

    def reached(name: str) -> None:
        nonlocal left
        if name == step:
            with lock:
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)

    return reached


def _undelivered(archive: Archive) -> int:
    found = archive.query('SELECT count(*) FROM filter_hits WHERE "deliveredMjdTai" IS NULL')
    return int(found.column(0)[0].as_py())


def _work(line: str) -> None:
    from lasair_broker.web.delivery.running import DjangoOutputs
    from lasair_broker.web.delivery.senders import deliveries

    with open_archive(sys.argv[1]) as archive:
        if line:
            step, _, count = line.rpartition(" ")
            reached = _kill_at(step, int(count))
            _watch(type(archive), "note_deliveries", reached)
            _watch(DjangoOutputs, "settle", reached)
            _watch(KafkaSender, "send", reached)
        with deliveries(archive, DeliverySettings(bootstrap=sys.argv[3])):
            deadline = time.monotonic() + 60
            while _undelivered(archive) and time.monotonic() < deadline:
                time.sleep(0.1)


def main() -> None:
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    import lasair_broker.web.delivery.senders  # noqa: F401  # once, for all workers

    print("ready", flush=True)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            status = 1
            try:
                _work(line.strip())
                status = 0
            finally:
                os._exit(status)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main()
