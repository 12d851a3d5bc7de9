"""From sqlglot's tree to the checked tree: values and conditions."""

from __future__ import annotations

import math
import string
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from sqlglot import exp

from ._calls import Calls, case_of
from ._casts import cast_to
from ._containment import containment
from ._errors import QueryError
from ._parse import parameter_of, position_of
from ._scope import Scope, name_of
from ._tree import Call, Const, Exists, Expr, In, InQuery, QueryTree, Scalar
from ._types import BOOLEAN, DOUBLE, UNKNOWN, integer, text
from ._typing import as_kind, as_real, common_type, compared, contains_aggregate, converted, number, parts
from ._written import WRITTEN, operands

__all__ = [
    "Expressions", "common_type", "compared", "contains_aggregate", "converted", "only", "parts",
]  # fmt: skip

LONGEST_LIST = 10_000
LONGEST_PATTERN = 256
_SMALL = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
_EXACT_BITS = 62

_COMPARISONS: dict[type, str] = {
    exp.EQ: "eq", exp.NEQ: "ne", exp.LT: "lt", exp.LTE: "le", exp.GT: "gt", exp.GTE: "ge",
}  # fmt: skip
_ARITHMETIC: dict[type, str] = {exp.Add: "add", exp.Sub: "subtract", exp.Mul: "multiply"}
_MIRRORED = {"eq": "eq", "ne": "ne", "lt": "gt", "le": "ge", "gt": "lt", "ge": "le"}


def only(node: exp.Expression, *known: str) -> None:
    """Refuse a node that has parts other than the `known` ones.

    Raises
    ------
    QueryError
        If it has.
    """
    for part, value in node.args.items():
        if part not in known and value not in (None, False, [], "") and not part.startswith("_"):
            raise QueryError(f"{part.strip('_').upper()} is not part of the language", position_of(node))


