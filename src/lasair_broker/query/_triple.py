"""Lasair's way to ask: what is selected, from which tables, under which conditions."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from lasair_broker.schema import closest

from ._catalogue import PUBLIC, Catalogue
from ._errors import QueryError
from ._parameters import Parameter, bound
from ._query import Query, checked
from ._scope import found_in
from ._tree import Const

__all__ = ["checked_triple", "triple"]

_KINDS = ("watchlist", "area", "annotator", "event")
_TABLES = ("objects", "objects_ext", "sherlock_classifications", "crossmatch_tns")
_ONE_WATCHLIST = "only one watchlist can be named here; for several write the query as SELECT … FROM …"
_EVENT = re.compile(r"[\w .:/#+-]{1,128}", re.ASCII)
"""Names as senders give them: none has a quote or a comma."""

_OTHER_TABLES = {"classifications", "mma_hits"}
"""Tables with a diaObjectId that today's Lasair does not know, and that are joined like Sherlock's."""


def triple(
    selected: str,
    tables: str,
    conditions: str,
    catalogue: Catalogue = PUBLIC,
    parameters: Sequence[Parameter] = (),
) -> Query:
    """Check a query in Lasair's form.

    Parameters
    ----------
    selected
        The columns, as between SELECT and FROM.
    tables
        Separated by commas: ``objects``, ``objects_ext``, ``sherlock_classifications``,
        ``crossmatch_tns``, ``watchlist:N``, ``area:N`` (or ``watchmap:N``; ``area:N&M`` for objects in both),
        ``annotator:topic`` (``annotator:a&b`` for objects with both) and ``event:NAME``. All are joined to
        ``objects``, which need not be named.
    conditions
        As after WHERE; ORDER BY may follow. Blank for none. Texts may stand in single or double quotes.
    catalogue
        What the user may read.
    parameters
        The values that selected and conditions name.

    Raises
    ------
    QueryError
        If a table is unknown or not the user's to read, or the query is wrong as `parse` would say.
    """
    return checked_triple(selected, tables, conditions, catalogue, bound(parameters))


def checked_triple(
    selected: str, tables: str, conditions: str, catalogue: Catalogue, literals: Mapping[str, Const | None]
) -> Query:
    """As `triple`, with the literals that stand for parameters, by their folded names."""
    entries = [entry for entry in re.finditer(r"[^,]+", tables) if entry.group().strip()]
    joins: dict[str, int] = {}
    areas = 0
    for entry in entries:
        place = entry.start() + len(entry.group()) - len(entry.group().lstrip())
        try:
            for join in _joins(entry.group().strip(), catalogue, areas):
                joins.setdefault(join, place)
                areas += join.startswith("JOIN area_hits ")
            if sum(join.startswith("JOIN watchlist_hits ") for join in joins) > 1:
                raise QueryError(_ONE_WATCHLIST)
        except QueryError as error:
            raise QueryError(error.message, place, error.suggestion, "tables") from None
    lines = [f"SELECT {selected}", "FROM objects", *joins]
    if conditions.strip():
        starts_order = re.match(r"\s*(ORDER|GROUP)\s+BY\b", conditions, re.IGNORECASE)
        lines.append(conditions if starts_order else f"WHERE {conditions}")
    text = "\n".join(lines)
    try:
        return checked(text, catalogue, literals, strings_in_double_quotes=True)
    except QueryError as error:
        if error.position is None:
            raise
        field, position = _field(error.position, text, selected, conditions, joins)
        raise QueryError(error.message, position, error.suggestion, field) from None


def _field(
    position: int, text: str, selected: str, conditions: str, joins: dict[str, int]
) -> tuple[str, int]:
    """Which of the user's texts a place in the query is in, and where in it."""
    after_select = position - len("SELECT ")
    if after_select <= len(selected):
        return "selected", max(0, after_select)
    in_conditions = position - (len(text) - len(conditions))
    if conditions.strip() and in_conditions >= 0:
        return "conditions", in_conditions
    line = text.count("\n", len("SELECT ") + len(selected) + 1, position) - 1
    if line < 0 or position >= len(text.rstrip()):
        return "selected", len(selected)  # its last words want something after them
    return "tables", list(joins.values())[line]


def _joins(token: str, catalogue: Catalogue, areas: int) -> list[str]:
    """The JOINs of one entry in the list of tables, after those of so many areas."""
    name, colon, which = token.partition(":")
    name = name.strip().casefold()
    if not colon:
        if name in ("objects", "objects_ext"):
            return []
        if name == "crossmatch_tns":
            return ["JOIN crossmatch_tns ON objects.tns_name = crossmatch_tns.tns_name"]
        if name == "sherlock_classifications" or name in _OTHER_TABLES:
            return [f"JOIN {name} ON objects.diaObjectId = {name}.diaObjectId"]
        raise _unknown(token, name)
    kind = "area" if name == "watchmap" else name
    if kind not in _KINDS:
        raise _unknown(token, name)
    if kind == "event":
        return [_join_of_event(which.strip(), token)]
    wanted = [part.strip() for part in which.split("&")]
    if kind == "watchlist" and len(wanted) > 1:
        raise QueryError(_ONE_WATCHLIST)
    return [_join_of(kind, part, place, token, catalogue) for place, part in enumerate(wanted, areas)]


def _join_of(kind: str, which: str, place: int, token: str, catalogue: Catalogue) -> str:
    if kind == "annotator":
        if not re.fullmatch(r"[A-Za-z]\w*", which, re.ASCII):
            raise QueryError(f"{token}: an annotator's topic is a word")
    elif not re.fullmatch(r"\d{1,9}", which):
        raise QueryError(f"{token}: a number is expected after {kind}:")
    topic = _topic(which, catalogue) if kind == "annotator" else which
    if not catalogue.may_use(kind, topic):
        raise QueryError(f"{kind} {which} does not exist, or is not yours to read")
    if kind == "watchlist":
        return f"JOIN watchlist_hits ON {_same_object('watchlist_hits')} AND watchlist_hits.wl_id = {which}"
    if kind == "area":
        alias = f"ar{place}"
        return f"JOIN area_hits AS {alias} ON {_same_object(alias)} AND {alias}.ar_id = {which}"
    return f"JOIN annotations AS {which} ON {_same_object(which)} AND {which}.topic = '{topic}'"


def _join_of_event(name: str, token: str) -> str:
    if not _EVENT.fullmatch(name):
        raise QueryError(f"{token}: the name of an event is expected after event:, such as S230914ak")
    return f"JOIN mma_hits ON {_same_object('mma_hits')} AND mma_hits.eventName = '{name}'"


def _topic(name: str, catalogue: Catalogue) -> str:
    """The topic that a user calls `name`: today's Lasair does not tell capitals from small letters."""
    annotations = catalogue.relations.get("annotations")
    topics = [] if annotations is None else dict(annotations.only).get("topic", ())
    return found_in(map(str, topics), name) or name


def _same_object(alias: str) -> str:
    return f"objects.diaObjectId = {alias}.diaObjectId"


def _unknown(token: str, name: str) -> QueryError:
    match = closest(name, [*_TABLES, *_OTHER_TABLES, *_KINDS, "watchmap"])
    hint = f"did you mean {match}{':N' if match in _KINDS else ''}?" if match else None
    return QueryError(f"there is no table {token}", suggestion=hint)
