"""What is done with background queries. Every function checks that the user may; the text of errors is for
users."""

from __future__ import annotations

import pyarrow as pa
from django.contrib.auth.models import AnonymousUser
from django.db import transaction

from lasair_broker.web.accounts.models import User
from lasair_broker.web.errors import Invalid, NotFound
from lasair_broker.web.filters.trying import replayable
from lasair_broker.web.filters.wording import wording_of
from lasair_broker.web.limits import limits_of
from lasair_broker.web.queries import results
from lasair_broker.web.queries.models import UNDER_WAY, Job, Phase
from lasair_broker.web.queries.texts import Text, query_of
from lasair_broker.web.sharing import save_checked


def submit(user: User, text: Text, *, name: str = "", most_rows: int | None = None) -> Job:
    """Have a query run in the background.

    Parameters
    ----------
    name
        For the user's history.
    most_rows
        At most so many rows are wanted; more than the user's class may have are not given.

    Raises
    ------
    QueryError
        If it is no query, or asks for what the user may not read.
    Invalid
        If as many of the user's queries wait or run as may.
    """
    query_of(text, user)
    return _submit(user, Job(name=name.strip(), **text.columns()), most_rows)


def submit_replay(user: User, filter_id: int, number: int | None, since_mjd: float, until_mjd: float) -> Job:
    """Have a filter run in the background over a past interval of the stream (MJD TAI of arrival), as it
    would have run then.

    Raises
    ------
    NotFound
        If there is no such version, or the user may not see it.
    Invalid
        If the interval is empty or too long, the version cannot be replayed, or as many of the user's queries
        wait or run as may.
    """
    version = replayable(user, filter_id, number, since_mjd, until_mjd)
    replay = {
        "filter_id": filter_id,
        "version": version.number,
        "since_mjd": since_mjd,
        "until_mjd": until_mjd,
    }
    words = wording_of(version)
    text = Text(words.adql, words.selected, words.tables, words.conditions, words.parameters)
    name = f"{version.filter.name}, version {version.number}, over the past"[:200]
    return _submit(user, Job(name=name, replay=replay, **text.columns()), None)


def _submit(user: User, job: Job, most_rows: int | None) -> Job:
    limits = limits_of(user)
    job.owner, job.most_rows = user, limits.job_rows if most_rows is None else min(most_rows, limits.job_rows)
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)  # so that two at once do not both find room
        if Job.objects.visible_to(user).under_way().count() >= limits.jobs:
            raise Invalid({"": f"{limits.jobs} of your queries wait or run; wait for one, or cancel one"})
        save_checked(job)
        _enqueue(job)
    return job


def visible(user: User | AnonymousUser | None, job_id: int) -> Job:
    """The job of this number.

    Raises
    ------
    NotFound
        If there is none, or it is another user's.
    """
    job = Job.objects.visible_to(user).filter(pk=job_id).first()
    if job is None:
        raise NotFound(f"there is no query {job_id}")
    return job


def cancel(user: User, job_id: int) -> Job:
    """Stop a job that waits or runs; nothing happens to one that has ended."""
    job = visible(user, job_id)
    Job.objects.all().stop(job.pk)
    job.refresh_from_db()
    return job


def remove(user: User, job_id: int) -> None:
    """Remove a job that has ended, and its result, from the user's history.

    Raises
    ------
    Invalid
        If it waits or runs.
    """
    job = visible(user, job_id)
    removed, _ = Job.objects.filter(pk=job.pk).exclude(phase__in=UNDER_WAY).delete()
    if not removed:
        raise Invalid({"": "it has not ended yet; cancel it first"})
    results.forget(job_id)


def rename(user: User, job_id: int, name: str) -> Job:
    """Give a job a name, for the user's history."""
    job = visible(user, job_id)
    job.name = name.strip()
    save_checked(job)
    return job


def rows(
    user: User | AnonymousUser | None, job_id: int, first: int = 0, count: int | None = None
) -> pa.Table:
    """Rows of the result of a job, from the number `first` on.

    Raises
    ------
    NotFound
        If the result is not there yet, or no longer, or there was none.
    """
    job = visible(user, job_id)
    if job.phase != Phase.COMPLETED:
        why = "is not there yet" if job.phase in UNDER_WAY else "is not there"
        raise NotFound(f"the result of query {job_id} {why}: {job.get_phase_display()}")
    return results.rows_of(job.pk, first, count)


def before(job: Job) -> int:
    """How many jobs wait in line before this one."""
    return Job.objects.filter(phase=Phase.QUEUED, pk__lt=job.pk).count() if job.phase == Phase.QUEUED else 0


def _enqueue(job: Job) -> None:
    from lasair_broker.web.queries.tasks import run_job

    run_job.enqueue(job.pk)
