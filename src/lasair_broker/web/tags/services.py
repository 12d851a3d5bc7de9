"""What is done with tags: each user with their own."""

from __future__ import annotations

from collections.abc import Sequence

from django.contrib.auth.models import AnonymousUser
from django.db import IntegrityError, transaction

from lasair_broker.web.accounts.models import User
from lasair_broker.web.errors import Invalid, NotFound
from lasair_broker.web.sharing import save_checked
from lasair_broker.web.tags.models import Tag

SAVED = "saved"
"""The word that is meant if none is said."""

MOST = 100_000
"""Tags that a user may have."""


def keep(user: User, diaObjectId: int, label: str = SAVED) -> Tag:
    """Keep an object under a word; the tag that there is, if it is kept so already.

    Raises
    ------
    Invalid
        If the word is empty or too long, or the user has too many tags.
    """
    label = " ".join(label.split())
    found = Tag.objects.filter(owner=user, diaObjectId=diaObjectId, label=label).first()
    if found is not None:
        return found
    if Tag.objects.filter(owner=user).count() >= MOST:
        raise Invalid({"": f"you keep {MOST:,} objects; remove some first"})
    made = Tag(owner=user, diaObjectId=diaObjectId, label=label)
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
    removed, _ = Tag.objects.visible_to(user).filter(pk=tag_id).delete()
    if not removed:
        raise NotFound(f"there is no tag {tag_id}")


def labels_of(user: User | AnonymousUser, diaObjectIds: Sequence[int]) -> dict[int, list[str]]:
    """The words under which the user keeps some objects."""
    found: dict[int, list[str]] = {}
    for number, label in (
        Tag.objects.visible_to(user)
        .filter(diaObjectId__in=diaObjectIds)
        .order_by("pk")
        .values_list("diaObjectId", "label")
    ):
        found.setdefault(number, []).append(label)
    return found
