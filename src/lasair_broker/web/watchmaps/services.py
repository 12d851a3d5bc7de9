"""What is done with watchmaps. Every function checks that the user may; the text of errors is for users."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.db import transaction

from lasair_broker.sky import Moc, MocError
from lasair_broker.web import sharing, trash
from lasair_broker.web.accounts.models import Collaboration, User
from lasair_broker.web.errors import Invalid
from lasair_broker.web.watchmaps.models import Watchmap

Origin = Watchmap.Origin


def create_from_file(user: User, name: str, data: bytes, *, description: str = "") -> Watchmap:
    """A new private map from a MOC as FITS, JSON or ASCII.

    Raises
    ------
    Invalid
        If the file is none, or the name is taken. So do the other makers of maps.
    """
    return _create(user, name, description, Origin.FILE, {}, lambda: Moc.read(data))


def create_circle(
    user: User, name: str, ra: float, decl: float, radius_deg: float, *, description: str = ""
) -> Watchmap:
    """A new private map of a circle, degrees."""
    definition = {"ra": ra, "decl": decl, "radius": radius_deg}
    return _create(
        user, name, description, Origin.CIRCLE, definition, lambda: Moc.circle(ra, decl, radius_deg)
    )


def create_polygon(
    user: User, name: str, ra: Sequence[float], decl: Sequence[float], *, description: str = ""
) -> Watchmap:
    """A new private map of a polygon with these corners, degrees."""
    definition = {"ra": list(ra), "decl": list(decl)}
    return _create(user, name, description, Origin.POLYGON, definition, lambda: Moc.polygon(ra, decl))


def create_fields(
    user: User,
    name: str,
    ra: Sequence[float],
    decl: Sequence[float],
    radius_deg: float | Sequence[float],
    *,
    description: str = "",
) -> Watchmap:
    """A new private map of the union of circular fields, degrees."""
    radius = radius_deg if isinstance(radius_deg, int | float) else list(radius_deg)
    definition = {"ra": list(ra), "decl": list(decl), "radius": radius}
    return _create(
        user, name, description, Origin.FIELDS, definition, lambda: Moc.fields(ra, decl, radius_deg)
    )


@transaction.atomic
def replace(user: User, map_id: int, data: bytes) -> Watchmap:
    """Replace the region of a map by that of a MOC file."""
    found = sharing.editable(Watchmap.objects.all(), user, map_id, lock=True)
    _put(found, Origin.FILE, {}, lambda: Moc.read(data))
    found.revision += 1
    found.save()
    return found


def visible(user: User | AnonymousUser | None) -> list[Watchmap]:
    """The maps the user sees, by number, without their regions."""
    seen = Watchmap.objects.visible_to(user).select_related("owner", "collaboration").defer("moc")
    return list(seen.order_by("pk"))


def get(user: User | AnonymousUser | None, map_id: int) -> Watchmap:
    """A map the user sees."""
    return sharing.visible(Watchmap.objects.select_related("owner", "collaboration"), user, map_id)


def region(user: User | AnonymousUser | None, map_id: int) -> Moc:
    """The region of a map the user sees, to show or download."""
    return Moc.read(bytes(sharing.visible(Watchmap.objects.all(), user, map_id).moc))


@transaction.atomic
def describe(user: User, map_id: int, **values: Any) -> Watchmap:
    """Change any of name, description, active."""
    unknown = set(values) - {"name", "description", "active"}
    if unknown:
        raise Invalid(dict.fromkeys(sorted(unknown), "cannot be set here"))
    found = sharing.editable(Watchmap.objects.all(), user, map_id, lock=True)
    sharing.changed(found, values)
    return found


@transaction.atomic
def copy(user: User, map_id: int, name: str) -> Watchmap:
    """A private copy of a map the user sees."""
    source = sharing.visible(Watchmap.objects.all(), user, map_id)
    made = Watchmap(
        owner=user,
        name=name.strip(),
        description=source.description,
        moc=bytes(source.moc),
        order=source.order,
        area_deg2=source.area_deg2,
        origin=source.origin,
        definition=source.definition,
    )
    sharing.save_checked(made)
    return made


@transaction.atomic
def share(user: User, map_id: int, visibility: str, collaboration: Collaboration | None = None) -> Watchmap:
    """Make a map private, public, or its collaboration's; see `sharing.share`."""
    return sharing.share(user, Watchmap.objects.all(), map_id, visibility, collaboration)


@transaction.atomic
def delete(user: User, map_id: int) -> None:
    """Remove a map. Only its owner may; `trash.restore` brings it back."""
    trash.remove(user, sharing.editable(Watchmap.objects.all(), user, map_id, lock=True))


@transaction.atomic
def _create(
    user: User, name: str, description: str, origin: str, definition: dict[str, Any], make: Callable[[], Moc]
) -> Watchmap:
    made = Watchmap(owner=user, name=name.strip(), description=description)
    _put(made, origin, definition, make)
    sharing.save_checked(made)
    return made


def _put(found: Watchmap, origin: str, definition: dict[str, Any], make: Callable[[], Moc]) -> None:
    try:
        moc = make()
    except MocError as error:
        raise Invalid({"": str(error)}) from None
    found.moc, found.order, found.area_deg2 = moc.to_fits(), moc.order, moc.area_deg2
    found.origin, found.definition = origin, definition
    found.match, found.match_done = Watchmap.Match.WAITING, 0
