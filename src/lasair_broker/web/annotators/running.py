"""What the stream needs of annotators. These functions act for the system."""

from __future__ import annotations

from datetime import timedelta

import pyarrow as pa
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from lasair_broker.schema import arrow_schema
from lasair_broker.web.annotators.models import AnnotationInbox, PushedAnnotation

KEPT = timedelta(days=7)
"""Annotations that the archive has stay in the inbox for so long: an archive restored from a back-up that is
not older gets them again."""

_COLUMNS = (
    "diaObjectId",
    "topic",
    "version",
    "timestamp",
    "classification",
    "explanation",
    "classdict",
    "url",
)


def annotations_after(after: int, most: int) -> tuple[pa.Table, int]:
    """Annotations pushed behind a position, oldest first, at most so many; see `stream.Subscriptions`.

    Returns
    -------
    Rows of table `annotations`, and the position behind them.
    """
    found = list(
        PushedAnnotation.objects.filter(position__gt=after)
        .order_by("position")[:most]
        .values_list("position", *_COLUMNS)
    )
    if not found:
        return arrow_schema("annotations").empty_table(), _caught_up(after)
    columns = dict(zip(("annotationID", *_COLUMNS), map(list, zip(*found, strict=True)), strict=True))
    schema = arrow_schema("annotations")
    table = pa.table({name: pa.array(columns[name], schema.field(name).type) for name in schema.names})
    return table, int(found[-1][0])


def prune(delivered: int) -> int:
    """Remove what the archive has had for long, up to a position that it has committed; how many were."""
    old = PushedAnnotation.objects.filter(position__lte=delivered, timestamp__lt=timezone.now() - KEPT)
    return old.delete()[0]


def _caught_up(after: int) -> int:
    """`after`; if the user database is a new one, whose positions are behind, they are moved beyond it."""
    position = AnnotationInbox.objects.filter(pk=1).values_list("position", flat=True).first()
    if position is not None and position < after:
        with transaction.atomic():
            inbox = AnnotationInbox.objects.select_for_update().get(pk=1)
            PushedAnnotation.objects.update(position=F("position") + after)
            inbox.position += after
            inbox.save(update_fields=["position"])
    return after
