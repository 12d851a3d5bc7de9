"""Comments: what people write about objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from django.db import models
from django.db.models import Q

from lasair_broker.web.sharing import SharedQuerySet
from lasair_broker.web.trash import Kept, Removable

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

    from lasair_broker.web.accounts.models import User


class CommentQuerySet(SharedQuerySet["Comment"]):
    """Comments, narrowed to what a user may see or change."""

    def editable_by(self, user: User | AnonymousUser | None) -> CommentQuerySet:
        """What the user may change: one's own words, whatever the role in a collaboration."""
        if user is None or not user.is_authenticated or not user.is_active:
            return self.none()
        return self.all() if user.is_superuser else self.filter(owner=user)


_EveryComment = models.Manager.from_queryset(CommentQuerySet)


class CommentManager(Kept, _EveryComment["Comment"]):
    """Those that are not removed; `Comment.everything` has the others, too."""


class Comment(Removable):
    """What somebody wrote about an object."""

    diaObjectId = models.BigIntegerField(db_index=True, editable=False)  # as Rubin spells it
    text = models.TextField(max_length=4096, help_text="Plain text.")
    period = models.FloatField(
        null=True, editable=False, help_text="Days; of a light curve that folds well on it."
    )
    edited = models.DateTimeField(null=True, editable=False, help_text="When the text was last changed.")

    objects: ClassVar[CommentQuerySet] = CommentManager()  # type: ignore[assignment]
    everything: ClassVar[CommentQuerySet] = CommentQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(visibility="private", collaboration=None) | ~Q(visibility="private"),
                name="comments_comment_private_is_alone",
            )
        ]

    def __str__(self) -> str:
        return f"{self.owner} on {self.diaObjectId}"
