"""What is done with filters. Every function checks that the user may; the text of errors is for users."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from django.contrib.auth.models import AnonymousUser
from django.db import transaction
from django.db.models import F, Max
from django.utils import timezone

from lasair_broker.settings import load
from lasair_broker.web import sharing, trash
from lasair_broker.web.accounts.models import Collaboration, User
from lasair_broker.web.errors import Invalid, NotFound
from lasair_broker.web.filters.models import (
    Filter,
    FilterActivation,
    FilterStar,
    FilterVersion,
    VersionState,
)
from lasair_broker.web.filters.queries import check
from lasair_broker.web.filters.wording import Wording, wording_of

_TOPIC_LENGTH = 128


@dataclass(frozen=True)
class Preview:
    """What a version found when it was run on the archive."""

    count: int
    fraction: float
    per_night: float
    seconds: float


class ActivationRefused(Invalid):
    """A version may not be activated yet; the text says why, with the figure."""


@transaction.atomic
def create(
    user: User,
    name: str,
    wording: Wording,
    *,
    description: str = "",
    comment: str = "",
) -> Filter:
    """A new private filter with its first version, a draft.

    Raises
    ------
    Invalid
        If the name is taken, or the query or a rule is wrong: with the place in the text.
    """
    made = Filter(owner=user, name=name.strip(), description=description, topic=_topic(user, name))
    sharing.save_checked(made)
    _add_version(user, made, wording, comment)
    return made


@transaction.atomic
def describe(
    user: User,
    filter_id: int,
    *,
    name: str | None = None,
    description: str | None = None,
    category: str | None = None,
) -> Filter:
    """Rename or describe a filter, or say what it looks for (as `Category`); its topic stays."""
    found = _editable(user, filter_id)
    values = {"name": name, "description": description, "category": category}
    sharing.changed(found, {key: value for key, value in values.items() if value is not None})
    return found


@transaction.atomic
def save_version(user: User, filter_id: int, wording: Wording, *, comment: str = "") -> FilterVersion:
    """A new draft; or the newest version itself, if it says just the same. The query is checked against what
    the filter's owner may read."""
    found = _editable(user, filter_id)
    newest = found.versions.last()
    if newest is not None and wording_of(newest) == wording:
        return newest
    return _add_version(user, found, wording, comment)


@transaction.atomic
def record_preview(user: User, filter_id: int, number: int, preview: Preview) -> FilterVersion:
    """Note what a version found; a draft becomes previewed."""
    version = _version(_editable(user, filter_id), number)
    version.previewed = timezone.now()
    version.preview_count, version.preview_fraction = preview.count, preview.fraction
    version.preview_per_night, version.preview_seconds = preview.per_night, preview.seconds
    if version.state == VersionState.DRAFT:
        version.state = VersionState.PREVIEWED
    version.save()
    return version


@transaction.atomic
def activate(user: User, filter_id: int, number: int, *, max_fraction: float | None = None) -> FilterVersion:
    """Run this version on the stream from now on, in place of the one that ran.

    Parameters
    ----------
    max_fraction
        The largest part of the alerts that it may pass; None: as the settings say.

    Raises
    ------
    ActivationRefused
        If it was not previewed, or passes more than `max_fraction` of the alerts.
    """
    if max_fraction is None:
        max_fraction = load().stream.filter_fraction
    found = _editable(user, filter_id)
    version = _version(found, number)
    if version.preview_fraction is None:
        raise ActivationRefused({"": f"preview version {number} first, to see what it would find"})
    if version.preview_fraction > max_fraction:
        share = f"{100 * version.preview_fraction:.3g} % of the alerts"
        raise ActivationRefused({"": f"it passes {share}; at most {100 * max_fraction:.3g} % are allowed"})
    if found.active_version_id == version.pk:
        return version
    _retire(found)
    version.state = VersionState.ACTIVE
    version.save(update_fields=["state"])
    FilterActivation.objects.create(version=version, began=timezone.now(), by=user)
    found.active_version = version
    found.save(update_fields=["active_version", "modified"])
    return version


@transaction.atomic
def deactivate(user: User, filter_id: int) -> None:
    """Stop running the filter on the stream."""
    _retire(_editable(user, filter_id))


def roll_back(user: User, filter_id: int, number: int) -> FilterVersion:
    """Run an earlier version again; it must have run before.

    Raises
    ------
    Invalid
        If that version never ran.
    """
    version = _version(_editable(user, filter_id, lock=False), number)
    if not version.activations.exists():
        raise Invalid({"": f"version {number} never ran; activate it instead"})
    # It was accepted when it first ran, so a limit set since does not stand in the way of undoing a mistake.
    return activate(user, filter_id, number, max_fraction=1.0)


