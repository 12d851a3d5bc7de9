"""Following an object: a list of the user's own, and a filter on it that writes an e-mail."""

from __future__ import annotations

import re
from dataclasses import replace

from django.db import transaction

from lasair_broker.web.accounts.models import User
from lasair_broker.web.archive import archive
from lasair_broker.web.filters import outputs, services, trying
from lasair_broker.web.filters.models import Filter, OutputKind
from lasair_broker.web.filters.wording import Wording, wording_of
from lasair_broker.web.objects.head import state_of
from lasair_broker.web.watchlists import services as watchlists
from lasair_broker.web.watchlists.models import Watchlist

NAME = "Followed objects"
"""Of the list and of the filter. Users may rename both; then new ones are made."""

_RADIUS = 2.0
_LIST = re.compile(r"(?P<before>\bwl_id\s*=\s*|\bwatchlist:)(?P<number>\d+)", re.IGNORECASE)

_WORDING = (
    "SELECT objects.diaObjectId, objects.objectName, watchlist_hits.name, objects.latest_psfFlux, "
    "objects.lastDiaSourceMjdTai FROM objects, watchlist_hits "
    "WHERE objects.diaObjectId = watchlist_hits.diaObjectId AND watchlist_hits.wl_id = {number}"
)


def followed(user: User, diaObjectId: int) -> tuple[Watchlist, int] | None:
    """The list in which the user has the object, and its row there; None if it is not followed."""
    own = Watchlist.objects.filter(owner=user, name=NAME).first()
    if own is None:
        return None
    for row in watchlists.rows(user, own.pk, name=str(diaObjectId)).to_pylist():
        if row["name"] == str(diaObjectId):
            return own, row["cone_id"]
    return None


@transaction.atomic
def follow(user: User, key: str) -> tuple[Watchlist, Filter]:
    """Write to the user whenever there is a new alert of an object.

    Its place goes into the user's list of followed objects (2″ around it), on which a filter of the user's
    runs that writes an e-mail. List and filter are made when first needed.

    Raises
    ------
    NotFound
        If there is no such object.
    Invalid
        If the list, the filter or its output cannot be made; says why.
    """
    row = state_of(key, ("diaObjectId", "objectName", "ra", "decl"))
    own = Watchlist.objects.filter(owner=user, name=NAME).first()
    if own is None:
        own = watchlists.create(
            user, NAME, description="Objects you asked to be told about.", default_radius=_RADIUS
        )
    if followed(user, row["diaObjectId"]) is None:
        watchlists.add_row(
            user,
            own.pk,
            name=str(row["diaObjectId"]),
            ra=row["ra"],
            decl=row["decl"],
            radius=_RADIUS,
            notes=row["objectName"],
        )
    own = watchlists.set_active(user, own.pk, True)
    return own, _filter_on(user, own)


def unfollow(user: User, key: str) -> None:
    """Take an object out of the user's list of followed objects; list and filter stay.

    Raises
    ------
    NotFound
        If there is no such object.
    """
    found = followed(user, state_of(key, ("diaObjectId",))["diaObjectId"])
    if found is not None:
        watchlists.delete_row(user, found[0].pk, found[1])


def _filter_on(user: User, own: Watchlist) -> Filter:
    """The user's filter of the list, running and with an e-mail.

    If the list was removed since and this is another, the filter gets a version on this one.
    """
    made: Filter | None = Filter.objects.filter(owner=user, name=NAME).first()
    if made is None:
        made = services.create(
            user,
            NAME,
            Wording(adql=_WORDING.format(number=own.pk)),
            description=f"New alerts of the objects in your watchlist “{NAME}”.",
        )
        outputs.add(user, made.pk, OutputKind.EMAIL)
    version = made.active_version or made.versions.last()
    wording = Wording() if version is None else wording_of(version)
    if str(own.pk) not in _lists_in(wording):
        comment = "on the list of followed objects that there is now"
        version = services.save_version(user, made.pk, _on_list(wording, own), comment=comment)
    if version is None or made.active_version_id != version.pk:
        tried, _ = trying.try_version(user, made.pk, None, archive())
        services.activate(user, made.pk, tried.number)
        made.refresh_from_db()
    return made


def _lists_in(wording: Wording) -> set[str]:
    """The numbers of the watchlists that a wording names."""
    text = f"{wording.adql} {wording.tables} {wording.conditions}"
    return {found["number"] for found in _LIST.finditer(text)}


def _on_list(wording: Wording, own: Watchlist) -> Wording:
    """The wording with the list in place of those that are gone; if it names none, what is made at first."""
    there = {str(number) for number in Watchlist.objects.values_list("pk", flat=True)}
    if not _lists_in(wording) - there:
        return Wording(adql=_WORDING.format(number=own.pk))

    def present(found: re.Match[str]) -> str:
        return found[0] if found["number"] in there else f"{found['before']}{own.pk}"

    return replace(
        wording,
        adql=_LIST.sub(present, wording.adql),
        tables=_LIST.sub(present, wording.tables),
        conditions=_LIST.sub(present, wording.conditions),
    )
