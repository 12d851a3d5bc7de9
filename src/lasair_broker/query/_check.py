"""From sqlglot's tree to the checked tree: SELECT, FROM, WITH, set operations, order and limits.

Every kind of node, and every part of it, that is not named here or in `_expressions` is refused, so the
language is exactly what these two modules read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal, cast

from sqlglot import exp

from ._catalogue import Catalogue
from ._errors import QueryError
from ._expressions import Expressions, common_type, contains_aggregate, only
from ._geometry import with_ranges
from ._merging import everything, merged
from ._outputs import (
    cast_outputs,
    check_grouped,
    counted,
    numbered,
    output_name,
    refuse_parameter,
    renamed,
    shown,
)  # fmt: skip
from ._parameters import not_in_query
from ._parse import parameter_of, position_of
from ._scope import Entry, Names, Scope, found_in, name_of
from ._tree import (
    ColumnRef,
    Const,
    Derived,
    Expr,
    Join,
    NamedQuery,
    Ordering,
    Output,
    QueryTree,
    Select,
    SetOperation,
    Source,
    TableSource,
)
from ._types import BOOLEAN, UNKNOWN

__all__ = ["Checker"]

MOST_SOURCES = 30


class Checker:
    """Checks one query against a catalogue."""

    def __init__(
        self,
        catalogue: Catalogue,
        extensions: Sequence[QueryError],
        parameters: Mapping[str, Const | None] | None = None,
    ) -> None:
        self._catalogue = catalogue
        self._extensions = extensions
        tables = {name: known.columns for name, known in catalogue.relations.items()}
        self.names = Names(tables=tables, parameters=parameters or {})

    def check(self, node: exp.Expression) -> QueryTree:
        """The checked tree.

        Raises
        ------
        QueryError
            If the query has no meaning, or one that is not allowed, or a parameter is not in it.
        """
        tree = self._query(node, Scope(self.names), None)
        for name, literal in self.names.parameters.items():
            if name not in self.names.used:
                raise not_in_query(literal.parameter if literal is not None else name)
        if self.names.form_only and self._extensions:
            raise self._extensions[0]
        return tree

    def _query(self, node: exp.Expression, around: Scope, parent: Scope | None) -> QueryTree:
        """A query in which the named queries of `around` are known; `parent` is the SELECT around it."""
        if isinstance(node, exp.Subquery):
            only(node, "this", "order", "limit", "offset")
            if node.args.get("order") or node.args.get("limit") or node.args.get("offset"):
                raise QueryError("write ORDER BY, TOP and OFFSET within the parentheses", position_of(node))
            return self._query(node.this, around, parent)
        named, around = self._with(node, around)
        if isinstance(node, exp.SetOperation):
            tree = self._set_operation(node, around, parent)
        elif isinstance(node, exp.Select):
            tree = self._select(node, around, parent)
        else:
            raise QueryError("a SELECT is expected here", position_of(node))
        return replace(tree, named=named)

    # WITH

    def _with(self, node: exp.Expression, around: Scope) -> tuple[tuple[tuple[str, QueryTree], ...], Scope]:
        clause = node.args.get("with_")
        if clause is None:
            return (), around
        if around.parent is not None or around.named:
            raise QueryError("WITH stands only at the beginning of the whole query", position_of(clause))
        only(clause, "expressions")
        scope, named = around, []
        for cte in clause.expressions:
            only(cte, "this", "alias")
            called = name_of(cte.args["alias"].this)
            if found_in(dict.fromkeys(scope.named, BOOLEAN), called) is not None:
                raise QueryError(f"WITH defines {called} twice", position_of(cte))
            tree = renamed(
                self._query(cte.this, Scope(self.names, scope.named, around), None),
                cte.args["alias"],
                self.names.form_only,
            )
            named.append((called, tree))
            columns = {output.name: output.expression.type for output in tree.outputs}
            scope = Scope(self.names, {**scope.named, called: columns})
        return tuple(named), scope

    # UNION, EXCEPT, INTERSECT

    def _set_operation(self, node: exp.SetOperation, around: Scope, parent: Scope | None) -> QueryTree:
        only(node, "this", "expression", "distinct", "with_", "order", "limit", "offset")
        inner = Scope(self.names, around.named, around)
        left = self._query(node.this, inner, parent)
        right = self._query(node.expression, inner, parent)
        if self.names.form_only:
            right = left  # the columns of * are not known
        if len(left.outputs) != len(right.outputs):
            raise QueryError(
                f"{type(node).__name__.upper()} joins {len(left.outputs)} columns with {len(right.outputs)}",
                position_of(node.expression),
            )
        types = []
        for ours, theirs in zip(left.outputs, right.outputs, strict=True):
            place = position_of(node.expression)
            types.append(common_type([ours.expression, theirs.expression], place))
        left, right = cast_outputs(left, types), cast_outputs(right, types)
        outputs = tuple(
            Output(output.name, Const(None, kind)) for output, kind in zip(left.outputs, types, strict=True)
        )
        kind = cast(Literal["UNION", "EXCEPT", "INTERSECT"], type(node).__name__.upper())
        body = SetOperation(kind, node.args.get("distinct") is False, left, right, outputs)
        order = []
        for item in self._order_items(node):
            name = output_name(item.this, outputs)
            if name is None and not self.names.form_only:
                raise QueryError(
                    "a set operation is ordered by its columns, by name or number", position_of(item)
                )
            order.append(Ordering(name or "", bool(item.args.get("desc"))))
        limit, offset = counted(node, "limit"), counted(node, "offset")
        return QueryTree(body, order=tuple(order), limit=limit, offset=offset)

    # SELECT

    def _select(self, node: exp.Select, around: Scope, parent: Scope | None) -> QueryTree:
        only(
            node, "expressions", "distinct", "limit", "offset", "order", "from_", "joins", "where", "group",
            "having", "with_",
        )  # fmt: skip
        if node.args.get("from_") is None:
            raise QueryError("there is no FROM", position_of(node), "write FROM and a table")
        scope = Scope(self.names, around.named, parent)
        source = self._from(node, scope)
        expressions = Expressions(
            scope, lambda query: self._query(query, Scope(self.names, scope.named, scope), scope)
        )
        outputs = self._outputs(node, scope, expressions)
        where = self._condition(node, "where", expressions)
        if where is not None and contains_aggregate(where) and not self.names.form_only:
            raise QueryError(
                "WHERE looks at single rows",
                position_of(node.args["where"]),
                "put conditions on groups in HAVING",
            )
        expressions.outputs = {o.name.casefold(): o.expression for o in outputs}
        group = self._group(node, expressions, outputs)
        having = self._condition(node, "having", expressions)
        distinct = self._distinct(node)
        order = self._order(node, expressions, outputs, distinct)
        ordered = [o.by for o in order if not isinstance(o.by, str)]
        if self.names.form_only:
            pass
        elif group or having is not None or any(contains_aggregate(o.expression) for o in outputs):
            items = node.expressions if len(node.expressions) == len(outputs) else [node] * len(outputs)
            for output, item in zip(outputs, items, strict=True):
                check_grouped(output.expression, group, position_of(item))
            for expression in ordered:
                check_grouped(expression, group, position_of(node.args["order"]))
            if having is not None:
                check_grouped(having, group, position_of(node.args["having"]))
        source = with_ranges(source, where, scope.entries)
        body = Select(outputs, source, where, group, having, distinct)
        return QueryTree(body, order=order, limit=counted(node, "limit"), offset=counted(node, "offset"))

    def _distinct(self, node: exp.Select) -> bool:
        distinct = node.args.get("distinct")
        if distinct is not None:
            only(distinct)
        return distinct is not None

    def _condition(self, node: exp.Select, clause: str, expressions: Expressions) -> Expr | None:
        part = node.args.get(clause)
        if part is None:
            return None
        only(part, "this")
        return expressions.condition(part.this)

    def _outputs(self, node: exp.Select, scope: Scope, expressions: Expressions) -> tuple[Output, ...]:
        outputs: list[Output] = []
        taken: set[str] = set()

        def add(name: str, expression: Expr) -> None:
            unique, number = name, 2
            while unique.casefold() in taken:
                unique, number = f"{name}_{number}", number + 1
            taken.add(unique.casefold())
            outputs.append(Output(unique, expression))

        if not node.expressions:
            raise QueryError("SELECT names no column", position_of(node) or 0, "write the columns, or *")
        for item in node.expressions:
            if isinstance(item, exp.Star):
                only(item)
                for name, expression in everything(scope, scope.entries):
                    add(name, expression)
            elif isinstance(item, exp.Column) and isinstance(item.this, exp.Star):
                entry = scope.entry(name_of(item.args["table"]), position_of(item))
                for name, kind in entry.columns.items():
                    add(name, ColumnRef(entry.alias, name, kind))
            elif isinstance(item, exp.Alias):
                only(item, "this", "alias")
                add(name_of(item.args["alias"]), shown(expressions.value(item.this), item))
            else:
                expression = shown(expressions.value(item), item)
                plain = isinstance(item, exp.Column) and parameter_of(item) is None
                add(name_of(item.this) if plain else f"column{len(outputs) + 1}", expression)
        return tuple(outputs)

    def _group(
        self, node: exp.Select, expressions: Expressions, outputs: tuple[Output, ...]
    ) -> tuple[Expr, ...]:
        clause = node.args.get("group")
        if clause is None:
            return ()
        only(clause, "expressions")
        group = []
        for item in clause.expressions:
            refuse_parameter(item, "GROUP BY")
            if isinstance(item, exp.Literal) and not item.is_string:
                group.append(numbered(item, outputs).expression)
            else:
                group.append(expressions.value(item))
            if contains_aggregate(group[-1]) and not self.names.form_only:
                raise QueryError("GROUP BY cannot look into the groups it makes", position_of(item))
        return tuple(group)

    def _order_items(self, node: exp.Expression) -> list[exp.Expression]:
        clause = node.args.get("order")
        if clause is None:
            return []
        only(clause, "expressions")
        for item in clause.expressions:
            if not isinstance(item, exp.Ordered) or item.args.get("with_fill"):
                raise QueryError("ORDER BY takes columns and expressions", position_of(item))
            refuse_parameter(item.this, "ORDER BY")
        return list(clause.expressions)

    def _order(
        self, node: exp.Select, expressions: Expressions, outputs: tuple[Output, ...], distinct: bool
    ) -> tuple[Ordering, ...]:
        order = []
        for item in self._order_items(node):
            descending = bool(item.args.get("desc"))
            name = output_name(item.this, outputs)
            if name is not None:
                order.append(Ordering(name, descending))
                continue
            expression = expressions.value(item.this)
            same = next((o.name for o in outputs if o.expression == expression), None)
            if same is None and distinct and not self.names.form_only:
                raise QueryError("DISTINCT is ordered by what it selects", position_of(item))
            order.append(Ordering(same if same is not None else expression, descending))
        return tuple(order)

    # FROM

    def _from(self, node: exp.Select, scope: Scope) -> Source:
        clause = node.args["from_"]
        only(clause, "this")
        source = self._source(clause.this, scope)
        for join in node.args.get("joins") or ():
            source = self._join(source, join, scope)
        if len(scope.entries) > MOST_SOURCES:
            raise QueryError(f"FROM has more than {MOST_SOURCES} tables", position_of(clause))
        return source

    def _source(self, node: exp.Expression, scope: Scope) -> Source:
        joins = node.args.get("joins") or ()
        source = self._table(node, scope) if isinstance(node, exp.Table) else self._derived(node, scope)
        for join in joins:
            source = self._join(source, join, scope)
        return source

    def _table(self, node: exp.Table, scope: Scope) -> Source:
        only(node, "this", "db", "catalog", "alias", "joins")
        position = position_of(node)
        if not isinstance(node.this, exp.Identifier):
            raise QueryError("FROM takes tables and queries, no functions", position)
        name = name_of(node.this)
        if node.args.get("alias") is not None:
            only(node.args["alias"], "this")
        called = _alias(node) or name
        schema = node.args.get("db")
        if node.args.get("catalog") and name_of(node.args["catalog"]).startswith("?"):
            raise QueryError("a table has at most a catalogue and a schema before its name", position)
        known = found_in(dict.fromkeys(scope.named, BOOLEAN), name) if schema is None else None
        if known is not None:
            entry = Entry(called, self.names.new(called), scope.named[known])
            scope.add(entry, position)
            return NamedQuery(entry.alias, known)
        relation = self._catalogue.relation(name, position)
        if relation.columns and all(kind == UNKNOWN for kind in relation.columns.values()):
            self.names.form_only = True
        entry = Entry(called, self.names.new(called), relation.columns, relation.place)
        scope.add(entry, position)
        return TableSource(entry.alias, relation.name, relation.only)

    def _derived(self, node: exp.Expression, scope: Scope) -> Source:
        if isinstance(node, exp.Subquery) and isinstance(node.this, exp.Table):
            only(node, "this", "joins")
            return self._source(node.this, scope)  # parentheses round a join
        if not isinstance(node, exp.Subquery):
            raise QueryError("FROM takes tables and queries", position_of(node))
        only(node, "this", "alias", "joins")
        called = _alias(node)
        if called is None:
            raise QueryError("a query in FROM needs a name", position_of(node), "write (SELECT …) AS name")
        tree = renamed(
            self._query(node.this, Scope(self.names, scope.named, scope), None),
            node.args["alias"],
            self.names.form_only,
        )
        entry = Entry(called, self.names.new(called), {o.name: o.expression.type for o in tree.outputs})
        scope.add(entry, position_of(node))
        return Derived(entry.alias, tree)

    def _join(self, left: Source, node: exp.Join, scope: Scope) -> Source:
        only(node, "this", "method", "side", "kind", "on", "using")
        method, side, kind = (str(node.args.get(part) or "").upper() for part in ("method", "side", "kind"))
        if method not in ("", "NATURAL") or kind not in ("", "INNER", "OUTER", "CROSS"):
            raise QueryError(f"there is no {method or kind} JOIN", position_of(node))
        before = list(scope.entries)
        right = self._source(node.this, scope)
        added = scope.entries[len(before) :]
        how = cast(
            Literal["INNER", "LEFT", "RIGHT", "FULL", "CROSS"],
            side or ("CROSS" if kind == "CROSS" else "INNER"),
        )
        if node.args.get("on") is not None:
            expressions = Expressions(
                scope, lambda query: self._query(query, Scope(self.names, scope.named, scope), scope)
            )
            on = expressions.condition(node.args["on"])
            if contains_aggregate(on):
                raise QueryError("ON looks at single rows", position_of(node.args["on"]))
            return Join(how, left, right, on)
        if node.args.get("using"):
            names = [
                name_of(part if isinstance(part, exp.Identifier) else part.this)
                for part in node.args["using"]
            ]
            return Join(how, left, right, merged(scope, before, added, names, how, position_of(node)))
        if method == "NATURAL":
            ours = [name for entry in before for name in entry.columns]
            names = [name for entry in added for name in entry.columns if name in ours]
            if not names:
                return Join("CROSS", left, right, None)
            return Join(how, left, right, merged(scope, before, added, names, how, position_of(node)))
        if kind or side:
            if how == "CROSS":
                return Join("CROSS", left, right, None)
            if not self.names.form_only:
                raise QueryError(
                    "JOIN needs a condition",
                    position_of(node.this),
                    "write ON a.diaObjectId = b.diaObjectId, or NATURAL JOIN",
                )
        return Join("CROSS", left, right, None)


def _alias(node: exp.Expression) -> str | None:
    alias = node.args.get("alias")
    return name_of(alias.this) if alias is not None and alias.this is not None else None
