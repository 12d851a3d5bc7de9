"""The queries of filters, checked against what their owners may read."""

from __future__ import annotations

from django.contrib.auth.models import AnonymousUser

from lasair_broker.query import Query, QueryError, parse, triple, values_wanted
from lasair_broker.stream import ActiveFilter, Renotify, TriggeredBy
from lasair_broker.stream.filters import check_filter
from lasair_broker.web.accounts.models import User
from lasair_broker.web.catalogue import catalogue_for
from lasair_broker.web.errors import Invalid
from lasair_broker.web.filters import models
from lasair_broker.web.filters.wording import Wording
from lasair_broker.web.permissions import allowed


def query_of(wording: Wording, owner: User | AnonymousUser, author: User | None = None) -> Query:
    """The query of a wording, as its owner may run it, if `author` wrote it (None: the owner).

    Raises
    ------
    QueryError
        If it is no query, or asks for what the owner may not read.
    """
    catalogue = catalogue_for(owner, author)
    if wording.adql:
        return parse(wording.adql, catalogue, wording.parameters)
    return triple(wording.selected, wording.tables, wording.conditions, catalogue, wording.parameters)


def check(wording: Wording, owner: User, author: User | None = None) -> None:
    """Whether a wording can run on the stream for its owner.

    Raises
    ------
    Invalid
        Saying where it is wrong, and what to write instead.
    """
    try:
        check_words(wording, owner, author)
    except QueryError as error:
        if error.field == "parameters":
            raise Invalid({"parameters": str(error)}) from None
        field = "adql" if wording.adql else ""
        raise Invalid({field: error.pointed(wording.adql) if wording.adql else str(error)}) from None


def check_words(wording: Wording, owner: User, author: User | None = None) -> Query:
    """As `check`, for who can show the place of an error: the query.

    Raises
    ------
    QueryError
        Saying where it is wrong, and what to write instead.
    """
    query = query_of(wording, owner, author)
    check_filter(query, rule_of(wording).columns)
    return query


def active_filter(
    filter_id: int, version: int, name: str, wording: Wording, owner: User, author: User | None = None
) -> ActiveFilter:
    """A filter as the stream runs it for its owner.

    Raises
    ------
    QueryError
        If the owner may not, or no longer, ask for that.
    """
    query = query_of(wording, owner, author)
    topics = allowed(owner, author).annotators
    wanted = values_wanted(query, "annotations", "topic")
    if wanted:  # what another annotator says makes no difference to it
        topics = topics.intersection(map(str, wanted))
    return ActiveFilter(
        filter_id, version, name, query, TriggeredBy(wording.trigger), rule_of(wording), topics
    )


def rule_of(wording: Wording) -> Renotify:
    """When the filter tells of an object again."""
    if wording.renotify == models.Renotify.AGAIN:
        columns = [name for name in wording.renotify_columns if isinstance(name, str)]
        return Renotify(days=wording.renotify_days, columns=tuple(columns))
    return Renotify(once=wording.renotify == models.Renotify.ONCE)
