"""Running background queries. These functions act for the system."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
import structlog
from django.conf import settings
from django.db import close_old_connections, connections, transaction
from django.db.models import F, Sum
from django.utils import timezone

from lasair_broker.archive import ArchiveError, QueryCancelledError
from lasair_broker.archive import QueryError as ArchiveQueryError
from lasair_broker.query import QueryError
from lasair_broker.telemetry import span
from lasair_broker.web.accounts.models import User
from lasair_broker.web.archive import ask, let_go
from lasair_broker.web.limits import limits_of
from lasair_broker.web.queries import results
from lasair_broker.web.queries.models import Job, Phase
from lasair_broker.web.queries.replaying import described_hits, replayed
from lasair_broker.web.queries.texts import described_columns, query_of, text_of
from lasair_broker.web.watched import JOB_SECONDS, JOBS

_log = structlog.get_logger(__name__)

QUEUE = "queries"

_LOOK_SECONDS = 0.5
_ALIVE = timedelta(seconds=10)
"""How often a process says that it still runs a job."""
_GONE = timedelta(seconds=60)
"""A job whose process has said nothing for so long is begun anew."""
_MOST_ATTEMPTS = 2

stopping = threading.Event()
"""Set when this process ends: its jobs go back into the line."""


def run(job_id: int) -> None:
    """Run a job, unless it was cancelled or another worker has begun it."""
    begun = Job.objects.filter(pk=job_id, phase=Phase.QUEUED, cancel=False).update(
        phase=Phase.EXECUTING, started=timezone.now(), alive=timezone.now(), attempts=F("attempts") + 1
    )
    job = Job.objects.filter(pk=job_id).select_related("owner").first() if begun else None
    if job is None:
        return
    with span("job", {"lasair.job": job_id, "lasair.attempt": job.attempts}, "consumer") as trace:
        began = time.monotonic()
        phase = _run(job)
        JOBS.labels(str(phase)).inc()
        JOB_SECONDS.observe(time.monotonic() - began)
        trace.note({"lasair.phase": str(phase)})
        if phase == Phase.ERROR:
            trace.failed("it ended with an error")


def _run(job: Job) -> Phase:
    """Run a job that is ours; gives how it ended."""
    job_id = job.pk
    try:
        with _cancelled(job_id) as cancelled:
            rows, more, columns = _answer(job, cancelled)
        size = results.keep(job_id, rows, columns)
    except QueryCancelledError:
        _back_or_aborted(job_id)
        return Phase.ABORTED
    except (QueryError, ArchiveQueryError) as error:
        _end(job_id, Phase.ERROR, error=str(error), error_position=getattr(error, "position", None))
    except ArchiveError as error:
        let_go()
        _log.warning("a background query could not be run", job=job_id, reason=str(error))
        _end(job_id, Phase.ERROR, error="the archive cannot be read now; run it again in a moment")
    except OSError as error:
        _log.error("a result could not be kept", job=job_id, reason=str(error))
        _end(job_id, Phase.ERROR, error="the result could not be kept: the site has no room for it now")
    except Exception:
        _end(job_id, Phase.ERROR, error="a fault of ours; it is in the log of the site")
        raise
    else:
        kept = timedelta(days=settings.LASAIR_SITE.results_days)
        ended = _end(
            job_id,
            Phase.COMPLETED,
            rows=rows.num_rows,
            truncated=more,
            bytes=size,
            columns=columns,
            expires=timezone.now() + kept,
        )
        if ended:
            _keep_within_limits(job.owner)
        else:
            results.forget(job_id)  # removed meanwhile
        return Phase.COMPLETED
    return Phase.ERROR


def _answer(job: Job, cancelled: threading.Event) -> tuple[pa.Table, bool, list[dict[str, Any]]]:
    """The rows, whether there are more, and what their columns are."""
    if job.replay is not None:
        found = replayed(job, limits_of(job.owner).job_seconds, cancelled)
        return found.slice(0, job.most_rows), found.num_rows > job.most_rows, described_hits()
    query = query_of(text_of(job), job.owner)  # what its owner may read now
    rows, more = ask(job.owner, query, limit=job.most_rows, background=True, cancelled=cancelled)
    return rows, more, described_columns(query)


def look_after(now: datetime | None = None) -> None:
    """Begin anew what a process left undone that is gone, and remove results whose time is over."""
    now = now or timezone.now()
    lost = Job.objects.filter(phase=Phase.EXECUTING, alive__lt=now - _GONE)
    for job in lost:
        if job.cancel:
            _end(job.pk, Phase.ABORTED)
        elif job.attempts >= _MOST_ATTEMPTS:
            _end(job.pk, Phase.ERROR, error="the process that ran it ended, twice; ask for less")
        else:
            _back(job.pk)
    for job in Job.objects.filter(phase=Phase.COMPLETED, expires__lt=now):
        _archive(job)


def _end(job_id: int, phase: Phase, **values: object) -> bool:
    """Note how a job that runs has ended; False if it does not run."""
    running = Job.objects.filter(pk=job_id, phase=Phase.EXECUTING)
    return bool(running.update(phase=phase, ended=timezone.now(), **values))


def _back_or_aborted(job_id: int) -> None:
    if Job.objects.filter(pk=job_id, cancel=True).exists() or not stopping.is_set():
        _end(job_id, Phase.ABORTED)
    else:
        _back(job_id, at_fault=False)


def _back(job_id: int, *, at_fault: bool = True) -> None:
    """Put a job back into the line."""
    from lasair_broker.web.queries.tasks import run_job

    with transaction.atomic():
        running = Job.objects.filter(pk=job_id, phase=Phase.EXECUTING)
        attempts = F("attempts") if at_fault else F("attempts") - 1
        if running.update(phase=Phase.QUEUED, started=None, alive=None, attempts=attempts):
            run_job.enqueue(job_id)


def _keep_within_limits(owner: User) -> None:
    """Remove the oldest results of a user who has more than may be kept; the newest stays."""
    most = limits_of(owner).kept_bytes
    kept = Job.objects.filter(owner=owner, phase=Phase.COMPLETED)
    held = kept.aggregate(held=Sum("bytes"))["held"] or 0
    for job in kept.order_by("pk"):
        if held <= most or job == kept.first():
            return
        held -= job.bytes
        _archive(job)


def _archive(job: Job) -> None:
    results.forget(job.pk)
    Job.objects.filter(pk=job.pk, phase=Phase.COMPLETED).update(phase=Phase.ARCHIVED, bytes=0)


@contextmanager
def _cancelled(job_id: int) -> Iterator[threading.Event]:
    """An event that is set when the owner cancels the job, or this process ends; meanwhile the job is said
    to be alive."""
    cancelled, over = threading.Event(), threading.Event()

    def look() -> None:
        said = timezone.now()
        try:
            while not over.wait(_LOOK_SECONDS):
                close_old_connections()
                job = Job.objects.filter(pk=job_id)
                if stopping.is_set() or not job.filter(cancel=False).exists():
                    cancelled.set()
                    return
                if timezone.now() - said >= _ALIVE:
                    said = timezone.now()
                    job.update(alive=said)
        except Exception as error:  # the query goes on; it only cannot be cancelled
            _log.warning("a background query is not watched", job=job_id, reason=str(error))
        finally:
            connections.close_all()

    thread = threading.Thread(target=look, name=f"lasair-job-{job_id}-watch", daemon=True)
    thread.start()
    try:
        yield cancelled
    finally:
        over.set()
        thread.join()
