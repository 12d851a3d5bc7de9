"""Where users send objects, and having them sent. Every function checks that the user may; the text of errors
is for users."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db import transaction
from django.utils import timezone

from lasair_broker.http import among
from lasair_broker.settings import SendingSettings
from lasair_broker.web import sharing
from lasair_broker.web.accounts.models import User
from lasair_broker.web.archive import archive
from lasair_broker.web.errors import Invalid, NotFound, TooOften
from lasair_broker.web.transfers.models import Destination, Kind, Transfer
from lasair_broker.web.transfers.sealing import seal

_MOST = 20
_LONGEST_TOKEN = 500
_HOUR = timedelta(hours=1)


def hosts() -> tuple[str, ...]:
    """The hosts that the operator allows; none: nothing is sent from this site."""
    found: SendingSettings = settings.LASAIR_SENDING
    return tuple(found.hosts)


def destinations(user: User | AnonymousUser | None) -> list[Destination]:
    """The user's own, by name."""
    return list(Destination.objects.visible_to(user))


def destination(user: User | AnonymousUser | None, destination_id: int) -> Destination:
    """The destination of this number.

    Raises
    ------
    NotFound
        If there is none, or it is another user's.
    """
    found = Destination.objects.visible_to(user).filter(pk=destination_id).first()
    if found is None:
        raise NotFound(f"there is no destination {destination_id}")
    return found


@transaction.atomic
def add(user: User, *, name: str, system: str, address: str, token: str) -> Destination:
    """A new destination.

    Parameters
    ----------
    system
        As `Destination.System`.
    address
        Of the system, where its pages begin: https://fritz.science, say.

    Raises
    ------
    Invalid
        If a value is wrong, or the operator does not allow the host.
    """
    User.objects.select_for_update().get(pk=user.pk)  # so that two at once are not too many
    if Destination.objects.filter(owner=user).count() >= _MOST:
        raise Invalid({"": f"you have {_MOST} destinations; remove one first"})
    made = Destination(owner=user, system=system)
    _set(made, {"name": name, "address": address, "token": token})
    return made


@transaction.atomic
def change(user: User, destination_id: int, **values: str) -> Destination:
    """Change any of name, address, token. Who changes the address gives the token anew: else it could be sent
    to where its owner never wanted it."""
    found = destination(user, destination_id)
    if "address" in values and "token" not in values:
        raise Invalid({"token": "give the token again when the address changes"})
    _set(found, values)
    return found


@transaction.atomic
def remove(user: User, destination_id: int) -> None:
    """Remove a destination for good, with its token."""
    destination(user, destination_id).delete()


def test(user: User, destination_id: int) -> Transfer:
    """Have a destination asked in the background whether it takes the token; nothing is changed there."""
    found = destination(user, destination_id)
    return _begin(user, found, Kind.TEST, None, {})


def send(user: User, diaObjectId: int, destination_id: int, *, private: bool = False) -> Transfer:
    """Have an object sent in the background; one that is under way already goes on.

    Parameters
    ----------
    private
        Whether added points go along that not everybody sees.

    Raises
    ------
    NotFound
        If there is no such object, or no such destination of the user.
    Invalid
        If the operator does not allow its host any more.
    TooOften
        If the user has sent as much there in the last hour as may be.
    """
    found = destination(user, destination_id)
    if not archive().object(diaObjectId, ["diaObjectId"]).num_rows:
        raise NotFound(f"there is no object {diaObjectId} in the archive")
    return _begin(user, found, Kind.SEND, diaObjectId, {"private": private})


def newest(user: User | AnonymousUser | None, of: Destination, diaObjectId: int) -> Transfer | None:
    """The last time that the object was sent there, or the destination was tried, whichever was later."""
    own = Transfer.objects.visible_to(user).filter(destination=of)
    return (own.filter(kind=Kind.TEST) | own.filter(kind=Kind.SEND, diaObjectId=diaObjectId)).first()


def _begin(
    user: User, of: Destination, kind: Kind, diaObjectId: int | None, state: dict[str, Any]
) -> Transfer:
    from lasair_broker.web.transfers.tasks import run_step

    check_address(of.address)
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)  # so that two at once do not both begin
        own = Transfer.objects.filter(owner=user, destination=of)
        going = own.filter(kind=kind, diaObjectId=diaObjectId).under_way().first()
        if going is not None:
            return going
        most, now = settings.LASAIR_SENDING.an_hour, timezone.now()
        lately = own.filter(created__gt=now - _HOUR).order_by("created")
        if (count := lately.count()) >= most:
            again = (lately[count - most].created + _HOUR - now).total_seconds()
            minutes = max(1, round(again / 60))
            raise TooOften(
                f"{of.name} was asked {count} times in the last hour; wait {minutes} minutes", again
            )
        made = Transfer.objects.create(
            owner=user, kind=kind, subject=of.system, destination=of, diaObjectId=diaObjectId, state=state
        )
        run_step.enqueue(made.pk)
    return made


def _set(to: Destination, values: dict[str, str]) -> None:
    given = {name: value.strip() for name, value in values.items()}
    if "address" in given:
        given["address"] = given["address"].rstrip("/")
        check_address(given["address"])
    if "token" in given:
        token = given["token"]
        if not token or len(token) > _LONGEST_TOKEN or not (token.isascii() and token.isprintable()):
            raise Invalid(
                {"token": f"give the token as the system shows it, at most {_LONGEST_TOKEN} characters"}
            )
        given["token"] = seal(token)
    sharing.changed(to, given)


def check_address(address: str) -> None:
    """Refuse an address that the operator does not allow.

    Raises
    ------
    Invalid
        Saying why, and what is allowed.
    """
    if not hosts():
        raise Invalid({"": "this site sends nothing: its operator allows no host"})
    local = among(address, ("localhost", "127.0.0.1", "::1"))
    if not (address.startswith("https://") or local) or any(mark in address for mark in "?#@ \\"):
        raise Invalid({"address": "give an address that begins with https://, without ? and #"})
    if not among(address, hosts()):
        raise Invalid({"address": f"its host is not allowed here; the operator allows {', '.join(hosts())}"})
