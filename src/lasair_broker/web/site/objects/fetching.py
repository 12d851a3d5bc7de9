"""What a person has fetched of an object from other surveys' services, and how far that is."""

from __future__ import annotations

import re

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_POST, require_safe
from django_htmx.http import trigger_client_event

from lasair_broker.web.errors import NotFound
from lasair_broker.web.objects.head import state_of
from lasair_broker.web.queries.models import Phase
from lasair_broker.web.site.notices import toast
from lasair_broker.web.site.objects.actions import changed, part, shared
from lasair_broker.web.site.people import person
from lasair_broker.web.transfers import services
from lasair_broker.web.transfers.models import Kind, Transfer
from lasair_broker.web.transfers.surveys import SERVICES

_PANELS = ("services", "send")
_LONGEST = 200


@login_required
@require_POST
def fetch(request: HttpRequest, key: str) -> HttpResponse:
    """Have photometry fetched."""
    visibility, collaboration = shared(request)
    number = state_of(key, ("diaObjectId",))["diaObjectId"]
    services.fetch(
        person(request),
        number,
        request.POST.get("service", ""),
        visibility=visibility,
        collaboration=collaboration,
    )
    return part(request, key, "services")


@login_required
@require_POST
def cancel(request: HttpRequest, key: str, transfer_id: int) -> HttpResponse:
    """Stop what is fetched or sent."""
    found = services.cancel(person(request), transfer_id)
    return part(request, key, "services" if found.kind == Kind.FETCH else "send")


@login_required
@require_safe
def watch(request: HttpRequest, key: str, name: str) -> HttpResponse:
    """How far things are that a part of the page waits for (`of`); what has ended meanwhile is told."""
    if name not in _PANELS:
        raise NotFound(f"there is nothing to wait for in {name[:40]}")
    asked = re.findall(r"\b\d{1,9}\b", request.GET.get("of", "")[:_LONGEST], re.ASCII)
    found = Transfer.objects.visible_to(person(request)).filter(pk__in=asked).select_related("destination")
    response = part(request, key, name, watched=True)
    ended = [transfer for transfer in found if not transfer.under_way]
    if not ended:
        return response
    if any(transfer.kind == Kind.FETCH and transfer.count for transfer in ended):
        trigger_client_event(response, "lasair:fetched")
        changed(response)
    text, good = _told(ended[-1])
    return toast(response, text, "success" if good else "warning")


def _told(transfer: Transfer) -> tuple[str, bool]:
    """What came of it, and whether that is what was wanted."""
    service, to = SERVICES.get(transfer.subject), transfer.destination
    other = to.name if to is not None else service.title if service is not None else transfer.subject
    if transfer.phase != Phase.COMPLETED:
        return f"{other}: {transfer.error or transfer.get_phase_display()}", False
    if transfer.kind == Kind.TEST:
        return f"{other}: {transfer.progress}", True
    if transfer.kind == Kind.SEND:
        return f"The object is in {other}, with {transfer.count or 0:,} points.", True
    if not transfer.count:
        return f"{other} has no points here.", False
    return f"{transfer.count:,} points of {other} are there.", True
