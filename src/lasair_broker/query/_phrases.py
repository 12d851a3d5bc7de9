"""The grammar of conditions and values."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence

from sqlglot.tokenizer_core import Token, TokenType

from ._errors import QueryError
from ._words import ADQL_RESERVED, RESERVED, word_of

__all__ = ["SETS", "Phrases"]

_COMPARISONS = {"=", "<>", "!=", "<", "<=", ">", ">="}
SETS = {"UNION", "EXCEPT", "INTERSECT"}
_AFTER_QUERY = {*SETS, ")", "ORDER BY", "OFFSET", "LIMIT"}
_TYPES = {
    "CHAR", "CHARACTER", "VARCHAR", "SMALLINT", "INTEGER", "BIGINT", "REAL", "TIMESTAMP", "POINT", "CIRCLE",
    "POLYGON",
}  # fmt: skip
_MORE_TYPES = {"INT", "FLOAT", "TEXT"}
_SIZED = {"CHAR", "CHARACTER", "VARCHAR"}
_NAME = re.compile(r"[A-Za-z]\w*", re.ASCII)
_NUMBER = re.compile(r"(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_WHOLE = re.compile(r"\d{1,18}", re.ASCII)


class Phrases(ABC):
    """Reads the conditions and values of one query.

    Attributes
    ----------
    extensions
        What the query has that ADQL 2.1 has not, as errors for those who want nothing else.
    """

    def __init__(self, tokens: Sequence[Token], end: int) -> None:
        self._tokens = tokens
        self._words = [word_of(token) for token in tokens] + [""]
        self._places = [token.start for token in tokens] + [end]
        self._closing = _closing(self._words)
        self._at = 0
        self.extensions: list[QueryError] = []

    # Words

    @property
    def _word(self) -> str:
        return self._words[self._at]

    def _take(self, *words: str) -> bool:
        if self._word in words and self._word:
            self._at += 1
            return True
        return False

    def _need(self, word: str, suggestion: str | None = None) -> None:
        if not self._take(word):
            raise self._wrong(f"{word} is expected here", suggestion)

    def _wrong(self, message: str, suggestion: str | None = None) -> QueryError:
        found = self._tokens[self._at].text if self._at < len(self._tokens) else ""
        which = f", not {found.removeprefix('fn:')}" if found else ", where the query ends"
        return QueryError(message + which, self._places[self._at], suggestion)

    def _extends(self, what: str) -> None:
        self.extensions.append(QueryError(f"{what} is not part of ADQL", self._places[self._at]))

    def _kind(self) -> TokenType | None:
        return self._tokens[self._at].token_type if self._at < len(self._tokens) else None

    def _is_name(self) -> bool:
        if self._kind() == TokenType.IDENTIFIER:
            return True
        return bool(_NAME.fullmatch(self._word)) and self._word not in RESERVED

    def _name(self, what: str) -> None:
        if not self._is_name():
            if self._word in RESERVED and self._word:
                raise QueryError(
                    f"{self._tokens[self._at].text} is a word of the language, where {what} is expected",
                    self._places[self._at],
                    "put it in double quotes to use it as a name",
                )
            raise self._wrong(f"{what} is expected here")
        if self._kind() != TokenType.IDENTIFIER and self._word in ADQL_RESERVED:
            self._extends(f"the reserved word {self._tokens[self._at].text} as a name")
        self._at += 1

    def _name_before_columns(self, what: str) -> None:
        """A name behind which names of columns in parentheses may follow, so it looks like a call."""
        if self._word.startswith("FN:"):
            self._at += 1
        else:
            self._name(what)

    def _names(self) -> None:
        self._need("(")
        self._name("a column")
        while self._take(","):
            self._name("a column")
        self._need(")")

    def _whole_number(self, what: str) -> None:
        if self._kind() != TokenType.NUMBER or not _WHOLE.fullmatch(self._tokens[self._at].text):
            raise self._wrong(f"{what} takes a whole number that is not negative")
        self._at += 1

    def _dotted(self, what: str, most: int, too_many: str) -> None:
        place = self._places[self._at]
        self._name(what)
        parts = 1
        while self._take("."):
            # After a dot even a word of the language can only be a name, but ADQL wants it in quotes.
            self._name("a name")
            parts += 1
        if parts > most:
            raise QueryError(too_many, place)

    @abstractmethod
    def _inner_query(self) -> None:
        """A query in parentheses."""

    # Conditions and values

    def _condition(self) -> None:
        self._conjunction()
        while self._take("OR"):
            self._conjunction()

    def _conjunction(self) -> None:
        self._negation()
        while self._take("AND"):
            self._negation()

    def _negation(self) -> None:
        while self._take("NOT"):
            pass
        if self._take("EXISTS", "FN:EXISTS"):
            if self._word != "(" or not self._begins_query(self._at):
                raise self._wrong("EXISTS needs a query in parentheses")
            self._inner_query()
            return
        self._value()
        self._predicate()

    def _predicate(self) -> None:
        if self._word == "==":
            raise QueryError("there is no operator '=='", self._places[self._at], "write =")
        if self._take(*_COMPARISONS):
            self._value()
            return
        if self._take("IS"):
            self._take("NOT")
            if not self._take("NULL"):
                raise self._wrong("IS goes with NULL or NOT NULL only", "compare other values with = or <>")
            return
        negated = self._take("NOT")
        if self._take("BETWEEN"):
            self._value()
            self._need("AND", "write BETWEEN low AND high")
            self._value()
        elif self._take("LIKE", "ILIKE"):
            self._value()
        elif self._take("IN", "FN:IN"):
            self._members()
        elif negated:
            raise self._wrong("BETWEEN, LIKE or IN is expected here")

    def _members(self) -> None:
        if self._word != "(":
            raise self._wrong("IN needs a list or a query in parentheses")
        if self._begins_query(self._at):
            self._inner_query()
            return
        self._at += 1
        if self._word == ")":
            raise QueryError("IN has an empty list", self._places[self._at])
        self._value()
        while self._take(","):
            self._value()
        self._need(")")

    def _value(self) -> None:
        self._product()
        while self._take("+", "-", "||"):
            self._product()

    def _product(self) -> None:
        self._factor()
        while True:
            if self._word == "%":
                self._extends("%")
            if not self._take("*", "/", "%"):
                return
            self._factor()

    def _factor(self) -> None:
        while self._take("+", "-"):
            pass
        kind, word = self._kind(), self._word
        if kind == TokenType.NUMBER:
            if not _NUMBER.fullmatch(self._tokens[self._at].text):
                raise self._wrong("a number is expected here")
            self._at += 1
        elif kind == TokenType.STRING:
            while self._kind() == TokenType.STRING:
                self._at += 1
        elif word in ("NULL", "TRUE", "FALSE"):
            self._at += 1
        elif word.startswith(":"):
            self._extends(f"the parameter {self._tokens[self._at].text}")
            self._at += 1
        elif word == "CASE":
            self._case()
        elif word in ("CAST", "FN:CAST"):
            self._cast()
        elif word.startswith("FN:"):
            self._at += 1
            self._arguments()
        elif word == "(" and self._begins_query(self._at):
            self._inner_query()
        elif word == "(":
            self._at += 1
            self._condition()
            self._need(")")
        elif self._is_name():
            self._dotted(
                "a column", 4, "a column has at most a catalogue, a schema and a table before its name"
            )
        else:
            raise self._wrong("a value is expected here")

    def _arguments(self) -> None:
        self._need("(")
        if self._take(")"):
            return
        if not self._take("*"):
            self._take("DISTINCT", "ALL")
            self._condition()
            while self._take(","):
                self._condition()
        self._need(")")

    def _case(self) -> None:
        self._need("CASE")
        if self._word != "WHEN":
            self._value()
        self._need("WHEN")
        while True:
            self._condition()
            self._need("THEN")
            self._value()
            if not self._take("WHEN"):
                break
        if self._take("ELSE"):
            self._value()
        self._need("END")

    def _cast(self) -> None:
        self._at += 1
        self._need("(")
        self._condition()
        self._need("AS", "write CAST(value AS type)")
        word = self._word.removeprefix("FN:")
        if word in _MORE_TYPES:
            self._extends(word)
        if word in _TYPES or word in _MORE_TYPES:
            self._at += 1
            if word in _SIZED and self._take("("):
                self._whole_number(word)
                self._need(")")
        elif self._take("DOUBLE"):
            if not self._take("PRECISION"):
                self._extends("DOUBLE without PRECISION")
        elif self._take("DOUBLE PRECISION"):
            pass
        else:
            raise QueryError(
                "there is no such type",
                self._places[self._at],
                "use SMALLINT, INTEGER, BIGINT, REAL, DOUBLE PRECISION, CHAR, VARCHAR or TIMESTAMP",
            )
        self._need(")")

    def _begins_query(self, place: int) -> bool:
        """Whether a query begins with the opening parenthesis at `place`, rather than a value or a join."""
        while self._words[place] == "(" and self._words[place + 1] == "(":
            after = self._closing.get(place + 1, place) + 1
            if self._words[min(after, len(self._words) - 1)] not in _AFTER_QUERY:
                return False
            place += 1
        return self._words[place + 1] in ("SELECT", "WITH")


def _closing(words: Sequence[str]) -> dict[int, int]:
    """For each opening parenthesis the closing one."""
    pairs: dict[int, int] = {}
    opened: list[int] = []
    for place, word in enumerate(words):
        if word == "(":
            opened.append(place)
        elif word == ")" and opened:
            pairs[opened.pop()] = place
    return pairs
