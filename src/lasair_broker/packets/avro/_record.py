"""Datums as plain Python values: slow, for tests, messages and single look-ups."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ._errors import AvroError
from ._plan import VIEW, branch_names, item_paths, join_path, option
from ._schema import Node

if TYPE_CHECKING:
    from ._columns import Decoded

__all__ = ["record", "records"]


class _Reader:
    """Reads values of decoded columns. With `whole`, columns become lists first: for reading all rows."""

    def __init__(self, decoded: Decoded, whole: bool) -> None:
        if decoded.plan is None:
            raise ValueError("these columns have no schema")
        self._decoded = decoded
        self._whole = whole
        self._lists: dict[tuple[str, str, bool], Any] = {}
        self._root = decoded.plan.root
        null_at, inner = option(self._root)
        self._root_path = "" if inner.kind == "record" and null_at < 0 else "item"

    def root(self, row: int) -> Any:
        """The value of datum `row`. Raises AvroError if it is bad."""
        if self._decoded.error[row]:
            raise AvroError(f"datum {row} is bad: {self._decoded.reason(row)}")
        return self._value("", row, self._root_path, self._root)

    def _column(self, name: str, path: str, valid: bool) -> Any:
        """The values of a column, or where it is valid."""
        known = self._lists.get((name, path, valid))
        if known is None:
            level = self._decoded.levels[name]
            array = level.valid[path] if valid else level.values[path]
            known = array.tolist() if self._whole else array
            self._lists[name, path, valid] = known
        return known

    def _value(self, name: str, row: int, path: str, node: Node) -> Any:
        """The value at `path` of row `row` of level `name`."""
        null_at, inner = option(node)
        kind = inner.kind
        if kind == "null" or (null_at >= 0 and not self._column(name, path, True)[row]):
            return None
        if kind == "record":
            return {
                field.name: self._value(name, row, join_path(path, field.name), field.node)
                for field in inner.fields
            }
        if kind == "union":
            level = self._decoded.levels[name]
            if path in level.valid and not self._column(name, path, True)[row]:
                return None
            branch = int(self._column(name, path, False)[row])
            inside = join_path(path, branch_names(inner)[branch])
            return self._value(name, row, inside, inner.branches[branch])
        if kind in ("array", "map"):
            return self._items(join_path(name, path), row, inner)
        level = self._decoded.levels[name]
        if level.columns[path].dtype == VIEW:
            raw = level.bytes(path, row) or b""
            return raw.decode() if kind == "string" else raw
        value = self._column(name, path, False)[row]
        if not self._whole:
            value = value.item()
        return inner.symbols[value] if kind == "enum" else value

    def _items(self, name: str, row: int, node: Node) -> Any:
        offsets = self._decoded.levels[name].offsets
        assert offsets is not None  # noqa: S101 - only the root has none
        rows = range(int(offsets[row]), int(offsets[row + 1]))
        columns = [[self._value(name, item, path, part) for item in rows] for path, part in item_paths(node)]
        return dict(zip(*columns, strict=True)) if node.kind == "map" else columns[0]


def record(decoded: Decoded, row: int) -> Any:
    """The value of datum `row`: a dict for a record, and so on, with logical types left raw.

    Raises AvroError if the datum is bad, and ValueError if the columns were not decoded from anything.
    """
    return _Reader(decoded, False).root(row)


def records(decoded: Decoded) -> Iterator[Any]:
    """The values of all datums, as `record` gives them; None for a bad one."""
    reader = _Reader(decoded, True)
    for row in range(decoded.num_rows):
        yield None if decoded.error[row] else reader.root(row)
