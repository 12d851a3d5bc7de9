"""Queries as forms, and forms as queries."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, ClassVar, get_args

from django.contrib.auth.models import AnonymousUser
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from lasair_broker.query import (
    Form,
    FormColumn,
    FormCondition,
    FormJoin,
    FormParameter,
    JoinKind,
    Operator,
    form_of,
    parameters_of,
)
from lasair_broker.web.accounts.models import User
from lasair_broker.web.api.description import described
from lasair_broker.web.api.models import Scope
from lasair_broker.web.api.v1.base import Body, checked
from lasair_broker.web.catalogue import catalogue_for


class ColumnForm(Body):
    """A column, or its AB magnitude."""

    source = serializers.CharField(max_length=200)  # type: ignore[assignment]  # also an attribute of fields
    name = serializers.CharField(max_length=200)
    magnitude = serializers.BooleanField(required=False, default=False)
    called = serializers.CharField(max_length=200, required=False, allow_blank=True, default="")


class JoinForm(Body):
    """What the objects are joined with."""

    kind = serializers.ChoiceField(get_args(JoinKind))
    which = serializers.CharField(max_length=200, required=False, allow_blank=True, default="")
    name = serializers.CharField(max_length=200, required=False, allow_blank=True, default="")
    optional = serializers.BooleanField(required=False, default=False)


@extend_schema_field(
    {
        "oneOf": [
            {"type": "number"},
            {"type": "string"},
            {
                "type": "object",
                "properties": {"parameter": {"type": "string"}},
                "required": ["parameter"],
                "additionalProperties": False,
            },
        ]
    }
)
class ValueField(serializers.Field[Any, Any, Any, Any]):
    """A number, a text, or a parameter by its name: {"parameter": "limit"}."""

    def to_internal_value(self, data: Any) -> int | float | str | FormParameter:
        if isinstance(data, dict):
            if set(data) != {"parameter"} or not isinstance(data["parameter"], str):
                raise serializers.ValidationError('write a parameter as {"parameter": "its name"}')
            return FormParameter(data["parameter"][:1000])
        if isinstance(data, bool) or not isinstance(data, int | float | str):
            raise serializers.ValidationError("give a number, a text or a parameter")
        if isinstance(data, int) and abs(data) >= 2**63:
            raise serializers.ValidationError("a whole number may have 64 bits")
        return data[:1000] if isinstance(data, str) else data

    def to_representation(self, value: Any) -> Any:
        return value


class ConditionForm(Body):
    """A condition on a column."""

    column = ColumnForm()
    operator = serializers.ChoiceField(get_args(Operator))
    values = serializers.ListField(child=ValueField(), required=False, default=list, max_length=1000)


class WholeForm(Body):
    """A query as a form."""

    columns = serializers.ListField(child=ColumnForm(), max_length=500)
    joins = serializers.ListField(child=JoinForm(), required=False, default=list, max_length=50)
    conditions = serializers.ListField(child=ConditionForm(), required=False, default=list, max_length=500)
    order = ColumnForm(required=False, allow_null=True, default=None)
    descending = serializers.BooleanField(required=False, default=False)
    most = serializers.IntegerField(
        required=False, allow_null=True, default=None, min_value=0, max_value=2**31 - 1
    )


class FormIn(Body):
    """A form, or a query."""

    form = WholeForm(required=False)
    adql = serializers.CharField(max_length=65_536, required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("form" in attrs) == ("adql" in attrs):
            raise serializers.ValidationError("give either form or adql")
        return attrs


class FormOut(Body):
    """A query in both ways."""

    adql = serializers.CharField()
    form = WholeForm()


class FormView(APIView):
    """A query as a form, or a form as a query."""

    scopes: ClassVar[dict[str, Scope]] = {"POST": Scope.READ}

    @described(FormIn, FormOut, summary="A query as a form, or a form as a query")
    def post(self, request: Request) -> Response:
        return Response(both_ways(request.user, checked(FormIn, request)))


def both_ways(user: User | AnonymousUser, given: dict[str, Any]) -> dict[str, Any]:
    """A query as text and as form, of which one is given.

    Raises
    ------
    QueryError
        If a form lacks something, or a text is no query or more than a form can say.
    """
    if "form" in given:
        form = _form(given["form"])
        adql = form.adql()
    else:
        adql = given["adql"]
        parameters_of(adql, catalogue_for(user))
        form = form_of(adql)
    return {"adql": adql, "form": asdict(form)}


def _form(given: dict[str, Any]) -> Form:
    return Form(
        columns=tuple(FormColumn(**column) for column in given["columns"]),
        joins=tuple(FormJoin(**join) for join in given["joins"]),
        conditions=tuple(
            FormCondition(FormColumn(**each["column"]), each["operator"], tuple(each["values"]))
            for each in given["conditions"]
        ),
        order=None if given["order"] is None else FormColumn(**given["order"]),
        descending=given["descending"],
        most=given["most"],
    )
