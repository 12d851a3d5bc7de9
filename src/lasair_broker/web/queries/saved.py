"""What is done with saved queries. Every function checks that the user may; the text of errors is for
users."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.db import transaction

from lasair_broker.query import QueryError
from lasair_broker.web import sharing, trash
from lasair_broker.web.accounts.models import Collaboration, User
from lasair_broker.web.errors import Invalid
from lasair_broker.web.queries.models import SavedQuery
from lasair_broker.web.queries.texts import Text, query_of


@transaction.atomic
def save(user: User, name: str, text: Text, *, description: str = "") -> SavedQuery:
    """Keep a query under a name; it is private.

    Raises
    ------
    Invalid
        If the name is taken, or the query is wrong: with the place in the text.
    """
    _check(user, text)
    made = SavedQuery(owner=user, name=name.strip(), description=description, **text.columns())
    sharing.save_checked(made)
    return made


@transaction.atomic
def change(
    user: User,
    query_id: int,
    *,
    name: str | None = None,
    description: str | None = None,
    text: Text | None = None,
) -> SavedQuery:
    """Change a saved query. Its text is checked against what its owner may read."""
    found = sharing.editable(SavedQuery.objects.all(), user, query_id, lock=True)
    if text is not None:
        _check(found.owner, text)
    values: dict[str, Any] = {"name": None if name is None else name.strip(), "description": description}
    kept = {key: value for key, value in values.items() if value is not None}
    sharing.changed(found, kept | (text.columns() if text is not None else {}))
    return found


def visible(user: User | AnonymousUser | None, query_id: int) -> SavedQuery:
    """A saved query that the user may see; see `sharing.visible`."""
    return sharing.visible(SavedQuery.objects.select_related("owner", "collaboration"), user, query_id)


@transaction.atomic
def remove(user: User, query_id: int) -> None:
    """Remove a saved query. Only its owner may; `trash.restore` brings it back."""
    trash.remove(user, sharing.editable(SavedQuery.objects.all(), user, query_id, lock=True))


@transaction.atomic
def share(
    user: User, query_id: int, visibility: str, collaboration: Collaboration | None = None
) -> SavedQuery:
    """Make a saved query private, public, or its collaboration's; see `sharing.share`."""
    return sharing.share(user, SavedQuery.objects.all(), query_id, visibility, collaboration)


def _check(user: User, text: Text) -> None:
    try:
        query_of(text, user)
    except QueryError as error:
        if error.field == "parameters":
            raise Invalid({"parameters": str(error)}) from None
        shown = error.pointed(text.adql) if text.adql else str(error)
        raise Invalid({"adql" if text.adql else "": shown}) from None