def diff(user: User | AnonymousUser | None, filter_id: int, old: int, new: int) -> str:
    """The difference of two versions as a unified diff; empty if there is none."""
    found = sharing.visible(Filter.objects.all(), user, filter_id)
    a, b = (_version(found, number, seen_by=user).text().splitlines(keepends=True) for number in (old, new))
    return "".join(difflib.unified_diff(a, b, f"version {old}", f"version {new}"))


@transaction.atomic
def fork(user: User, filter_id: int, name: str = "") -> Filter:
    """A private copy, as a draft, of the version that runs, or else of the newest the user sees.

    Outputs are not copied.
    """
    source = sharing.visible(Filter.objects.all(), user, filter_id)
    seen = FilterVersion.objects.visible_to(user).filter(filter=source)
    version = seen.filter(active_of=source).first() or seen.last()
    if version is None:
        raise NotFound(f"filter {filter_id} has not published a version yet")
    copy = Filter(
        owner=user,
        name=name.strip() or free_name(user, source.name),
        description=source.description,
        forked_from=source,
        topic=_topic(user, name or source.name),
    )
    sharing.save_checked(copy)
    _add_version(user, copy, wording_of(version), f"from {source.owner.username}'s {source.name}"[:500])
    Filter.objects.filter(pk=source.pk).update(fork_count=F("fork_count") + 1)
    return copy


@transaction.atomic
def star(user: User, filter_id: int, *, given: bool = True) -> Filter:
    """Give a filter that the user sees a star, or take it back; the filter `with_stars`."""
    found = sharing.visible(Filter.objects.all(), user, filter_id)
    if given:
        FilterStar.objects.get_or_create(filter=found, user=user)
    else:
        FilterStar.objects.filter(filter=found, user=user).delete()
    return Filter.objects.with_stars(user).get(pk=found.pk)


@transaction.atomic
def share(user: User, filter_id: int, visibility: str, collaboration: Collaboration | None = None) -> Filter:
    """Make a filter private, public, or its collaboration's; see `sharing.share`."""
    return sharing.share(user, Filter.objects.all(), filter_id, visibility, collaboration)


@transaction.atomic
def delete(user: User, filter_id: int) -> None:
    """Stop a filter and remove it with its versions and outputs. Only its owner may, and may `restore` it
    within `trash.KEPT`."""
    found = _editable(user, filter_id)
    trash.remove(user, found)
    _retire(found)


def restore(user: User, filter_id: int) -> Filter:
    """Undo that a filter was deleted; it does not run. See `trash.restore`."""
    return trash.restore(user, Filter, filter_id)


def visible_versions(user: User | AnonymousUser | None, filter_id: int) -> Sequence[FilterVersion]:
    """The versions of a filter that the user may see, oldest first."""
    found = sharing.visible(Filter.objects.all(), user, filter_id)
    return list(FilterVersion.objects.visible_to(user).filter(filter=found))


def _editable(user: User, filter_id: int, *, lock: bool = True) -> Filter:
    return sharing.editable(Filter.objects.all(), user, filter_id, lock=lock)


def _version(found: Filter, number: int, seen_by: User | AnonymousUser | bool | None = True) -> FilterVersion:
    versions = FilterVersion.objects.filter(filter=found, number=number)
    if not isinstance(seen_by, bool):
        versions = versions.visible_to(seen_by)
    version = versions.first()
    if version is None:
        raise NotFound(f"filter {found.pk} has no version {number}")
    return version


def _add_version(user: User, found: Filter, wording: Wording, comment: str) -> FilterVersion:
    newest = found.versions.aggregate(newest=Max("number"))["newest"] or 0
    version = FilterVersion(
        filter=found, number=newest + 1, author=user, comment=comment, **wording.columns()
    )
    sharing.save_checked(version)
    check(wording, found.owner, user)  # what it refuses, the transaction takes back
    return version


def _retire(found: Filter) -> None:
    """Stop the version that runs, if one does."""
    version = found.active_version
    if version is None:
        return
    version.state = VersionState.RETIRED
    version.save(update_fields=["state"])
    version.activations.filter(ended=None).update(ended=timezone.now())
    found.active_version = None
    found.save(update_fields=["active_version", "modified"])


def _topic(user: User, name: str) -> str:
    """A topic no other filter has: ``lasair_<user number><name>`` in the characters Kafka allows."""
    plain = f"lasair_{user.pk}" + re.sub(r"[^A-Za-z0-9._-]", "", name)
    plain = plain[:_TOPIC_LENGTH]
    topic, count = plain, 1
    while Filter.everything.filter(topic=topic).exists():
        count += 1
        topic = plain[: _TOPIC_LENGTH - 8] + f"-{count}"
    return topic


def free_name(user: User, name: str) -> str:
    """The name, or with a number behind it if the user has a filter of that name."""
    free, count = name, 1
    while Filter.objects.filter(owner=user, name=free).exists():
        count += 1
        free = f"{name[:190]} ({count})"
    return free
