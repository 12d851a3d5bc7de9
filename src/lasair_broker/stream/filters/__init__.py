"""Filters on the stream: users' queries on each batch, right before it is committed."""

from ._isolation import Budget
from ._plans import check_filter
from ._stage import ANNOTATIONS, FilterStage

__all__ = ["ANNOTATIONS", "Budget", "FilterStage", "check_filter"]
