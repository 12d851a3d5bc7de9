"""Filters: versions, activation, forks, outputs, failures."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from lasair_broker.web.errors import Invalid, NotAllowed, NotFound
from lasair_broker.web.filters import outputs, running, services
from lasair_broker.web.filters.models import Filter, FilterActivation, FilterOutput, FilterVersion
from lasair_broker.web.filters.services import ActivationRefused, Preview
from lasair_broker.web.filters.wording import Wording, wording_of
from lasair_broker.web.watchlists.models import Watchlist

FAINT = Wording(adql="SELECT diaObjectId\nFROM objects\nWHERE g_psfFlux < 100")
BRIGHT = replace(FAINT, adql=FAINT.adql.replace("<", ">"))
TRIPLE = Wording(selected="objects.diaObjectId", tables="objects,watchlist:3", conditions="g_psfFlux > 100")
SEEN = Preview(count=120, fraction=0.001, per_night=12.5, seconds=0.2)


def activated(user: Any, wording: Wording = FAINT, name: str = "faint") -> Filter:
    made = services.create(user, name, wording)
    services.record_preview(user, made.pk, 1, SEEN)
    services.activate(user, made.pk, 1)
    made.refresh_from_db()
    return made


def states(made: Filter) -> list[str]:
    return list(made.versions.values_list("state", flat=True))


def test_way_of_a_version(people: Any) -> None:
    made = services.create(people.ann, " supernovae ", FAINT, description="young ones")
    assert (made.name, made.visibility) == ("supernovae", "private")
    assert states(made) == ["draft"]
    assert running.running_filters() == []
    with pytest.raises(ActivationRefused, match="preview version 1 first"):
        services.activate(people.ann, made.pk, 1)
    services.record_preview(people.ann, made.pk, 1, SEEN)
    assert states(made) == ["previewed"]
    services.activate(people.ann, made.pk, 1)
    (run,) = running.running_filters()
    assert (run.filter_id, run.version, run.owner_id, run.wording) == (made.pk, 1, people.ann.pk, FAINT)
    services.save_version(people.ann, made.pk, BRIGHT, comment="wrong sign")
    assert states(made) == ["active", "draft"]
    services.record_preview(people.ann, made.pk, 2, SEEN)
    services.activate(people.ann, made.pk, 2)
    assert states(made) == ["retired", "active"]
    assert [r.version for r in running.running_filters()] == [2]
    services.deactivate(people.ann, made.pk)
    assert states(made) == ["retired", "retired"]
    assert running.running_filters() == []


def test_too_much_is_refused_with_the_figure(people: Any) -> None:
    made = services.create(people.ann, "all", FAINT)
    services.record_preview(people.ann, made.pk, 1, replace(SEEN, fraction=0.52))
    with pytest.raises(ActivationRefused, match="52 % of the alerts; at most 10 %"):
        services.activate(people.ann, made.pk, 1)
    services.activate(people.ann, made.pk, 1, max_fraction=0.6)


def test_same_wording_makes_no_new_version(people: Any) -> None:
    made = services.create(people.ann, "a", FAINT)
    assert services.save_version(people.ann, made.pk, FAINT).number == 1
    again = services.save_version(people.ann, made.pk, replace(FAINT, renotify="again", renotify_days=3.0))
    assert again.number == 2
    assert wording_of(again).renotify_days == 3.0


def test_roll_back_and_difference(people: Any) -> None:
    made = activated(people.ann)
    services.save_version(people.ann, made.pk, BRIGHT)
    with pytest.raises(Invalid, match="never ran"):
        services.roll_back(people.ann, made.pk, 2)
    services.record_preview(people.ann, made.pk, 2, SEEN)
    services.activate(people.ann, made.pk, 2)
    services.roll_back(people.ann, made.pk, 1)
    assert states(made) == ["active", "retired"]
    lines = services.diff(people.ann, made.pk, 1, 2).splitlines()
    assert lines[0:2] == ["--- version 1", "+++ version 2"]
    assert "-WHERE g_psfFlux < 100" in lines
    assert "+WHERE g_psfFlux > 100" in lines
    assert services.diff(people.ann, made.pk, 1, 1) == ""
    with pytest.raises(NotFound, match="no version 9"):
        services.diff(people.ann, made.pk, 1, 9)


def test_past_is_known(people: Any) -> None:
    made = activated(people.ann)
    began = FilterActivation.objects.get()
    FilterActivation.objects.update(began=began.began - timedelta(days=10))
    services.save_version(people.ann, made.pk, BRIGHT)
    services.record_preview(people.ann, made.pk, 2, SEEN)
    services.activate(people.ann, made.pk, 2)
    now = timezone.now()
    assert [r.version for r in running.filters_running_at(now)] == [2]
    assert [r.version for r in running.filters_running_at(now - timedelta(days=5))] == [1]
    assert running.filters_running_at(now - timedelta(days=11)) == []


@pytest.mark.parametrize(
    ("wording", "field"),
    [
        (Wording(), ""),
        (replace(TRIPLE, adql="SELECT 1"), ""),
        (replace(FAINT, trigger="never"), "trigger"),
        (replace(FAINT, renotify="again"), "renotify"),
        (replace(FAINT, renotify="again", renotify_days=-1.0), "renotify_days"),
        (replace(FAINT, renotify="again", renotify_columns=["", 3]), "renotify_columns"),  # type: ignore[list-item]
    ],
)
def test_wrong_wordings_are_refused_and_leave_nothing(wording: Wording, field: str, people: Any) -> None:
    with pytest.raises(Invalid) as caught:
        services.create(people.ann, "x", wording)
    assert field in caught.value.faults
    assert not Filter.objects.exists()


def test_query_is_checked_for_the_owner(people: Any, team: Any) -> None:
    with pytest.raises(Invalid, match="watchlist 3 does not exist, or is not yours"):
        services.create(people.ann, "mine", TRIPLE)
    theirs = Watchlist.objects.create(owner=people.bob, name="bob's")
    triple = replace(TRIPLE, tables=f"objects,watchlist:{theirs.pk}")
    made = services.create(people.ann, "mine", FAINT)
    ours = team("T", manager=people.ann, editor=people.bob)
    services.share(people.ann, made.pk, "group", ours)
    with pytest.raises(Invalid, match="not yours"):  # bob's rights are not those of ann's filter
        services.save_version(people.bob, made.pk, triple)
    assert made.versions.count() == 1
    services.create(people.bob, "bob's own", triple)


@pytest.mark.parametrize(
    ("wording", "says"),
    [
        (Wording(adql="SELECT diaObjectId\nFROM objects WHERE g_psfFlx > 1"), "line 2, column 20.*g_psfFlux"),
        (Wording(adql="SELECT COUNT(*) AS n FROM objects"), "groups rows of several objects"),
        (Wording(selected="ra", tables="objects,watchlists:3"), "did you mean watchlist:N"),
        (replace(FAINT, renotify="again", renotify_columns=["ra"]), "ra is to be watched.*not selected"),
    ],
)
def test_faults_of_queries_are_told_with_their_place(wording: Wording, says: str, people: Any) -> None:
    with pytest.raises(Invalid, match=f"(?s){says}"):
        services.create(people.ann, "x", wording)
    assert not Filter.objects.exists()


def test_names_and_topics(people: Any) -> None:
    made = services.create(people.ann, "SN Ia: young!", FAINT)
    assert made.topic == f"lasair_{people.ann.pk}SNIayoung"
    services.describe(people.ann, made.pk, name="other")
    made.refresh_from_db()
    assert made.topic == f"lasair_{people.ann.pk}SNIayoung", "consumers keep their topic"
    assert services.create(people.ann, "SN Ia, young?", FAINT).topic == f"{made.topic}-2"
    assert len(services.create(people.ann, "x" * 200, FAINT).topic) <= 128
    with pytest.raises(Invalid):
        services.create(people.ann, "other", FAINT)
    services.create(people.bob, "other", FAINT)


def test_drafts_of_public_filters_are_hidden(people: Any) -> None:
    made = activated(people.ann)
    services.share(people.ann, made.pk, "public")
    services.save_version(people.ann, made.pk, BRIGHT)
    assert [v.number for v in services.visible_versions(people.bob, made.pk)] == [1]
    assert [v.number for v in services.visible_versions(None, made.pk)] == [1]
    assert [v.number for v in services.visible_versions(people.ann, made.pk)] == [1, 2]
    with pytest.raises(NotFound):
        services.diff(people.bob, made.pk, 1, 2)
    assert not FilterVersion.objects.editable_by(people.bob).exists()
    with pytest.raises(NotAllowed):
        services.save_version(people.bob, made.pk, BRIGHT)


def test_fork(people: Any) -> None:
    made = activated(people.ann)
    with pytest.raises(NotFound):
        services.fork(people.bob, made.pk)
    services.share(people.ann, made.pk, "public")
    services.save_version(people.ann, made.pk, BRIGHT)
    outputs.add(people.ann, made.pk, "kafka")
    copy = services.fork(people.bob, made.pk)
    assert (copy.owner, copy.visibility, copy.forked_from) == (people.bob, "private", made)
    assert [wording_of(v) for v in copy.versions.all()] == [FAINT], "not the draft"
    assert states(copy) == ["draft"]
    assert not copy.outputs.exists()
    again = services.fork(people.bob, made.pk)
    assert again.name != copy.name
    made.refresh_from_db()
    assert made.fork_count == 2
    draft_only = services.create(people.ann, "new", FAINT)
    services.share(people.ann, draft_only.pk, "public")
    with pytest.raises(NotFound, match="not published"):
        services.fork(people.bob, draft_only.pk)


def test_inactive_owner_stops_filters(people: Any) -> None:
    activated(people.ann)
    people.ann.is_active = False
    people.ann.save()
    assert running.running_filters() == []


def test_delete(people: Any) -> None:
    made = activated(people.ann)
    copy = services.fork(people.ann, made.pk)
    services.delete(people.ann, made.pk)
    assert list(Filter.objects.all()) == [copy]
    assert [version.filter for version in FilterVersion.objects.visible_to(people.ann)] == [copy]
    assert running.running_filters() == []


def test_errors_are_told_once(people: Any) -> None:
    activated(people.ann)
    (run,) = running.running_filters()
    told = [running.record_failure(run.version_id, "division by zero") for _ in range(5)]
    assert told == [True, False, False, False, False]
    assert not running.record_failure(run.version_id, "out of time"), "it is known to fail"
    for number in range(100):
        assert not running.record_failure(run.version_id, f"{number} is no number")
    failures = FilterVersion.objects.get().failures
    assert failures.count() == 20
    running.record_recovery([run.version_id])
    assert running.record_failure(run.version_id, "division by zero")
    assert sorted(failures.filter(message__regex="zero|time").values_list("message", "count")) == [
        ("division by zero", 1), ("division by zero", 5), ("out of time", 1),
    ]  # fmt: skip


# ---- outputs ----


def test_outputs_and_their_faults(people: Any) -> None:
    made = activated(people.ann)
    outputs.add(people.ann, made.pk, "kafka", light_curve="lite", format="avro")
    mail = outputs.add(people.ann, made.pk, "email", frequency="digest")
    assert mail.recipient == people.ann
    hook = outputs.add(people.ann, made.pk, "webhook", url="https://example.org/x")
    assert len(base64.b64decode(hook.secret.removeprefix("whsec_"))) == 32
    assert outputs.new_secret(people.ann, hook.pk).secret != hook.secret
    outputs.add(people.ann, made.pk, "apprise", url="slack://a/b/c")
    for kind, values, says in [
        ("kafka", {}, "already exists|violated"),
        ("webhook", {"url": "http://example.org"}, "https"),
        ("webhook", {}, "https"),
        ("apprise", {"url": "file:///etc/passwd"}, "apprise service"),
        ("browser", {"url": "https://x.org"}, "no address"),
        ("pigeon", {}, "kind"),
        ("email", {"colour": 3}, "colour: unknown"),
        ("email", {"recipient": people.bob}, "bob is not of the collaboration"),
        ("email", {"secret": "mine"}, "secret: unknown"),
    ]:
        with pytest.raises(Invalid, match=says):
            outputs.add(people.ann, made.pk, kind, **values)
    assert made.outputs.count() == 4
    outputs.remove(people.ann, hook.pk)
    with pytest.raises(Invalid, match="only webhooks"):
        outputs.new_secret(people.ann, mail.pk)


def test_outputs_never_leak(people: Any, team: Any) -> None:
    made = activated(people.ann)
    ours = team("T", manager=people.ann, editor=people.eve, member=people.max)
    hook = outputs.add(people.ann, made.pk, "webhook", url="https://example.org/x")
    for visibility in ("group", "public"):
        services.share(people.ann, made.pk, visibility, ours)
        for person in (people.max, people.bob, None):
            assert not FilterOutput.objects.visible_to(person).exists()
            assert not FilterOutput.objects.editable_by(person).exists()
        with pytest.raises(NotFound):
            outputs.change(people.max, hook.pk, enabled=False)
    assert outputs.change(people.eve, hook.pk, enabled=False).enabled is False
    assert outputs.add(people.eve, made.pk, "email", recipient=people.max).recipient == people.max


def test_stars_are_given_once_by_who_sees_it(people: Any) -> None:
    from lasair_broker.web.errors import Invalid, NotFound
    from lasair_broker.web.filters import services
    from lasair_broker.web.filters.models import Filter
    from lasair_broker.web.filters.wording import Wording

    made = services.create(people.ann, "Starred", Wording(adql="SELECT diaObjectId FROM objects"))
    with pytest.raises(NotFound):
        services.star(people.bob, made.pk)
    services.share(people.ann, made.pk, "public")
    for person in (people.bob, people.bob, people.carol):
        found = services.star(person, made.pk)
    assert (found.star_count, found.starred) == (2, True)
    assert not Filter.objects.with_stars(people.ann).get().starred
    assert services.star(people.bob, made.pk, given=False).star_count == 1
    assert services.describe(people.ann, made.pk, category="nuclear").category == "nuclear"
    with pytest.raises(Invalid):
        services.describe(people.ann, made.pk, category="nonsense")
