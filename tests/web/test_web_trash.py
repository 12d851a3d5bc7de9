"""What users remove can be had back, by its owner and for thirty days."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest


def _watchlist(user: Any, name: str) -> Any:
    from lasair_broker.web.watchlists import services

    made = services.create(user, name)
    services.add_row(user, made.pk, name="a row", ra=10.0, decl=-20.0)
    services.add_trigger(user, made.pk, name="a trigger", magnitude=20.0)
    return made, lambda: services.delete(user, made.pk), "watchlists"


def _watchmap(user: Any, name: str) -> Any:
    from lasair_broker.web.watchmaps import services

    made = services.create_circle(user, name, 10.0, -20.0, 1.0)
    return made, lambda: services.delete(user, made.pk), "watchmaps"


def _query(user: Any, name: str) -> Any:
    from lasair_broker.web.queries import saved
    from lasair_broker.web.queries.texts import Text

    made = saved.save(user, name, Text(adql="SELECT diaObjectId FROM objects"))
    return made, lambda: saved.remove(user, made.pk), "queries"


def _filter(user: Any, name: str) -> Any:
    from lasair_broker.web.filters import services
    from lasair_broker.web.filters.wording import Wording

    made = services.create(user, name, Wording(adql="SELECT diaObjectId FROM objects"))
    return made, lambda: services.delete(user, made.pk), "filters"


def _annotator(user: Any, name: str) -> Any:
    from lasair_broker.web.annotators import services

    made = services.create(user, name.replace(" ", "_"))
    return made, lambda: services.remove(user, made.topic), "annotators"


KINDS = [_watchlist, _watchmap, _query, _filter, _annotator]


@pytest.mark.parametrize("make", KINDS)
def test_there_and_back(make: Callable[..., Any], people: Any) -> None:
    from lasair_broker.web import trash
    from lasair_broker.web.errors import NotFound

    thing, remove, kind = make(people.owner, "There and back")
    model = type(thing)
    remove()
    assert not model.objects.filter(pk=thing.pk).exists()
    assert not model.objects.visible_to(people.owner).filter(pk=thing.pk).exists()
    told = trash.removed_by(people.owner)
    assert [(each.kind, each.id, each.name) for each in told] == [(kind, thing.pk, str(thing))]
    assert told[0].gone - told[0].deleted == timedelta(days=30)
    assert trash.removed_by(people.other) == []
    for user in (people.other, people.member):
        with pytest.raises(NotFound):
            trash.restore_named(user, kind, thing.pk)
    trash.restore_named(people.owner, kind, thing.pk)
    assert model.objects.visible_to(people.owner).filter(pk=thing.pk).exists()
    assert trash.removed_by(people.owner) == []
    with pytest.raises(NotFound):
        trash.restore_named(people.owner, kind, thing.pk)
    with pytest.raises(NotFound, match="nothing is called nonsense"):
        trash.restore_named(people.owner, "nonsense", thing.pk)


@pytest.mark.parametrize("make", [_watchlist, _watchmap, _query])
def test_a_name_that_was_taken_meanwhile(make: Callable[..., Any], people: Any) -> None:
    from lasair_broker.web import trash

    thing, remove, kind = make(people.owner, "Twice")
    remove()
    make(people.owner, "Twice")
    assert str(trash.restore_named(people.owner, kind, thing.pk)) == "Twice (2)"


@pytest.mark.parametrize("make", KINDS)
def test_after_thirty_days_it_is_gone(make: Callable[..., Any], people: Any) -> None:
    from django.utils import timezone

    from lasair_broker.web import trash
    from lasair_broker.web.errors import Invalid, NotFound

    old, remove_old, kind = make(people.owner, "Old")
    model = type(old)
    remove_old()
    model.everything.filter(pk=old.pk).update(deleted=timezone.now() - timedelta(days=31))
    with pytest.raises(NotFound):
        trash.restore_named(people.owner, kind, old.pk)
    assert trash.removed_by(people.owner) == []
    _, remove, _ = make(people.owner, "New")
    remove()
    # What was said under a topic is in the archive, and must become nobody else's.
    assert model.everything.filter(pk=old.pk).exists() == (kind == "annotators")
    if kind == "annotators":
        with pytest.raises(Invalid, match="taken"):
            make(people.other, "old")


def test_a_removed_list_is_matched_no_more_until_it_is_back(people: Any) -> None:
    from lasair_broker.web import trash
    from lasair_broker.web.permissions import allowed
    from lasair_broker.web.watchlists import running, services
    from lasair_broker.web.watchlists.models import WatchlistTrigger

    thing, remove, kind = _watchlist(people.owner, "Matched")
    services.set_active(people.owner, thing.pk, True)
    running.hits_are(thing.pk, 1)
    assert thing.pk in running.load_watchlists().revisions
    remove()
    assert thing.pk not in running.load_watchlists().revisions
    assert running.to_remove() == [thing.pk]
    assert thing.pk not in allowed(people.owner).watchlists
    assert not WatchlistTrigger.objects.visible_to(people.owner).exists()
    running.hits_are(thing.pk, None)
    trash.restore_named(people.owner, kind, thing.pk)
    assert thing.pk in running.load_watchlists().revisions
    assert [number for number, _ in running.to_match()] == [thing.pk]
    assert services.all_rows(people.owner, thing.pk)["name"].to_pylist() == ["a row"]
    assert WatchlistTrigger.objects.visible_to(people.owner).count() == 1


def test_only_the_owner_removes(people: Any, team: Any) -> None:
    from lasair_broker.web.annotators import services
    from lasair_broker.web.errors import NotAllowed

    group = team("trash", manager=people.owner, editor=people.member)
    services.create(people.owner, "shared_topic")
    services.share(people.owner, "shared_topic", "group", group)
    with pytest.raises(NotAllowed):
        services.remove(people.member, "shared_topic")
    services.remove(people.owner, "shared_topic")
