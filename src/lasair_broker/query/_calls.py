"""From sqlglot's tree to the checked tree: functions."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence

from sqlglot import exp

from lasair_broker.schema import closest

from ._containment import contains, distance, intersects
from ._errors import QueryError
from ._functions import AGGREGATES, FUNCTIONS, SPECIAL, SYNONYMS
from ._parse import FUNCTION_MARK
from ._regions import area_of, centroid_of, coordinate, of_text, shape, system_of
from ._scope import Scope
from ._tree import Aggregate, Call, Case, Const, Expr
from ._types import BOOLEAN, DOUBLE, GEOMETRY, JSON, UNKNOWN, Type, integer, text
from ._typing import as_kind, common_type, compared, contains_aggregate, converted, parts

__all__ = ["Calls", "case_of"]

LONGEST_VALUE = 32_768
LONGEST_VALUES = 131_072
"""Characters that all texts put together in a query may have: an engine makes them for some 2,000 rows at
a time, in memory that its own limit does not cover."""


class Calls(ABC):
    """Checks the functions that a SELECT calls."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    @abstractmethod
    def value(self, node: exp.Expression) -> Expr:
        """The value of an argument."""

    def function(self, node: exp.Anonymous, place: int | None) -> Expr:
        written = str(node.this).removeprefix(FUNCTION_MARK)
        name = SYNONYMS.get(written.upper(), written.upper())
        if name in AGGREGATES:
            return self._aggregate(name, node, place)
        args = [self.value(part) for part in node.expressions]
        if name in SPECIAL:
            return self._special(name, args, node, place)
        function = FUNCTIONS.get(name)
        if function is None or name != name.upper():
            match = closest(written, [*_known_functions(), *SYNONYMS])
            raise QueryError(
                f"there is no function {written}", place, f"did you mean {match}?" if match else None
            )
        _count_arguments(name, args, (len(function.arguments),) if name != "ABS" else (1,), place)
        if name == "ABS":
            plain = args[0].type.kind == "integer"
            args = [converted(args[0], args[0].type) if plain else as_kind(args[0], "real", place)]
        else:
            args = [as_kind(a, k, place) for a, k in zip(args, function.arguments, strict=True)]
        return Call(name, tuple(args), function.type(*(a.type for a in args)))

    def _aggregate(self, name: str, node: exp.Anonymous, place: int | None) -> Expr:
        if len(node.expressions) != 1:
            raise QueryError(f"{name} takes one argument", place)
        part, distinct = node.expressions[0], False
        if isinstance(part, exp.Star):
            if name != "COUNT":
                raise QueryError(f"{name} takes a value, not *", place)
            return Aggregate("COUNT", None, False, integer(48))
        if isinstance(part, exp.Distinct):
            distinct = True
            if len(part.expressions) != 1:
                raise QueryError(f"{name} takes one argument", place)
            part = part.expressions[0]
        value = self.value(part)
        if contains_aggregate(value):
            raise QueryError("a group of groups has no meaning", place)
        if name == "COUNT":
            return Aggregate(name, value, distinct, integer(48))
        if name in ("MIN", "MAX"):
            if value.type.kind in ("boolean", "binary", *GEOMETRY):
                raise QueryError(f"{name} takes numbers, texts and times", place)
            return Aggregate(name, value, distinct, value.type)
        if name == "SUM" and value.type.kind == "integer" and value.type.bits <= 31:
            return Aggregate(name, converted(value, value.type), distinct, integer(62))
        return Aggregate(name, as_kind(value, "real", place), distinct, DOUBLE)

    def _remainder(self, args: list[Expr], place: int | None) -> Expr:
        if all(a.type.kind == "integer" for a in args):
            return Call("integer_mod", tuple(converted(a, a.type) for a in args), args[1].type)
        return Call("real_mod", tuple(as_kind(a, "real", place) for a in args), DOUBLE)

    def _special(self, name: str, args: list[Expr], node: exp.Anonymous, place: int | None) -> Expr:
        match name:
            case "MOD":
                _count_arguments(name, args, (2,), place)
                return self._remainder(args, place)
            case "ROUND" | "TRUNCATE":
                _count_arguments(name, args, (1, 2), place)
                digits = args[1].value if len(args) == 2 and isinstance(args[1], Const) else 0
                if len(args) == 2 and not (
                    isinstance(args[1], Const) and isinstance(digits, int) and abs(digits) <= 15
                ):
                    raise QueryError(f"{name} takes a whole number of digits from -15 to 15", place)
                scale = Const(10.0 ** int(digits or 0), DOUBLE)
                function = "round_to" if name == "ROUND" else "truncate_to"
                return Call(function, (as_kind(args[0], "real", place), scale), DOUBLE)
            case "COALESCE" | "IFNULL":
                _count_arguments(name, args, (2,) if name == "IFNULL" else range(1, 100), place)
                return self.coalesce(args, place)
            case "NULLIF":
                _count_arguments(name, args, (2,), place)
                return case_of(
                    [(compared("eq", args[0], args[1], place), Const(None, UNKNOWN))], args[0], place
                )
            case "GREATEST" | "LEAST":
                _count_arguments(name, args, range(1, 100), place)
                result: Expr = args[0]
                for other in args[1:]:
                    wins = compared("ge" if name == "GREATEST" else "le", result, other, place)
                    missing = Call("is_null", (wins,), BOOLEAN)
                    result = case_of([(missing, Const(None, UNKNOWN)), (wins, result)], other, place)
                    if _size(result) > 2000:
                        raise QueryError(f"{name} has too many arguments", place)
                return result
            case "IF":
                _count_arguments(name, args, (3,), place)
                if args[0].type.kind != "boolean":
                    raise QueryError("IF begins with a condition", place)
                return case_of([(args[0], args[1])], args[2], place)
            case "CONCAT":
                _count_arguments(name, args, range(1, 100), place)
                return self._concatenated(args, place)
            case "JSON_EXTRACT" | "JSON_VALUE":
                _count_arguments(name, args, (2,), place)
                path = args[1].value if isinstance(args[1], Const) else None
                return Call(
                    "json_path", (as_kind(args[0], "text", place), Const(_path(path, place), text(200))), JSON
                )
            case "MJDNOW":
                _count_arguments(name, args, (0,), place)
                return Call("now", (), DOUBLE)
            case "RAND":
                _count_arguments(name, args, (0, 1), place)
                return Call("RAND", (), DOUBLE)
            case "CONTAINS" | "INTERSECTS":
                _count_arguments(name, args, (2,), place)
                return (contains if name == "CONTAINS" else intersects)(args[0], args[1], place)
            case "DISTANCE":
                _count_arguments(name, args, (2, 4), place)
                if len(args) == 4:
                    return Call("separation", tuple(as_kind(a, "real", place) for a in args), DOUBLE)
                return distance(args[0], args[1], place)
            case "POINT" | "CIRCLE" | "BOX" | "POLYGON":
                return shape(name, args, self._scope.names.form_only, place)
        _count_arguments(name, args, (1,), place)
        match name:
            case "REGION":
                return of_text(args[0], self._scope.names.form_only, place)
            case "CENTROID":
                return centroid_of(args[0], place)
            case "AREA":
                return area_of(args[0], place)
            case "COORDSYS":
                return system_of(args[0], place)
            case _:
                return coordinate(args[0], 0 if name == "COORD1" else 1, place)

    def _concatenated(self, args: Sequence[Expr], place: int | None) -> Expr:
        result = as_kind(args[0], "text", place)
        for part in args[1:]:
            other = as_kind(part, "text", place)
            length = result.type.length + other.type.length
            self._scope.names.characters += length
            if length > LONGEST_VALUE or self._scope.names.characters > LONGEST_VALUES:
                raise QueryError("the text could become too long", place)
            result = Call("concatenate", (result, other), text(length))
        return result

    @staticmethod
    def coalesce(args: Sequence[Expr], place: int | None) -> Expr:
        """The first of `args` that is not NULL."""
        branches: list[tuple[Expr, Expr]] = [(Call("is_not_null", (a,), BOOLEAN), a) for a in args[:-1]]
        return case_of(branches, args[-1], place) if branches else args[0]


def case_of(branches: Sequence[tuple[Expr, Expr]], default: Expr, place: int | None) -> Expr:
    kind: Type = common_type([*(value for _, value in branches), default], place)
    cast = tuple((condition, converted(value, kind)) for condition, value in branches)
    return Case(cast, converted(default, kind), kind)


def _known_functions() -> list[str]:
    return [name for name in FUNCTIONS if name.isupper()] + list(SPECIAL) + list(AGGREGATES)


def _count_arguments(name: str, args: Sequence[Expr], allowed: Sequence[int], place: int | None) -> None:
    if len(args) not in allowed:
        wanted = str(allowed[0]) if len(allowed) == 1 else f"{allowed[0]} or more"
        raise QueryError(
            f"{name} takes {wanted} argument{'' if wanted == '1' else 's'}, not {len(args)}", place
        )


def _path(path: object, place: int | None) -> str:
    if not isinstance(path, str) or not re.fullmatch(r"\$(\.\w+|\[\d{1,4}\]){1,20}", path):
        raise QueryError("a JSON path is written like '$.name' or '$.list[0]'", place)
    return path


def _size(expression: Expr) -> int:
    return 1 + sum(map(_size, parts(expression)))
