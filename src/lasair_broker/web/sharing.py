"""Who sees and who edits what users make: one rule for filters, lists, maps and annotators."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self, TypeVar

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.db.models import Q

from lasair_broker.web.errors import Invalid, NotAllowed, NotFound

if TYPE_CHECKING:
    from lasair_broker.web.accounts.models import Collaboration, User

SharedModel = TypeVar("SharedModel", bound="Shared")
OwnModel = TypeVar("OwnModel", bound=models.Model)


class Visibility(models.TextChoices):
    """Who may see a thing."""

    PRIVATE = "private", "only the owner"
    GROUP = "group", "the members of its collaboration"
    PUBLIC = "public", "everybody"


def seen_by(user: User | AnonymousUser | None, path: str = "") -> Q:
    """The condition that a shared thing, reached over the relations `path`, is visible to a user."""
    public = Q(**{f"{path}visibility": Visibility.PUBLIC})
    if user is None or not user.is_authenticated or not user.is_active:
        return public
    if user.is_superuser:
        return Q()
    # A subquery, not a join: a join would give a row for each membership.
    mine = user.memberships.values("collaboration")
    return (
        public
        | Q(**{f"{path}owner": user})
        | (Q(**{f"{path}visibility": Visibility.GROUP}) & Q(**{f"{path}collaboration__in": mine}))
    )


def edited_by(user: User | AnonymousUser | None, path: str = "") -> Q:
    """The condition that a user may change a shared thing: its owner, or an editor of its collaboration."""
    if user is None or not user.is_authenticated or not user.is_active:
        return Q(pk__in=[])
    if user.is_superuser:
        return Q(pk__isnull=False)  # everything: an empty Q would be lost beside another one after "or"
    from lasair_broker.web.accounts.models import EDITING_ROLES

    mine = user.memberships.filter(role__in=EDITING_ROLES).values("collaboration")
    return Q(**{f"{path}owner": user}) | (
        ~Q(**{f"{path}visibility": Visibility.PRIVATE}) & Q(**{f"{path}collaboration__in": mine})
    )


class SharedQuerySet(models.QuerySet[SharedModel]):
    """Shared things, narrowed to what a user may see or change."""

    def visible_to(self, user: User | AnonymousUser | None) -> SharedQuerySet[SharedModel]:
        """What the user may see; None and inactive users see what is public."""
        return self.filter(seen_by(user))

    def editable_by(self, user: User | AnonymousUser | None) -> SharedQuerySet[SharedModel]:
        """What the user may change."""
        return self.filter(edited_by(user))


class OwnQuerySet(models.QuerySet[OwnModel]):
    """Things with an owner, narrowed to a user's own: nobody else sees or uses them."""

    def visible_to(self, user: User | AnonymousUser | None) -> Self:
        """The user's own."""
        if user is None or not user.is_authenticated or not user.is_active:
            return self.none()
        return self.filter(owner=user)


class Shared(models.Model):
    """A thing with an owner that may be private, public, or a collaboration's."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="%(class)ss")
    collaboration = models.ForeignKey(
        "accounts.Collaboration", models.SET_NULL, null=True, blank=True, related_name="%(class)ss"
    )
    visibility = models.CharField(max_length=8, choices=Visibility, default=Visibility.PRIVATE)
    created = models.DateTimeField(auto_now_add=True)
    modified = models.DateTimeField(auto_now=True)

    class Meta:
        abstract = True


def visible(queryset: SharedQuerySet[SharedModel], user: User | AnonymousUser | None, pk: int) -> SharedModel:
    """The thing of this number.

    Raises
    ------
    NotFound
        If there is none, or the user may not see it.
    """
    found = queryset.visible_to(user).filter(pk=pk).first()
    if found is None:
        raise NotFound(f"there is no {queryset.model._meta.verbose_name} {pk}")
    return found


def editable(
    queryset: SharedQuerySet[SharedModel], user: User | AnonymousUser | None, pk: int, *, lock: bool = False
) -> SharedModel:
    """The thing of this number, to be changed; `lock` holds its row until the transaction ends.

    Raises
    ------
    NotFound
        If there is none, or the user may not see it.
    NotAllowed
        If the user sees it but may not change it.
    """
    rows = queryset.select_for_update(of=("self",)) if lock else queryset
    found = rows.editable_by(user).filter(pk=pk).first()
    if found is None:
        seen = visible(queryset, user, pk)
        raise NotAllowed(
            f"{seen._meta.verbose_name} {pk} belongs to {seen.owner.username}; make a copy to change it"
        )
    return found


def share(
    user: User,
    queryset: SharedQuerySet[SharedModel],
    pk: int,
    visibility: str,
    collaboration: Collaboration | None,
) -> SharedModel:
    """Set who sees a thing. Only its owner may, and only towards a collaboration the owner is a member of.

    Raises
    ------
    NotFound, NotAllowed
        As `editable`; also NotAllowed if the user is an editor but not the owner.
    Invalid
        If the visibility is unknown, or needs a collaboration and has none.
    """
    thing = editable(queryset, user, pk)
    if not (user.is_superuser or thing.owner_id == user.pk):
        raise NotAllowed(f"only its owner, {thing.owner.username}, may share this")
    if visibility not in Visibility.values:
        raise Invalid({"visibility": f"choose {', '.join(Visibility.values)}"})
    if visibility == Visibility.GROUP and collaboration is None:
        raise Invalid({"collaboration": "name the collaboration to share with"})
    if visibility == Visibility.PRIVATE:
        collaboration = None
    if collaboration is not None and not thing.owner.memberships.filter(collaboration=collaboration).exists():
        raise NotAllowed(f"{thing.owner.username} is not a member of {collaboration.name}")
    thing.visibility, thing.collaboration = visibility, collaboration
    thing.save(update_fields=["visibility", "collaboration", "modified"])
    return thing


def changed(thing: models.Model, values: dict[str, Any]) -> None:
    """Set fields of a thing, check them all, and save it.

    Raises
    ------
    Invalid
        Naming every field that is wrong.
    """
    for name, value in values.items():
        setattr(thing, name, value)
    save_checked(thing)


def save_checked(thing: models.Model) -> None:
    """Save a thing if all its fields and constraints are right.

    Raises
    ------
    Invalid
        Naming every field that is wrong.
    """
    from django.core.exceptions import NON_FIELD_ERRORS, ValidationError

    try:
        thing.full_clean()
    except ValidationError as error:
        faults = {
            "" if name == NON_FIELD_ERRORS else name: " ".join(texts)
            for name, texts in error.message_dict.items()
        }
        raise Invalid(faults) from None
    thing.save()
