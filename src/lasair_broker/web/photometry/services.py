"""What is done with points that users add. Every function checks that the user may; errors are for users."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import pyarrow as pa
from django.contrib.auth.models import AnonymousUser
from django.db import transaction

from lasair_broker.web import sharing, trash
from lasair_broker.web.accounts.models import Collaboration, User
from lasair_broker.web.errors import Invalid
from lasair_broker.web.photometry import rows as points
from lasair_broker.web.photometry.models import PhotometryPoint, PhotometrySet
from lasair_broker.web.sharing import SharedQuerySet, Visibility

MOST_FETCHED = 50_000
"""At most so many points are taken of a service at once."""

SCHEMA = pa.schema(
    [
        pa.field("diaObjectId", pa.int64()),
        pa.field("midpointMjdTai", pa.float64()),
        pa.field("band", pa.string()),
        pa.field("psfFlux", pa.float64()),
        pa.field("psfFluxErr", pa.float64()),
        pa.field("value", pa.float64()),
        pa.field("error", pa.float64()),
        pa.field("unit", pa.string()),
        pa.field("is_limit", pa.bool_()),
        pa.field("time", pa.float64()),
        pa.field("scale", pa.string()),
        pa.field("instrument", pa.string()),
        pa.field("provenance", pa.string()),
        pa.field("owner", pa.string()),
        pa.field("photometry", pa.int64()),
        pa.field("visibility", pa.string()),
    ]
)
"""Points as they are given out; `photometry` is the number of their set."""


def visible(user: User | AnonymousUser | None) -> SharedQuerySet[PhotometrySet]:
    """The sets of points that the user sees."""
    return PhotometrySet.objects.visible_to(user).select_related("owner", "collaboration")


def get(user: User | AnonymousUser | None, set_id: int) -> PhotometrySet:
    """A set of points that the user sees."""
    return sharing.visible(PhotometrySet.objects.select_related("owner", "collaboration"), user, set_id)


def of_objects(user: User | AnonymousUser | None, diaObjectIds: Sequence[int]) -> pa.Table:
    """The points on objects that the user sees, as SCHEMA, by object and time."""
    return _table(
        PhotometryPoint.objects.filter(
            diaObjectId__in=diaObjectIds, photometry__in=PhotometrySet.objects.visible_to(user)
        )
    )


def of_set(user: User | AnonymousUser | None, set_id: int) -> pa.Table:
    """The points of a set that the user sees, as SCHEMA, by object and time."""
    return _table(PhotometryPoint.objects.filter(photometry=get(user, set_id)))


@transaction.atomic
def add(
    user: User,
    given: Sequence[tuple[str, Mapping[str, Any]]],
    *,
    name: str,
    provenance: str,
    instrument: str = "",
    diaObjectId: int | None = None,
    visibility: str = Visibility.PRIVATE,
    collaboration: Collaboration | None = None,
) -> PhotometrySet:
    """Add points: all, or an error tells why none.

    Parameters
    ----------
    given
        Rows, each with its place, as `formats.read_file` or `rows.numbered` has them.
    instrument, diaObjectId
        Of rows that name none.

    Raises
    ------
    Invalid
        Naming each fault by its row and column.
    NotAllowed
        If the user is no member of the collaboration.
    """
    checked = points.checked(given, diaObjectId=diaObjectId, instrument=instrument)
    made = PhotometrySet(owner=user, name=name.strip(), provenance=provenance.strip())
    sharing.save_checked(made)
    _put(made, checked)
    if visibility == Visibility.PRIVATE:
        return made
    return sharing.share(user, PhotometrySet.objects.all(), made.pk, visibility, collaboration)


def fetched(user: User, diaObjectId: int, service: str) -> PhotometrySet | None:
    """The user's own points on an object that a service gave; None if there are none."""
    own = PhotometrySet.objects.filter(owner=user, service=service, service_object=diaObjectId)
    return own.select_related("collaboration").order_by("-pk").first()


@transaction.atomic
def keep_fetched(
    user: User,
    diaObjectId: int,
    service: str,
    given: Sequence[tuple[str, Mapping[str, Any]]],
    *,
    name: str,
    provenance: str,
    flux_of: str,
) -> PhotometrySet:
    """Keep what a service gave of an object, in place of what it gave the user before.

    Who sees it stays as it was; at first only the user does.

    Raises
    ------
    Invalid
        Naming each fault by its row and column.
    """
    checked = points.checked(given, diaObjectId=diaObjectId, most=MOST_FETCHED)
    User.objects.select_for_update().get(pk=user.pk)  # so that two at once do not both find nothing
    kept = fetched(user, diaObjectId, service) or PhotometrySet(
        owner=user, name=name, service=service, service_object=diaObjectId, flux_of=flux_of
    )
    sharing.changed(kept, {"provenance": provenance})
    kept.points.all().delete()
    _put(kept, checked)
    return kept


@transaction.atomic
def describe(user: User, set_id: int, **values: Any) -> PhotometrySet:
    """Change any of name, provenance."""
    unknown = set(values) - {"name", "provenance"}
    if unknown:
        raise Invalid(dict.fromkeys(sorted(unknown), "cannot be set here"))
    found = sharing.editable(PhotometrySet.objects.all(), user, set_id, lock=True)
    sharing.changed(found, values)
    return found


@transaction.atomic
def share(
    user: User, set_id: int, visibility: str, collaboration: Collaboration | None = None
) -> PhotometrySet:
    """Make a set private, public, or a collaboration's; see `sharing.share`."""
    return sharing.share(user, PhotometrySet.objects.all(), set_id, visibility, collaboration)


@transaction.atomic
def remove(user: User, set_id: int) -> None:
    """Remove a set with its points; `restore` brings it back."""
    trash.remove(user, sharing.editable(PhotometrySet.objects.all(), user, set_id, lock=True))


@transaction.atomic
def restore(user: User, set_id: int) -> PhotometrySet:
    """Bring a removed set of one's own back; see `trash.restore`.

    Raises
    ------
    Invalid
        If a service gave the same anew since: it would be there twice.
    """
    found = trash.restore(user, PhotometrySet, set_id)
    if found.service:
        own = PhotometrySet.objects.filter(
            owner=found.owner, service=found.service, service_object=found.service_object
        )
        if own.exclude(pk=found.pk).exists():
            raise Invalid({"": "the same was fetched anew since; remove that first"})
    return found


def _put(into: PhotometrySet, checked: Sequence[points.Point]) -> None:
    PhotometryPoint.objects.bulk_create(
        (PhotometryPoint(photometry=into, **asdict(point)) for point in checked), batch_size=1000
    )


def _table(found: Any) -> pa.Table:
    beside = {
        "provenance": "photometry__provenance",
        "owner": "photometry__owner__username",
        "visibility": "photometry__visibility",
    }
    asked = [beside.get(name, name) for name in SCHEMA.names]
    columns = list(zip(*found.values_list(*asked), strict=True)) or [()] * len(asked)
    arrays = [pa.array(column, field.type) for column, field in zip(columns, SCHEMA, strict=True)]
    return pa.table(arrays, schema=SCHEMA)
