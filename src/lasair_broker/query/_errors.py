"""What is wrong with a query, and where."""

from __future__ import annotations

__all__ = ["QueryError"]


class QueryError(ValueError):
    """A query that cannot be answered.

    Attributes
    ----------
    message
        What is wrong, in a sentence.
    position
        Where in the text it is, counted in characters from 0; None if it is nowhere in particular.
    suggestion
        What to write instead; None if we cannot tell.
    field
        Of Lasair's triple ("selected", "tables" or "conditions"), the text that `position` counts in; None
        for a query in one text.
    """

    def __init__(
        self,
        message: str,
        position: int | None = None,
        suggestion: str | None = None,
        field: str | None = None,
    ) -> None:
        super().__init__(f"{message}; {suggestion}" if suggestion else message)
        self.message = message
        self.position = position
        self.suggestion = suggestion
        self.field = field

    def pointed(self, text: str) -> str:
        """The error with the line of `text` it is in and a caret under the place; `text` is the query, or
        that of `field`."""
        if self.position is None:
            return str(self)
        text = text.encode(errors="replace").decode()  # half a character cannot be shown
        where = f"{self.field}, " if self.field else ""
        start = text.rfind("\n", 0, self.position) + 1
        line = text[start:].split("\n", 1)[0]
        number = text.count("\n", 0, self.position) + 1
        column = self.position - start
        return f"{where}line {number}, column {column + 1}: {self}\n{line}\n{' ' * column}^"
