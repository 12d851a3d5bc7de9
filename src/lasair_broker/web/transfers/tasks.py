"""Tasks of the queue in the user database."""

from __future__ import annotations

from django_tasks import task

from lasair_broker.web.transfers.running import run


@task(queue_name="transfers")
def run_step(transfer_id: int) -> None:
    """Do the next step of a transfer."""
    run(transfer_id)
