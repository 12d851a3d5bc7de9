"""From text to sqlglot's tree, refusing at the level of words what sqlglot is too generous about.

sqlglot reads the union of many dialects. Three things keep it to ADQL: tokens outside ADQL are refused
here; every function reaches the tree under the name that the user wrote, as none is one that sqlglot knows;
and what is made of the tree (`_check`) takes only what it names.
"""

from __future__ import annotations

import logging
import re
from typing import Any

from sqlglot import exp
from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import SqlglotError
from sqlglot.tokenizer_core import Token, TokenType
from sqlglot.tokens import Tokenizer

from ._errors import QueryError
from ._grammar import Grammar
from ._words import RESERVED, word_of
from ._written import mark_conditions

__all__ = [
    "FUNCTION_MARK",
    "parameter_names",
    "parameter_of",
    "parse_text",
    "position_of",
    "texts_in_single_quotes",
]

FUNCTION_MARK = "fn:"
"""Set before the name of every function, so that sqlglot takes it for one that it does not know."""

_PARAMETER_MARK = ":"
"""Before the name of a parameter, which sqlglot takes for the name of a column."""

_FIRST = "first"
LONGEST_TEXT = 20_000
DEEPEST_NESTING = 60

_PUNCTUATION = {
    TokenType.L_PAREN, TokenType.R_PAREN, TokenType.COMMA, TokenType.DOT, TokenType.DASH, TokenType.PLUS,
    TokenType.SLASH, TokenType.STAR, TokenType.MOD, TokenType.LT, TokenType.LTE, TokenType.GT, TokenType.GTE,
    TokenType.EQ, TokenType.NEQ, TokenType.DPIPE,
}  # fmt: skip
_QUOTED = (TokenType.STRING, TokenType.IDENTIFIER, TokenType.NUMBER)
_SIZED_TYPES = (TokenType.CHAR, TokenType.VARCHAR)
_BEFORE_JOIN = ("INNER", "LEFT", "RIGHT", "FULL", "OUTER", "CROSS", "NATURAL")
_ENDS_A_LIST = (")", ",", "FROM", "WHERE", "GROUP", "GROUP BY", "ORDER", "ORDER BY", "HAVING")
_WORD = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_BLANK_OR_COMMENT = re.compile(r"(?:\s|--[^\n]*(?:\n|\Z))*")
_HEXADECIMAL = re.compile(r"[xX][0-9a-fA-F]{1,15}")


class _AdqlTokenizer(Tokenizer):
    KEYWORDS = {**Tokenizer.KEYWORDS, "TOP": TokenType.TOP}  # noqa: RUF012 - as sqlglot declares it


class _Adql(Dialect):
    Tokenizer = _AdqlTokenizer


def parse_text(text: str, strings_in_double_quotes: bool = False) -> tuple[exp.Expression, list[QueryError]]:
    """sqlglot's tree of one SELECT or set operation, and what it has that ADQL has not.

    Parameters
    ----------
    text
        The query; one semicolon may end it.
    strings_in_double_quotes
        Read double quotes as MySQL does, which Lasair's users are used to.

    Raises
    ------
    QueryError
        If the text is no query.
    """
    if len(text) > LONGEST_TEXT:
        raise QueryError(f"a query may have at most {LONGEST_TEXT} characters; this one has {len(text)}")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise QueryError("half a character, which no text can have", error.start) from None
    dialect = _Adql()
    tokens = _checked(_tokens(text, dialect), text, strings_in_double_quotes)
    grammar = Grammar(tokens, len(text.rstrip()))
    grammar.check()
    logger = logging.getLogger("sqlglot")
    level = logger.level
    logger.setLevel(logging.CRITICAL)  # it warns of statements that we refuse anyway
    try:
        trees = dialect.parser().parse(tokens, text)
    except SqlglotError as error:
        raise _translated(error, text) from None
    except RecursionError:
        raise QueryError("the query is nested too deeply") from None
    finally:
        logger.setLevel(level)
    if len(trees) != 1 or not isinstance(trees[0], exp.Select | exp.SetOperation | exp.Subquery):
        raise QueryError("a query is one SELECT, or several joined by UNION, EXCEPT or INTERSECT", 0)
    _mark_positions(trees[0])
    mark_conditions(trees[0], tokens, text)
    return trees[0], grammar.extensions


