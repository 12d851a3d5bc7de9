"""The end of an account: what goes with it, and what a collaboration keeps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lasair_broker.web.errors import Invalid


def filter_of(owner: Any, name: str, collaboration: Any = None) -> Any:
    from lasair_broker.web.filters.models import Filter
    from lasair_broker.web.sharing import Visibility

    visibility = Visibility.GROUP if collaboration is not None else Visibility.PRIVATE
    return Filter.objects.create(
        owner=owner, name=name, topic=f"{owner}-{name}", collaboration=collaboration, visibility=visibility
    )


def test_what_is_ones_own_goes_and_what_is_shared_stays(people: Any, team: Callable[..., Any]) -> None:
    from lasair_broker.web.accounts.leaving import delete_account, left_behind
    from lasair_broker.web.accounts.models import Collaboration, User
    from lasair_broker.web.filters.models import Filter

    alone = team("alone", manager=people.ann)
    shared = team("shared", manager=people.ann)
    for person, role in ((people.carol, "manager"), (people.bob, "manager"), (people.dan, "member")):
        shared.memberships.create(user=person, role=role)
    private = filter_of(people.ann, "mine")
    kept = filter_of(people.ann, "young", shared)
    filter_of(people.carol, "young")
    lost = filter_of(people.ann, "lonely", alone)
    assert left_behind(people.ann) == [("filters", 2, 1)]
    number = people.ann.pk
    delete_account(people.ann)
    assert not User.objects.filter(pk=number).exists()
    assert not Filter.objects.filter(pk__in=[private.pk, lost.pk]).exists()
    kept.refresh_from_db()
    assert (kept.owner, kept.name, kept.collaboration) == (people.carol, "young (2)", shared)
    assert not Collaboration.objects.filter(pk=alone.pk).exists()
    assert Collaboration.objects.filter(pk=shared.pk).exists()


def test_nobody_leaves_a_collaboration_without_a_manager(people: Any, team: Callable[..., Any]) -> None:
    from lasair_broker.web.accounts.leaving import delete_account
    from lasair_broker.web.accounts.models import User

    team("4MOST", manager=people.ann, member=people.bob)
    with pytest.raises(Invalid, match="only manager of 4MOST"):
        delete_account(people.ann)
    assert User.objects.filter(username="ann").exists()
    delete_account(people.bob)
    delete_account(people.ann)


def test_topics_stay_taken(people: Any) -> None:
    """What was said under them is in the archive."""
    from lasair_broker.web.accounts.leaving import delete_account
    from lasair_broker.web.annotators import services
    from lasair_broker.web.permissions import allowed

    for topic in ("said_by_ann", "removed_by_ann"):
        services.create(people.ann, topic)
    services.remove(people.ann, "removed_by_ann")
    delete_account(people.ann)
    for topic in ("said_by_ann", "Removed_by_Ann"):
        with pytest.raises(Invalid, match="is taken"):
            services.create(people.bob, topic)
    assert not {"said_by_ann", "removed_by_ann"} & set(allowed(people.bob).annotators)
