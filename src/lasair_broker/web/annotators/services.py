"""What is done with annotators. Every function checks that the user may; the text of errors is for users."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.db import transaction

from lasair_broker.archive import Archive
from lasair_broker.query import QueryError, triple
from lasair_broker.web import sharing, trash
from lasair_broker.web.accounts.models import Collaboration, User
from lasair_broker.web.annotators import inbox
from lasair_broker.web.annotators.models import Annotator, RetiredTopic
from lasair_broker.web.errors import Invalid, NotAllowed, NotFound

_SETTABLE = {"kind", "description", "url", "active"}


@transaction.atomic
def create(user: User, topic: str, **values: Any) -> Annotator:
    """A new private annotator; values are any of kind, description, url, active.

    Raises
    ------
    Invalid
        If the topic is taken, by whomever, or is a word of the query language, or a value is wrong.
    """
    _only_settable(values)
    made = Annotator(owner=user, topic=topic.strip(), **values)
    taken = (Annotator.everything, RetiredTopic.objects)
    if any(among.filter(topic__iexact=made.topic).exists() for among in taken):
        raise Invalid({"topic": "is taken; choose another"})
    sharing.save_checked(made)
    try:
        triple("objects.diaObjectId", f"annotator:{made.topic}", "")
    except QueryError as error:
        raise Invalid({"topic": f"queries could not name it: {error}; choose another"}) from None
    return made


@transaction.atomic
def describe(user: User, topic: str, **values: Any) -> Annotator:
    """Change any of kind, description, url, active."""
    _only_settable(values)
    found = _editable(user, topic)
    sharing.changed(found, values)
    return found


@transaction.atomic
def set_writers(user: User, topic: str, usernames: Iterable[str]) -> Annotator:
    """Say who may speak under the topic besides its owner and its collaboration's editors.

    Raises
    ------
    Invalid
        Naming who is not a user.
    """
    found = _editable(user, topic)
    names = set(usernames)
    people = list(User.objects.filter(username__in=names, is_active=True))
    missing = names - {p.username for p in people}
    if missing:
        raise Invalid({"writers": f"there is no user {', '.join(sorted(missing))}"})
    found.writers.set(people)
    return found


def writable(user: User | AnonymousUser | None, topic: str) -> Annotator:
    """The annotator, for somebody about to speak under it.

    Raises
    ------
    NotFound
        If there is no such topic, or the user may not see it.
    NotAllowed
        If the user may not speak under it, or it is not active.
    """
    found = Annotator.objects.writable_by(user).filter(topic=topic).first()
    if found is None:
        seen = _visible(user, topic)
        why = f"belongs to {seen.owner.username}" if seen.active else "is not active"
        raise NotAllowed(f"the annotator {topic} {why}")
    return found


@transaction.atomic
def share(user: User, topic: str, visibility: str, collaboration: Collaboration | None = None) -> Annotator:
    """Make an annotator private, public, or its collaboration's; see `sharing.share`."""
    return sharing.share(user, Annotator.objects.all(), _visible(user, topic).pk, visibility, collaboration)


@transaction.atomic
def remove(user: User, topic: str) -> None:
    """Remove an annotator: nobody speaks under it any more, or sees what was said. Only its owner may;
    `trash.restore` brings it back. The topic stays taken."""
    trash.remove(user, _editable(user, topic), for_good=False)


def visible(user: User | AnonymousUser | None) -> list[Annotator]:
    """The annotators the user sees, by topic."""
    seen = Annotator.objects.visible_to(user).select_related("owner", "collaboration")
    return list(seen.order_by("topic"))


def get(user: User | AnonymousUser | None, topic: str) -> Annotator:
    """An annotator the user sees."""
    return _visible(user, topic)


def push(user: User, topic: str, rows: Sequence[Mapping[str, Any]], archive: Archive) -> range:
    """Say something of objects under a topic, all or nothing; it reaches the archive within seconds.

    What is said of an object takes the place of what the topic said of it before.

    Parameters
    ----------
    rows
        See `inbox.FIELDS`: diaObjectId (a number or an object's name) and classification, and any of
        version, explanation, classdict, url.
    archive
        Where the objects must be known.

    Returns
    -------
    The numbers (annotationID) of the annotations, in their order.

    Raises
    ------
    NotFound, NotAllowed
        As `writable`.
    Invalid
        Naming each row that is wrong, by its place from 1, and what to give instead.
    """
    annotator = writable(user, topic)
    checked = inbox.checked(rows, archive)
    return inbox.store(annotator, user, checked)


def _visible(user: User | AnonymousUser | None, topic: str) -> Annotator:
    found = Annotator.objects.visible_to(user).filter(topic=topic).first()
    if found is None:
        raise NotFound(f"there is no annotator {topic}")
    return found


def _editable(user: User, topic: str) -> Annotator:
    return sharing.editable(Annotator.objects.all(), user, _visible(user, topic).pk)


def _only_settable(values: dict[str, Any]) -> None:
    unknown = set(values) - _SETTABLE
    if unknown:
        raise Invalid(dict.fromkeys(sorted(unknown), "cannot be set here"))
