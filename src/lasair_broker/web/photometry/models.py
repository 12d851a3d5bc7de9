"""Photometry that users add to objects, kept apart from that of the surveys."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from lasair_broker.web.sharing import SharedQuerySet
from lasair_broker.web.trash import Kept, Removable


class PhotometrySetQuerySet(SharedQuerySet["PhotometrySet"]):
    """Sets of points, narrowed to what a user may see or change."""


_EverySet = models.Manager.from_queryset(PhotometrySetQuerySet)


class PhotometrySetManager(Kept, _EverySet["PhotometrySet"]):
    """Those that are not removed; `PhotometrySet.everything` has the others, too."""


class FluxOf(models.TextChoices):
    """What a flux is of."""

    UNKNOWN = "", "not said"
    DIFFERENCE = "difference", "the difference to a template"
    TOTAL = "total", "the source as it is"


class PhotometrySet(Removable):
    """Points that somebody added together, or had fetched from a survey's service: they have one owner and
    are seen by the same people."""

    name = models.CharField(max_length=200)
    provenance = models.TextField(
        max_length=1024, help_text="Where the points are from: a paper, a telegram, one's own reduction."
    )
    service = models.CharField(
        max_length=16, blank=True, editable=False, help_text="Where it was fetched from; empty: it was added."
    )
    service_object = models.BigIntegerField(
        null=True, editable=False, help_text="diaObjectId of the object that it was fetched for."
    )
    flux_of = models.CharField(
        max_length=10, blank=True, choices=FluxOf, default=FluxOf.UNKNOWN, editable=False
    )

    objects: ClassVar[PhotometrySetQuerySet] = PhotometrySetManager()  # type: ignore[assignment]
    everything: ClassVar[PhotometrySetQuerySet] = PhotometrySetQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(visibility="private", collaboration=None) | ~Q(visibility="private"),
                name="photometry_photometryset_private_is_alone",
            )
        ]
        indexes: ClassVar = [
            models.Index(fields=["owner", "service_object", "service"], name="photometry_set_fetched")
        ]

    def __str__(self) -> str:
        return self.name


class PhotometryPoint(models.Model):
    """A point, as it was given and, where that can be, in the units of the archive."""

    photometry = models.ForeignKey(PhotometrySet, models.CASCADE, related_name="points")
    diaObjectId = models.BigIntegerField(db_index=True)  # as Rubin spells it
    midpointMjdTai = models.FloatField()
    band = models.CharField(max_length=32)
    value = models.FloatField(help_text="As it was given, in `unit`.")
    error = models.FloatField(null=True, help_text="One sigma; NULL for a limit.")
    unit = models.CharField(max_length=16)
    is_limit = models.BooleanField(default=False, help_text="Nothing was seen brighter than this.")
    time = models.FloatField(help_text="MJD as it was given, in `scale`.")
    scale = models.CharField(max_length=3)
    psfFlux = models.FloatField(null=True, help_text="nJy; NULL if the unit says none.")
    psfFluxErr = models.FloatField(null=True, help_text="nJy.")
    instrument = models.CharField(max_length=100)

    class Meta:
        ordering: ClassVar = ["diaObjectId", "midpointMjdTai", "pk"]

    def __str__(self) -> str:
        return f"{self.band} of {self.diaObjectId} at {self.midpointMjdTai}"
