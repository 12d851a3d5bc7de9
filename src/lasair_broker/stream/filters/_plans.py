"""Filters ready to run, compiled once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

from lasair_broker.query import (
    OBJECT,
    BatchFrame,
    Hits,
    Query,
    QueryError,
    StreamPlan,
    columns_read,
    of_objects,
)

from .._subscriptions import ActiveFilter, ActiveFilters, TriggeredBy
from ._linked import LINKED

__all__ = ["Plan", "Plans", "check_filter", "read_by"]


@dataclass(frozen=True, slots=True)
class Plan:
    """A filter ready to run.

    Attributes
    ----------
    filter
        The filter.
    stream
        Its query with one more column, `query.OBJECT`.
    names
        The columns that the user selected, in order.
    reads
        The tables that it reads, and the columns of each.
    """

    filter: ActiveFilter
    stream: StreamPlan
    names: tuple[str, ...]
    reads: Mapping[str, frozenset[str]]

    @property
    def key(self) -> tuple[int, int]:
        return self.filter.filter_id, self.filter.version

    def run(self, frame: BatchFrame) -> Hits:
        """The filter's rows on a frame.

        Raises
        ------
        QueryError
            If it cannot be answered; also if the archive could not be asked for a table that it reads.
        """
        lacking = [name for name in self.reads if name in LINKED and name not in frame.tables]
        if lacking:
            raise QueryError(f"{lacking[0]} could not be read in the archive")
        return self.stream.run(frame)

    @property
    def kind(self) -> str:
        """How it runs, for metrics."""
        return "compiled" if self.stream.compiled else "duckdb"


def read_by(plans: Iterable[Plan]) -> dict[str, frozenset[str]]:
    """The tables that any of the filters reads, and the columns of each."""
    found: dict[str, frozenset[str]] = {}
    for plan in plans:
        for name, columns in plan.reads.items():
            found[name] = found.get(name, frozenset()) | columns
    return found


def check_filter(query: Query, renotify_columns: Collection[str] = ()) -> None:
    """Whether a query can be a filter.

    Raises
    ------
    QueryError
        If it cannot: what it gives for an object depends on other objects, or a column that is to be watched
        is not selected.
    """
    of_objects(query)
    missing = [column for column in renotify_columns if column not in query.columns]
    if missing:
        raise QueryError(
            f"{missing[0]} is to be watched for changes, but is not selected",
            suggestion=f"choose from {', '.join(query.columns)}",
        )


class Plans:
    """The plans of all active filters; those of filters that stay the same are kept.

    Parameters
    ----------
    failed
        Told of a filter that cannot be run, and why.
    """

    def __init__(self, failed: Callable[[ActiveFilter, str], None]) -> None:
        self._failed = failed
        self._active: ActiveFilters | None = None
        self._plans: dict[tuple[int, int], Plan | None] = {}
        self._filters: dict[tuple[int, int], ActiveFilter] = {}

    def of(self, active: ActiveFilters, trigger: TriggeredBy) -> tuple[Plan, ...]:
        """The plans of the filters that run on `trigger` (alert, annotation or context)."""
        if active is not self._active:
            self._renew(active)
        return tuple(
            plan
            for plan in self._plans.values()
            if plan is not None and plan.filter.triggered_by.includes(trigger)
        )

    def _renew(self, active: ActiveFilters) -> None:
        plans: dict[tuple[int, int], Plan | None] = {}
        filters = {(each.filter_id, each.version): each for each in active.filters}
        for key, each in filters.items():
            before = self._filters.get(key)
            known = key in self._plans and before is not None and before.query.tree == each.query.tree
            plan = self._plans[key] if known else self._compiled(each)
            plans[key] = None if plan is None else Plan(each, plan.stream, plan.names, plan.reads)
        self._active, self._plans, self._filters = active, plans, filters

    def _compiled(self, each: ActiveFilter) -> Plan | None:
        try:
            check_filter(each.query, each.renotify.columns)
            query = of_objects(each.query)
            names = tuple(name for name in query.columns if name != OBJECT)
            return Plan(each, StreamPlan(query), names, columns_read(query))
        except Exception as error:
            # Whatever it is, it is this filter's, and the others are to run.
            self._failed(each, str(error) or type(error).__name__)
            return None
