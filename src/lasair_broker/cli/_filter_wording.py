"""The wording of a filter, as commands are given it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ._lists import given
from ._values import values_of

if TYPE_CHECKING:
    from lasair_broker.query import Catalogue
    from lasair_broker.web.filters.wording import Wording

__all__ = [
    "AdqlOption",
    "CommentOption",
    "ConditionsOption",
    "RenotifyOption",
    "SelectedOption",
    "TablesOption",
    "Trigger",
    "TriggerOption",
    "wording",
]


class Trigger(StrEnum):
    """What makes a filter run."""

    alert = "alert"
    annotation = "annotation"
    both = "both"
    context = "context"
    any = "any"


AdqlOption = Annotated[
    str | None,
    typer.Option(
        "--query",
        "-q",
        metavar="ADQL",
        help="The query: SELECT …; @FILE reads it from a file, - from standard input.",
    ),
]
SelectedOption = Annotated[
    str | None, typer.Option(help="Lasair's form of a query: the columns. With --tables and --conditions.")
]
TablesOption = Annotated[str | None, typer.Option(help="objects, watchlist:N, area:N, annotator:TOPIC, …")]
ConditionsOption = Annotated[str | None, typer.Option(help="As after WHERE.")]
TriggerOption = Annotated[Trigger | None, typer.Option(help="What makes it run. Default: alert.")]
RenotifyOption = Annotated[
    str | None,
    typer.Option(
        metavar="RULE",
        help="When an object is told of again: every (match), once (never), or after N days and when columns "
        "change, separated by commas: 7d,nDiaSources.",
    ),
]
CommentOption = Annotated[str, typer.Option(help="About this version.")]


def wording(
    before: Wording | None,
    adql: str | None,
    selected: str | None,
    tables: str | None,
    conditions: str | None,
    trigger: Trigger | None,
    renotify: str | None,
    values: Sequence[str] | None,
    catalogue: Callable[[], Catalogue],
) -> Wording:
    """The wording that the options ask for; what is not given is as before.

    `values` are for the parameters that the query names, `catalogue` tells what its owner may read.

    Raises
    ------
    BadParameter
        If they do not go together.
    """
    from lasair_broker.web.filters.wording import Wording

    triple = given(selected=selected, tables=tables, conditions=conditions)
    if adql is not None and triple:
        raise typer.BadParameter("give either --query, or --selected, --tables and --conditions")
    words = before or Wording(tables="")
    if adql is not None:
        words = replace(words, adql=_text(adql), selected="", tables="", conditions="")
    elif triple:
        words = replace(words, adql="", **triple)
    elif before is None:
        raise typer.BadParameter("give --query, or --selected, --tables and --conditions")
    if trigger is not None:
        words = replace(words, trigger=trigger.value)
    if renotify is not None:
        words = replace(words, **_rule(renotify))
    return _with_values(words, values_of(values), catalogue())


def _with_values(words: Wording, values: Mapping[str, str], catalogue: Catalogue) -> Wording:
    """With the parameters that the query names: as they were, but for `values`."""
    from lasair_broker.query import QueryError, filled, parameters_of

    query = words.adql or (words.selected, words.tables, words.conditions)
    try:
        named = {each.name.casefold() for each in parameters_of(query, catalogue)}
        before = [each for each in words.parameters if each.name.casefold() in named]
        return replace(words, parameters=filled(query, catalogue, before, values))
    except QueryError as error:
        if error.field == "parameters":
            raise typer.BadParameter(str(error)) from None
        return words  # what is wrong with the query is told when it is saved


def _text(adql: str) -> str:
    if adql == "-":
        return sys.stdin.read().strip()
    if adql.startswith("@"):
        try:
            return Path(adql[1:]).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise typer.BadParameter(f"{adql[1:]} cannot be read: {error}") from None
    return adql.strip()


def _rule(text: str) -> dict[str, Any]:
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if parts in (["every"], ["once"]):
        return {"renotify": parts[0], "renotify_days": None, "renotify_columns": []}
    days = [part for part in parts if part[:1].isdigit()]
    try:
        numbers = [float(part.removesuffix("d")) for part in days]
    except ValueError:
        raise typer.BadParameter(f"--renotify {text}: write days as 7d") from None
    if len(numbers) > 1 or not parts:
        raise typer.BadParameter(f"--renotify {text}: write every, once, or such as 7d,nDiaSources")
    columns = [part for part in parts if part not in days]
    return {
        "renotify": "again",
        "renotify_days": numbers[0] if numbers else None,
        "renotify_columns": columns,
    }
