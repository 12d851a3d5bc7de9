"""Columns given to the encoder, matched with what a schema wants."""

from __future__ import annotations

import difflib
from typing import Any

import numpy as np
import numpy.typing as npt

from ._columns import Decoded, Level
from ._encode_kernel import encode_rows
from ._errors import ColumnError
from ._memory import address_of, addresses
from ._plan import VIEW, Column, LevelPlan, Plan
from ._schema import MISSING
from ._stamp import STAMP

__all__ = ["encode_buffer"]

Array = npt.NDArray[Any]
Int64 = npt.NDArray[np.int64]

# Presence of a record or branch: everywhere, nowhere, or by row.
Presence = bool | npt.NDArray[np.bool_]

# The most bytes of a value without what is in it; one more for the union that null may make of it.
_MOST = {"boolean": 1, "int": 5, "long": 10, "float": 4, "double": 8, "enum": 5, "string": 5, "bytes": 5}


def _both(one: Presence, other: Presence) -> Presence:
    """Where both are: True and False stand for every row and no row."""
    if isinstance(one, bool) or isinstance(other, bool):
        both = one if other is True else other if one is True else False
    else:
        both = one & other
    return both if isinstance(both, bool) or both.any() else False


class _Binding:
    """The addresses of all columns as the encoder wants them, and the memory behind them."""

    def __init__(self, plan: Plan, given: Decoded) -> None:
        self.plan = plan
        self.given = given
        self.values = np.zeros(len(plan.columns), np.int64)
        self.sizes = np.zeros(len(plan.columns), np.int64)
        self.valids = np.zeros(len(plan.columns), np.int64)
        self.offsets = np.zeros(len(plan.levels), np.int64)
        self._same: dict[tuple[int, bool], int] = {}
        self.most_bytes = 0
        self._kept: list[Array | Level] = []
        self._presence: dict[int, Presence] = {}
        self._branches: dict[int, tuple[Presence, Array]] = {}
        self._levels = [given.levels.get(level.path) for level in plan.levels]
        if self._levels[0] is None:
            self._levels[0] = Level(given.num_rows, None, {}, {})
        self._content = [self._paths(number) for number in range(len(plan.levels))]
        for column in plan.columns:
            level = self._levels[column.level]
            if level is not None:
                self._column(column, level)
        for number, planned in enumerate(plan.levels[1:], 1):
            self._array(number, planned)

    def _paths(self, number: int) -> set[str]:
        """All paths of a level under which something is given."""
        level = self._levels[number]
        found = set() if level is None else {*level.values, *level.valid}
        for planned, child in zip(self.plan.levels, self._levels, strict=True):
            if planned.parent == number and child is not None:
                found.add(planned.field)
        for path in tuple(found):
            while "." in path:
                path = path.rpartition(".")[0]
                found.add(path)
        return found

    def _name(self, column: Column) -> str:
        return f"{self.plan.levels[column.level].path}.{column.path}".strip(".")

    def _keep(self, array: Array) -> int:
        """The address of an array, which lives as long as the binding."""
        array = np.ascontiguousarray(array)
        self._kept.append(array)
        return address_of(array)

    def _constant(self, rows: int, there: bool) -> int:
        """The address of validity bytes that are the same in all rows, or (False) of zeros for values too."""
        if (rows, there) not in self._same:
            self._same[rows, there] = self._keep(np.full(8 * rows, there, np.bool_))
        return self._same[rows, there]

    def _inside(self, within: int) -> Presence:
        return True if within < 0 else self._presence[within]

    def _column(self, column: Column, level: Level) -> None:
        outer = self._inside(column.within)
        valid = level.valid.get(column.path)
        if column.union >= 0:
            there, codes = self._branches.get(column.union, (False, np.zeros(0, np.int32)))
            taken: Presence = False if there is False else codes == column.branch
            outer = _both(_both(outer, there), taken)
            self._presence[column.index] = outer
        if column.dtype is None:
            if column.union < 0:
                own: Presence = column.path in self._content[column.level] if valid is None else valid
                self._presence[column.index] = _both(outer, own)
                flags = np.full(level.num_rows, own, np.bool_) if isinstance(own, bool) else own
                self.valids[column.index] = self._keep(flags)
                self.most_bytes += level.num_rows
        elif outer is not False:
            self._value(column, level, outer, valid)

    def _value(self, column: Column, level: Level, outer: Presence, valid: Array | None) -> None:
        """Bind a column with values; `outer` says where a value is wanted."""
        kind = column.node.kind
        rows = level.num_rows
        self.most_bytes += rows
        if kind == "null":
            return
        array = level.values.get(column.path)
        nullable = column.optional and column.union < 0
        if array is None:
            if nullable or not rows:
                # A null in every row.
                self.values[column.index] = self.valids[column.index] = self._constant(rows, False)
                return
            if column.default is MISSING:
                raise ColumnError(f"{self._name(column)} is required and not given")
            level, valid = _default_level(column, rows), None
            self._kept.append(level)
            array = level.values[column.path]
        elif not nullable and valid is not None:
            missing = ~valid if outer is True else outer & ~valid
            if missing.any():
                row = int(np.flatnonzero(missing)[0])
                raise ColumnError(f"{self._name(column)} is required and missing in row {row}")
        self.valids[column.index] = self._constant(rows, True) if valid is None else self._keep(valid)
        self.most_bytes += rows * (column.node.size if kind == "fixed" else _MOST.get(kind, 5))
        if column.dtype == VIEW:
            self._views(column, level, array, valid)
            return
        if kind == "enum" and array.dtype == VIEW:
            array = self._symbols(column, level)
        numbers = self._cast(column, array)
        self.values[column.index] = self._keep(numbers)
        if kind in ("enum", "union"):
            count = len(column.node.symbols) if kind == "enum" else len(column.node.branches)
            wrong = (numbers < 0) | (numbers >= count)
            if (wrong if valid is None else wrong & valid).any():
                raise ColumnError(f"{self._name(column)} has numbers outside 0 to {count - 1}")
            if kind == "union":
                self._branches[column.index] = (True if valid is None else valid, numbers)
            elif wrong.any():
                # A null stands here, which the kernel does not look up.
                self.values[column.index] = self._keep(np.where(wrong, 0, numbers).astype(np.int32))

    def _views(self, column: Column, level: Level, array: Array, valid: Array | None) -> None:
        if array.dtype != VIEW:
            raise ColumnError(
                f"{self._name(column)} is {column.node.kind}; the column given is {array.dtype}"
            )
        address, length = level.pointers(column.path)
        if column.node.kind == "fixed":
            wrong = length != column.node.size
            if (wrong if valid is None else wrong & valid).any():
                raise ColumnError(f"{self._name(column)} has values not of {column.node.size} bytes")
        else:
            self.sizes[column.index] = self._keep(length)
            self.most_bytes += int(length.sum())
        self.values[column.index] = self._keep(address)

    def _symbols(self, column: Column, level: Level) -> Array:
        codes, words = level.text(column.path)
        symbols = column.node.symbols
        unknown = [word for word in words if word not in symbols]
        if unknown:
            raise ColumnError(f"{self._name(column)}: {unknown[0]!r} is none of {', '.join(symbols)}")
        table = np.array([symbols.index(word) for word in words] + [-1], np.int32)
        return table[codes]

    def _cast(self, column: Column, array: Array) -> Array:
        assert column.dtype is not None  # noqa: S101 - `_column` has seen to it
        wanted = column.dtype
        if array.dtype == wanted:
            return array
        if array.dtype.kind not in {"b": "b", "i": "iu", "f": "fiu"}[wanted.kind]:
            raise ColumnError(
                f"{self._name(column)} is {column.node.kind}; the column given is {array.dtype}"
            )
        with np.errstate(over="ignore"):
            made = array.astype(wanted)
        if wanted.kind == "i" and len(array) and not (made == array).all():
            raise ColumnError(f"{self._name(column)} has numbers outside {wanted}")
        return made

    def _array(self, number: int, planned: LevelPlan) -> None:
        parent = self._levels[planned.parent]
        if parent is None or self._inside(planned.within) is False:
            return
        level = self._levels[number]
        if level is None or level.offsets is None:
            if planned.default not in ([], {}) and parent.num_rows:
                raise ColumnError(f"{planned.path} is required and not given")
            offsets = np.zeros(parent.num_rows + 1, np.int64)
        else:
            offsets = np.ascontiguousarray(level.offsets, np.int64)
            wrong = len(offsets) != parent.num_rows + 1 or offsets[0] < 0 or offsets[-1] > level.num_rows
            if wrong or (offsets[1:] < offsets[:-1]).any():
                raise ColumnError(
                    f"the offsets of {planned.path} do not lead {parent.num_rows} rows through "
                    f"{level.num_rows}"
                )
        self.offsets[number] = self._keep(offsets)
        self.most_bytes += 11 * parent.num_rows


