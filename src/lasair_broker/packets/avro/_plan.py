"""From a schema to what the kernels run: columns, levels and a flat list of operations.

A level is a table of rows: the root has one row a datum, each array or map one row an item. Fields of records
become columns of the level the record stands in. The operations walk a datum in the order of its bytes; they
are data, so one compiled kernel serves all schemas.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ._errors import SchemaError
from ._schema import MISSING, Node

__all__ = ["VIEW", "Column", "LevelPlan", "Plan", "build_plan"]

VIEW: Final = np.dtype(
    {"names": ["offset", "length", "datum"], "formats": [np.int64, np.int32, np.int32], "itemsize": 16}
)
"""Text and bytes: where they lie. `offset` counts from the start of the datum numbered `datum`."""

MAX_PARTS: Final = 100_000
"""Named types may be used many times over; a schema that unfolds into more types than this is refused."""

# Operations. Places within a row of `Plan.ops`:
CODE, COUNT, COLUMN, NULL_AT, EXTRA, TABLE, LEAST = range(7)
# END           the datum is complete
# BOOLEAN...    a run of COUNT columns of one type from COLUMN on. If each is a union of null and that type,
#               NULL_AT is the index of null (else -1). EXTRA: the symbols of an enum, the size of a fixed
# OPTION        a union of null (index NULL_AT) and one composite type; go on at COUNT if it is null
# UNION         EXTRA branches, starting at Plan.branches[TABLE...]; after null (-1) go on at COUNT
# MARK          the branch whose presence COLUMN records has been taken
# JUMP          go on at COUNT
# ARRAY         level EXTRA; each item takes at least LEAST bytes; go on at COUNT when there are no more
# NEXT          the end of an item of level EXTRA, whose ARRAY is at COUNT
END, BOOLEAN, INT, LONG, FLOAT, DOUBLE, BYTES, STRING, FIXED, ENUM = range(10)
OPTION, UNION, MARK, JUMP, ARRAY, NEXT = range(10, 16)

_KINDS: Final = {
    "boolean": (BOOLEAN, np.dtype(np.bool_)),
    "int": (INT, np.dtype(np.int32)),
    "long": (LONG, np.dtype(np.int64)),
    "float": (FLOAT, np.dtype(np.float32)),
    "double": (DOUBLE, np.dtype(np.float64)),
    "bytes": (BYTES, VIEW),
    "string": (STRING, VIEW),
    "fixed": (FIXED, VIEW),
    "enum": (ENUM, np.dtype(np.int32)),
    "null": (END, np.dtype(np.bool_)),
}
_UNION_CODE: Final = np.dtype(np.int32)


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a level, or the presence of something that has no value of its own (a record, an array).

    Attributes
    ----------
    index
        Its number among all columns of the schema.
    level
        The number of its level.
    path
        Dotted path inside the level. Items of an array that are no records are "item"; entries of a map have
        "key" and "value"; what is inside branch T of a union x is under "x.T".
    node
        The type, without the null of a union of two.
    dtype
        Of the values; None if there are none (a nullable record, array or map).
    optional
        Whether it has validity bytes of its own.
    valid_from
        The column whose validity bytes say where this one is valid: itself, or what it stands in; -1: always.
    within
        The column of the nearest record or branch it stands in that may be missing; -1 if there is none.
    default
        The default of the schema, `MISSING` if it has none.
    union, branch
        Of a branch of a union: the column of the union, and the number of the branch; otherwise -1.
    """

    index: int
    level: int
    path: str
    node: Node
    dtype: np.dtype[Any] | None
    optional: bool
    valid_from: int
    within: int
    default: Any
    union: int = -1
    branch: int = -1


@dataclass(frozen=True, slots=True)
class LevelPlan:
    """A level: the array or map at `field` of level number `parent`; the root has parent -1.

    `within` and `default` are as those of a column.
    """

    path: str
    parent: int
    field: str
    node: Node
    columns: tuple[Column, ...]
    within: int
    default: Any


@dataclass(frozen=True, slots=True)
class Plan:
    """All that the kernels need to know of a schema."""

    root: Node
    ops: npt.NDArray[np.int64]
    branches: npt.NDArray[np.int64]
    columns: tuple[Column, ...]
    levels: tuple[LevelPlan, ...]
    depth: int
    min_bytes: int


