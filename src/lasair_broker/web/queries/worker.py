"""The threads that run background queries and transfers: inside the site, or in a process of their own."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from django.db import close_old_connections, connections, transaction
from django.utils.crypto import get_random_string

from lasair_broker.web.queries import line, running
from lasair_broker.web.transfers import running as transfers

_log = structlog.get_logger(__name__)

_POLL_SECONDS = 1.0
_CHORES_SECONDS = 30.0
_STOP_SECONDS = 10.0
_TRANSFER_THREADS = 2  # which mostly wait for other servers; queries are not to wait behind them

_asked = threading.Condition()


@contextmanager
def workers(threads: int) -> Iterator[None]:
    """Run background queries in so many threads of this process, if any, and transfers beside; at the end
    queries are cancelled, and go back into the line."""
    from django_tasks.signals import task_enqueued

    over = threading.Event()
    running.stopping.clear()
    task_enqueued.connect(_wake, dispatch_uid="queries.wake")
    pool = [
        threading.Thread(target=_work, args=(over, running.QUEUE), name=f"lasair-queries-{n}", daemon=True)
        for n in range(threads)
    ]
    if threads:
        pool += [
            threading.Thread(
                target=_work, args=(over, transfers.QUEUE), name=f"lasair-transfers-{n}", daemon=True
            )
            for n in range(_TRANSFER_THREADS)
        ]
        pool.append(threading.Thread(target=_chores, args=(over,), name="lasair-queries-chores", daemon=True))
    for thread in pool:
        thread.start()
    try:
        yield
    finally:
        over.set()
        running.stopping.set()
        _notify()
        for thread in pool:
            thread.join(_STOP_SECONDS)


def _wake(**_: Any) -> None:
    transaction.on_commit(_notify)  # before that, the workers would not find what was asked


def _notify() -> None:
    with _asked:
        _asked.notify_all()


def _work(over: threading.Event, queue: str) -> None:
    while not over.is_set():
        try:
            close_old_connections()
            if line.waits(queue):
                _run_one(queue)
                continue
        except Exception as error:
            _log.warning(f"background {queue} wait", reason=f"{type(error).__name__}: {error}")
        with _asked:
            _asked.wait(_POLL_SECONDS)
    connections.close_all()


def _run_one(queue: str) -> None:
    from django_tasks_db.management.commands.db_worker import Worker

    Worker(
        queue_names=[queue],
        interval=0.0,
        batch=True,
        backend_name="default",
        startup_delay=False,
        max_tasks=1,
        worker_id=get_random_string(32),
        excluded_queue_names=[],
    ).run()


def _chores(over: threading.Event) -> None:
    from lasair_broker.web.queries.models import Job
    from lasair_broker.web.transfers.models import Transfer

    while not over.is_set():
        try:
            close_old_connections()
            running.look_after()
            transfers.look_after()
            line.tidy(running.QUEUE, Job)
            line.tidy(transfers.QUEUE, Transfer)
        except Exception as error:
            _log.warning(
                "background queries were not looked after", reason=f"{type(error).__name__}: {error}"
            )
        over.wait(_CHORES_SECONDS)
    connections.close_all()
