"""The parameters of filters and of queries as the user database keeps them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from lasair_broker.query import Parameter


def kept(parameters: Iterable[Parameter]) -> list[dict[str, Any]]:
    """Parameters as a column of JSON has them."""
    return [asdict(each) for each in parameters]


def parameters_in(entries: Iterable[Mapping[str, Any]]) -> tuple[Parameter, ...]:
    """The parameters that a column of JSON, or the body of a request, has.

    Raises
    ------
    QueryError
        In field "parameters", if a value is not of its type.
    """
    return tuple(Parameter(**entry) for entry in entries)


def line_of(entry: Mapping[str, Any]) -> str:
    """A parameter of a column of JSON in a line, for people and for differences."""
    each = Parameter(**entry)
    words = [f":{each.name}", each.type, f"= {each.written()}", each.unit]
    told = " ".join(word for word in words if word)
    return f"{told}: {each.description}" if each.description else told
