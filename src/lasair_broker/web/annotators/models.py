"""Annotators: the topics under which people and programs speak of objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q

from lasair_broker.web.sharing import SharedQuerySet, edited_by
from lasair_broker.web.trash import Kept, Removable

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

    from lasair_broker.web.accounts.models import User


class AnnotatorQuerySet(SharedQuerySet["Annotator"]):
    """Annotators, narrowed to what a user may see, change, or speak under."""

    def visible_to(self, user: User | AnonymousUser | None) -> AnnotatorQuerySet:
        """What the user may see; who may speak under a topic may see it."""
        own = (
            Q(writers=user.pk)
            if user is not None and user.is_authenticated and user.is_active
            else Q(pk__in=[])
        )
        seen = super().visible_to(user).values("pk")
        return self.filter(Q(pk__in=seen) | own).distinct()

    def writable_by(self, user: User | AnonymousUser | None) -> AnnotatorQuerySet:
        """Active annotators under which the user may speak."""
        if user is None or not user.is_authenticated or not user.is_active:
            return self.none()
        return self.filter(edited_by(user) | Q(writers=user.pk), active=True).distinct()


_EveryAnnotator = models.Manager.from_queryset(AnnotatorQuerySet)


class AnnotatorManager(Kept, _EveryAnnotator["Annotator"]):
    """Those that are not removed; `Annotator.everything` has the others, too."""


class Annotator(Removable):
    """A topic of annotations, and who may speak under it.

    It stays when it is removed, even for good: the archive has what was said under the topic, which nobody
    else is to have. If it is deleted with an account, its topic is a `RetiredTopic`.
    """

    class Kind(models.TextChoices):
        """Who speaks."""

        PERSON = "person", "people"
        PROGRAM = "program", "a program"

    topic = models.CharField(
        max_length=255,
        unique=True,
        validators=[RegexValidator(r"^[A-Za-z][A-Za-z0-9_]*$", "a letter, then letters, digits and _")],
        help_text="As queries name it: annotator:topic.",
    )
    kind = models.CharField(max_length=7, choices=Kind, default=Kind.PROGRAM)
    description = models.TextField(blank=True, max_length=4096)
    url = models.URLField(blank=True, max_length=500)
    active = models.BooleanField(default=True)
    writers = models.ManyToManyField(settings.AUTH_USER_MODEL, blank=True, related_name="writes_as")

    objects: ClassVar[AnnotatorQuerySet] = AnnotatorManager()  # type: ignore[assignment]
    everything: ClassVar[AnnotatorQuerySet] = AnnotatorQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(visibility="private", collaboration=None) | ~Q(visibility="private"),
                name="annotators_annotator_private_is_alone",
            )
        ]

    def __str__(self) -> str:
        return self.topic


class RetiredTopic(models.Model):
    """A topic whose annotator went with its owner's account: the archive has what was said under it, which
    nobody else is to have."""

    topic = models.CharField(max_length=255, unique=True)
    retired = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.topic


class AnnotationInbox(models.Model):
    """The last position given to a pushed annotation: its one row orders those who push at the same time.

    Without that, a position could be committed after a greater one was read, and its annotation be missed.
    """

    position = models.PositiveBigIntegerField(default=0)

    def __str__(self) -> str:
        return f"position {self.position}"


class PushedAnnotation(models.Model):
    """An annotation on its way to the archive; the columns of table `annotations`."""

    position = models.PositiveBigIntegerField(primary_key=True)
    diaObjectId = models.BigIntegerField()  # as Rubin spells it
    topic = models.CharField(max_length=255)
    version = models.CharField(max_length=80, null=True)  # NULL as in the archive
    timestamp = models.DateTimeField()
    classification = models.CharField(max_length=80)
    explanation = models.TextField(null=True)
    classdict = models.TextField(null=True)
    url = models.TextField(null=True)
    author = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")

    class Meta:
        ordering: ClassVar = ["position"]
        indexes: ClassVar = [models.Index(fields=["timestamp"], name="annotators_pushed_timestamp")]

    def __str__(self) -> str:
        return f"{self.topic} on {self.diaObjectId}"
