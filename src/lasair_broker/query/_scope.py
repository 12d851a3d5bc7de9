"""Which names mean what at a place in a query."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sqlglot import exp

from lasair_broker.schema import closest

from ._errors import QueryError
from ._parse import FUNCTION_MARK, position_of
from ._tree import ColumnRef, Const, Expr
from ._types import UNKNOWN, Type

__all__ = ["Entry", "Names", "Scope", "found_in", "name_of"]


@dataclass(slots=True)
class Names:
    """Aliases for the engine, each used once in a whole query, and what the user wrote.

    Attributes
    ----------
    called
        For each alias, what the user calls the source.
    written
        For each condition, the user's text of it.
    characters
        The length of all the texts that are put together.
    form_only
        Whether the tables are not described, so that only the form of the query can be judged.
    tables
        The columns of every table that there is, for hints.
    parameters
        The literals that stand for parameters, by their folded names; None for one without a value.
    used
        The parameters that were met, by their folded names.
    """

    called: dict[str, str] = field(default_factory=dict)
    written: dict[Expr, str] = field(default_factory=dict)
    characters: int = 0
    form_only: bool = False
    tables: Mapping[str, Mapping[str, Type]] = field(default_factory=dict)
    parameters: Mapping[str, Const | None] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)

    def new(self, called: str) -> str:
        alias = f"t{len(self.called) + 1}"
        self.called[alias] = called
        return alias

    def parameter(self, name: str, position: int | None) -> Const:
        """The literal that stands for a parameter.

        Raises
        ------
        QueryError
            If it is not declared, or has no value.
        """
        folded = name.casefold()
        if folded not in self.parameters:
            match = closest(folded, self.parameters)
            hint = f"did you mean :{match}?" if match else "declare it, with its type and value"
            raise QueryError(f"there is no parameter :{name}", position, hint)
        self.used.add(folded)
        found = self.parameters[folded]
        if found is None:
            raise QueryError(f"the parameter :{name} has no value", position, "give it one")
        return found


@dataclass(frozen=True, slots=True)
class Entry:
    """A source in a FROM clause: what the user calls it, what the engine does, and its columns."""

    called: str
    alias: str
    columns: Mapping[str, Type]
    place: tuple[str, str, str] | None = None


@dataclass(slots=True)
class Scope:
    """The sources of a SELECT, of those around it, and the queries of the WITH clauses.

    Attributes
    ----------
    merged
        Columns that USING or NATURAL made one, under their folded names.
    hidden
        Columns (alias, name) that stand for a merged one and are not shown by ``*``.
    """

    names: Names
    named: Mapping[str, Mapping[str, Type]] = field(default_factory=dict)
    parent: Scope | None = None
    entries: list[Entry] = field(default_factory=list)
    merged: dict[str, tuple[str, Expr]] = field(default_factory=dict)
    hidden: set[tuple[str, str]] = field(default_factory=set)

    def add(self, entry: Entry, position: int | None) -> None:
        taken = any(known.called.casefold() == entry.called.casefold() for known in self.entries)
        if taken and not self.names.form_only:
            raise QueryError(
                f"{entry.called} is in FROM twice", position, "give one another name: … AS other"
            )
        self.entries.append(entry)

    def entry(self, called: str, position: int | None) -> Entry:
        scope: Scope | None = self
        known: list[str] = []
        while scope is not None:
            for entry in scope.entries:
                if entry.called.casefold() == called.casefold():
                    return entry
                known.append(entry.called)
            scope = scope.parent
        if called.casefold() == "objects_ext":
            return self.entry(
                "objects", position
            )  # Lasair's name for the less used columns of the same table
        if self.names.form_only:
            return Entry(called, "", {})
        table = found_in(self.names.tables, called)
        match = closest(called, known)
        hint = f"did you mean {match}?" if match else f"FROM has {', '.join(known)}"
        if table is not None:
            hint = f"join this table, too; FROM has {', '.join(known)}"
        raise QueryError(f"{called} is not in FROM", position, hint)

    def column(self, node: exp.Column) -> Expr:
        """What a column's name means."""
        position = position_of(node)
        name = name_of(node.this)
        if node.args.get("catalog"):
            raise QueryError("a column has at most a schema and a table before its name", position)
        if node.args.get("table"):
            entry = self.entry(name_of(node.args["table"]), position)
            exact = found_in(entry.columns, name)
            if exact is None and self.names.form_only:
                return ColumnRef(entry.alias, name, UNKNOWN)
            if exact is None:
                raise self._unknown(node, name, [entry], position)
            return ColumnRef(entry.alias, exact, entry.columns[exact])
        scope: Scope | None = self
        while scope is not None:
            found = scope._own_column(name, position)
            if found is not None:
                return found
            scope = scope.parent
        if self.names.form_only:
            return ColumnRef("", name, UNKNOWN)
        raise self._unknown(node, name, self.entries, position)

    def _own_column(self, name: str, position: int | None) -> Expr | None:
        if name.casefold() in self.merged:
            return self.merged[name.casefold()][1]
        holders = [(e, exact) for e in self.entries if (exact := found_in(e.columns, name)) is not None]
        if not holders:
            return None
        entry, exact = holders[0]
        if len(holders) > 1 and not self.names.form_only:
            places = " and ".join(f"{e.called}.{c}" for e, c in holders)
            raise QueryError(f"{name} could be {places}", position, "write the table before it")
        return ColumnRef(entry.alias, exact, entry.columns[exact])

    def _unknown(self, node: exp.Column, name: str, entries: list[Entry], position: int | None) -> QueryError:
        where = entries[0].called if len(entries) == 1 else "FROM"
        match = closest(name, [column for entry in entries for column in entry.columns])
        holders = [table for table, columns in self.names.tables.items() if found_in(columns, name)]
        hint = None
        if holders and not node.args.get("table"):
            hint = f"join {' or '.join(holders[:3])}, where there is one"
        elif match is not None:
            hint = f"did you mean {match}?"
        elif not node.args.get("table"):
            hint = f"if it is a text, put it in single quotes: '{name}'"
        return QueryError(f"{where} has no column {name}", position, hint)


def found_in(names: Iterable[str], name: str) -> str | None:
    """The one of these that a user calls `name`, in any case; the exact case first."""
    names = list(names)
    if name in names:
        return name
    folded = [known for known in names if known.casefold() == name.casefold()]
    return folded[0] if folded else None


def name_of(node: exp.Expression | str) -> str:
    """The name that an identifier is."""
    if isinstance(node, str):
        return node
    name = str(node.this).removeprefix(FUNCTION_MARK)
    if not isinstance(node, exp.Identifier):
        raise QueryError("a name is expected here", position_of(node))
    if not name or "\x00" in name:
        raise QueryError("a name may not be empty", position_of(node))
    return name
