"""The Kafka topics of filters, and who may read them.

Topics of public filters are everybody's, as Lasair's always were. A filter that is shared with a
collaboration has a topic that begins with the collaboration's slug and that only its login reads; a private
filter's begins with ``private.``. So a topic's name changes with the filter's visibility, and what was
private never comes into a topic that was public, or the other way round.
"""

from __future__ import annotations

from lasair_broker.web.accounts.models import Collaboration, User
from lasair_broker.web.filters.models import Filter
from lasair_broker.web.sharing import Visibility


def topic_of(found: Filter) -> str:
    """The topic that a filter's hits go to now."""
    if found.visibility == Visibility.PUBLIC:
        return found.topic
    if found.visibility == Visibility.GROUP and found.collaboration is not None:
        return f"{found.collaboration.slug}.{found.topic}"
    return f"private.{found.owner_id}.{found.topic}"


def readers_of(found: Filter) -> tuple[str, ...] | None:
    """The Kafka logins that may read a filter's topic; None: everybody."""
    if found.visibility == Visibility.PUBLIC:
        return None
    if found.visibility == Visibility.GROUP and found.collaboration is not None:
        return (principal_of(found.collaboration),)
    return (principal_of(found.owner),)


def principal_of(whose: User | Collaboration) -> str:
    """The Kafka login of a person or a collaboration."""
    if isinstance(whose, Collaboration):
        return whose.kafka_principal or whose.slug
    return f"user.{whose.pk}"  # a slug has no dot, so these are never the same
