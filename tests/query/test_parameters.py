"""Parameters are the literals that they stand for, and nothing else."""

# ruff: noqa: E501 - a query is easier to read on one line

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from query_generator import queries
from test_engines_agree import agree

from lasair_broker.query import (
    ARCHIVE,
    PUBLIC,
    BatchFrame,
    Form,
    FormParameter,
    Parameter,
    QueryError,
    StreamPlan,
    form_of,
    parameters_of,
    parse,
    triple,
    why,
    with_values,
)

LITERAL = re.compile(
    r"(?P<keep>\b(?:TOP|OFFSET|ORDER BY|GROUP BY)\s+\d+)|'(?P<text>(?:[^']|'')*)'|(?<![\w.])(?P<number>\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)"
)


def with_parameters(text: str, wanted: list[bool]) -> tuple[str, list[Parameter]]:
    """A query with some of its literals named, and their values."""
    found: list[Parameter] = []
    turn = iter(wanted)

    def named(match: re.Match[str]) -> str:
        if match["keep"] or not next(turn, True):
            return match.group()
        name = f"p{len(found)}"
        if match["text"] is not None:
            found.append(Parameter(name, "text", match["text"].replace("''", "'")))
        else:
            found.append(Parameter(name, "number").with_value(match["number"]))
        return f":{name}"

    return LITERAL.sub(named, text), found


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(text=queries(), wanted=st.lists(st.booleans(), max_size=20))
def test_the_plan_is_that_of_the_text_with_literals(text: str, wanted: list[bool]) -> None:
    plain = parse(text, ARCHIVE)
    asked, parameters = with_parameters(text, wanted)
    query = parse(asked, ARCHIVE, parameters)
    assert query.tree == plain.tree
    assert StreamPlan(query).compiled == StreamPlan(plain).compiled
    declared = [Parameter(p.name, p.type) for p in parameters]
    assert parameters_of(asked, ARCHIVE, declared) == tuple(declared)


@settings(deadline=None)
@given(
    value=st.one_of(st.integers(-(2**63) + 1, 2**63 - 1), st.floats(allow_nan=False, allow_infinity=False)),
    words=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30),
)
def test_any_number_and_any_text_is_what_the_literal_is(value: float, words: str) -> None:
    text = "SELECT diaObjectId FROM objects WHERE g_psfFlux > {} AND tns_name <> {}"
    quoted = "'" + words.replace("'", "''") + "'"
    named = [Parameter("v", "number", value), Parameter("w", "text", words)]
    query = parse(text.format(":v", ":w"), PUBLIC, named)
    assert query.tree == parse(text.format(repr(value), quoted), PUBLIC).tree
    assert with_values(named, {each.name: each.written() for each in named}) == tuple(named)


@pytest.mark.parametrize(
    ("column", "parameter", "literal"),
    [
        ("timestamp", Parameter("p", "moment", "2026-03-02T12:00"), "'2026-03-02T12:00'"),
        ("timestamp", Parameter("p", "text", "2026-03-02"), "'2026-03-02'"),
        # 2026-03-02 is MJD 61101; TAI is 37 s ahead of UTC.
        ("glat", Parameter("p", "moment", "2026-03-02"), repr(61101.0 + 37.0 / 86400.0)),
        ("glat - 5", Parameter("p", "moment", "2026-03-02T02:00:00+02:00"), repr(61101.0 + 37.0 / 86400.0)),
        ("glat > 0", Parameter("p", "boolean", True), "TRUE"),
    ],
)
def test_moments_and_truth_values_in_every_engine(
    engines: Any, column: str, parameter: Parameter, literal: str
) -> None:
    text = "SELECT o.diaObjectId AS id FROM objects o WHERE ({}) = {} OR ({}) IS NULL"
    query = parse(text.format(column, ":p", column), ARCHIVE, [parameter])
    assert query.tree == parse(text.format(column, literal, column), ARCHIVE).tree
    agree(engines, text.format(column, literal, column))


def test_a_moment_may_be_reckoned_with() -> None:
    since = Parameter("since", "moment", "2026-03-02")
    text = "SELECT diaObjectId FROM objects WHERE lastDiaSourceMjdTai > {} - 3"
    query = parse(text.format(":since"), PUBLIC, [since])
    assert query.tree == parse(text.format(repr(61101.0 + 37.0 / 86400.0)), PUBLIC).tree


