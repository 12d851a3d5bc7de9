"""What the user wrote for each condition, as sqlglot's tree keeps no text.

Each condition of a WHERE, ON or HAVING, and each part of it that AND, OR or NOT join, gets in its `meta` the
stretch of the user's text that it was read from.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp
from sqlglot.tokenizer_core import Token, TokenType

from ._words import word_of

__all__ = ["WRITTEN", "mark_conditions", "operands"]

WRITTEN = "written"
"""The key in `meta`."""

_ENDS = {
    "WHERE", "GROUP", "HAVING", "ORDER", "UNION", "EXCEPT", "INTERSECT", "OFFSET", "LIMIT", "JOIN", "INNER",
    "LEFT", "RIGHT", "FULL", "CROSS", "NATURAL", ",",
}  # fmt: skip


def mark_conditions(tree: exp.Expression, tokens: Sequence[Token], text: str) -> None:
    """Mark the conditions of a tree that was read from these tokens of `text`."""
    marker = _Marker(tokens, text)
    for node in tree.walk():
        if isinstance(node, exp.Where | exp.Having):
            marker.clause(node.this, node.key.upper())
        elif isinstance(node, exp.Join) and node.args.get("on") is not None:
            marker.clause(node.args["on"], "ON")


def operands(node: exp.And | exp.Or) -> list[exp.Expression]:
    """All that ANDs, or all that ORs, join in a row; sqlglot nests them to the left."""
    kind = exp.And if isinstance(node, exp.And) else exp.Or
    found: list[exp.Expression] = []
    inner: exp.Expression = node
    while isinstance(inner, kind):
        found.append(inner.expression)
        inner = inner.this
    return [inner, *reversed(found)]


class _Marker:
    def __init__(self, tokens: Sequence[Token], text: str) -> None:
        self._tokens = tokens
        self._text = text
        self._number = {token.start: number for number, token in enumerate(tokens)}

    def clause(self, condition: exp.Expression, word: str) -> None:
        """Mark the condition that follows `word`."""
        first = self._ends(condition)
        if first is None:
            return
        begin = first[0]
        while begin > 0 and word_of(self._tokens[begin - 1]) != word:
            begin -= 1
        depth, end = 0, begin
        while end < len(self._tokens):
            token = self._tokens[end]
            if depth == 0 and (token.token_type == TokenType.R_PAREN or word_of(token).split()[0] in _ENDS):
                break
            depth += (token.token_type == TokenType.L_PAREN) - (token.token_type == TokenType.R_PAREN)
            end += 1
        self._mark(condition, begin, end - 1)

    def _mark(self, node: exp.Expression, first: int, last: int) -> None:
        """Mark a condition that the tokens from `first` to `last` say."""
        if first > last:
            return
        node.meta[WRITTEN] = self._text[self._tokens[first].start : self._tokens[last].end + 1]
        if isinstance(node, exp.Paren):
            self._mark(node.this, first + 1, last - 1)
        elif isinstance(node, exp.Not) and word_of(self._tokens[first]) == "NOT":
            self._mark(node.this, first + 1, last)
        elif isinstance(node, exp.And | exp.Or):
            self._mark_operands(node, first, last)

    def _mark_operands(self, node: exp.And | exp.Or, first: int, last: int) -> None:
        word = TokenType.AND if isinstance(node, exp.And) else TokenType.OR
        parts = operands(node)
        ends = [self._ends(part) for part in parts]
        for part, end, following in zip(parts, ends, [*ends[1:], None], strict=True):
            if end is None or (following is None and part is not parts[-1]):
                return
            stop = last + 1
            if following is not None:
                between = range(end[1] + 1, following[0])
                stop = next((p for p in between if self._tokens[p].token_type == word), -1)
                if stop < 0:
                    return
            self._mark(part, first, stop - 1)
            first = stop + 1

    def _ends(self, node: exp.Expression) -> tuple[int, int] | None:
        """The first and the last token that the tree knows the place of."""
        places = [self._number.get(part.meta.get("start", -1)) for part in node.walk()]
        known = [place for place in places if place is not None]
        return (min(known), max(known)) if known else None