def join_path(path: str, name: str) -> str:
    """`name` inside `path`."""
    return f"{path}.{name}" if path else name


def branch_names(node: Node) -> tuple[str, ...]:
    """What the branches of a union are called in paths: short names, or full ones where those repeat."""
    short = [branch.short_name for branch in node.branches]
    full = [(branch.name or branch.kind).replace(".", "_") for branch in node.branches]
    names = [short[i] if short.count(short[i]) == 1 else full[i] for i in range(len(short))]
    return tuple(name if names.count(name) == 1 and name else f"{name}_{i}" for i, name in enumerate(names))


def option(node: Node) -> tuple[int, Node]:
    """(index of null, the other branch) of a union of null and one type; (-1, node) of anything else."""
    if node.kind == "union" and len(node.branches) == 2:
        for place, branch in enumerate(node.branches):
            if branch.kind == "null" and node.branches[1 - place].kind != "null":
                return place, node.branches[1 - place]
    return -1, node


def item_paths(node: Node) -> tuple[tuple[str, Node], ...]:
    """The paths inside the level of an array or map, and their types."""
    assert node.items is not None  # noqa: S101 - the parser gives every array and map its items
    if node.kind == "map":
        return (("key", Node("string")), ("value", node.items))
    null_at, inner = option(node.items)
    return (("" if inner.kind == "record" and null_at < 0 else "item", node.items),)


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the levels a type stands: `within` as that of a column, `depth` the arrays around it."""

    level: int
    path: str
    within: int
    depth: int


class _Builder:
    def __init__(self) -> None:
        self.ops: list[list[int]] = []
        self.branches: list[int] = []
        self.columns: list[Column] = []
        self.levels: list[LevelPlan] = []
        self.depth = 0
        self.parts = 0
        self._no_merge_at = 0
        self._sizes: dict[int, int] = {}

    def min_bytes(self, node: Node) -> int:
        """The fewest bytes a value can take."""
        known = self._sizes.get(id(node))
        if known is None:
            if node.kind == "null":
                known = 0
            elif node.kind == "fixed":
                known = node.size
            elif node.kind == "record":
                known = sum(self.min_bytes(field.node) for field in node.fields)
            elif node.kind == "union":
                known = 1 + min(self.min_bytes(branch) for branch in node.branches)
            else:
                known = {"float": 4, "double": 8}.get(node.kind, 1)
            # Only whether it is 0 and roughly how much matters; an absurd schema must not overflow 64 bits.
            known = self._sizes[id(node)] = min(known, 2**40)
        return known

    def emit(self, code: int, **places: int) -> int:
        """Append an operation; its index."""
        row = [code, 0, 0, -1, 0, 0, 0]
        for name, value in places.items():
            row[("code", "count", "column", "null_at", "extra", "table", "least").index(name)] = value
        self.ops.append(row)
        return len(self.ops) - 1

    def here(self) -> int:
        """The index of the next operation, as a place to jump to; so it must not grow into the one before."""
        self._no_merge_at = len(self.ops)
        return len(self.ops)

    def column(
        self, place: Place, node: Node, dtype: np.dtype[Any] | None, optional: bool, default: Any = MISSING
    ) -> int:
        """A new column; its index."""
        index = len(self.columns)
        valid_from = index if optional else place.within
        self.columns.append(
            Column(index, place.level, place.path, node, dtype, optional, valid_from, place.within, default)
        )
        return index

    def value(self, place: Place, node: Node, default: Any = MISSING) -> None:
        """Operations and columns of a value of type `node` at `place`."""
        self.depth = max(self.depth, place.depth)
        self.parts += 1
        if self.parts > MAX_PARTS:
            raise SchemaError(f"the schema unfolds into more than {MAX_PARTS} parts")
        null_at, inner = option(node)
        if null_at >= 0 and inner.kind not in _KINDS:
            column = self.column(place, inner, None, True)
            jump = self.emit(OPTION, column=column, null_at=null_at)
            self.value(replace(place, within=column), inner)
            self.ops[jump][COUNT] = self.here()
        elif inner.kind in _KINDS:
            self.leaf(place, inner, null_at, default)
        elif inner.kind == "record":
            for field in inner.fields:
                own = default.get(field.name, field.default) if isinstance(default, dict) else field.default
                self.value(replace(place, path=join_path(place.path, field.name)), field.node, own)
        elif inner.kind == "union":
            self.union(place, inner, default)
        else:
            self.array(place, inner, default)

    def leaf(self, place: Place, node: Node, null_at: int, default: Any, marked: int = -1) -> None:
        """A value of one column; `marked` is the column if it exists already."""
        kind, dtype = _KINDS[node.kind]
        column = marked
        if column < 0:
            column = self.column(place, node, dtype, null_at >= 0 or node.kind == "null", default)
        if node.kind == "null":
            return
        extra = len(node.symbols) if node.kind == "enum" else node.size
        last = self.ops[-1] if self.ops else [END] * 7
        alike = (last[CODE], last[NULL_AT], last[EXTRA]) == (kind, null_at, extra)
        if alike and last[COLUMN] + last[COUNT] == column and self._no_merge_at < len(self.ops):
            last[COUNT] += 1
        else:
            self.emit(kind, count=1, column=column, null_at=null_at, extra=extra)

    def union(self, place: Place, node: Node, default: Any) -> None:
        """A union of any branches: a column of branch numbers, and columns for each branch but null."""
        optional = any(branch.kind == "null" for branch in node.branches)
        column = self.column(place, node, _UNION_CODE, optional, default)
        table = len(self.branches)
        self.branches.extend([-1] * len(node.branches))
        opened = self.emit(UNION, column=column, extra=len(node.branches), table=table)
        ends = []
        for number, (branch, name) in enumerate(zip(node.branches, branch_names(node), strict=True)):
            if branch.kind == "null":
                continue
            self.branches[table + number] = self.here()
            inside = replace(place, path=join_path(place.path, name))
            own = MISSING if number else default  # the default of a union is one of its first branch
            dtype = _KINDS[branch.kind][1] if branch.kind in _KINDS else None
            marked = self.column(inside, branch, dtype, True, own)
            self.columns[marked] = replace(self.columns[marked], union=column, branch=number)
            self.emit(MARK, column=marked)
            if dtype is None:
                self.value(replace(inside, within=marked), branch, own)
            else:
                self.here()
                self.leaf(inside, branch, -1, own, marked)
            ends.append(self.emit(JUMP))
        end = self.here()
        for jump in (opened, *ends):
            self.ops[jump][COUNT] = end

    def array(self, place: Place, node: Node, default: Any) -> None:
        """An array or map: a level of its own."""
        mine = len(self.levels)
        name = join_path(self.levels[place.level].path, place.path)
        self.levels.append(LevelPlan(name, place.level, place.path, node, (), place.within, default))
        parts = item_paths(node)
        least = sum(self.min_bytes(part) for _, part in parts)
        start = self.emit(ARRAY, extra=mine, least=least)
        self.here()
        for inside, part in parts:
            self.value(Place(mine, inside, -1, place.depth + 1), part)
        self.here()
        self.emit(NEXT, extra=mine, count=start)
        self.ops[start][COUNT] = self.here()


def build_plan(root: Node) -> Plan:
    """The plan of a schema. Raises SchemaError if it unfolds into too many columns."""
    builder = _Builder()
    null_at, inner = option(root)
    path = "" if inner.kind == "record" and null_at < 0 else "item"
    builder.levels.append(LevelPlan("", -1, "", Node("array", items=root), (), -1, MISSING))
    try:
        builder.value(Place(0, path, -1, 0), root)
    except RecursionError as problem:
        raise SchemaError("the schema is nested too deeply") from problem
    builder.emit(END)
    columns: list[list[Column]] = [[] for _ in builder.levels]
    for column in builder.columns:
        columns[column.level].append(column)
    levels = tuple(
        replace(level, columns=tuple(mine)) for level, mine in zip(builder.levels, columns, strict=True)
    )
    return Plan(
        root,
        np.array(builder.ops, np.int64),
        np.array(builder.branches or [-1], np.int64),
        tuple(builder.columns),
        levels,
        builder.depth,
        builder.min_bytes(root),
    )