class Expressions(Calls):
    """Checks the values and conditions of one SELECT."""

    def __init__(self, scope: Scope, query: Callable[[exp.Expression], QueryTree]) -> None:
        super().__init__(scope)
        self._query = query
        self.outputs: Mapping[str, Expr] = {}
        """What SELECT names, for the clauses that may use those names, by their folded names."""

    def condition(self, node: exp.Expression) -> Expr:
        """A condition.

        Raises
        ------
        QueryError
            If it is none, or not a meaningful one.
        """
        return self._as_condition(node, self.value(node))

    def _as_condition(self, node: exp.Expression, expression: Expr) -> Expr:
        """What `node` means, which has to be a condition."""
        if expression.type.kind != "boolean":
            hint = "compare it with = 1" if isinstance(node, exp.Anonymous) else "compare it with something"
            raise QueryError("a condition is expected here", position_of(node), hint)
        written = node.meta.get(WRITTEN)
        if written is not None:
            self._scope.names.written.setdefault(expression, written)
        return expression

    def value(self, node: exp.Expression) -> Expr:
        """A value, which may be a truth value.

        Raises
        ------
        QueryError
            If it has no meaning.
        """
        expression = self._value(node)
        scalar = expression.type.kind in ("integer", "real", "text", "timestamp", "json", "region")
        if self._scope.names.form_only and scalar and containment(expression) is None:
            # Without a description of the tables, a type is no ground to refuse anything.
            return replace(expression, type=UNKNOWN)
        return expression

    def _value(self, node: exp.Expression) -> Expr:
        place = position_of(node)
        operator = _COMPARISONS.get(type(node))
        if operator is not None:
            only(node, "this", "expression")
            return self._comparison(operator, node, place)
        if type(node) in _ARITHMETIC:
            only(node, "this", "expression")
            return _arithmetic(
                _ARITHMETIC[type(node)], self.value(node.this), self.value(node.expression), place
            )
        match node:
            case exp.Paren():
                return self.condition(node.this) if WRITTEN in node.this.meta else self.value(node.this)
            case exp.Literal():
                return _literal(node)
            case exp.Null():
                return Const(None, UNKNOWN)
            case exp.Boolean():
                return Const(bool(node.this), BOOLEAN)
            case exp.Column() if (named := parameter_of(node)) is not None:
                return self._scope.names.parameter(named, place)
            case exp.Column():
                return self._column(node)
            case exp.Neg():
                return self._negative(node, place)
            case exp.Div():
                only(node, "this", "expression", "typed", "safe")
                return Call("divide", (self._real(node.this), self._real(node.expression)), DOUBLE)
            case exp.Mod():
                only(node, "this", "expression")
                return self._remainder(
                    [self.value(_bare(node.this)), self.value(_bare(node.expression))], place
                )
            case exp.DPipe():
                only(node, "this", "expression", "safe")
                return self._concatenated([self.value(node.this), self.value(node.expression)], place)
            case exp.And() | exp.Or():
                name = "and" if isinstance(node, exp.And) else "or"
                return _joined(name, [self.condition(part) for part in operands(node)])
            case exp.Not():
                inner = self.value(node.this)
                if isinstance(inner, Call) and inner.function == "is_null":
                    return Call("is_not_null", inner.args, BOOLEAN)
                # Not once more from the text: that would double the work with each NOT around another.
                return Call("not", (self._as_condition(node.this, inner),), BOOLEAN)
            case exp.Is():
                if not isinstance(node.expression, exp.Null):
                    raise QueryError("IS goes with NULL or NOT NULL only", place)
                return Call("is_null", (self.value(node.this),), BOOLEAN)
            case exp.Between():
                only(node, "this", "low", "high")
                value = self.value(node.this)
                low = compared("ge", value, self.value(node.args["low"]), place)
                high = compared("le", value, self.value(node.args["high"]), place)
                return Call("and", (low, high), BOOLEAN)
            case exp.Like() | exp.ILike():
                only(node, "this", "expression", "negate")
                like = self._like(node)
                return Call("not", (like,), BOOLEAN) if node.args.get("negate") else like
            case exp.Concat() if all(
                isinstance(part, exp.Literal) and part.is_string for part in node.expressions
            ):
                # A text may be written in pieces on several lines.
                written = "".join(str(part.this) for part in node.expressions)
                return Const(written, text(max(1, len(written))))
            case exp.In():
                return self._in(node, place)
            case exp.Exists():
                inner_query = node.this
                return Exists(self._query(inner_query))
            case exp.Case():
                return self._case(node, place)
            case exp.Cast():
                only(node, "this", "to")
                return cast_to(self.value(node.this), node.args["to"], place)
            case exp.Subquery():
                tree = self._query(node)
                if len(tree.outputs) != 1 and not self._scope.names.form_only:
                    raise QueryError("a query used as a value selects one column", place)
                return Scalar(tree, tree.outputs[0].expression.type if tree.outputs else UNKNOWN)
            case exp.Anonymous():
                return self.function(node, place)
            case exp.Star():
                raise QueryError("* stands alone in SELECT, or in COUNT(*)", place)
        raise QueryError(f"{type(node).__name__.upper()} is not part of the language", place)

    def _column(self, node: exp.Column) -> Expr:
        try:
            return self._scope.column(node)
        except QueryError:
            # SQL's own columns come first; Lasair's users also write what SELECT named.
            named = None if node.args.get("table") else self.outputs.get(name_of(node.this).casefold())
            if named is None:
                raise
            return named

    def _real(self, node: exp.Expression) -> Expr:
        return as_kind(self.value(node), "real", position_of(node))

    def _negative(self, node: exp.Neg, place: int | None) -> Expr:
        inner = self.value(node.this)
        if isinstance(inner, Const) and isinstance(inner.value, int | float) and inner.type.kind != "boolean":
            return Const(-inner.value, inner.type)
        if inner.type.kind == "integer" and inner.type.bits <= _EXACT_BITS:
            return Call("negate", (converted(inner, inner.type),), inner.type)
        return Call("negate", (as_kind(inner, "real", place),), DOUBLE)

    def _comparison(self, operator: str, node: exp.Expression, place: int | None) -> Expr:
        left, right = self.value(node.this), self.value(node.expression)
        for test, other, sign in ((left, right, operator), (right, left, _MIRRORED[operator])):
            inside = containment(test)
            if (
                inside is not None
                and isinstance(other, Const)
                and sign in ("eq", "ne")
                and other.value in (0, 1)
            ):
                return inside if (other.value == 1) == (sign == "eq") else Call("not", (inside,), BOOLEAN)
        return compared(operator, left, right, place)

    def _like(self, node: exp.Expression) -> Expr:
        value, pattern = (
            as_kind(self.value(part), "text", position_of(part)) for part in (node.this, node.expression)
        )
        if isinstance(pattern, Const) and len(str(pattern.value)) > LONGEST_PATTERN:
            raise QueryError(
                f"a pattern may have at most {LONGEST_PATTERN} characters", position_of(node.expression)
            )
        if isinstance(node, exp.ILike):
            value, pattern = (Call("LOWER", (part,), part.type) for part in (value, pattern))
            if isinstance(pattern.args[0], Const):
                written = pattern.args[0].value
                pattern = Const(written.translate(_SMALL) if isinstance(written, str) else None, pattern.type)
        return Call("like", (value, pattern), BOOLEAN)

    def _in(self, node: exp.In, place: int | None) -> Expr:
        only(node, "this", "expressions", "query")
        value = self.value(node.this)
        query = node.args.get("query")
        if query is not None:
            tree = self._query(query)
            if self._scope.names.form_only:
                return InQuery(value, tree)
            if len(tree.outputs) != 1:
                raise QueryError("IN takes a query of one column", position_of(query))
            like = compared("eq", value, tree.outputs[0].expression, place)
            return InQuery(like.args[0] if value.type.kind != "real" else as_real(value), tree)
        if not node.expressions:
            raise QueryError("IN has an empty list", place)
        if len(node.expressions) > LONGEST_LIST:
            raise QueryError(f"IN takes at most {LONGEST_LIST} values", place, "upload them as a watchlist")
        items = [compared("eq", value, self.value(item), position_of(item)).args for item in node.expressions]
        if any(pair[0] != items[0][0] for pair in items):
            items = [(as_real(pair[0]), as_real(pair[1])) for pair in items]
        return In(items[0][0], tuple(pair[1] for pair in items))

    def _case(self, node: exp.Case, place: int | None) -> Expr:
        only(node, "this", "ifs", "default")
        branches: list[tuple[Expr, Expr]] = []
        for branch in node.args["ifs"]:
            condition: Expr
            if node.this is not None:
                condition = compared(
                    "eq", self.value(node.this), self.value(branch.this), position_of(branch)
                )
            else:
                condition = self.condition(branch.this)
            branches.append((condition, self.value(branch.args["true"])))
        default = node.args.get("default")
        return case_of(branches, Const(None, UNKNOWN) if default is None else self.value(default), place)


