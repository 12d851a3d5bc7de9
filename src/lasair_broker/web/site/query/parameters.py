"""The table of parameters beside an editor, as forms and addresses bring it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from django.http import QueryDict

from lasair_broker.query import Parameter, ParameterType, QueryError, parameters_of, with_values
from lasair_broker.web.catalogue import catalogue_for

TYPES = (
    ("number", "number"),
    ("text", "text"),
    ("boolean", "true or false"),
    ("moment", "moment (UTC)"),
)
"""The types of parameters, and how people call them."""

_FIELDS = ("name", "type", "value", "unit", "description")
_MOST = 100
_LONGEST = 20_000


@dataclass(frozen=True)
class Row:
    """A parameter as somebody has written it."""

    name: str
    type: str
    value: str = ""
    unit: str = ""
    description: str = ""

    def parameter(self) -> Parameter:
        """What it says; without a value, if that is left empty.

        Raises
        ------
        QueryError
            If it says nothing meaningful.
        """
        each = Parameter(
            self.name, cast(ParameterType, self.type), None, self.unit.strip(), self.description.strip()
        )
        return each.with_value(self.value) if self.value.strip() else each


def rows_of(parameters: Iterable[Parameter]) -> list[Row]:
    """Parameters as rows of the table."""
    return [Row(p.name, p.type, p.written(), p.unit, p.description) for p in parameters]


def rows_in(given: QueryDict) -> list[Row]:
    """The rows that a form or an address has."""
    columns = [given.getlist(f"parameter-{field}") for field in _FIELDS]
    whole = min(len(columns[0]), len(columns[1]), len(columns[2]))
    lines = [[column[n] if n < len(column) else "" for column in columns] for n in range(min(whole, _MOST))]
    return [Row(*(text[:_LONGEST] for text in line)) for line in lines]


def rows_in_json(given: Any) -> list[Row]:
    """The rows that a script sends: a list of objects with these fields."""
    if not isinstance(given, list):
        return []
    found = [each for each in given[:_MOST] if isinstance(each, Mapping)]
    return [Row(*(str(each.get(field, ""))[:_LONGEST] for field in _FIELDS)) for each in found]


def in_address(rows: Iterable[Row]) -> dict[str, list[str]]:
    """The rows as an address has them, which `rows_in` reads."""
    listed = list(rows)
    return {f"parameter-{field}": [getattr(row, field) for row in listed] for field in _FIELDS if listed}


def parameters_of_rows(rows: Iterable[Row]) -> tuple[Parameter, ...]:
    """What the rows declare.

    Raises
    ------
    QueryError
        If a value is not of its type.
    """
    return tuple(row.parameter() for row in rows)


def with_address(parameters: Sequence[Parameter], given: QueryDict) -> tuple[Parameter, ...]:
    """Parameters with the values that an address has for them, as `:name=value`; what is none of the type is
    left aside."""
    found = tuple(parameters)
    for each in parameters:
        key = next((key for key in given if key.casefold() == f":{each.name}".casefold()), "")
        value = given.get(key)
        if isinstance(value, str):
            try:
                found = with_values(found, {each.name: value[:_LONGEST]})
            except QueryError:
                continue
    return found


def rows_for(adql: str, user: Any, rows: Sequence[Row]) -> list[Row]:
    """The rows that the editor shows for a text: those that there are, and one for each other parameter that
    the text names; as they are, if it is no query."""
    known = {row.name.casefold(): row for row in rows}
    try:
        named = parameters_of(adql, catalogue_for(user))
    except QueryError:
        return list(rows)
    return [known.get(each.name.casefold()) or rows_of([each])[0] for each in named]
