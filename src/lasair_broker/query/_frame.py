"""A batch as queries see it: columns, conditions and joins are worked out once, however many filters share
them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from lasair_broker.schema import arrow_schema

from ._compile import Columns, Evaluate, NotCompiledError, compiled
from ._fallback import BatchDatabase
from ._joins import Matcher
from ._query import mjd_now
from ._tree import Expr
from ._vectors import Truths, Vector, of_arrow

__all__ = ["ROW", "BatchFrame", "KeyedCondition"]

ROW = "lasair row"
"""Name of the number of a row of `objects` within its batch; no column of the schema has a blank."""


class BatchFrame:
    """A batch as queries see it. Columns and conditions are worked out once and kept for the next query.

    Parameters
    ----------
    tables
        The batch's tables by their name in the schema; `objects` among them. A table that is missing is
        empty.
    now
        What ``mjdnow()`` means, MJD TAI; None: this moment.
    """

    def __init__(self, tables: Mapping[str, pa.Table], now: float | None = None) -> None:
        self.tables = tables
        self.now = mjd_now() if now is None else now
        self._arrays: dict[tuple[str, str], pa.Array] = {}
        self._vectors: dict[tuple[str, str], Vector] = {}
        self._masks: dict[KeyedCondition, npt.NDArray[np.bool_]] = {}
        self._matchers: dict[tuple[str, str], Matcher] = {}

    def num_rows(self, table: str) -> int:
        found = self.tables.get(table)
        return 0 if found is None else found.num_rows

    def vector(self, table: str, name: str) -> Vector:
        """A whole column of a table."""
        key = (table, name)
        found = self._vectors.get(key)
        if found is None:
            found = self._vectors[key] = self._new_vector(table, name)
        return found

    def _new_vector(self, table: str, name: str) -> Vector:
        vector = of_arrow(self.array(table, name))
        if vector is None:
            raise NotCompiledError(name)
        return vector

    def array(self, table: str, name: str) -> pa.Array:
        """A whole column of a table, as it is."""
        key = (table, name)
        found = self._arrays.get(key)
        if found is None:
            data = self.tables.get(table)
            place = -1 if data is None else data.schema.get_field_index(name)
            if data is None or place < 0:
                found = pa.nulls(self.num_rows(table), arrow_schema(table).field(name).type)
            else:
                chunks = data.column(place)
                found = (
                    chunks.chunk(0)
                    if chunks.num_chunks == 1
                    else pa.concat_arrays(chunks.chunks or [pa.nulls(0, chunks.type)])
                )
            self._arrays[key] = found
        return found

    def mask(self, table: str, condition: KeyedCondition) -> npt.NDArray[np.bool_]:
        """The rows of a table for which a condition on it alone is true."""
        found = self._masks.get(condition)
        if found is None:
            columns = Columns(self.vector, self.num_rows(table), self.now)
            value = condition.evaluate(columns)
            assert isinstance(value, Truths)  # noqa: S101 - for the type checker: conditions are checked
            found = self._masks[condition] = value.true
        return found

    def matcher(self, table: str, column: str) -> Matcher:
        """The rows of a table by the values of a column."""
        key = (table, column)
        found = self._matchers.get(key)
        if found is None:
            found = self._matchers[key] = Matcher(self.vector(table, column))
        return found

    @cached_property
    def database(self) -> BatchDatabase:
        """The batch in a DuckDB of its own, made when the first query needs it."""
        return BatchDatabase(self.tables, ROW)

    def interrupt(self) -> None:
        """Stop the query that runs in DuckDB, from another thread: `StreamPlan.run` raises QueryError."""
        database = self.__dict__.get("database")
        if database is not None:
            database.interrupt()


class KeyedCondition:
    """A condition on one table with its function; equal if the conditions are, with the hash worked out
    once."""

    __slots__ = ("_hash", "condition", "evaluate")

    def __init__(self, condition: Expr) -> None:
        self.condition = condition
        self.evaluate: Evaluate = compiled(condition)
        self._hash = hash(condition)

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return isinstance(other, KeyedCondition) and (self is other or self.condition == other.condition)
