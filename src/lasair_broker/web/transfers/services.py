"""What is done with transfers. Every function checks that the user may; the text of errors is for users."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db import transaction
from django.utils import timezone

from lasair_broker.settings import PhotometrySettings
from lasair_broker.web.accounts.models import Collaboration, User
from lasair_broker.web.archive import archive
from lasair_broker.web.errors import Invalid, NotFound, TooOften
from lasair_broker.web.photometry import services as photometry
from lasair_broker.web.photometry.models import PhotometrySet
from lasair_broker.web.sharing import Visibility
from lasair_broker.web.transfers.models import Kind, Transfer
from lasair_broker.web.transfers.surveys import Place, Service, allowed

_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Offer:
    """A service, and how a user stands with it concerning an object.

    Attributes
    ----------
    newest
        The user's last transfer from there; None if there was none.
    kept
        What the user has of it.
    count
        Points in it.
    obstacle
        Why nothing can be fetched of this object; "" if it can.
    """

    service: Service
    newest: Transfer | None
    kept: PhotometrySet | None
    count: int
    obstacle: str

    @property
    def seen_by(self) -> str:
        """Who sees it, as forms have it: a visibility, or group:SLUG."""
        if self.kept is None:
            return Visibility.PRIVATE
        group = self.kept.collaboration
        return f"group:{group.slug}" if group is not None else self.kept.visibility


def services() -> dict[str, Service]:
    """The services that the operator has switched on, by name."""
    return allowed(_settings())


def offers(user: User | AnonymousUser | None, diaObjectId: int, decl: float) -> list[Offer]:
    """The services that are on, for an object at this declination (degrees)."""
    found = []
    for service in services().values():
        newest = kept = None
        if isinstance(user, User):
            own = Transfer.objects.visible_to(user).filter(kind=Kind.FETCH, diaObjectId=diaObjectId)
            newest = own.filter(subject=service.name).order_by("-pk").first()
            kept = photometry.fetched(user, diaObjectId, service.name)
        count = kept.points.count() if kept is not None else 0
        found.append(Offer(service, newest, kept, count, _obstacle(service, decl)))
    return found


def fetch(
    user: User,
    diaObjectId: int,
    name: str,
    *,
    visibility: str | None = None,
    collaboration: Collaboration | None = None,
) -> Transfer:
    """Have photometry of an object fetched in the background; one that is under way already goes on.

    Parameters
    ----------
    name
        Of the service.
    visibility, collaboration
        Who shall see the points; None: as it is, and only the user at first.

    Raises
    ------
    NotFound
        If there is no such object, or no such service here.
    Invalid
        If the service has nothing there, or the user is no member of the collaboration.
    TooOften
        If the user has had as much fetched from there in the last hour as may be.
    """
    from lasair_broker.web.transfers.tasks import run_step

    service = services().get(name)
    if service is None:
        known = ", ".join(services()) or "none is switched on"
        raise NotFound(f"there is no service {name[:40]} here ({known})")
    row = archive().object(diaObjectId, ["ra", "decl"]).to_pylist()
    if not row:
        raise NotFound(f"there is no object {diaObjectId} in the archive")
    place = Place(row[0]["ra"], row[0]["decl"])
    if obstacle := _obstacle(service, place.decl):
        raise Invalid({"service": obstacle})
    state: dict[str, object] = {"ra": place.ra, "decl": place.decl}
    if visibility is not None:
        state |= _shared(user, visibility, collaboration)
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)  # so that two at once do not both begin
        own = Transfer.objects.filter(owner=user, kind=Kind.FETCH, subject=name)
        going = own.filter(diaObjectId=diaObjectId).under_way().first()
        if going is not None:
            return going
        now = timezone.now()
        lately = own.filter(created__gt=now - _HOUR).order_by("created")
        if (count := lately.count()) >= _settings().an_hour:
            again = (lately[count - _settings().an_hour].created + _HOUR - now).total_seconds()
            raise TooOften(
                f"you have had photometry fetched from {service.title} {count} times in the last hour; "
                f"try again in {max(1, round(again / 60))} minutes",
                again,
            )
        made = Transfer.objects.create(
            owner=user, kind=Kind.FETCH, subject=name, diaObjectId=diaObjectId, state=state
        )
        run_step.enqueue(made.pk)
    return made


def visible(user: User | AnonymousUser | None, transfer_id: int) -> Transfer:
    """The transfer of this number.

    Raises
    ------
    NotFound
        If there is none, or it is another user's.
    """
    found = Transfer.objects.visible_to(user).filter(pk=transfer_id).first()
    if found is None:
        raise NotFound(f"there is no transfer {transfer_id}")
    return found


def cancel(user: User, transfer_id: int) -> Transfer:
    """Stop a transfer that waits or runs; nothing happens to one that has ended."""
    found = visible(user, transfer_id)
    # What it has begun elsewhere is given up when its next step would be due.
    Transfer.objects.all().stop(found.pk)
    found.refresh_from_db()
    return found


def _obstacle(service: Service, decl: float) -> str:
    return f"{service.title} has nothing south of {service.south:g}°" if decl < service.south else ""


def _shared(user: User, visibility: str, collaboration: Collaboration | None) -> dict[str, object]:
    """With whom to share, for the state; what would be refused later is refused now."""
    if visibility not in Visibility.values:
        raise Invalid({"visibility": f"choose {', '.join(Visibility.values)}"})
    if visibility != Visibility.GROUP:
        return {"visibility": visibility, "collaboration": None}
    if collaboration is None:
        raise Invalid({"collaboration": "name the collaboration to share with"})
    if not user.memberships.filter(collaboration=collaboration).exists():
        raise Invalid({"collaboration": f"you are not a member of {collaboration.name}"})
    return {"visibility": visibility, "collaboration": collaboration.pk}


def _settings() -> PhotometrySettings:
    found: PhotometrySettings = settings.LASAIR_PHOTOMETRY
    return found
