"""What docs/query-language.md says is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lasair_broker.query import (
    AGGREGATES,
    FUNCTIONS,
    PUBLIC,
    described_functions,
    filled,
    parameters_of,
    parse,
    reference,
    triple,
)
from lasair_broker.query._functions import SPECIAL, SYNONYMS

TEXT = (Path(__file__).parents[2] / "docs" / "query-language.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```sql\n(.*?)```", TEXT, re.DOTALL)
TRIPLES = re.findall(r"```lasair\nselected: (.*?)\ntables: (.*?)\nconditions: (.*?)\n```", TEXT, re.DOTALL)
VALUES = {"limit": 5000, "since": "2026-03-01", "name": "2026%"}
"""For the parameters that the examples name."""


def test_the_table_of_functions_is_the_one_in_use() -> None:
    assert reference() in TEXT, "put what lasair_broker.query.reference() gives into docs/query-language.md"


def test_every_function_is_in_it() -> None:
    for name in (*(n for n in FUNCTIONS if n.isupper()), *SPECIAL, *AGGREGATES, *SYNONYMS):
        assert re.search(rf"\b{name}\b", reference(), re.IGNORECASE), name


def test_the_editor_offers_the_same() -> None:
    offered = described_functions()
    names = {*(n for n in FUNCTIONS if n.isupper()), *SPECIAL, *AGGREGATES}
    assert {function.name for function in offered} == names
    assert len(offered) == len(names)
    for function in offered:
        assert function.meaning in TEXT, function


@pytest.mark.parametrize("example", EXAMPLES)
def test_examples_are_queries(example: str) -> None:
    named = {parameter.name: VALUES[parameter.name] for parameter in parameters_of(example)}
    query = parse(example, PUBLIC, filled(example, values=named))
    assert query.render("duckdb")
    assert query.render("postgresql")


@pytest.mark.parametrize("fields", TRIPLES)
def test_examples_in_three_parts_are_queries(fields: tuple[str, str, str]) -> None:
    assert triple(*fields, PUBLIC).render("duckdb")


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 5
    assert TRIPLES
