"""What is done with tags: each user with their own, which their collaborations may see."""

from __future__ import annotations

from collections.abc import Sequence

from django.contrib.auth.models import AnonymousUser
from django.db import IntegrityError, transaction

from lasair_broker.web.accounts.models import Collaboration, User
from lasair_broker.web.errors import Invalid, NotAllowed, NotFound
from lasair_broker.web.sharing import save_checked
from lasair_broker.web.tags.models import Tag, TagQuerySet

SAVED = "saved"
"""The word that is meant if none is said."""

MOST = 100_000
"""Tags that a user may have."""


def keep(user: User, diaObjectId: int, label: str = SAVED, collaboration: Collaboration | None = None) -> Tag:
    """Keep an object under a word; the tag that there is, if it is kept so already.

    Parameters
    ----------
    collaboration
        Of the user's, whose members see it, too; None: nobody else.

    Raises
    ------
    Invalid
        If the word is empty or too long, or the user has too many tags.
    NotAllowed
        If the user is no member of the collaboration.
    """
    label = " ".join(label.split())
    if collaboration is not None and not user.memberships.filter(collaboration=collaboration).exists():
        raise NotAllowed(f"you are not a member of {collaboration.name}")
    found = Tag.objects.filter(owner=user, diaObjectId=diaObjectId, label=label).first()
    if found is not None:
        if found.collaboration != collaboration:
            found.collaboration = collaboration
            found.save(update_fields=["collaboration"])
        return found
    if Tag.objects.filter(owner=user).count() >= MOST:
        raise Invalid({"": f"you keep {MOST:,} objects; remove some first"})
    made = Tag(owner=user, diaObjectId=diaObjectId, label=label, collaboration=collaboration)
    try:
        with transaction.atomic():
            save_checked(made)
    except IntegrityError:  # another request was quicker
        return Tag.objects.get(owner=user, diaObjectId=diaObjectId, label=label)
    return made


def drop(user: User, tag_id: int) -> None:
    """Keep an object under a word no longer.

    Raises
    ------
    NotFound
        If there is no such tag of the user's.
    """
    removed, _ = Tag.objects.filter(owner=user, pk=tag_id).delete()
    if not removed:
        raise NotFound(f"there is no tag {tag_id} of yours")


def of_object(user: User | AnonymousUser, diaObjectId: int) -> TagQuerySet:
    """The tags of an object that the user sees."""
    seen = Tag.objects.visible_to(user).filter(diaObjectId=diaObjectId)
    return seen.select_related("owner", "collaboration").order_by("label", "pk")


def labels_of(user: User | AnonymousUser, diaObjectIds: Sequence[int]) -> dict[int, list[str]]:
    """The words under which the user keeps some objects."""
    found: dict[int, list[str]] = {}
    for number, label in (
        Tag.objects.filter(owner=user.pk)
        .filter(diaObjectId__in=diaObjectIds)
        .order_by("pk")
        .values_list("diaObjectId", "label")
    ):
        found.setdefault(number, []).append(label)
    return found
