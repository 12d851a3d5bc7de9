"""The grammar of the language: whether a sequence of words is a query, and if not, where it goes wrong.

It is the grammar of ADQL 2.1 with what users bring from SQL. sqlglot, which makes the tree, reads the union
of many dialects and would give a meaning to much that is none here.
"""

from __future__ import annotations

from sqlglot.tokenizer_core import TokenType

from ._errors import QueryError
from ._phrases import SETS, Phrases

__all__ = ["Grammar"]

_HINTS = {
    ")": "leave it out, or open a parenthesis before",
    "NULLS": "NULL always comes last; leave it out",
    "ESCAPE": "a LIKE pattern has no escapes",
    "FETCH": "write TOP and a number behind SELECT",
    "UNION": "put a query with an ORDER BY of its own in parentheses",
    "ISNULL": "write IS NULL",
    "NOTNULL": "write IS NOT NULL",
}


class Grammar(Phrases):
    """Reads the words of one query."""

    def check(self) -> None:
        """Read the whole query.

        Raises
        ------
        QueryError
            At the first word that does not go on what is before it.
        """
        self._query(with_allowed=True)
        if self._at < len(self._tokens):
            found = self._tokens[self._at].text.removeprefix("fn:")
            raise QueryError(f"{found} has no meaning here", self._places[self._at], _HINTS.get(self._word))

    # Queries

    def _query(self, with_allowed: bool = False) -> None:
        if self._word == "WITH":
            if not with_allowed:
                raise QueryError(
                    "WITH stands only at the beginning of the whole query", self._places[self._at]
                )
            self._at += 1
            self._named()
            while self._take(","):
                self._named()
        self._member()
        while self._take(*SETS):
            if self._word == "DISTINCT":
                self._extends("DISTINCT here")
            self._take("ALL", "DISTINCT")
            self._member()
        if self._take("ORDER BY"):
            self._sorting()
            while self._take(","):
                self._sorting()
        if self._word == "LIMIT":
            self._extends("LIMIT")
            self._at += 1
            self._whole_number("LIMIT")
        if self._take("OFFSET"):
            self._whole_number("OFFSET")

    def _named(self) -> None:
        self._name_before_columns("the name of a query")
        if self._word == "(":
            self._names()
        self._need("AS")
        self._inner_query()

    def _inner_query(self) -> None:
        self._need("(", "put the query in parentheses")
        self._query()
        self._need(")")

    def _member(self) -> None:
        """One of the queries that UNION, EXCEPT and INTERSECT join."""
        if self._word == "(":
            self._inner_query()
            return
        self._need("SELECT")
        self._take("ALL", "DISTINCT")
        if self._take("TOP"):
            self._whole_number("TOP")
        if self._word in ("FROM", ""):
            raise QueryError("SELECT names no column", self._places[self._at - 1], "write the columns, or *")
        self._output()
        while self._take(","):
            self._output()
        if not self._word or self._word in ("WHERE", ")"):
            raise QueryError("there is no FROM", self._places[self._at - 1], "write FROM and a table")
        self._need("FROM", "separate columns by commas; after them FROM follows")
        self._tables()
        while self._take(","):
            self._tables()
        if self._take("WHERE"):
            self._condition()
        if self._take("GROUP BY"):
            self._condition()
            while self._take(","):
                self._condition()
        if self._take("HAVING"):
            self._condition()

    def _output(self) -> None:
        if self._take("*"):
            return
        place = self._at
        while self._is_name() and self._words[self._at + 1] == ".":
            self._at += 2
        if self._at > place and self._take("*"):
            return
        self._at = place
        self._condition()
        if self._take("AS") or self._is_name():
            self._alias("a name for the column")

    def _alias(self, what: str) -> None:
        if self._kind() == TokenType.STRING:
            self._extends("a text as a name")
            self._at += 1
        else:
            self._name(what)

    def _sorting(self) -> None:
        self._condition()
        self._take("ASC", "DESC")

    # FROM

    def _tables(self) -> None:
        self._table()
        while True:
            if self._word == "CROSS":
                self._extends("CROSS JOIN")
                self._at += 1
                self._need("JOIN")
                self._table()
                continue
            place = self._at
            natural = self._take("NATURAL")
            if self._take("LEFT", "RIGHT", "FULL"):
                self._take("OUTER")
            else:
                self._take("INNER")
            if not self._take("JOIN"):
                if self._at > place:
                    raise self._wrong("JOIN is expected here")
                return
            self._table()
            if natural and self._word in ("ON", "USING"):
                raise self._wrong("NATURAL JOIN has no condition", "leave out NATURAL, or the condition")
            if self._take("ON"):
                self._condition()
            elif self._take("USING"):
                self._names()

    def _table(self) -> None:
        if self._word == "(" and not self._begins_query(self._at):
            self._at += 1
            self._tables()
            self._need(")")
            return
        if self._word == "(":
            self._inner_query()
            named = self._take("AS") or self._is_name() or self._word.startswith("FN:")
            if not named:
                raise QueryError(
                    "a query in FROM needs a name", self._places[self._at], "write (SELECT …) AS name"
                )
            self._name_before_columns("a name for the query")
            if self._word == "(":
                self._names()
            return
        if self._word.startswith("FN:"):
            raise QueryError("FROM takes tables and queries, no functions", self._places[self._at])
        self._dotted("a table", 3, "a table has at most a catalogue and a schema before its name")
        if self._take("AS") or self._is_name():
            self._name("a name for the table")
