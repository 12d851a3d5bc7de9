"""The parameters that a query names, declared or not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from ._catalogue import PUBLIC, Catalogue
from ._errors import QueryError
from ._parameters import Parameter, ParameterType, ParameterValue, not_in_query
from ._parse import parameter_names
from ._query import checked
from ._tree import Const
from ._triple import checked_triple
from ._types import UNKNOWN

__all__ = ["filled", "parameters_of"]

_SAMPLES: tuple[tuple[ParameterType, ParameterValue], ...] = (
    ("number", 2), ("text", "a"), ("boolean", True), ("moment", "2026-01-01"),
)  # fmt: skip
"""The types in the order in which they are tried. 2 is a number of anything, and no truth value."""


def parameters_of(
    query: str | tuple[str, str, str],
    catalogue: Catalogue = PUBLIC,
    declared: Sequence[Parameter] = (),
    values: Mapping[str, ParameterValue] | None = None,
) -> tuple[Parameter, ...]:
    """The parameters that a query names, in its order.

    Parameters
    ----------
    query
        In ADQL, or what `triple` takes: selected, tables, conditions.
    catalogue
        What the user may read.
    declared
        Those that are given back as they are, if the query names them.
    values
        For some of them, declared or not, as `Parameter.with_value` takes them. One that is not declared
        gets the first type that its value can be read as and with which the query has a meaning.

    Raises
    ------
    QueryError
        If the query is wrong whatever the values of those without one are, or a value is none of its
        parameter's type.
    """
    texts = (query,) if isinstance(query, str) else (query[0], query[2])
    names: dict[str, str] = {}
    for text in texts:
        for name, _ in parameter_names(text):
            names.setdefault(name.casefold(), name)

    def check(literals: Mapping[str, Const]) -> None:
        if isinstance(query, str):
            checked(query, catalogue, literals)
        else:
            checked_triple(*query, catalogue, literals)

    given = {name.casefold(): value for name, value in (values or {}).items()}
    known = {each.name.casefold(): each for each in declared}
    for folded in known.keys() & given.keys():
        known[folded] = known[folded].with_value(given[folded])
    search = _Search({name: each.const() for name, each in known.items()}, names, given, check)
    return tuple(known.get(folded) or search.guessed(folded) for folded in names)


def filled(
    query: str | tuple[str, str, str],
    catalogue: Catalogue = PUBLIC,
    declared: Sequence[Parameter] = (),
    values: Mapping[str, ParameterValue] | None = None,
) -> tuple[Parameter, ...]:
    """As `parameters_of`, for who wants to run the query.

    Raises
    ------
    QueryError
        Also if one is declared or given that the query does not name.
    """
    found = parameters_of(query, catalogue, declared, values)
    names = {each.name.casefold() for each in found}
    for name in [*(each.name for each in declared), *(values or {})]:
        if name.casefold() not in names:
            raise not_in_query(name)
    return found


class _Search:
    """Finds what parameters that are not declared may be.

    They stand as NULL, which goes with anything; but where a fixed value is needed, as something that can
    stand there.
    """

    def __init__(
        self,
        known: Mapping[str, Const],
        names: Mapping[str, str],
        given: Mapping[str, ParameterValue],
        check: Callable[[Mapping[str, Const]], None],
    ) -> None:
        self._names, self._given, self._check = names, given, check
        self._literals = {name: known.get(name, Const(None, UNKNOWN)) for name in names}
        error = self._wrong(self._literals)
        for name in (name for name in names if name not in known):
            for each in self._candidates(name) if error is not None else ():
                literals = self._literals | {name: each.const()}
                other = self._wrong(literals)
                # The text is checked from the left, so an error farther on is another one.
                if other is None or (other.position or 0) > (getattr(error, "position", None) or 0):
                    self._literals, error = literals, other
                    break
        if error is not None:
            raise error

    def guessed(self, name: str) -> Parameter:
        """A parameter of the first type that fits; a text, which can be anything, if none does."""
        given = self._given.get(name)
        for each in self._candidates(name):
            if self._wrong(self._literals | {name: each.const()}) is None:
                return each if given is not None else replace(each, default=None)
        each = Parameter(self._names[name], "text")
        return each if given is None else each.with_value(given)

    def _candidates(self, name: str) -> list[Parameter]:
        """With the value that was given, of the types that it can have; without one, of all."""
        found = []
        for kind, sample in _SAMPLES:
            each, given = Parameter(self._names[name], kind), self._given.get(name)
            try:
                found.append(replace(each, default=sample) if given is None else each.with_value(given))
            except QueryError:
                continue
        return found

    def _wrong(self, literals: Mapping[str, Const]) -> QueryError | None:
        try:
            self._check(literals)
        except QueryError as error:
            return error
        return None
