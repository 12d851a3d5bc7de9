"""Annotators: who may speak under which topic."""

from __future__ import annotations

from typing import Any

import pytest

from lasair_broker.web.annotators import services
from lasair_broker.web.annotators.models import Annotator
from lasair_broker.web.errors import Invalid, NotAllowed, NotFound


def test_who_may_speak(people: Any, team: Any) -> None:
    services.create(people.ann, "fastfinder", url="https://example.org", kind="program")
    ours = team("T", manager=people.ann, editor=people.eve, member=people.max)
    assert services.writable(people.ann, "fastfinder").topic == "fastfinder"
    for stranger in (people.bob, people.eve, None):
        with pytest.raises(NotFound):
            services.writable(stranger, "fastfinder")
    services.set_writers(people.ann, "fastfinder", ["bob"])
    assert services.writable(people.bob, "fastfinder")
    assert Annotator.objects.visible_to(people.bob).count() == 1, "who speaks sees"
    services.share(people.ann, "fastfinder", "group", ours)
    assert services.writable(people.eve, "fastfinder")
    with pytest.raises(NotAllowed, match="belongs to ann"):
        services.writable(people.max, "fastfinder")
    services.describe(people.eve, "fastfinder", active=False)
    with pytest.raises(NotAllowed, match="is not active"):
        services.writable(people.ann, "fastfinder")


def test_public_is_seen_but_not_spoken_under(people: Any) -> None:
    services.create(people.ann, "r0b")
    services.share(people.ann, "r0b", "public")
    assert Annotator.objects.visible_to(None).get().topic == "r0b"
    for stranger in (people.bob, None):
        with pytest.raises(NotAllowed):
            services.writable(stranger, "r0b")
    with pytest.raises(NotAllowed):
        services.set_writers(people.bob, "r0b", ["bob"])


def test_faults(people: Any) -> None:
    services.create(people.ann, "Topic")
    for topic, values, says in [
        ("topic", {}, "taken"),
        ("with space", {}, "letter"),
        ("0start", {}, "letter"),
        ("Group", {}, "could not name it"),
        ("ok", {"url": "not a url"}, "url"),
        ("ok", {"owner": 3}, "owner: cannot"),
    ]:
        with pytest.raises(Invalid, match=says):
            services.create(people.bob, topic, **values)
    with pytest.raises(Invalid, match="no user zoe"):
        services.set_writers(people.ann, "Topic", ["zoe"])
    people.max.is_active = False
    people.max.save()
    with pytest.raises(Invalid, match="no user max"):
        services.set_writers(people.ann, "Topic", ["max"])
