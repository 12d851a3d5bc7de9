"""What users removed: it is kept for a while, so that it can be had back.

A model of which this holds is `Removable` and has the managers `objects`, without what was removed (`Kept`),
and `everything`. So have parts of a thing (outputs of filters, triggers), which have no owner of their own;
who may have them back their services say. `removed_by` tells of all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from django.db import models, transaction
from django.utils import timezone

from lasair_broker.web.accounts.models import User
from lasair_broker.web.errors import NotAllowed, NotFound
from lasair_broker.web.sharing import Shared

KEPT = timedelta(days=30)
"""So long what was removed can be had back; then it is gone."""


class Removable(Shared):
    """A shared thing that is kept for some time after its owner removed it."""

    deleted = models.DateTimeField(
        null=True, editable=False, help_text="It can be restored for some time after that."
    )

    class Meta:
        abstract = True


class Kept:
    """Makes of a manager one of those that are not removed; it comes first among the bases."""

    def get_queryset(self) -> Any:
        return super().get_queryset().filter(deleted=None)  # type: ignore[misc]  # of the manager beside


Thing = TypeVar("Thing", bound=Removable)
Rows = TypeVar("Rows", bound=models.QuerySet[Any])


def remove(user: User, found: Removable, *, for_good: bool = True) -> None:
    """Remove a thing that the user may change. Only its owner may.

    Parameters
    ----------
    for_good
        Whether what the owner removed long ago goes for good.

    Raises
    ------
    NotAllowed
        If it belongs to somebody else.
    """
    if not (user.is_superuser or found.owner_id == user.pk):
        raise NotAllowed(f"only its owner, {found.owner.username}, may delete it")
    now = timezone.now()
    found.deleted = now
    found.save(update_fields=["deleted"])
    if for_good:
        old = type(found).everything.filter(owner=found.owner, deleted__lt=now - KEPT)  # type: ignore[attr-defined]  # which each has
        old.delete()


@transaction.atomic
def restore(user: User, model: type[Thing], pk: int) -> Thing:
    """Undo that a thing was removed. If its owner has another of that name meanwhile, and may not have two,
    it gets another name.

    Raises
    ------
    NotFound
        If it was not removed, or longer ago, or is not the user's (nor the user a superuser).
    """
    anybodys = removed_among(model.everything.filter(pk=pk))  # type: ignore[attr-defined]  # which each has
    found = (anybodys if user.is_superuser else anybodys.filter(owner=user)).first()
    if found is None:
        raise NotFound(f"you have removed no {model._meta.verbose_name} {pk} that could be had back")
    thing: Thing = found
    changed = ["deleted", "modified"]
    if _named_once(model):
        named: Any = thing
        name, number = named.name, 1
        taken = model.objects.filter(owner=thing.owner)  # type: ignore[attr-defined]  # which each has
        while taken.filter(name=named.name).exists():
            number += 1
            named.name = f"{name[:190]} ({number})"
        changed.append("name")
    thing.deleted = None
    thing.save(update_fields=changed)
    return thing


def _named_once(model: type[Removable]) -> bool:
    """Whether an owner has but one of a name."""
    unique = [each for each in model._meta.constraints if isinstance(each, models.UniqueConstraint)]
    return any({"owner", "name"} == set(each.fields) for each in unique)


def remove_part(part: models.Model, whole: str) -> None:
    """Remove what hangs on a thing, and for good what its owner's things lost long ago.

    Parameters
    ----------
    whole
        The part's field for that thing.
    """
    now = timezone.now()
    part.deleted = now  # type: ignore[attr-defined]  # which each has
    part.save(update_fields=["deleted"])
    old = {f"{whole}__owner": getattr(part, whole).owner, "deleted__lt": now - KEPT}
    type(part).everything.filter(**old).delete()  # type: ignore[attr-defined]  # which each has


def removed_among(rows: Rows) -> Rows:
    """Those that were removed and can be had back, the last removed first."""
    return rows.filter(deleted__gte=timezone.now() - KEPT).order_by("-deleted")


def removed_things(user: User, model: type[Removable]) -> models.QuerySet[Any]:
    """The user's things of a model that can be had back, the last removed first."""
    own: models.QuerySet[Any] = model.everything.filter(owner=user)  # type: ignore[attr-defined]  # which each has
    return removed_among(own)