def _default_level(column: Column, rows: int) -> Level:
    """A level with one column, filled with its default."""
    from ._build import Text, build_level

    kind, default = column.node.kind, column.default
    try:
        if kind == "union":
            value: Any = np.zeros(rows, np.int32)
        elif kind == "enum":
            value = np.full(rows, column.node.symbols.index(default), np.int32)
        elif kind == "string":
            value = Text(np.zeros(rows, np.int32), [default])
        elif kind in ("bytes", "fixed"):
            # JSON has no bytes: the specification writes each as the character of that number.
            value = [default.encode("latin-1")] * rows
        else:
            value = np.full(rows, default, column.dtype)
        return build_level({column.path: value})
    except (ValueError, TypeError, AttributeError) as problem:
        raise ColumnError(f"{column.path}: the default {default!r} is no {kind}") from problem


def _check_known(plan: Plan, given: Decoded) -> None:
    """Raise if columns are given that the schema does not have: mostly a slip of the pen."""
    for path, level in given.levels.items():
        planned = next((known for known in plan.levels if known.path == path), None)
        if planned is None:
            raise ColumnError(_unknown("level", path, [known.path for known in plan.levels]))
        known = {column.path for column in planned.columns}
        for name in (*level.values, *level.valid):
            if name not in known:
                raise ColumnError(_unknown("column", name, sorted(known)))


