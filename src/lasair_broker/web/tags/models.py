"""Objects that users keep under words of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

    from lasair_broker.web.accounts.models import User


class TagQuerySet(models.QuerySet["Tag"]):
    """Tags, narrowed to what a user may see."""

    def visible_to(self, user: User | AnonymousUser | None) -> TagQuerySet:
        """The user's own, and those of the user's collaborations: nobody else is to know what somebody
        keeps."""
        if user is None or not user.is_authenticated or not user.is_active:
            return self.none()
        return self.filter(Q(owner=user) | Q(collaboration__in=user.memberships.values("collaboration")))


class Tag(models.Model):
    """An object that a user keeps under a word."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="tags")
    diaObjectId = models.BigIntegerField()
    label = models.CharField(max_length=50)
    collaboration = models.ForeignKey(
        "accounts.Collaboration",
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="tags",
        help_text="Whose members see it, too.",
    )
    created = models.DateTimeField(auto_now_add=True)

    objects = TagQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["owner", "diaObjectId", "label"], name="tags_tag_once")
        ]

    def __str__(self) -> str:
        return f"{self.label}: {self.diaObjectId}"
