"""Parameters of queries in the bodies of requests and answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from lasair_broker.query import PARAMETER_TYPES, Parameter, ParameterValue, filled
from lasair_broker.web.api.v1.base import Body
from lasair_broker.web.catalogue import catalogue_for
from lasair_broker.web.parameters import parameters_in
from lasair_broker.web.queries.texts import Text

_MOST = 100


@extend_schema_field(
    {"oneOf": [{"type": "number"}, {"type": "string"}, {"type": "boolean"}], "description": "Its value."}
)
class ParameterValueField(serializers.Field[Any, Any, Any, Any]):
    """A number, a text or a truth value."""

    def to_internal_value(self, data: Any) -> ParameterValue:
        if not isinstance(data, bool | int | float | str):
            raise serializers.ValidationError("give a number, a text, true or false")
        return data

    def to_representation(self, value: Any) -> Any:
        return value


class ParameterForm(Body):
    """A value that a query names, as in `psfFlux > :limit`."""

    name = serializers.CharField(max_length=60, help_text="Without the colon.")
    type = serializers.ChoiceField(PARAMETER_TYPES)
    default = ParameterValueField()
    unit = serializers.CharField(max_length=60, required=False, allow_blank=True, default="")
    description = serializers.CharField(max_length=500, required=False, allow_blank=True, default="")


class ParametersField(serializers.ListField):
    """The parameters of a query."""

    def __init__(self, **options: Any) -> None:
        super().__init__(child=ParameterForm(), max_length=_MOST, required=False, **options)


class ValuesField(serializers.DictField):
    """Values for parameters, by name; the type of one that is not declared follows from value and query."""

    def __init__(self, **options: Any) -> None:
        super().__init__(child=ParameterValueField(), required=False, allow_empty=True, **options)

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping) and len(data) > _MOST:
            raise serializers.ValidationError(f"a query has at most {_MOST} parameters")
        return super().to_internal_value(data)


def declared_in(given: Mapping[str, Any]) -> tuple[Parameter, ...]:
    """The parameters that the body of a request declares.

    Raises
    ------
    QueryError
        If a value is not of its type.
    """
    return parameters_in(given.get("parameters") or ())


def text_with(user: Any, given: Mapping[str, Any]) -> Text:
    """The query in the body of a request, with the values that it gives to parameters.

    Raises
    ------
    QueryError
        If the query is wrong, or a parameter is not in it.
    """
    words = {part: given.get(part, "") for part in ("adql", "selected", "tables", "conditions")}
    text = Text(**words, parameters=declared_in(given))
    if not given.get("values"):
        return text
    query = text.adql or (text.selected, text.tables, text.conditions)
    return replace(text, parameters=filled(query, catalogue_for(user), text.parameters, given["values"]))