def _bare(node: exp.Expression) -> exp.Expression:
    return node.this if isinstance(node, exp.Paren) else node


def _literal(node: exp.Literal) -> Const:
    if node.is_string:
        written = str(node.this)
        if "\x00" in written:
            raise QueryError("a text may not hold a zero byte", position_of(node))
        return Const(written, text(max(1, len(written))))
    written = str(node.this)
    if written.isdigit() and abs(int(written)) < 2**63:
        return number(int(written))
    value = float(written)
    if not math.isfinite(value):
        raise QueryError(f"{written} is beyond double precision", position_of(node))
    return number(value)


def _arithmetic(name: str, left: Expr, right: Expr, place: int | None) -> Expr:
    """Exact on integers where the result surely fits 64 bits, else in double precision."""
    if left.type.kind == right.type.kind == "integer":
        bits = (
            left.type.bits + right.type.bits
            if name == "multiply"
            else max(left.type.bits, right.type.bits) + 1
        )
        if bits <= _EXACT_BITS:
            kind = integer(bits)
            return Call(name, (_long(left), _long(right)), kind)
    return Call(name, (as_kind(left, "real", place), as_kind(right, "real", place)), DOUBLE)


def _long(expression: Expr) -> Expr:
    return converted(expression, expression.type)


def _joined(name: str, conditions: Sequence[Expr]) -> Expr:
    """The conditions in a balanced tree, so that thousands of them do not nest thousands deep."""
    if len(conditions) == 1:
        return conditions[0]
    half = len(conditions) // 2
    return Call(name, (_joined(name, conditions[:half]), _joined(name, conditions[half:])), BOOLEAN)