def _unknown(what: str, name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, 1)
    return f"the schema has no {what} {name!r}" + (f"; did you mean {close[0]!r}?" if close else "")


def encode_buffer(
    plan: Plan, given: Decoded, prefix: bytes, ignore_unknown: bool
) -> tuple[npt.NDArray[np.uint8], Int64]:
    """All datums one after the other, each behind `prefix`, and where they begin (one more: the end)."""
    if given.error.any():
        row = int(np.flatnonzero(given.error)[0])
        raise ColumnError(f"datum {row} is bad and cannot be encoded: {given.reason(row)}")
    if not ignore_unknown:
        _check_known(plan, given)
    binding = _Binding(plan, given)
    # The kernel may overwrite up to 16 bytes behind the last value.
    buffer = np.empty(binding.most_bytes + len(prefix) * given.num_rows + 16, np.uint8)
    offsets = np.zeros(given.num_rows + 1, np.int64)
    at, length = addresses([prefix])
    encode_rows(
        STAMP,
        plan.ops,
        plan.branches,
        address_of(binding.values),
        address_of(binding.sizes),
        address_of(binding.valids),
        binding.offsets,
        plan.depth,
        int(at[0]),
        int(length[0]),
        address_of(buffer),
        offsets[1:],
    )
    return buffer[: offsets[-1]], offsets
