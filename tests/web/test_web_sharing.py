"""Nothing private leaks: every kind of thing, every kind of person, every way to it."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser

from lasair_broker.web import sharing
from lasair_broker.web.annotators import services as annotators
from lasair_broker.web.annotators.models import Annotator
from lasair_broker.web.errors import Invalid, NotAllowed, NotFound
from lasair_broker.web.filters import services as filters
from lasair_broker.web.filters.models import Filter
from lasair_broker.web.filters.services import Wording
from lasair_broker.web.permissions import Allowed, allowed
from lasair_broker.web.watchlists import services as watchlists
from lasair_broker.web.watchlists.models import Watchlist
from lasair_broker.web.watchmaps import services as watchmaps
from lasair_broker.web.watchmaps.models import Watchmap

MAKERS: dict[str, Any] = {
    "filter": lambda user, n: filters.create(
        user, f"filter {n}", Wording(adql="SELECT diaObjectId FROM objects")
    ),
    "watchlist": lambda user, n: watchlists.create(user, f"list {n}"),
    "watchmap": lambda user, n: watchmaps.create_circle(user, f"map {n}", 10, 10, 1),
    "annotator": lambda user, n: annotators.create(user, f"topic_{n}"),
}
MODELS: dict[str, Any] = {
    "filter": Filter,
    "watchlist": Watchlist,
    "watchmap": Watchmap,
    "annotator": Annotator,
}

SEES = {
    #            private, group, public (of the same collaboration)
    "owner": (True, True, True),
    "manager": (False, True, True),
    "editor": (False, True, True),
    "member": (False, True, True),
    "stranger": (False, False, True),
    "other_team": (False, False, True),
    "staff": (False, False, True),
    "root": (True, True, True),
    "inactive": (False, False, True),
    "anonymous": (False, False, True),
    "nobody": (False, False, True),
}
EDITS = {
    "owner": (True, True, True),
    "manager": (False, True, True),
    "editor": (False, True, True),
    "root": (True, True, True),
}


@pytest.fixture
def cast(people: Any, team: Any) -> dict[str, Any]:
    """Everybody of the matrix; the inactive user is a former editor and the other team has editors too."""
    from lasair_broker.web.accounts.models import Membership

    ours = team("4MOST", manager=people.manager, editor=people.editor, member=people.member)
    Membership.objects.create(user=people.owner, collaboration=ours, role="member")
    Membership.objects.create(user=people.inactive, collaboration=ours, role="editor")
    team("SOXS", manager=people.other_team)
    for name, fields in {"staff": ["is_staff"], "root": ["is_superuser"]}.items():
        person = getattr(people, name)
        for field in fields:
            setattr(person, field, True)
        person.save()
    people.inactive.is_active = False
    people.inactive.save()
    everybody = {name: getattr(people, name) for name in SEES if name not in ("anonymous", "nobody")}
    return {**everybody, "anonymous": AnonymousUser(), "nobody": None, "team": ours}


@pytest.mark.parametrize("kind", MAKERS)
def test_matrix_of_who_sees_and_edits(kind: str, cast: dict[str, Any]) -> None:
    objects = MODELS[kind].objects
    things = [MAKERS[kind](cast["owner"], n) for n in range(3)]
    for thing, visibility in zip(things, ("private", "group", "public"), strict=True):
        sharing.share(cast["owner"], objects.all(), thing.pk, visibility, cast["team"])
    for name in SEES:
        person = cast[name]
        seen = set(objects.visible_to(person).values_list("pk", flat=True))
        edited = set(objects.editable_by(person).values_list("pk", flat=True))
        assert tuple(t.pk in seen for t in things) == SEES[name], f"{name} sees"
        assert tuple(t.pk in edited for t in things) == EDITS.get(name, (False,) * 3), f"{name} edits"
        assert objects.visible_to(person).count() == sum(SEES[name]), "a thing came twice"
        for thing, sees, edits in zip(things, SEES[name], EDITS.get(name, (False,) * 3), strict=True):
            if sees:
                assert sharing.visible(objects.all(), person, thing.pk) == thing
            else:
                with pytest.raises(NotFound, match="there is no"):
                    sharing.visible(objects.all(), person, thing.pk)
            if edits:
                assert sharing.editable(objects.all(), person, thing.pk) == thing
            else:
                with pytest.raises(NotAllowed if sees else NotFound):
                    sharing.editable(objects.all(), person, thing.pk)


def test_what_is_hidden_looks_like_what_is_not_there(cast: dict[str, Any]) -> None:
    hidden = MAKERS["watchlist"](cast["owner"], 1)
    texts = []
    for pk in (hidden.pk, 10**6):
        with pytest.raises(NotFound) as caught:
            watchlists.rows(cast["stranger"], pk)
        texts.append(str(caught.value).replace(str(pk), "N"))
    assert texts[0] == texts[1]


def test_allowed_for_queries(cast: dict[str, Any]) -> None:
    things = {kind: make(cast["owner"], 1) for kind, make in MAKERS.items()}
    mine = allowed(cast["owner"])
    assert mine.watchlists == {things["watchlist"].pk}
    assert mine.watchmaps == {things["watchmap"].pk}
    assert mine.annotators == {"topic_1"}
    for name in ("stranger", "anonymous", "nobody", "inactive", "member"):
        theirs = allowed(cast[name])
        assert theirs == Allowed(frozenset(), frozenset(), frozenset()), name


def test_sharing_is_the_owners(cast: dict[str, Any]) -> None:
    made = MAKERS["filter"](cast["owner"], 1)
    filters.share(cast["owner"], made.pk, "group", cast["team"])
    with pytest.raises(NotAllowed, match="only its owner"):
        filters.share(cast["editor"], made.pk, "public")
    with pytest.raises(NotAllowed, match="only its owner"):
        filters.delete(cast["editor"], made.pk)
    with pytest.raises(NotAllowed, match="belongs to owner"):
        filters.share(cast["member"], made.pk, "public")
    with pytest.raises(NotFound):
        filters.share(cast["stranger"], made.pk, "public")


def test_sharing_with_whom(cast: dict[str, Any], team: Any, people: Any) -> None:
    made = MAKERS["filter"](cast["owner"], 1)
    with pytest.raises(Invalid, match="name the collaboration"):
        filters.share(cast["owner"], made.pk, "group")
    with pytest.raises(Invalid, match="choose private, group, public"):
        filters.share(cast["owner"], made.pk, "everyone")
    foreign = team("ePESSTO", manager=people.chief)
    with pytest.raises(NotAllowed, match="not a member of ePESSTO"):
        filters.share(cast["owner"], made.pk, "group", foreign)
    back = filters.share(cast["owner"], made.pk, "private", cast["team"])
    assert back.collaboration is None


def test_leaving_a_team_ends_the_view(cast: dict[str, Any]) -> None:
    made = MAKERS["watchmap"](cast["owner"], 1)
    watchmaps.share(cast["owner"], made.pk, "group", cast["team"])
    assert Watchmap.objects.visible_to(cast["member"]).exists()
    cast["member"].memberships.all().delete()
    assert not Watchmap.objects.visible_to(cast["member"]).exists()


def test_database_refuses_private_things_of_a_team(cast: dict[str, Any]) -> None:
    from django.db import IntegrityError, transaction

    made = MAKERS["watchlist"](cast["owner"], 1)
    with pytest.raises(IntegrityError), transaction.atomic():
        Watchlist.objects.filter(pk=made.pk).update(collaboration=cast["team"])
