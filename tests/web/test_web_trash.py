"""What users remove can be had back, by its owner and for thirty days."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
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


def _output(user: Any, name: str) -> Any:
    from lasair_broker.web.filters import outputs

    of, _, _ = _filter(user, name)
    made = outputs.add(user, of.pk, "kafka")
    return made, lambda: outputs.remove(user, made.pk), "outputs"


def _trigger(user: Any, name: str) -> Any:
    from lasair_broker.web.watchlists import services

    made, _, _ = _watchlist(user, name)
    trigger = services.triggers(user, made.pk)[0]
    return trigger, lambda: services.remove_trigger(user, trigger.pk), "triggers"


def _comment(user: Any, name: str) -> Any:
    from lasair_broker.web.comments import services
    from lasair_broker.web.comments.models import Comment

    made = Comment.objects.create(owner=user, diaObjectId=17, text=name)
    return made, lambda: services.remove(user, made.pk), "comments"


def _points(user: Any, name: str) -> Any:
    from lasair_broker.web.photometry import services
    from lasair_broker.web.photometry.models import PhotometrySet

    made = PhotometrySet.objects.create(owner=user, name=name, provenance="my own")
    return made, lambda: services.remove(user, made.pk), "photometry"


KINDS = [_watchlist, _watchmap, _query, _filter, _annotator, _output, _trigger, _comment, _points]


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
    assert [(each.kind, each.id) for each in told] == [(kind, thing.pk)]
    assert told[0].name.endswith(thing.text if kind == "comments" else str(thing))
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


@pytest.mark.parametrize("make", [_watchlist, _watchmap, _query, _filter])
def test_a_name_that_was_taken_meanwhile(make: Callable[..., Any], people: Any) -> None:
    from lasair_broker.web import trash

    thing, remove, kind = make(people.owner, "Twice")
    remove()
    make(people.owner, "Twice")
    assert str(trash.restore_named(people.owner, kind, thing.pk)) == "Twice (2)"


@pytest.mark.parametrize("make", [_comment, _points])
def test_where_names_are_nothing_special_none_is_changed(make: Callable[..., Any], people: Any) -> None:
    from lasair_broker.web import trash

    thing, remove, kind = make(people.owner, "Twice")
    remove()
    other, _, _ = make(people.owner, "Twice")
    assert str(trash.restore_named(people.owner, kind, thing.pk)) == str(other)


def test_a_superuser_restores_for_others(people: Any) -> None:
    from lasair_broker.web import trash

    thing, remove, kind = _comment(people.owner, "of somebody")
    remove()
    people.other.is_superuser = True
    people.other.save()
    assert trash.removed_by(people.other) == []
    assert trash.restore_named(people.other, kind, thing.pk).owner == people.owner


def test_what_was_removed_before_the_fields_had_one_name_can_still_be_had_back(tmp_path: Path) -> None:
    """In a user database of its own, at the layout before."""
    program = """
from django.utils import timezone
from lasair_broker.web import setup
setup()
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

before = [("comments", "0002_period"), ("photometry", "0002_fetched")]
call_command("migrate", verbosity=0)
executor = MigrationExecutor(connection)
executor.migrate(before)
old = executor.loader.project_state(before + executor.loader.graph.leaf_nodes("accounts")).apps
ann = old.get_model("accounts", "User").objects.create(username="ann")
Comment, Points = old.get_model("comments", "Comment"), old.get_model("photometry", "PhotometrySet")
for removed in (None, timezone.now()):
    Comment.objects.create(owner=ann, diaObjectId=5, text=str(removed), removed=removed)
    Points.objects.create(owner=ann, name=str(removed), provenance="mine", removed=removed)
call_command("migrate", verbosity=0)

from lasair_broker.web import trash
from lasair_broker.web.accounts.models import User
from lasair_broker.web.comments.models import Comment
from lasair_broker.web.photometry.models import PhotometrySet

ann = User.objects.get()
for model in (Comment, PhotometrySet):
    assert (model.objects.count(), model.everything.count()) == (1, 2)
removed = trash.removed_by(ann)
assert sorted(each.kind for each in removed) == ["comments", "photometry"]
for each in removed:
    assert str(each.deleted) in each.name
    trash.restore_named(ann, each.kind, each.id)
assert Comment.objects.count() == PhotometrySet.objects.count() == 2
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ
        | {"LASAIR_USER_DATABASE": f"sqlite:///{tmp_path}/users.sqlite3", "LASAIR_SECRET_KEY": "x" * 50},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


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


def test_an_output_comes_back_as_it_was_unless_it_may_not(people: Any, team: Any) -> None:
    from lasair_broker.web import trash
    from lasair_broker.web.accounts.models import Membership
    from lasair_broker.web.errors import Invalid, NotFound
    from lasair_broker.web.filters import outputs, services
    from lasair_broker.web.filters.models import FilterOutput

    made, _, _ = _filter(people.owner, "With outputs")
    webhook = outputs.add(people.owner, made.pk, "webhook", url="https://example.org/hook")
    kafka = outputs.add(people.owner, made.pk, "kafka")
    for each in (webhook, kafka):
        outputs.remove(people.owner, each.pk)
    assert not made.outputs.exists()
    assert outputs.restore(people.owner, webhook.pk).secret == webhook.secret
    outputs.add(people.owner, made.pk, "kafka")
    with pytest.raises(Invalid):
        trash.restore_named(people.owner, "outputs", kafka.pk)

    group = team("Outputters", manager=people.owner, editor=people.eddi, member=people.bob)
    services.share(people.owner, made.pk, "group", group)
    mail = outputs.add(people.eddi, made.pk, "email", recipient=people.bob)
    outputs.remove(people.eddi, mail.pk)
    with pytest.raises(NotFound):
        outputs.restore(people.bob, mail.pk)
    Membership.objects.filter(user=people.bob).delete()
    with pytest.raises(Invalid, match="not of the collaboration"):
        outputs.restore(people.eddi, mail.pk)
    old = trash.timezone.now() - timedelta(days=31)
    FilterOutput.everything.filter(pk=mail.pk).update(deleted=old)
    with pytest.raises(NotFound):
        outputs.restore(people.eddi, mail.pk)
    outputs.remove(people.owner, webhook.pk)
    assert not FilterOutput.everything.filter(pk=mail.pk).exists()  # now it is gone for good


def test_a_trigger_that_comes_back_begins_anew(people: Any) -> None:
    from lasair_broker.web.watchlists import services
    from lasair_broker.web.watchlists.running import load_triggers

    trigger, remove, _ = _trigger(people.owner, "Triggered")
    services.set_active(people.owner, trigger.watchlist_id, True)
    services.change_trigger(people.owner, trigger.pk, start_mjd=60000.0)
    assert len(load_triggers().trigger_id) == 1
    remove()
    assert len(load_triggers().trigger_id) == 0
    assert services.triggers(people.owner, trigger.watchlist_id) == []
    assert services.restore_trigger(people.owner, trigger.pk).start_mjd > 61000.0
    assert len(load_triggers().trigger_id) == 1