LIMIT = (Parameter("limit", "number", 20.5),)
ERRORS = [
    ("SELECT ra FROM objects WHERE ra > :limit AND decl > :other", ":other", "there is no parameter"),
    ("SELECT ra FROM objects WHERE ra > :limi", ":limi", "did you mean :limit?"),
    ("SELECT ra FROM objects WHERE tns_name = :limit", "tns_name", "a number and a text do not go together"),
    ("SELECT ra FROM objects WHERE LOWER(:limit) = 'x'", "LOWER", "a text is expected"),
    ("SELECT ra FROM objects WHERE :limit", ":limit", "a condition is expected"),
    ("SELECT ra FROM objects ORDER BY :limit", ":limit", "takes columns"),
    ("SELECT COUNT(*) FROM objects GROUP BY :limit", ":limit", "takes columns"),
    ("SELECT ra FROM :limit", ":limit", "a table is expected"),
    ("SELECT ra AS :limit FROM objects", ":limit", "a name for the column is expected"),
    ("SELECT ra :limit FROM objects", ":limit", "FROM is expected"),
    ("SELECT o.:limit FROM objects AS o", ":limit", "a name is expected"),
    ("SELECT TOP :limit ra FROM objects", ":limit", "whole number"),
    ("SELECT ra FROM objects WHERE ra > : limit", ": ", "has no meaning"),
    ("SELECT ra FROM objects WHERE ra > :'limit'", ":'", "has no meaning"),
    ("SELECT ra FROM objects WHERE ra > :1", ":1", "has no meaning"),
    ("SELECT ra FROM objects WHERE ra::limit > 3", "::", "has no meaning"),
    ("SELECT ra FROM objects WHERE :limit(3) > 1", "(3", "has no meaning"),
    ('SELECT ":limit" FROM objects', '":limit"', "has no column"),
]


@pytest.mark.parametrize(("text", "at", "told"), ERRORS)
def test_errors_have_their_place(text: str, at: str, told: str) -> None:
    with pytest.raises(QueryError, match=re.escape(told)) as caught:
        parse(text, PUBLIC, LIMIT)
    assert caught.value.position == text.index(at)


@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        ([Parameter("limit", "number", 1), Parameter("b", "text", "x")], ":b is not in the query"),
        ([Parameter("limit", "number", 1), Parameter("Limit", "number", 2)], ":Limit is declared twice"),
    ],
)
def test_what_is_declared_is_used_and_once(parameters: list[Parameter], told: str) -> None:
    with pytest.raises(QueryError, match=told) as caught:
        parse("SELECT ra FROM objects WHERE ra > :limit", PUBLIC, parameters)
    assert caught.value.field == "parameters"


def test_a_parameter_without_a_value_is_told_in_its_place() -> None:
    text = "SELECT ra FROM objects WHERE ra > :limit"
    with pytest.raises(QueryError, match="has no value") as caught:
        parse(text, PUBLIC, [Parameter("limit", "number")])
    assert caught.value.position == text.index(":limit")


@pytest.mark.parametrize(
    ("name", "kind", "value", "told"),
    [
        ("1st", "number", 1, "is no name"),
        ("a b", "number", 1, "is no name"),
        ("limit\n", "number", 1, "is no name"),
        ("a" * 61, "number", 1, "is no name"),
        ("a", "colour", 1, "has no type 'colour'"),
        ("a", "number", True, "is a number, which True is not"),
        ("a", "number", "20", "is a number, which '20' is not"),
        ("a", "number", float("nan"), "is a number"),
        ("a", "number", 2**63, "larger than 64 bits"),
        ("a", "number", 10**400, "larger than 64 bits"),
        ("a", "boolean", 1, "is true or false"),
        ("a", "text", "x\0", "is a text"),
        ("a", "text", "\ud800", "is a text"),
        ("a", "text", "x" * 10_001, "at most 10000 characters"),
        ("a", "moment", "soon", "is a moment, which 'soon' is not; write it as"),
        ("a", "moment", "0001-01-01T00:00+05:00", "is a moment"),
        ("a", "moment", 61000, "is a moment"),
    ],
)
def test_values_are_of_their_type(name: str, kind: Any, value: Any, told: str) -> None:
    with pytest.raises(QueryError, match=re.escape(told)) as caught:
        Parameter(name, kind, value)
    assert caught.value.field == "parameters"


