"""What is done with comments. Every function checks that the user may; the text of errors is for users."""

from __future__ import annotations

import math

from django.contrib.auth.models import AnonymousUser
from django.db import transaction
from django.utils import timezone

from lasair_broker.web import sharing, trash
from lasair_broker.web.accounts.models import Collaboration, User
from lasair_broker.web.archive import object_number
from lasair_broker.web.comments.models import Comment
from lasair_broker.web.errors import Invalid
from lasair_broker.web.sharing import SharedQuerySet, Visibility


def of_object(user: User | AnonymousUser | None, diaObjectId: int) -> SharedQuerySet[Comment]:
    """The comments on an object that the user sees."""
    seen = Comment.objects.visible_to(user).filter(diaObjectId=diaObjectId)
    return seen.select_related("owner", "collaboration")


def get(user: User | AnonymousUser | None, comment_id: int) -> Comment:
    """A comment that the user sees."""
    return sharing.visible(Comment.objects.select_related("owner", "collaboration"), user, comment_id)


@transaction.atomic
def add(
    user: User,
    key: int | str,
    text: str,
    *,
    period: float | None = None,
    visibility: str = Visibility.PRIVATE,
    collaboration: Collaboration | None = None,
) -> Comment:
    """Comment on an object, by number or name.

    Parameters
    ----------
    period
        A period (d) on which its light curve folds, to be kept with the comment.

    Raises
    ------
    NotFound
        If there is no such object.
    NotAllowed
        If the user is no member of the collaboration.
    Invalid
        If there is no text, or it is too long, or the period is none.
    """
    if period is not None and not 0.0 < period < math.inf:
        raise Invalid({"period": "give days, above 0"})
    made = Comment(owner=user, diaObjectId=object_number(key), text=_checked(text), period=period)
    sharing.save_checked(made)
    if visibility == Visibility.PRIVATE:
        return made
    return sharing.share(user, Comment.objects.all(), made.pk, visibility, collaboration)


@transaction.atomic
def edit(user: User, comment_id: int, text: str) -> Comment:
    """Change the text of one's own comment."""
    found = sharing.editable(Comment.objects.all(), user, comment_id, lock=True)
    text = _checked(text)
    if text != found.text:
        sharing.changed(found, {"text": text, "edited": timezone.now()})
    return found


@transaction.atomic
def share(
    user: User, comment_id: int, visibility: str, collaboration: Collaboration | None = None
) -> Comment:
    """Make a comment private, public, or a collaboration's; see `sharing.share`."""
    return sharing.share(user, Comment.objects.all(), comment_id, visibility, collaboration)


@transaction.atomic
def remove(user: User, comment_id: int) -> None:
    """Remove one's own comment; `restore` brings it back."""
    trash.remove(user, sharing.editable(Comment.objects.all(), user, comment_id, lock=True))


def restore(user: User, comment_id: int) -> Comment:
    """Bring a removed comment of one's own back; see `trash.restore`."""
    return trash.restore(user, Comment, comment_id)


def _checked(text: str) -> str:
    text = text.strip()
    if not text:
        raise Invalid({"text": "is empty; write something"})
    if "\x00" in text:
        raise Invalid({"text": "holds a character that no text has (NUL)"})
    return text
