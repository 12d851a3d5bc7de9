"""The columns that a SELECT gives: their names, types, and what a group has one value of."""

from __future__ import annotations

from dataclasses import replace

from sqlglot import exp

from ._errors import QueryError
from ._expressions import only
from ._parse import parameter_of, position_of
from ._scope import found_in, name_of
from ._tree import Aggregate, ColumnRef, Const, Expr, Output, QueryTree, Scalar, SetOperation
from ._types import Type
from ._typing import converted, parts

__all__ = [
    "cast_outputs", "check_grouped", "counted", "numbered", "output_name", "refuse_parameter", "renamed",
    "shown",
]  # fmt: skip

LARGEST_LIMIT = 2**31 - 1


def renamed(tree: QueryTree, alias: exp.Expression, form_only: bool) -> QueryTree:
    """With the column names that stand behind the alias, if any do."""
    columns = alias.args.get("columns") or []
    if not columns:
        return tree
    if len(columns) != len(tree.outputs):
        if form_only:
            return tree
        raise QueryError(f"{len(columns)} names for {len(tree.outputs)} columns", position_of(alias))
    names = [name_of(column) for column in columns]
    if len({name.casefold() for name in names}) < len(names):
        raise QueryError("two columns of one name", position_of(alias))
    was = {output.name: name for output, name in zip(tree.outputs, names, strict=True)}
    outputs = tuple(Output(was[o.name], o.expression) for o in tree.outputs)
    body = replace(tree.body, outputs=outputs)
    if isinstance(body, SetOperation):
        body = replace(body, left=_with_names(body.left, names))
    order = tuple(replace(o, by=was[o.by]) if isinstance(o.by, str) else o for o in tree.order)
    return replace(tree, body=body, order=order)


def _with_names(tree: QueryTree, names: list[str]) -> QueryTree:
    was = {output.name: name for output, name in zip(tree.outputs, names, strict=True)}
    outputs = tuple(Output(was[o.name], o.expression) for o in tree.outputs)
    body = replace(tree.body, outputs=outputs)
    if isinstance(body, SetOperation):
        body = replace(body, left=_with_names(body.left, names))
    order = tuple(replace(o, by=was[o.by]) if isinstance(o.by, str) else o for o in tree.order)
    return replace(tree, body=body, order=order)


def cast_outputs(tree: QueryTree, types: list[Type]) -> QueryTree:
    outputs = tuple(
        Output(o.name, converted(o.expression, kind)) for o, kind in zip(tree.outputs, types, strict=True)
    )
    body = replace(tree.body, outputs=outputs)
    if isinstance(body, SetOperation):
        body = replace(body, left=cast_outputs(body.left, types), right=cast_outputs(body.right, types))
    return replace(tree, body=body)


def shown(expression: Expr, node: exp.Expression) -> Expr:
    if expression.type.kind == "region":
        raise QueryError("a Union, Intersection or Not of regions cannot be shown", position_of(node))
    return expression


def numbered(item: exp.Literal, outputs: tuple[Output, ...]) -> Output:
    if not str(item.this).isdigit() or not 1 <= int(item.this) <= len(outputs):
        raise QueryError(f"SELECT has no column number {item.this}", position_of(item))
    return outputs[int(item.this) - 1]


def output_name(node: exp.Expression, outputs: tuple[Output, ...]) -> str | None:
    if isinstance(node, exp.Literal) and not node.is_string:
        return numbered(node, outputs).name
    if isinstance(node, exp.Column) and not node.args.get("table"):
        return found_in({output.name: output.expression.type for output in outputs}, name_of(node.this))
    return None


def counted(node: exp.Expression, clause: str) -> int | None:
    """The number of TOP ("limit") or OFFSET; None without one."""
    part = node.args.get(clause)
    if part is None:
        return None
    what = "TOP" if clause == "limit" else "OFFSET"
    only(part, "expression")
    number = part.args.get("expression")
    if not isinstance(number, exp.Literal) or number.is_string or not str(number.this).isdigit():
        raise QueryError(f"{what} takes a whole number that is not negative", position_of(part))
    if int(number.this) > LARGEST_LIMIT:
        raise QueryError(f"{what} takes a number up to {LARGEST_LIMIT}", position_of(part))
    return int(number.this)


def refuse_parameter(node: exp.Expression, clause: str) -> None:
    """A bare value there would order or group by nothing, though a number written out names a column."""
    if isinstance(node, exp.Column) and parameter_of(node) is not None:
        raise QueryError(
            f"{clause} takes columns, not the parameter :{parameter_of(node)}", position_of(node)
        )


def check_grouped(expression: Expr, group: tuple[Expr, ...], position: int | None) -> None:
    """Every column outside an aggregate must be one that the group has one value of."""
    if expression in group or isinstance(expression, Aggregate | Const | Scalar):
        return
    if isinstance(expression, ColumnRef):
        raise QueryError(
            f"{expression.name} may differ within a group",
            position,
            "add it to GROUP BY, or take its MIN or AVG",
        )
    for part in parts(expression):
        check_grouped(part, group, position)