def test_values_are_given_as_texts_and_names_in_any_case() -> None:
    declared = (
        Parameter("limit", "number", 1, "mag", "faintest"),
        Parameter("seen", "boolean", False),
        Parameter("topic", "text", "x"),
    )
    found = with_values(declared, {"LIMIT": " -2.5e1 ", "seen": "yes", "topic": "true"})
    assert [each.default for each in found] == [-25.0, True, "true"]
    assert (found[0].unit, found[0].description) == ("mag", "faintest")
    for name, value, told in [
        ("limit", "1_000", "is a number"),
        ("seen", "2", "true or false"),
        ("limt", "3", "did you mean :limit"),
    ]:
        with pytest.raises(QueryError, match=told):
            with_values(declared, {name: value})


def test_what_is_not_declared_gets_a_type_that_fits() -> None:
    text = (
        "SELECT diaObjectId FROM objects WHERE g_psfFlux > :flux AND tns_name LIKE :name AND timestamp > :since "
        "AND (glat > 0) = :north AND ROUND(ra, :digits) > :flux -- :not and ':neither'\n AND objectName <> ':nor'"
    )
    found = {each.name: each.type for each in parameters_of(text)}
    assert found == {
        "flux": "number", "name": "text", "since": "moment", "north": "boolean", "digits": "number",
    }  # fmt: skip
    told = parameters_of(text, values={"name": "2026%", "flux": "3", "since": "2026-03-01"})
    assert [each.default for each in told] == [3, "2026%", "2026-03-01", None, None]
    assert [each.type for each in told][1] == "text"
    with pytest.raises(QueryError, match="has no column raa"):
        parameters_of("SELECT raa FROM objects WHERE ra > :a")
    triple_found = parameters_of(("objects.ra", "objects", 'objects.tns_name = "a:b" AND objects.ra > :a'))
    assert [(each.name, each.type) for each in triple_found] == [("a", "number")]


def test_lasairs_triple_takes_them_and_points_into_its_parts() -> None:
    named = [Parameter("limit", "number", 3), Parameter("name", "text", "2026a")]
    query = triple(
        "objects.ra", "objects", "objects.nDiaSources > :limit AND tns_name = :name", PUBLIC, named
    )
    assert (
        query.tree == triple("objects.ra", "objects", 'objects.nDiaSources > 3 AND tns_name = "2026a"').tree
    )
    with pytest.raises(QueryError) as caught:
        triple("objects.ra", "objects", "objects.nDiaSources > :limi", PUBLIC, [named[0]])
    assert (caught.value.field, caught.value.position) == ("conditions", 22)


def test_a_form_may_have_a_parameter_as_a_value() -> None:
    text = (
        "SELECT objects.diaObjectId\nFROM objects\nWHERE objects.nDiaSources > :least\n"
        "  AND objects.glat BETWEEN :low AND 5\n  AND objects.tns_name IN ('a', :b)\n"
        "  AND mjdnow() - objects.lastDiaSourceMjdTai < :days"
    )
    form = form_of(text)
    assert isinstance(form, Form)
    assert form.conditions[0].values == (FormParameter("least"),)
    assert form.adql() == text
    mirrored = form_of("SELECT diaObjectId FROM objects WHERE :least < nDiaSources")
    assert (mirrored.conditions[0].operator, mirrored.conditions[0].values) == (
        ">",
        (FormParameter("least"),),
    )


def test_why_names_the_values(data: dict[str, Any]) -> None:
    text = "SELECT diaObjectId FROM objects WHERE nDiaSources > :least AND ra BETWEEN :west AND 360"
    query = parse(text, ARCHIVE, [Parameter("least", "number", 2), Parameter("west", "number", 1)])
    found = why(query, BatchFrame({"objects": data["objects"].slice(0, 1)}, now=61000.0))
    assert [each.text for each in found] == ["nDiaSources > :least", "ra BETWEEN :west AND 360"]
    assert found[0].values[":least"] == 2
    assert found[1].values[":west"] == 1.0
