"""The functions of the language in a table, for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ._functions import AGGREGATES, FUNCTIONS, SPECIAL, SYNONYMS, Function

__all__ = ["DescribedFunction", "described_functions", "reference"]

_MADE_OF = "made of the others when the query is checked, so the same everywhere"


@dataclass(frozen=True, slots=True)
class DescribedFunction:
    """A function that a user may call: its name, a call as one writes it, and its meaning."""

    name: str
    call: str
    meaning: str


def described_functions() -> list[DescribedFunction]:
    """Every function that a user may call, for who writes a query."""
    return [
        *(
            DescribedFunction(f.name, _call(f), _meaning(f.name, f.description))
            for f in FUNCTIONS.values()
            if f.name.isupper() and f.name not in SPECIAL
        ),
        *(DescribedFunction(name, written, text) for name, (written, text) in SPECIAL.items()),
        *(
            DescribedFunction(name, f"{name}(x)", f"{text}, of a group of rows")
            for name, text in AGGREGATES.items()
        ),
    ]


def reference() -> str:
    """Every function that a user may call, with its meaning and how each engine gets at it: a table in
    Markdown."""
    rows = [("Function", "Meaning", "DuckDB", "PostgreSQL", "Stream"), ("---",) * 5]
    rows += [
        (
            _code(_call(function)),
            _meaning(function.name, function.description),
            _code(_template(function, function.duckdb)),
            _code(_template(function, function.postgresql)),
            "DuckDB, on the batch" if function.stream is None and function.name not in _WORDS else "numpy",
        )
        for function in FUNCTIONS.values()
        if function.name.isupper() and function.name not in SPECIAL
    ]
    rows += [
        (_code(written), _meaning(name, description), _MADE_OF, "", "")
        for name, (written, description) in SPECIAL.items()
    ]
    rows += [
        (
            _code(f"{name}(x)" if name != "COUNT" else "COUNT(*), COUNT(x), COUNT(DISTINCT x)"),
            f"{description}, of a group of rows",
            _code(f"{name.lower()}(x)"),
            _code(f"{name.lower()}(x)"),
            "DuckDB, on the batch",
        )
        for name, description in AGGREGATES.items()
    ]
    return "\n".join(_line(row) for row in rows) + "\n"


_WORDS = ("LOWER", "UPPER")
"""Functions of texts that the stream works out for each distinct word."""


def _call(function: Function) -> str:
    return f"{function.name}({', '.join(_letters(function))})"


def _letters(function: Function) -> Sequence[str]:
    if function.name == "ABS":
        return ("x",)
    if function.name == "ATAN2":
        return ("y", "x")
    return ("t",) if function.arguments == ("text",) else ("x", "y", "z", "w")[: len(function.arguments)]


def _template(function: Function, template: str) -> str:
    return template.format(*_letters(function))


def _meaning(name: str, description: str) -> str:
    others = [synonym for synonym, of in SYNONYMS.items() if of == name]
    return f"{description}; also {', '.join(others)}" if others else description


def _code(text: str) -> str:
    return f"`{text}`"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
