"""Queries on the stream: the same checked tree, on the columns of a batch instead of an archive.

What `_compile` can, and joins by equality, run as numpy on the batch's columns; everything else runs as a
prepared statement of a DuckDB that holds just the batch.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from lasair_broker.schema import table

from ._compile import Columns, Evaluate, NotCompiledError, compiled
from ._frame import ROW, BatchFrame, KeyedCondition
from ._per_object import OBJECT
from ._query import Query
from ._render import Renderer
from ._tree import (
    Call,
    Case,
    ColumnRef,
    Const,
    Expr,
    In,
    Join,
    Output,
    QueryTree,
    Select,
    Source,
    TableSource,
    conjuncts,
)  # fmt: skip
from ._types import integer, of_column
from ._typing import contains_aggregate, parts
from ._vectors import Truths, Vector, taken

__all__ = ["Hits", "StreamPlan"]

Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Hits:
    """What a query gave on a batch.

    Attributes
    ----------
    objects
        For each hit the row of the batch's `objects` that it came from; None for a query that groups or
        unites rows.
    rows
        The selected columns of each hit.
    """

    objects: Int64 | None
    rows: pa.Table


@dataclass(frozen=True, slots=True)
class _Step:
    """A table that is joined: where its `column` equals `key` of the tables before it; an `outer` one leaves
    the rows that match none, with -1 for its row."""

    alias: str
    table: str
    column: str
    key: ColumnRef
    outer: bool = False


class StreamPlan:
    """A query ready for batch after batch. ORDER BY, TOP and OFFSET do not apply to a stream.

    Attributes
    ----------
    compiled
        Whether it runs as numpy; otherwise in DuckDB.
    """

    def __init__(self, query: Query) -> None:
        self._tree = replace(query.tree, order=(), limit=None, offset=None)
        self._plan: _Compiled | None = None
        try:
            self._plan = _Compiled(self._tree)
        except NotCompiledError:
            self._sql, self._needs_now, self._follows_objects = _for_batch(self._tree)

    @property
    def compiled(self) -> bool:
        return self._plan is not None

    def run(self, frame: BatchFrame) -> Hits:
        """The query's rows on a batch.

        Raises
        ------
        QueryError
            If DuckDB cannot answer it on this batch.
        """
        if self._plan is not None:
            return self._plan.run(frame)
        rows = frame.database.run(self._sql, frame.now if self._needs_now else None)
        if not self._follows_objects:
            return Hits(None, rows)
        objects = rows.column(ROW).to_numpy().astype(np.int64)
        return Hits(objects, rows.drop_columns([ROW]))


class _Compiled:
    """A SELECT from `objects` and tables joined to it by equality, as numpy."""

    def __init__(self, tree: QueryTree) -> None:
        select = tree.body
        if tree.named or not isinstance(select, Select) or not _row_by_row(select):
            raise NotCompiledError("the query's form")
        sources, on, outer = _flat(select.source)
        self._tables = {source.alias: source.table for source in sources}
        root = _root(sources, select)
        if root is None:
            raise NotCompiledError("the query's tables")
        limits = {source.alias: _limits(source) for source in sources}
        inner = [limit for alias in self._tables if alias not in outer for limit in limits[alias]]
        conditions = [*inner, *on, *conjuncts(select.where)]
        self._root = root
        if self._root in outer:
            raise NotCompiledError("a row need not have an object")
        self._masks: dict[str, list[KeyedCondition]] = {alias: [] for alias in self._tables}
        across: list[Expr] = []
        for condition in conditions:
            used = _aliases(condition)
            if len(used) == 1 and not used & outer.keys():
                self._on_one_table(condition, *used)
            else:
                across.append(condition)
        self._steps, rest = self._ordered(across, outer)
        for alias, asked in outer.items():
            self._steps.append(self._outer_step(alias, [*limits[alias], *conjuncts(asked)]))
        self._rest = [compiled(condition) for condition in rest]
        self._outputs = [(o.name, o.expression, _compiled_output(o)) for o in select.outputs]

    def _on_one_table(self, condition: Expr, alias: str) -> None:
        self._masks[alias].append(KeyedCondition(_on_table(condition, {alias: self._tables[alias]})))

    def _outer_step(self, alias: str, conditions: list[Expr]) -> _Step:
        """A LEFT JOIN, whose conditions are one equality and others on its own table alone."""
        there = {self._root, *(step.alias for step in self._steps)}
        keys = []
        for condition in conditions:
            key = _key(condition, alias, there)
            if key is not None:
                keys.append(key)
            elif _aliases(condition) == {alias}:
                self._on_one_table(condition, alias)
            else:
                raise NotCompiledError("a LEFT JOIN that is not by equality")
        if len(keys) != 1:
            raise NotCompiledError("a LEFT JOIN that is not by one equality")
        return _Step(alias, self._tables[alias], *keys[0], outer=True)

    def _ordered(self, across: list[Expr], outer: Collection[str]) -> tuple[list[_Step], list[Expr]]:
        """The joins, each to tables that are there before it, and the conditions that are left."""
        there, steps = {self._root}, []
        waiting = [alias for alias in self._tables if alias != self._root and alias not in outer]
        while waiting:
            for alias in waiting:
                found = next((c for c in across if _key(c, alias, there) is not None), None)
                if found is not None:
                    column, key = _key(found, alias, there) or ("", ColumnRef("", "", integer(1)))
                    steps.append(_Step(alias, self._tables[alias], column, key))
                    across = [c for c in across if c is not found]
                    there.add(alias)
                    waiting.remove(alias)
                    break
            else:
                raise NotCompiledError("a join that is not by equality")
        return steps, across

    def run(self, frame: BatchFrame) -> Hits:
        rows = {self._root: self._passing(frame, self._root)}
        for step in self._steps:
            key = taken(frame.vector(self._tables[step.key.source], step.key.name), rows[step.key.source])
            left, right = frame.matcher(step.table, step.column).match(key)
            masks = self._masks[step.alias]
            if masks and len(right):
                passing = self._mask(frame, step.alias)[right]
                left, right = left[passing], right[passing]
            if step.outer:
                left, right = _with_unmatched(left, right, len(rows[self._root]))
            rows = {alias: index[left] for alias, index in rows.items()} | {step.alias: right}

        def column(source: str, name: str) -> Vector:
            return taken(frame.vector(self._tables[source], name), rows[source])

        columns = Columns(column, len(rows[self._root]), frame.now)
        if self._rest:
            keep = np.logical_and.reduce([_true(evaluate(columns)) for evaluate in self._rest])
            rows = {alias: index[keep] for alias, index in rows.items()}
            columns = Columns(column, len(rows[self._root]), frame.now)
        indices = {alias: pa.array(index, mask=index < 0) for alias, index in rows.items()}
        arrays = [
            self._output(frame, expression, evaluate, columns, indices)
            for _, expression, evaluate in self._outputs
        ]
        return Hits(
            rows[self._root], pa.Table.from_arrays(arrays, names=[name for name, _, _ in self._outputs])
        )

    def _mask(self, frame: BatchFrame, alias: str) -> npt.NDArray[np.bool_]:
        table = self._tables[alias]
        masks = self._masks[alias]
        result = frame.mask(table, masks[0])
        for condition in masks[1:]:
            result = result & frame.mask(table, condition)
        return result

    def _passing(self, frame: BatchFrame, alias: str) -> Int64:
        if not self._masks[alias]:
            return np.arange(frame.num_rows(self._tables[alias]))
        return np.flatnonzero(self._mask(frame, alias))

    def _output(
        self,
        frame: BatchFrame,
        expression: Expr,
        evaluate: Evaluate | None,
        columns: Columns,
        rows: dict[str, pa.Array],
    ) -> pa.Array:
        if evaluate is not None:
            return evaluate(columns).arrow()
        assert isinstance(expression, ColumnRef)  # noqa: S101 - for the type checker: others are compiled
        return frame.array(self._tables[expression.source], expression.name).take(rows[expression.source])


def _compiled_output(output: Output) -> Evaluate | None:
    """None for a plain column, which is taken as it is."""
    return None if isinstance(output.expression, ColumnRef) else compiled(output.expression)


def _true(value: Vector) -> npt.NDArray[np.bool_]:
    if not isinstance(value, Truths):
        raise TypeError("a condition is not a truth value")
    return value.true


def _flat(source: Source) -> tuple[list[TableSource], list[Expr], dict[str, Expr | None]]:
    """The tables of joins, what the ON clauses of inner joins ask, and of LEFT JOINs those of each alias."""
    if isinstance(source, TableSource):
        return [source], [], {}
    if isinstance(source, Join) and source.kind in ("INNER", "CROSS"):
        left, left_on, left_outer = _flat(source.left)
        right, right_on, right_outer = _flat(source.right)
        if not right_outer:
            return left + right, left_on + right_on + list(conjuncts(source.on)), left_outer
    if isinstance(source, Join) and source.kind == "LEFT" and isinstance(source.right, TableSource):
        tables, on, outer = _flat(source.left)
        return [*tables, source.right], on, {**outer, source.right.alias: source.on}
    raise NotCompiledError("the query's tables")


def _with_unmatched(left: Int64, right: Int64, number: int) -> tuple[Int64, Int64]:
    """The pairs with those of `number` rows that are in none, in the order of the rows."""
    alone = np.setdiff1d(np.arange(number), left)
    left, right = np.concatenate([left, alone]), np.concatenate([right, np.full(len(alone), -1)])
    order = np.argsort(left, kind="stable")
    return left[order], right[order]


def _limits(source: TableSource) -> list[Expr]:
    """What the rows of a table must be for the user to see them, as conditions."""
    definition = table(source.table)
    limits: list[Expr] = []
    for name, values in source.only:
        column = ColumnRef(source.alias, name, of_column(definition.column(name)))
        limits.append(In(column, tuple(Const(value, column.type) for value in values)))
    return limits


def _aliases(expression: Expr) -> set[str]:
    if isinstance(expression, ColumnRef):
        return {expression.source}
    return {alias for part in parts(expression) for alias in _aliases(part)}


def _on_table(expression: Expr, tables: dict[str, str]) -> Expr:
    """With the name of the table for its alias, so that the same condition in two queries is the same."""
    match expression:
        case ColumnRef():
            return replace(expression, source=tables[expression.source])
        case Call():
            return replace(expression, args=tuple(_on_table(a, tables) for a in expression.args))
    changed = _rebuilt(expression, tables)
    return expression if changed is None else changed


def _rebuilt(expression: Expr, tables: dict[str, str]) -> Expr | None:
    if isinstance(expression, In):
        items = tuple(_on_table(item, tables) for item in expression.items)
        return In(_on_table(expression.value, tables), items)
    if isinstance(expression, Case):
        branches = tuple((_on_table(c, tables), _on_table(v, tables)) for c, v in expression.branches)
        return Case(branches, _on_table(expression.default, tables), expression.type)
    return None


def _key(condition: Expr, alias: str, there: set[str]) -> tuple[str, ColumnRef] | None:
    """The column of `alias` and the column of tables already there that `condition` makes equal."""
    if not isinstance(condition, Call) or condition.function != "eq":
        return None
    left, right = condition.args
    for ours, theirs in ((left, right), (right, left)):
        if not (isinstance(ours, ColumnRef) and isinstance(theirs, ColumnRef)):
            continue
        kind = ours.type.kind
        if (
            ours.source == alias
            and theirs.source in there
            and kind == theirs.type.kind in ("integer", "text")
        ):
            return ours.name, theirs
    return None


def _for_batch(tree: QueryTree) -> tuple[str, bool, bool]:
    """The SQL on a batch, whether it takes the time, and whether it says what object a row is of."""
    select = tree.body
    alias = _objects_alias(select.source) if isinstance(select, Select) and _row_by_row(select) else None
    if alias is not None and isinstance(select, Select):
        row = Output(ROW, ColumnRef(alias, ROW, integer(31)))
        tree = replace(tree, body=replace(select, outputs=(*select.outputs, row)))
    renderer = Renderer("duckdb", "$1")
    return renderer.query(tree), renderer.uses_now, alias is not None


def _row_by_row(select: Select) -> bool:
    """Whether each row of the result comes of one row of FROM."""
    if select.group or select.having is not None or select.distinct:
        return False
    return not any(contains_aggregate(output.expression) for output in select.outputs)


def _root(sources: Sequence[TableSource], select: Select) -> str | None:
    """The alias of `objects` whose rows are gone through: of several, the one that a row is said to be of."""
    aliases = [source.alias for source in sources if source.table == "objects"]
    if len(aliases) == 1:
        return aliases[0]
    last = select.outputs[-1]
    if last.name == OBJECT and isinstance(last.expression, ColumnRef) and last.expression.source in aliases:
        return last.expression.source
    return None


def _objects_alias(source: Source) -> str | None:
    """The alias of `objects`, if every row of the join has one."""
    if isinstance(source, TableSource):
        return source.alias if source.table == "objects" else None
    if isinstance(source, Join):
        sides = {"INNER": (0, 1), "CROSS": (0, 1), "LEFT": (0,), "RIGHT": (1,)}.get(source.kind, ())
        both = (source.left, source.right)
        return next((alias for side in sides if (alias := _objects_alias(both[side])) is not None), None)
    return None
