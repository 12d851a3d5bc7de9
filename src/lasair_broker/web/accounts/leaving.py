"""The end of an account."""

from __future__ import annotations

from django.apps import apps
from django.db import transaction

from lasair_broker.web.accounts.models import Collaboration, Role, User
from lasair_broker.web.errors import Invalid
from lasair_broker.web.sharing import Shared

_SHORTEST_NAME = 100
"""What the name of anything may have, at least."""


def left_behind(user: User) -> list[tuple[str, int, int]]:
    """What the user owns, by kind: how many go with the account, and how many a collaboration keeps."""
    found = []
    for model in _owned():
        own = model._default_manager.filter(owner=user)
        kept = sum(_heir(user, thing) is not None for thing in own.select_related("collaboration"))
        if total := own.count():
            found.append((str(model._meta.verbose_name_plural), total - kept, kept))
    return found


@transaction.atomic
def delete_account(user: User) -> None:
    """Delete a user, and with the account all that is the user's alone.

    What is shared with a collaboration goes to the one of its other managers who was there first.

    Raises
    ------
    Invalid
        If a collaboration with other members would have no manager any more.
    """
    for membership in user.memberships.filter(role=Role.MANAGER).select_related("collaboration"):
        others = membership.collaboration.memberships.exclude(user=user)
        if others.exists() and not others.filter(role=Role.MANAGER).exists():
            name = membership.collaboration.name
            raise Invalid({"": f"you are the only manager of {name}; make another first"})
    for model in _owned():
        for thing in model._default_manager.filter(owner=user).select_related("collaboration"):
            heir = _heir(user, thing)
            if heir is not None:
                _give(model, thing, heir)
    joined = list(user.collaborations.values_list("pk", flat=True))
    user.delete()
    Collaboration.objects.filter(pk__in=joined, memberships=None).delete()


def _owned() -> list[type[Shared]]:
    return [model for model in apps.get_models() if issubclass(model, Shared)]


def _heir(user: User, thing: Shared) -> User | None:
    if thing.collaboration is None:
        return None
    others = thing.collaboration.memberships.filter(role=Role.MANAGER, user__is_active=True)
    first = others.exclude(user=user).order_by("since", "pk").select_related("user").first()
    return first.user if first is not None else None


def _give(model: type[Shared], thing: Shared, heir: User) -> None:
    """Names are an owner's once; a topic is everybody's once and stays."""
    thing.owner = heir
    changed = ["owner"]
    name = vars(thing).get("name")
    if name is not None:
        taken = {vars(other)["name"] for other in model._default_manager.filter(owner=heir)}
        number = 2
        while vars(thing)["name"] in taken:
            ending = f" ({number})"
            vars(thing)["name"], number = f"{name[: _SHORTEST_NAME - len(ending)]}{ending}", number + 1
        changed.append("name")
    thing.save(update_fields=changed)
