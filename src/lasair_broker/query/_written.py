"""What the user wrote for each condition, as sqlglot's tree keeps no text.

Each condition of a WHERE, ON or HAVING, and each part of it that AND, OR or NOT join, gets in its `meta` the
stretch of the user's text that it was read from.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp
from sqlglot.tokenizer_core import Token, TokenType

__all__ = ["WRITTEN", "mark_conditions"]

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
        while begin > 0 and self._tokens[begin - 1].text.upper() != word:
            begin -= 1
        depth, end = 0, begin
        while end < len(self._tokens):
            token = self._tokens[end]
            if depth == 0 and (
                token.token_type == TokenType.R_PAREN or token.text.upper().split()[0] in _ENDS
            ):
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
        elif isinstance(node, exp.Not) and self._tokens[first].text.upper() == "NOT":
            self._mark(node.this, first + 1, last)
        elif isinstance(node, exp.And | exp.Or):
            left, right = self._ends(node.this), self._ends(node.expression)
            if left is None or right is None:
                return
            word = TokenType.AND if isinstance(node, exp.And) else TokenType.OR
            for place in range(right[0] - 1, left[1], -1):
                if self._tokens[place].token_type == word:
                    self._mark(node.this, first, place - 1)
                    self._mark(node.expression, place + 1, last)
                    return

    def _ends(self, node: exp.Expression) -> tuple[int, int] | None:
        """The first and the last token that the tree knows the place of."""
        places = [self._number.get(part.meta.get("start", -1)) for part in node.walk()]
        known = [place for place in places if place is not None]
        return (min(known), max(known)) if known else None