def parameter_names(text: str) -> list[tuple[str, int]]:
    """The parameters that a text names, each time with its place, whether or not it is a query otherwise."""
    tokens = _tokens(text, _Adql())
    return [(name, token.start) for token in tokens if (name := _parameter(token)) is not None]


def texts_in_single_quotes(text: str) -> str:
    """A query that has texts in double quotes, as MySQL reads it, in the words of ADQL."""
    pieces: list[str] = []
    done = 0
    for token in _tokens(text, _Adql()):
        if token.token_type == TokenType.IDENTIFIER:
            pieces += [text[done : token.start], "'" + token.text.replace("'", "''") + "'"]
            done = token.end + 1
    return "".join([*pieces, text[done:]])


def parameter_of(node: exp.Column) -> str | None:
    """The name of the parameter that stands where a column might; None if it is a column."""
    name = node.this
    if not isinstance(name, exp.Identifier) or name.args.get("quoted"):
        return None
    written = str(name.this)
    return written.removeprefix(_PARAMETER_MARK) if written.startswith(_PARAMETER_MARK) else None


def position_of(node: exp.Expression | None) -> int | None:
    """Where in the text the first word of `node` is."""
    return None if node is None else node.meta.get(_FIRST)


def _mark_positions(tree: exp.Expression) -> None:
    """Note at each node the place of its first word; those below come first, so that each is looked at
    once."""
    for node in reversed(list(tree.walk())):
        first = min(
            (p for p in (node.meta.get("start"), node.meta.get(_FIRST)) if p is not None), default=None
        )
        if first is None:
            continue
        node.meta[_FIRST] = first
        if node.parent is not None:
            node.parent.meta[_FIRST] = min(first, node.parent.meta.get(_FIRST, first))


def _tokens(text: str, dialect: Dialect) -> list[Token]:
    """The words of a text, with each parameter as one.

    Raises
    ------
    QueryError
        If a quotation mark is not closed.
    """
    try:
        tokens = dialect.tokenize(text)
    except SqlglotError as error:
        raise _translated(error, text) from None
    result: list[Token] = []
    for token in tokens:
        mark = result[-1] if result else None
        names = token.text.isidentifier() and token.text.isascii() and token.token_type not in _QUOTED
        if mark is not None and mark.token_type == TokenType.COLON and mark.end + 1 == token.start and names:
            written = text[mark.start : token.end + 1]
            result[-1] = Token(
                TokenType.VAR, written, line=mark.line, col=mark.col, start=mark.start, end=token.end
            )
        else:
            result.append(token)
    return result


def _parameter(token: Token) -> str | None:
    """The name of the parameter that a token is; None if it is something else."""
    named = token.token_type == TokenType.VAR and token.text.startswith(_PARAMETER_MARK)
    return token.text.removeprefix(_PARAMETER_MARK) if named else None


