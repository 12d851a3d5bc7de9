"""One datum as a plain Python value: slow, for tests, messages and single look-ups."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ._errors import AvroError
from ._plan import VIEW, branch_names, item_paths, join_path, option
from ._schema import Node

if TYPE_CHECKING:
    from ._columns import Decoded, Level

__all__ = ["record"]


class _Reader:
    def __init__(self, levels: Mapping[str, Level]) -> None:
        self._levels = levels

    def value(self, name: str, row: int, path: str, node: Node) -> Any:
        """The value at `path` of row `row` of level `name`."""
        level = self._levels[name]
        null_at, inner = option(node)
        if null_at >= 0 and not level.valid[path][row]:
            return None
        if inner.kind == "null":
            return None
        if inner.kind == "record":
            return {
                field.name: self.value(name, row, join_path(path, field.name), field.node)
                for field in inner.fields
            }
        if inner.kind == "union":
            if path in level.valid and not level.valid[path][row]:
                return None
            branch = int(level.values[path][row])
            inside = join_path(path, branch_names(inner)[branch])
            return self.value(name, row, inside, inner.branches[branch])
        if inner.kind in ("array", "map"):
            return self._items(join_path(name, path), row, inner)
        if level.values[path].dtype == VIEW:
            raw = level.bytes(path, row) or b""
            return raw.decode() if inner.kind == "string" else raw
        number = level.values[path][row].item()
        return inner.symbols[number] if inner.kind == "enum" else number

    def _items(self, name: str, row: int, node: Node) -> Any:
        offsets = self._levels[name].offsets
        assert offsets is not None  # noqa: S101 - only the root has none
        rows = range(int(offsets[row]), int(offsets[row + 1]))
        columns = [[self.value(name, item, path, part) for item in rows] for path, part in item_paths(node)]
        return dict(zip(*columns, strict=True)) if node.kind == "map" else columns[0]


def record(decoded: Decoded, row: int) -> Any:
    """The value of datum `row`: a dict for a record, and so on, with logical types left raw.

    Raises AvroError if the datum is bad, and ValueError if the columns were not decoded from anything.
    """
    if decoded.plan is None:
        raise ValueError("these columns have no schema")
    if decoded.error[row]:
        raise AvroError(f"datum {row} is bad: {decoded.reason(row)}")
    root = decoded.plan.root
    null_at, inner = option(root)
    path = "" if inner.kind == "record" and null_at < 0 else "item"
    return _Reader(decoded.levels).value("", row, path, root)
