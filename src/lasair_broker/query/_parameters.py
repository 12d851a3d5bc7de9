"""Parameters: values that a query names, as in `psfFlux > :limit`, and is given when it is parsed.

A parameter becomes a typed literal of the checked tree, so that nothing behind the parser knows of it. It
stands where a value may stand, never for a name of a table or column, nor in ORDER BY, GROUP BY or TOP.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

from lasair_broker.schema import closest

from ._errors import QueryError
from ._tree import Const
from ._types import BOOLEAN, TIMESTAMP, UNKNOWN, text
from ._typing import instant, number

__all__ = [
    "PARAMETER_TYPES",
    "Parameter",
    "ParameterType",
    "ParameterValue",
    "bound",
    "not_in_query",
    "with_values",
]

ParameterType = Literal["number", "text", "boolean", "moment"]
PARAMETER_TYPES: tuple[ParameterType, ...] = get_args(ParameterType)
ParameterValue = bool | int | float | str

MOST_PARAMETERS = 100
LONGEST_TEXT = 10_000
_LONGEST_UNIT = 60
_LONGEST_DESCRIPTION = 500
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,59}")
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_WHOLE = re.compile(r"[+-]?\d+", re.ASCII)
_TRUTH = {"true": True, "yes": True, "false": False, "no": False}


@dataclass(frozen=True, slots=True)
class Parameter:
    """A value that a query names.

    Attributes
    ----------
    name
        Without the colon; capitals make no difference.
    type
        A "moment" is a time: with times it is compared as such, with numbers as its MJD TAI.
    default
        The value, unless another is given: a number, a text or a truth value; a moment as a text in ISO 8601,
        UTC unless it says otherwise. None: it has none yet, and the query cannot be run.
    unit, description
        For people.

    Raises
    ------
    QueryError
        In field "parameters", if the value is not of the type, or a name is none.
    """

    name: str
    type: ParameterType
    default: ParameterValue | None = None
    unit: str = ""
    description: str = ""

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise _wrong(
                f"{self.name[:60]!r} is no name of a parameter",
                "begin with a letter and go on with letters, digits and _, 60 at most",
            )
        if self.type not in PARAMETER_TYPES:
            raise _wrong(
                f"the parameter :{self.name} has no type {str(self.type)[:60]!r}",
                f"choose {', '.join(PARAMETER_TYPES)}",
            )
        for what, words, most in (
            ("unit", self.unit, _LONGEST_UNIT),
            ("description", self.description, _LONGEST_DESCRIPTION),
        ):
            if not _is_text(words) or len(words) > most or "\n" in words or "\r" in words:
                raise _wrong(f"the {what} of :{self.name} is a line of at most {most} characters")
        if self.default is not None:
            self._check(self.default)

    def _check(self, value: ParameterValue) -> None:
        numeric = isinstance(value, int | float) and not isinstance(value, bool)
        match self.type:
            case "number" if not numeric or (isinstance(value, float) and not math.isfinite(value)):
                raise _wrong(f"the parameter :{self.name} is a number, which {_shown(value)} is not")
            case "number" if isinstance(value, int) and abs(value) >= 2**63:
                raise _wrong(f"the parameter :{self.name} is larger than 64 bits", "write it as 1e20")
            case "boolean" if not isinstance(value, bool):
                raise _wrong(f"the parameter :{self.name} is true or false, not {_shown(value)}")
            case "text" if not isinstance(value, str) or not _is_text(value):
                raise _wrong(f"the parameter :{self.name} is a text, which {_shown(value)} is not")
            case "text" if isinstance(value, str) and len(value) > LONGEST_TEXT:
                raise _wrong(f"the parameter :{self.name} is a text of at most {LONGEST_TEXT} characters")
            case "moment":
                self._check_moment(value)

    def _check_moment(self, value: ParameterValue) -> None:
        try:
            instant(value if isinstance(value, str) else "", None)
        except QueryError as error:
            raise _wrong(
                f"the parameter :{self.name} is a moment, which {_shown(value)} is not", error.suggestion
            ) from None

    def written(self) -> str:
        """The value as people write it, which `with_value` reads; "" if there is none."""
        if self.default is None:
            return ""
        return str(self.default).lower() if isinstance(self.default, bool) else str(self.default)

    def with_value(self, value: ParameterValue) -> Parameter:
        """With another value; a text is read as people write values.

        Raises
        ------
        QueryError
            In field "parameters", if it is none of its type.
        """
        return replace(self, default=self._read(value) if isinstance(value, str) else value)

    def _read(self, value: str) -> ParameterValue:
        if self.type == "text":
            return value
        plain = value.strip()
        if self.type == "boolean":
            return _TRUTH.get(plain.casefold(), plain)
        if self.type == "number" and _NUMBER.fullmatch(plain):
            whole = _WHOLE.fullmatch(plain) and len(plain) <= 20 and abs(int(plain)) < 2**63
            return int(plain) if whole else float(plain)
        return plain

    def const(self) -> Const:
        """The value as a literal; NULL if there is none."""
        value = self.default
        if isinstance(value, bool):
            found = Const(value, BOOLEAN)
        elif isinstance(value, str) and self.type == "moment":
            found = Const(instant(value, None), TIMESTAMP)
        elif isinstance(value, str):
            found = Const(value, text(max(1, len(value))))
        else:
            found = Const(None, UNKNOWN) if value is None else number(value)
        return replace(found, parameter=self.name)


def bound(parameters: Iterable[Parameter]) -> dict[str, Const | None]:
    """The literals of parameters, by their folded names; None for those that have no value.

    Raises
    ------
    QueryError
        If one is there twice.
    """
    found: dict[str, Const | None] = {}
    for each in parameters:
        if each.name.casefold() in found:
            raise _wrong(f"the parameter :{each.name} is declared twice")
        found[each.name.casefold()] = None if each.default is None else each.const()
        if len(found) > MOST_PARAMETERS:
            raise _wrong(f"a query has at most {MOST_PARAMETERS} parameters")
    return found


def with_values(
    parameters: Sequence[Parameter], values: Mapping[str, ParameterValue]
) -> tuple[Parameter, ...]:
    """Parameters with other values for some of them, by name; see `Parameter.with_value`.

    Raises
    ------
    QueryError
        If there is no such parameter, or a value is none of its type.
    """
    found = {each.name.casefold(): each for each in parameters}
    for name, value in values.items():
        each = found.get(name.casefold())
        if each is None:
            match = closest(name, [each.name for each in parameters])
            raise _wrong(f"there is no parameter :{name[:60]}", f"did you mean :{match}?" if match else None)
        found[name.casefold()] = each.with_value(value)
    return tuple(found.values())


def not_in_query(name: str) -> QueryError:
    """The error that a query does not name a parameter."""
    return _wrong(
        f"the parameter :{name[:60]} is not in the query",
        "write it where its value is to stand, or remove it",
    )


def _is_text(words: object) -> bool:
    """Whether it is a text that engines take: without zero bytes and halves of characters."""
    if not isinstance(words, str) or "\0" in words:
        return False
    return words == words.encode(errors="ignore").decode()


def _shown(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 80 else shown[:79] + "…"


def _wrong(message: str, suggestion: str | None = None) -> QueryError:
    return QueryError(message, None, suggestion, "parameters")
