"""Every query of the IVOA's, GAVO's and ROE's suites gets the verdict its file states, but for listed exceptions."""

# ruff: noqa: E501 - a query is easier to read on one line

from __future__ import annotations

import os
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import yaml

from lasair_broker.query import Catalogue, QueryError, Relation, parse
from lasair_broker.query._types import UNKNOWN

DATA = Path(os.environ.get("LASAIR_TEST_DATA", Path(__file__).parents[3] / "shared" / "data"))
SUITES = DATA / "adql"
EXCEPTIONS = {
    query
    for group in yaml.safe_load(Path(__file__).with_name("adql_exceptions.yaml").read_text())
    for query in group["queries"]
}


def suite_queries() -> list[tuple[str, str, bool]]:
    found: list[tuple[str, str, bool]] = []
    for path in sorted(SUITES.rglob("*.xml")):
        for query in ET.parse(path).getroot().iter("query"):  # noqa: S314 - our own test data
            for adql in query.iter("adql"):
                name = f"{path.relative_to(SUITES).as_posix()}#{query.get('uuid')}"
                times = sum(known.partition("~")[0] == name for known, _, _ in found)
                name += f"~{times + 1}" if times else ""  # some identifiers stand for several queries
                found.append((name, (adql.text or "").strip("\n"), adql.get("valid") == "true"))
    return found


class EveryTable(dict[str, Relation]):
    """Tables of any name, with every word of the query as a column: the suites do not describe theirs."""

    def __init__(self, text: str) -> None:
        super().__init__()
        words = {a.replace('""', '"') or b for a, b in re.findall(r'"((?:[^"]|"")+)"|([A-Za-z]\w*)', text)}
        self._columns = dict.fromkeys(words, UNKNOWN)

    def get(self, name: str, default: object = None) -> Relation:  # type: ignore[override]
        return Relation(name, self._columns)


def verdict(text: str) -> bool:
    try:
        parse(text, Catalogue(EveryTable(text)))
    except QueryError:
        return False
    return True


QUERIES = suite_queries()


def test_the_suites_are_there() -> None:
    assert len(QUERIES) > 490
    assert len(EXCEPTIONS) < 0.03 * len(QUERIES)


@pytest.mark.parametrize("path", sorted({name.partition("#")[0] for name, _, _ in QUERIES}))
def test_verdicts(path: str) -> None:
    wrong = []
    for name, text, valid in QUERIES:
        if name.startswith(path + "#") and name not in EXCEPTIONS and verdict(text) != valid:
            wrong.append((name, valid, text))
    assert not wrong


def test_no_exception_is_needless() -> None:
    needed = {name for name, text, valid in QUERIES if name in EXCEPTIONS and verdict(text) != valid}
    assert needed == EXCEPTIONS
