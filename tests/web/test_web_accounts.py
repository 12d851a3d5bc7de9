"""Users and collaborations."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import authenticate
from django.db import IntegrityError, transaction

from lasair_broker.web.accounts import services
from lasair_broker.web.accounts.models import Collaboration, User
from lasair_broker.web.errors import Invalid, NotAllowed, NotFound

PASSWORD = " ".join(["a", "long", "one"])


def test_log_in_with_the_address_in_any_case() -> None:
    made = User.objects.create_user(" Vera.Rubin@Example.ORG ", "vera", PASSWORD)
    assert made.email == "vera.rubin@example.org"
    assert authenticate(username="VERA.RUBIN@example.org", password=PASSWORD) == made
    assert authenticate(username="vera.rubin@example.org", password=PASSWORD + "x") is None
    assert str(made) == "vera"


@pytest.mark.parametrize(("email", "name"), [("A@example.org", "b"), ("b@example.org", "A")])
def test_addresses_and_names_are_unique_in_any_case(email: str, name: str) -> None:
    User.objects.create_user("a@example.org", "a")
    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.create_user(email, name)


def test_without_password_nobody_logs_in() -> None:
    made = User.objects.create_user("a@example.org", "a")
    assert not made.has_usable_password()
    with pytest.raises(ValueError, match="e-mail"):
        User.objects.create_user("", "b")


def test_collaboration_and_its_members(people: Any) -> None:
    made = services.create_collaboration(people.chief, "4MOST TiDES", listed=True)
    assert made.slug == "4most-tides"
    services.set_member(people.chief, made.slug, people.ann.username)
    services.set_member(people.chief, made.slug, "ANN", "editor")
    assert {(m.user.username, m.role) for m in made.memberships.all()} == {
        ("chief", "manager"),
        ("ann", "editor"),
    }
    with pytest.raises(NotAllowed, match="do not manage"):
        services.set_member(people.ann, made.slug, "chief", "member")
    with pytest.raises(NotFound, match="no user bob"):
        services.set_member(people.chief, made.slug, "bob")
    with pytest.raises(Invalid, match="choose member"):
        services.set_member(people.chief, made.slug, "ann", "king")
    services.remove_member(people.ann, made.slug, "ann")
    assert made.memberships.count() == 1
    with pytest.raises(Invalid, match="name"):
        services.create_collaboration(people.ann, "4MOST TiDES")


def test_last_manager_stays(people: Any) -> None:
    made = services.create_collaboration(people.chief, "SOXS")
    with pytest.raises(Invalid, match="only manager"):
        services.remove_member(people.chief, made.slug, "chief")
    with pytest.raises(Invalid, match="only manager"):
        services.set_member(people.chief, made.slug, "chief", "member")


def test_unlisted_collaborations_are_hidden(people: Any) -> None:
    made = services.create_collaboration(people.chief, "Secret Survey")
    for stranger in (people.ann, None):
        assert not Collaboration.objects.visible_to(stranger).exists()
    with pytest.raises(NotFound):
        services.set_member(people.ann, made.slug, "ann")
    assert Collaboration.objects.visible_to(people.chief).get() == made
