"""Annotations as they are pushed: checked, and put into the inbox from which the stream takes them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.db import transaction
from django.utils import timezone

from lasair_broker.archive import Archive
from lasair_broker.packets import ztf_object_id
from lasair_broker.web.accounts.models import User
from lasair_broker.web.annotators.models import AnnotationInbox, Annotator, PushedAnnotation
from lasair_broker.web.errors import Invalid

FIELDS: Mapping[str, int] = {
    "classification": 80,
    "version": 80,
    "explanation": 1024,
    "classdict": 4096,
    "url": 1024,
}
"""What is said of an object, with the most characters of each; classification is needed."""

MOST_ROWS = 100_000
"""At most so many annotations are pushed at once."""

_OBJECT = ("diaObjectId", "objectId")
_PROBLEMS_LISTED = 1000
_LARGEST_ID = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Annotation:
    """What is said of one object; None for what is not said."""

    diaObjectId: int
    classification: str
    version: str | None = None
    explanation: str | None = None
    classdict: str | None = None
    url: str | None = None


def checked(rows: Sequence[Mapping[str, Any]], archive: Archive) -> list[Annotation]:
    """The annotations of rows as they came from a user.

    Raises
    ------
    Invalid
        Naming each fault by its row, from 1, and column.
    """
    if not 1 <= len(rows) <= MOST_ROWS:
        raise Invalid({"": f"give 1 to {MOST_ROWS:,} annotations at once, not {len(rows):,}"})
    faults: dict[str, str] = {}
    found = [_annotation(row, f"row {number}", faults) for number, row in enumerate(rows, 1)]
    ids = sorted({one.diaObjectId for one in found if one is not None})
    known = set(archive.rows_of_objects("objects", ids, ["diaObjectId"]).column("diaObjectId").to_pylist())
    for number, one in enumerate(found, 1):
        if one is not None and one.diaObjectId not in known:
            faults[f"row {number}, diaObjectId"] = f"there is no object {one.diaObjectId} in the archive"
    if faults:
        raise Invalid(dict(list(faults.items())[:_PROBLEMS_LISTED]))
    return [one for one in found if one is not None]


@transaction.atomic
def store(annotator: Annotator, user: User, found: Sequence[Annotation]) -> range:
    """Put annotations into the inbox; their numbers."""
    AnnotationInbox.objects.get_or_create(pk=1)
    inbox = AnnotationInbox.objects.select_for_update().get(pk=1)
    first = inbox.position + 1
    now = timezone.now()
    PushedAnnotation.objects.bulk_create(
        (
            PushedAnnotation(
                position=position,
                topic=annotator.topic,
                timestamp=now,
                author=user,
                diaObjectId=one.diaObjectId,
                classification=one.classification,
                version=one.version,
                explanation=one.explanation,
                classdict=one.classdict,
                url=one.url,
            )
            for position, one in enumerate(found, first)
        ),
        batch_size=2000,
    )
    inbox.position += len(found)
    inbox.save(update_fields=["position"])
    return range(first, inbox.position + 1)


def _annotation(row: Mapping[str, Any], place: str, faults: dict[str, str]) -> Annotation | None:
    before = len(faults)
    for name in sorted(set(row) - {*FIELDS, *_OBJECT}):
        faults[f"{place}, {name}"] = f"is no column; choose from diaObjectId, {', '.join(FIELDS)}"
    number = _object(row, place, faults)
    texts = {name: _text(row.get(name), name, place, faults) for name in FIELDS}
    if texts["classification"] is None and f"{place}, classification" not in faults:
        faults[f"{place}, classification"] = "is missing; say in a word what the object is"
    url = texts["url"]
    if url is not None and (urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).netloc):
        faults[f"{place}, url"] = "must begin with https:// or http://"
    if len(faults) > before:
        return None
    return Annotation(diaObjectId=number, classification=texts.pop("classification") or "", **texts)


def _object(row: Mapping[str, Any], place: str, faults: dict[str, str]) -> int:
    """The number of the object a row speaks of; 0 with a fault noted."""
    given = next((row[name] for name in _OBJECT if row.get(name) not in (None, "")), None)
    if isinstance(given, str):
        text = given.strip()
        number = int(text) if text.isascii() and text.isdecimal() else int(ztf_object_id([text])[0])
    else:
        number = given if isinstance(given, int) and not isinstance(given, bool) else 0
    if 0 < number <= _LARGEST_ID:
        return number
    what = "is missing; give" if given is None else f"{str(given)[:40]!r} is none; give"
    faults[f"{place}, diaObjectId"] = f"{what} the object's number, or its name"
    return 0


def _text(value: Any, name: str, place: str, faults: dict[str, str]) -> str | None:
    """A field as text; None for nothing, or with a fault noted."""
    if name == "classdict" and isinstance(value, str) and value.strip():
        try:
            value = json.loads(value)
        except ValueError:
            faults[f"{place}, {name}"] = "is not JSON"
            return None
    if value in (None, "", {}) or (isinstance(value, str) and not value.strip()):
        return None
    if name == "classdict":
        if not isinstance(value, Mapping):
            faults[f"{place}, {name}"] = "must be an object: {name: value, …}"
            return None
        try:
            value = json.dumps(value, allow_nan=False, ensure_ascii=False)
        except (ValueError, TypeError) as error:
            faults[f"{place}, {name}"] = f"cannot be written as JSON: {error}"
            return None
    if not isinstance(value, str):
        faults[f"{place}, {name}"] = f"must be text, not {type(value).__name__}"
    elif len(value) > FIELDS[name]:
        faults[f"{place}, {name}"] = f"has {len(value):,} characters; at most {FIELDS[name]:,} are kept"
    elif "\x00" in value:
        faults[f"{place}, {name}"] = "holds a character that no text has (NUL)"
    else:
        return value.strip()
    return None
