"""Tasks of the queue in the user database."""

from __future__ import annotations

from django_tasks import task

from lasair_broker.web.queries.running import run


@task(queue_name="queries")
def run_job(job_id: int) -> None:
    """Run a background query."""
    run(job_id)