@dataclass(frozen=True)
class Removed:
    """Something that can be had back.

    Attributes
    ----------
    kind
        One of KINDS.
    name
        What its owner knows it by.
    deleted
        When it was removed.
    """

    kind: str
    id: int
    name: str
    deleted: datetime

    @property
    def gone(self) -> datetime:
        """When it goes for good."""
        return self.deleted + KEPT


@dataclass(frozen=True)
class _Kind:
    """How things of a kind are found and restored."""

    removed: Callable[[User], Iterator[Removed]]
    restore: Callable[[User, int], Any]


def removed_by(user: User) -> list[Removed]:
    """What a user has removed and can have back, the last removed first."""
    found = [each for kind in _kinds().values() for each in kind.removed(user)]
    return sorted(found, key=lambda each: each.deleted, reverse=True)


def restore_named(user: User, kind: str, pk: int) -> Any:
    """Undo that the thing of a kind and number was removed.

    Raises
    ------
    NotFound
        If there is no such kind, or see `restore`.
    """
    known = _kinds().get(kind)
    if known is None:
        raise NotFound(f"nothing is called {kind[:40]} here")
    return known.restore(user, pk)


def _of_own(thing: str, user: User) -> models.Q:
    """What hangs on a thing of the user's own that is not removed itself."""
    return models.Q(**{f"{thing}__owner": user, f"{thing}__deleted": None})


def _kinds() -> dict[str, _Kind]:
    from lasair_broker.web.annotators.models import Annotator
    from lasair_broker.web.comments.models import Comment
    from lasair_broker.web.filters import outputs
    from lasair_broker.web.filters.models import Filter, FilterOutput
    from lasair_broker.web.photometry import services as photometry
    from lasair_broker.web.photometry.models import PhotometrySet
    from lasair_broker.web.queries.models import SavedQuery
    from lasair_broker.web.watchlists import services as watchlists
    from lasair_broker.web.watchlists.models import Watchlist, WatchlistTrigger
    from lasair_broker.web.watchmaps.models import Watchmap

    def things(
        kind: str,
        model: type[Removable],
        named: Callable[[Any], str] = str,
        back: Callable[[User, int], Any] | None = None,
    ) -> _Kind:
        return _Kind(
            lambda user: (
                Removed(kind, each.pk, named(each), each.deleted) for each in removed_things(user, model)
            ),
            back or (lambda user, pk: restore(user, model, pk)),
        )

    return {
        "filters": things("filters", Filter),
        "watchlists": things("watchlists", Watchlist),
        "watchmaps": things("watchmaps", Watchmap),
        "annotators": things("annotators", Annotator),
        "queries": things("queries", SavedQuery),
        "outputs": _Kind(
            lambda user: (
                Removed("outputs", each.pk, str(each), each.deleted)
                for each in outputs.removed(FilterOutput.everything.filter(_of_own("filter", user)))
                if each.deleted
            ),
            outputs.restore,
        ),
        "triggers": _Kind(
            lambda user: (
                Removed("triggers", each.pk, f"{each.watchlist.name}: {each}", each.deleted)
                for each in watchlists.removed_triggers(
                    WatchlistTrigger.everything.filter(_of_own("watchlist", user))
                )
                if each.deleted
            ),
            watchlists.restore_trigger,
        ),
        "comments": things("comments", Comment, lambda each: f"{each.diaObjectId}: {each.text[:80]}"),
        "photometry": things("photometry", PhotometrySet, back=photometry.restore),
    }
