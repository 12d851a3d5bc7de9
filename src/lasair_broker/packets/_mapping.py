"""How a survey's fields become canonical columns: the words in which its mapping is written down."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from ._columns import Column
from .avro import VIEW, Decoded, Level

__all__ = ["NO_ROWS", "LevelColumns", "Part", "Rule", "Survey", "same"]


_ITEM = "item."


@dataclass(frozen=True, slots=True)
class Rule:
    """One way to get a canonical column.

    Attributes
    ----------
    fields
        The packet's fields it needs; it applies if the writer schema has them all.
    compute
        Makes the column from the columns of those fields. None takes the first field as it is.
    """

    fields: tuple[str, ...]
    compute: Callable[..., Column] | None = None


def same(*names: str) -> tuple[Rule, ...]:
    """The column is the first of these fields that the schema has."""
    return tuple(Rule((name,)) for name in names)


class LevelColumns:
    """Canonical columns of one kind of record within one level of datums, each made when first asked for.

    Parameters
    ----------
    level
        The level its rows are in.
    prefix
        The path of the record within the level with a dot at its end; empty if the rows are the records.
    rules
        For each canonical column that is not simply a field of its own name the ways to get it, best first.
    """

    def __init__(self, level: Level, prefix: str, rules: Mapping[str, tuple[Rule, ...]]) -> None:
        self._level = level
        self._prefix = prefix
        self._rules = rules
        self._made: dict[str, Column | None] = {}

    @property
    def num_rows(self) -> int:
        """Number of rows."""
        return self._level.num_rows

    def column(self, name: str) -> Column | None:
        """Column `name`; None if the schema has nothing to make it from."""
        if name not in self._made:
            self._made[name] = self._make(name)
        return self._made[name]

    def any_present(self) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Which rows have a value in some field: a record whose fields are all null stands for null."""
        level, prefix = self._level, self._prefix
        present = np.zeros(level.num_rows, np.bool_)
        for path in level.values:
            if path.startswith(prefix):
                valid = level.valid.get(path)
                if valid is None:
                    return np.ones(level.num_rows, np.bool_)
                present |= valid
        return present

    def _make(self, name: str) -> Column | None:
        for rule in self._rules.get(name) or (Rule((name,)),):
            if all(self._prefix + one in self._level.values for one in rule.fields):
                columns = [self._field(one) for one in rule.fields]
                return columns[0] if rule.compute is None else rule.compute(*columns)
        return None

    def _field(self, name: str) -> Column:
        level, path = self._level, self._prefix + name
        values = level.values[path]
        node = level.columns[path].node if path in level.columns else None
        if values.dtype == VIEW or (node is not None and node.kind == "enum"):
            codes, words = level.text(path)
            return Column(codes, codes >= 0, tuple(words))
        return Column(values, level.valid.get(path))


NO_ROWS = LevelColumns(Level(0, None, {}, {}), "", {})
"""What stands for a part of the packet that the writer schema does not have."""


@dataclass(frozen=True, slots=True)
class Part:
    """Where records of one kind are in a packet: the level, their path within it, and their mapping."""

    level: str = ""
    prefix: str = ""
    rules: Mapping[str, tuple[Rule, ...]] = field(default_factory=dict)

    def of(self, decoded: Decoded) -> LevelColumns | None:
        """Its columns in decoded datums; None if the writer schema has no such records."""
        level = decoded.levels.get(self.level)
        if level is None:
            return None
        # Items of an array that are a union (Spark writes every item so) stand below "item".
        prefixes = (_ITEM + self.prefix, self.prefix) if self.level else (self.prefix,)
        for prefix in prefixes:
            if any(path.startswith(prefix) for path in level.values):
                return LevelColumns(level, prefix, self.rules)
        return None


@dataclass(frozen=True)
class Survey:
    """Everything that is particular to a survey's packets.

    Attributes
    ----------
    name
        The survey's name in the column `survey`.
    signs
        Fields of the root by which its packets are known, all of them.
    detection
        The detection that caused the alert, one a packet.
    history, forced, limits
        The light curve that comes with it.
    objects
        The summary of the object, one a packet.
    ss_detection, ss_body, orbit
        What a packet says of a solar-system body.
    cutouts
        The path of the bytes of the images Difference, Science and Template.
    object_name
        The text field that is the object's name; empty if the name is the number.
    """

    name: str
    signs: tuple[str, ...]
    detection: Part
    history: Part
    forced: Part | None
    limits: Part | None
    objects: Part
    ss_detection: Part | None = None
    ss_body: Part | None = None
    orbits: tuple[Part, ...] = ()
    cutouts: Mapping[str, str] = field(default_factory=dict)
    object_name: str = ""

    def recognises(self, decoded: Decoded) -> bool:
        """Whether the packets of `decoded` are this survey's."""
        root = decoded.levels[""].values
        return all(sign in root for sign in self.signs)