def _checked(tokens: list[Token], text: str, strings_in_double_quotes: bool) -> list[Token]:
    """The tokens as sqlglot is to have them."""
    if not tokens:
        raise QueryError("the query is empty", 0, "write SELECT … FROM … WHERE …")
    if tokens[-1].token_type == TokenType.SEMICOLON:
        tokens = tokens[:-1]
    if tokens and tokens[0].token_type not in (TokenType.SELECT, TokenType.WITH, TokenType.L_PAREN):
        raise QueryError("a query begins with SELECT or WITH", tokens[0].start)
    result: list[Token] = []
    depth = 0
    for place, token in enumerate(tokens):
        following = tokens[place + 1] if place + 1 < len(tokens) else None
        previous = result[-1] if result else None
        kind = token.token_type
        if kind == TokenType.SEMICOLON:
            raise QueryError("only one query at a time", token.start, "leave out what follows the semicolon")
        touches = previous is not None and previous.end + 1 == token.start
        zero = previous is not None and previous.token_type == TokenType.NUMBER and previous.text == "0"
        if previous is not None and zero and touches and _HEXADECIMAL.fullmatch(token.text):
            value = str(int(token.text[1:], 16))
            result[-1] = Token(
                TokenType.NUMBER, value, line=token.line, col=token.col, start=previous.start, end=token.end
            )
            continue
        depth += (kind == TokenType.L_PAREN) - (kind == TokenType.R_PAREN)
        if depth > DEEPEST_NESTING:
            raise QueryError("the query is nested too deeply", token.start)
        _check_neighbours(token, previous, following, text)
        if kind == TokenType.JOIN and (previous is None or word_of(previous) not in _BEFORE_JOIN):
            result.append(_like(token, TokenType.INNER, "INNER"))  # sqlglot takes a bare JOIN for a comma
        names_type = previous is not None and previous.token_type == TokenType.ALIAS and kind in _SIZED_TYPES
        result.append(token if names_type else _as_adql(token, following, strings_in_double_quotes))
    return result


def _check_neighbours(token: Token, previous: Token | None, following: Token | None, text: str) -> None:
    kind = token.token_type
    begin = previous.end + 1 if previous else 0
    between = _BLANK_OR_COMMENT.match(text, begin, token.start)
    if between is None or between.end() < token.start:
        raise QueryError("comments begin with -- and end with the line", begin)
    ends = following is None or word_of(following) in _ENDS_A_LIST
    if kind == TokenType.COMMA and ends:
        raise QueryError("a comma with nothing after it", token.start, "leave it out")


def _as_adql(token: Token, following: Token | None, strings_in_double_quotes: bool) -> Token:
    kind = token.token_type
    if kind == TokenType.IDENTIFIER:
        return _like(token, TokenType.STRING, token.text) if strings_in_double_quotes else token
    if kind in _PUNCTUATION or kind in (TokenType.NUMBER, TokenType.STRING) or _parameter(token) is not None:
        return token
    if not _WORD.fullmatch(token.text.split()[0] if token.text else ""):
        raise QueryError(f"{token.text!r} has no meaning here", token.start)
    if token.text.startswith("_"):
        raise QueryError(
            f"a name begins with a letter, unlike {token.text}", token.start, "put it in double quotes"
        )
    calls = following is not None and following.token_type == TokenType.L_PAREN
    if calls and _WORD.fullmatch(token.text) and token.text.upper() not in RESERVED:
        return _like(token, TokenType.VAR, FUNCTION_MARK + token.text)
    return token


def _like(token: Token, kind: Any, text: str) -> Token:
    return Token(kind, text, line=token.line, col=token.col, start=token.start, end=token.end)


def _translated(error: SqlglotError, text: str) -> QueryError:
    """sqlglot's error in our words; its own carries terminal colours."""
    details = getattr(error, "errors", None)
    if details:
        first = details[0]
        line, column = first.get("line"), first.get("col")
        position = None
        if line and column:
            lines = text.split("\n")
            position = sum(len(part) + 1 for part in lines[: line - 1]) + max(
                0, column - len(first["highlight"] or "")
            )
        what = re.sub(r"\s*Expression:.*|\.$", "", str(first.get("description") or "")).strip()
        near = f" near {first['highlight']!r}" if first.get("highlight") else ""
        return QueryError(f"the query cannot be read{near}: {what.lower()}", position)
    if "token" in str(error).casefold():
        opened = max(text.find("'"), text.find('"'))
        return QueryError("a quotation mark is not closed", opened if opened >= 0 else None)
    return QueryError("the query cannot be read")
