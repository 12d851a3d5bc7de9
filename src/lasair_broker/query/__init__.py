"""The query language: ADQL 2.1 and Lasair's triple in, a checked tree, and from it each engine's SQL."""

from ._catalogue import ARCHIVE, PUBLIC, Catalogue, Relation
from ._errors import QueryError
from ._functions import AGGREGATES, FUNCTIONS, Function
from ._query import Query, mjd_now, parse
from ._stream import BatchFrame, Hits, StreamPlan
from ._triple import triple

__all__ = [
    "AGGREGATES",
    "ARCHIVE",
    "FUNCTIONS",
    "PUBLIC",
    "BatchFrame",
    "Catalogue",
    "Function",
    "Hits",
    "Query",
    "QueryError",
    "Relation",
    "StreamPlan",
    "mjd_now",
    "parse",
    "triple",
]
