"""Running transfers, a step at a time. These functions act for the system."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from lasair_broker.settings import PhotometrySettings
from lasair_broker.telemetry import span
from lasair_broker.web import errors
from lasair_broker.web.accounts.models import Collaboration
from lasair_broker.web.photometry import services as photometry
from lasair_broker.web.photometry.models import PhotometrySet
from lasair_broker.web.queries.models import Phase
from lasair_broker.web.sharing import share
from lasair_broker.web.transfers.destinations import RefusedError
from lasair_broker.web.transfers.models import Kind, Transfer
from lasair_broker.web.transfers.posting import posted
from lasair_broker.web.transfers.surveys import SERVICES, Found, Later, Place, Service, ServiceError, allowed

_log = structlog.get_logger(__name__)

QUEUE = "transfers"

_GONE = timedelta(minutes=10)
"""A step that was begun so long ago was lost with its process. If it was not, it is done twice, which changes
nothing: what is kept, here or there, replaces what was."""
_MOST_ATTEMPTS = 2


class _Stop(Exception):  # noqa: N818  # it is no error
    """The transfer was cancelled meanwhile."""


def run(transfer_id: int) -> None:
    """Do the next step of a transfer, unless another worker does, or it was cancelled."""
    now = timezone.now()
    begun = Transfer.objects.filter(pk=transfer_id, phase=Phase.QUEUED, cancel=False).update(
        phase=Phase.EXECUTING, alive=now
    )
    if not begun:
        _abandon(Transfer.objects.filter(pk=transfer_id, phase=Phase.ABORTED).first())
        return
    Transfer.objects.filter(pk=transfer_id, started=None).update(started=now)
    transfer = Transfer.objects.select_related("owner", "destination").get(pk=transfer_id)
    with span("transfer", {"lasair.transfer": transfer_id, "lasair.subject": transfer.subject}, "consumer"):
        try:
            _step(transfer)
        except _Stop:
            _end(transfer_id, Phase.ABORTED)
            _abandon(Transfer.objects.filter(pk=transfer_id).first())
        except (ServiceError, RefusedError, errors.ServiceError) as error:
            _log.info("a transfer failed", transfer=transfer_id, subject=transfer.subject, reason=str(error))
            _end(transfer_id, Phase.ERROR, error=str(error))
        except Exception:
            _end(transfer_id, Phase.ERROR, error="a fault of ours; it is in the log of the site")
            raise


def look_after(now: datetime | None = None) -> None:
    """Put what a process left undone that is gone back into the line."""
    lost = Transfer.objects.filter(phase=Phase.EXECUTING, alive__lt=(now or timezone.now()) - _GONE)
    for transfer in lost:
        if transfer.cancel:
            _end(transfer.pk, Phase.ABORTED)
        elif transfer.attempts >= _MOST_ATTEMPTS:
            _end(transfer.pk, Phase.ERROR, error="the process that ran it ended, again and again")
        else:
            _again(transfer, 0.0, attempts=F("attempts") + 1)


def _step(transfer: Transfer) -> None:
    if transfer.kind != Kind.FETCH or transfer.diaObjectId is None:
        if not _end(transfer.pk, Phase.COMPLETED, **posted(transfer)):
            raise _Stop
        return
    service = allowed(_settings()).get(transfer.subject)
    if service is None:
        raise ServiceError("the operator of this site has switched this service off")
    state = transfer.state
    outcome = service.step(Place(state["ra"], state["decl"]), state, _settings())
    if isinstance(outcome, Found):
        with transaction.atomic():
            _keep(transfer, transfer.diaObjectId, service, outcome)
        return
    if timezone.now() - transfer.created > timedelta(hours=_settings().hours):
        service.abandon(outcome.state, _settings())
        hours = _settings().hours
        raise ServiceError(f"{service.title} has not ended after {hours:g} hours. Try again later.")
    _wait(transfer, outcome)


def _wait(transfer: Transfer, later: Later) -> None:
    # First the state, so that what was begun elsewhere is known whatever happens.
    Transfer.objects.filter(pk=transfer.pk).update(state=dict(later.state))
    if not _again(transfer, later.seconds, progress=later.told[:200]):
        raise _Stop


def _again(transfer: Transfer, seconds: float, **values: Any) -> bool:
    """Put a transfer that runs back into the line; False if it was cancelled."""
    from lasair_broker.web.transfers.tasks import run_step

    with transaction.atomic():
        running = Transfer.objects.filter(pk=transfer.pk, phase=Phase.EXECUTING, cancel=False)
        if not running.update(phase=Phase.QUEUED, alive=None, **values):
            return False
        run_step.using(run_after=timezone.now() + timedelta(seconds=seconds)).enqueue(transfer.pk)
    return True


def _keep(transfer: Transfer, diaObjectId: int, service: Service, found: Found) -> None:
    """Keep the points, and note that the transfer is done."""
    left_out, count = found.file.left_out, len(found.file.rows)
    kept: PhotometrySet | None = None
    if count:
        kept = photometry.keep_fetched(
            transfer.owner,
            diaObjectId,
            service.name,
            found.file.rows,
            name=service.title,
            provenance=f"{service.title}: {found.query} asked {timezone.now():%Y-%m-%d %H:%M} UTC"[:1024],
            flux_of=service.flux_of,
        )
        if "visibility" in transfer.state:
            _share(transfer, kept)
    values = {"count": count, "left_out": left_out, "photometry": kept, "progress": ""}
    if not _end(transfer.pk, Phase.COMPLETED, **values):
        raise _Stop  # which undoes what was kept


def _share(transfer: Transfer, kept: PhotometrySet) -> None:
    group = Collaboration.objects.filter(pk=transfer.state["collaboration"]).first()
    share(transfer.owner, PhotometrySet.objects.all(), kept.pk, transfer.state["visibility"], group)


def _end(transfer_id: int, phase: Phase, **values: Any) -> bool:
    """Note how a transfer that runs has ended; False if it does not run, or was cancelled."""
    running = Transfer.objects.filter(pk=transfer_id, phase=Phase.EXECUTING)
    if phase == Phase.COMPLETED:
        running = running.filter(cancel=False)
    return bool(running.update(phase=phase, ended=timezone.now(), **values))


def _abandon(transfer: Transfer | None) -> None:
    """Give up what a cancelled transfer has begun elsewhere."""
    service = SERVICES.get(transfer.subject) if transfer is not None else None
    if transfer is not None and service is not None and service.on(_settings()):
        service.abandon(transfer.state, _settings())


def _settings() -> PhotometrySettings:
    found: PhotometrySettings = settings.LASAIR_PHOTOMETRY
    return found
