"""The query language: ADQL 2.1 and Lasair's triple in, a checked tree, and from it each engine's SQL."""

from typing import TYPE_CHECKING

from lasair_broker.deferred import import_when_used

if TYPE_CHECKING:
    from ._catalogue import ARCHIVE, PUBLIC, Catalogue, Relation
    from ._errors import QueryError
    from ._form import Form, FormColumn, FormCondition, FormJoin, FormParameter, JoinKind, Operator, form_of
    from ._frame import BatchFrame
    from ._functions import AGGREGATES, FUNCTIONS, Function
    from ._origins import origins
    from ._parameters import PARAMETER_TYPES, Parameter, ParameterType, ParameterValue, with_values
    from ._per_object import LINKS, OBJECT, Link, of_objects
    from ._query import Query, mjd_now, parse
    from ._reads import columns_read, values_wanted
    from ._reference import DescribedFunction, described_functions, reference
    from ._stream import Hits, StreamPlan
    from ._triple import triple
    from ._undeclared import filled, parameters_of
    from ._why import Condition, why

__all__ = [
    "AGGREGATES",
    "ARCHIVE",
    "FUNCTIONS",
    "LINKS",
    "OBJECT",
    "PARAMETER_TYPES",
    "PUBLIC",
    "BatchFrame",
    "Catalogue",
    "Condition",
    "DescribedFunction",
    "Form",
    "FormColumn",
    "FormCondition",
    "FormJoin",
    "FormParameter",
    "Function",
    "Hits",
    "JoinKind",
    "Link",
    "Operator",
    "Parameter",
    "ParameterType",
    "ParameterValue",
    "Query",
    "QueryError",
    "Relation",
    "StreamPlan",
    "columns_read",
    "described_functions",
    "filled",
    "form_of",
    "mjd_now",
    "of_objects",
    "origins",
    "parameters_of",
    "parse",
    "reference",
    "triple",
    "values_wanted",
    "why",
    "with_values",
]

import_when_used(__name__)
