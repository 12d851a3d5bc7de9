"""The line in the user database in which background work waits for a process to take it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.utils import timezone

from lasair_broker.web.queries.models import UNDER_WAY, Phase

if TYPE_CHECKING:
    from lasair_broker.web.queries.models import Job
    from lasair_broker.web.transfers.models import Transfer

_GONE = timedelta(seconds=60)
"""What was taken so long ago, and waits still, was taken by a process that is gone."""
_FORGOTTEN = timedelta(days=1)
"""What was taken so long ago, and has ended otherwise, nobody will note as done."""


def waits(queue: str) -> bool:
    """Whether something in this line may be taken now."""
    from django_tasks_db.models import DBTaskResult

    return DBTaskResult.objects.ready().filter(queue_name=queue).exists()


def tidy(queue: str, model: type[Job | Transfer], now: datetime | None = None) -> None:
    """Remove from a line what is over, and put back into it what a process took and never began.

    Parameters
    ----------
    model
        What waits there; the first argument of its tasks is its number.
    """
    from django_tasks_db.models import DBTaskResult

    now = now or timezone.now()
    tasks = DBTaskResult.objects.filter(queue_name=queue)
    tasks.finished().delete()  # jobs and transfers say themselves what became of them
    taken = {task.args_kwargs["args"][0]: task for task in tasks.running().filter(started_at__lt=now - _GONE)}
    if not taken:
        return
    of_taken = model._default_manager.filter(pk__in=taken)
    # What is then in the line twice is begun once.
    waiting = [
        taken[number].pk for number in of_taken.filter(phase=Phase.QUEUED).values_list("pk", flat=True)
    ]
    tasks.running().filter(pk__in=waiting).update(status="READY", started_at=None)
    under_way = set(of_taken.filter(phase__in=UNDER_WAY).values_list("pk", flat=True))
    over = [
        task.pk
        for number, task in taken.items()
        if number not in under_way and task.started_at < now - _FORGOTTEN
    ]
    tasks.running().filter(pk__in=over).delete()
