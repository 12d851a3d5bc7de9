"""Sending an object to a person's TOM or SkyPortal, and where these are."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_POST

from lasair_broker.web.errors import Invalid, NotFound
from lasair_broker.web.objects.head import state_of
from lasair_broker.web.site.notices import toast
from lasair_broker.web.site.objects.actions import part
from lasair_broker.web.site.people import person
from lasair_broker.web.transfers import sending


@login_required
@require_POST
def send(request: HttpRequest, key: str) -> HttpResponse:
    """Have the object sent."""
    text = request.POST.get("destination", "")
    number = int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0
    of = state_of(key, ("diaObjectId",))["diaObjectId"]
    sending.send(person(request), of, number, private=bool(request.POST.get("private")))
    return part(request, key, "send")


@login_required
@require_POST
def add(request: HttpRequest, key: str) -> HttpResponse:
    """Store a destination; what is wrong is told beside the form, which gets all back but the token."""
    given = {name: request.POST.get(name, "") for name in ("name", "system", "address", "token")}
    try:
        sending.add(person(request), **given)
    except Invalid as error:
        told = {**given, "token": ""}
        response = part(request, key, "send", faults=error.faults, given=told)
        return toast(response, "Nothing was stored: see what is wrong above the form.", "warning")
    return toast(part(request, key, "send"), f"{given['name']} is stored. Test it, or send the object.")


@login_required
@require_POST
def change(request: HttpRequest, key: str, destination_id: int, what: str) -> HttpResponse:
    """Test or remove a destination."""
    if what == "test":
        sending.test(person(request), destination_id)
        return part(request, key, "send")
    if what == "remove":
        sending.remove(person(request), destination_id)
        return toast(part(request, key, "send"), "The destination and its token are removed.", "info")
    raise NotFound("a destination can be tested or removed")
