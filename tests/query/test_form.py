"""Queries as forms, and forms as queries: what one says, the other says."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lasair_broker.query import (
    Form,
    FormColumn,
    FormCondition,
    FormJoin,
    QueryError,
    form_of,
    parse,
)

NUMBERS = ("ra", "decl", "nDiaSources", "g_psfFlux", "lastDiaSourceMjdTai")
number = st.integers(-(10**9), 10**9) | st.floats(-1e6, 1e6).filter(lambda x: x != 0 and abs(x) > 1e-4)
words = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF, exclude_characters="\x7f"), max_size=8)


@st.composite
def forms(draw: st.DrawFn) -> Form:
    joins = draw(
        st.lists(
            st.sampled_from(
                [
                    FormJoin("watchlist", "5", "wl5", draw(st.booleans())),
                    FormJoin("area", "7", "ar7"),
                    FormJoin("annotator", "fastfinder", "fastfinder", True),
                    FormJoin("tns", "", "crossmatch_tns"),
                    FormJoin("sherlock", "", "sherlock_classifications"),
                ]
            ),
            unique_by=lambda join: join.name,
        )
    )
    plain = st.builds(FormColumn, st.just("objects"), st.sampled_from(NUMBERS), st.booleans())
    text = st.just(FormColumn("objects", "objectName"))
    if any(join.kind == "sherlock" for join in joins):
        text |= st.just(FormColumn("sherlock_classifications", "classification"))
    if any(join.kind == "watchlist" for join in joins):
        plain |= st.just(FormColumn("wl5", "arcsec"))
    conditions = st.one_of(
        st.builds(
            FormCondition,
            plain,
            st.sampled_from(["=", "<>", "<", "<=", ">", ">=", "within days", "before days"]),
            st.tuples(number),
        ),
        st.builds(FormCondition, plain, st.just("between"), st.tuples(number, number)),
        st.builds(FormCondition, plain, st.just("in"), st.lists(number, min_size=1, max_size=3).map(tuple)),
        st.builds(FormCondition, plain | text, st.sampled_from(["known", "unknown"])),
        st.builds(FormCondition, text, st.sampled_from(["=", "<>", "like"]), st.tuples(words)),
        st.builds(FormCondition, text, st.just("in"), st.lists(words, min_size=1, max_size=3).map(tuple)),
    )
    names = st.sampled_from(["", "a", "select", "My name"])
    columns = [
        FormColumn(c.source, c.name, c.magnitude, name and f"{name}{n}")
        for n, (c, name) in enumerate(draw(st.lists(st.tuples(plain, names), min_size=1, max_size=4)))
    ]
    return Form(
        tuple(columns),
        tuple(joins),
        tuple(draw(st.lists(conditions, max_size=4))),
        draw(st.none() | plain),
        False,
        draw(st.none() | st.integers(1, 1000)),
    )


@given(forms())
@settings(max_examples=150, deadline=None)
def test_a_form_is_what_its_query_says(form: Form) -> None:
    text = form.adql()
    parse(text)
    assert form_of(text) == form


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "select o.RA from objects o where nDiaSources>3 and (5 < o.ra and o.decl > -2)",
            Form(
                (FormColumn("objects", "ra"),),
                conditions=(
                    FormCondition(FormColumn("objects", "nDiaSources"), ">", (3,)),
                    FormCondition(FormColumn("objects", "ra"), ">", (5,)),
                    FormCondition(FormColumn("objects", "decl"), ">", (-2,)),
                ),
            ),
        ),
        (
            "SELECT objects.ra, s.classification FROM objects JOIN sherlock_classifications AS s "
            "ON objects.diaObjectId = s.diaObjectId ORDER BY objects.ra DESC",
            Form(
                (FormColumn("objects", "ra"), FormColumn("s", "classification")),
                (FormJoin("sherlock", "", "s"),),
                order=FormColumn("objects", "ra"),
                descending=True,
            ),
        ),
    ],
)
def test_queries_that_people_write(text: str, expected: Form) -> None:
    parse(text)
    assert form_of(text) == expected


@pytest.mark.parametrize(
    ("text", "told", "at"),
    [
        ("SELECT ra + 1 FROM objects", "columns and magnitudes", "ra + 1"),
        ("SELECT ra FROM objects WHERE ra > 1 OR decl > 1", "this condition", "ra > 1 OR"),
        ("SELECT ra FROM objects WHERE ra > decl", "a number or a text", "decl"),
        ("SELECT band FROM diaSources", "begin with objects", "diaSources"),
        ("SELECT nDiaSources, COUNT(*) FROM objects GROUP BY nDiaSources", "GROUP BY", ""),
        ("SELECT DISTINCT ra FROM objects", "DISTINCT", ""),
        ("SELECT ra FROM objects UNION SELECT decl FROM objects", "several results", ""),
        ("SELECT ra FROM objects WHERE NOT ra > 1", "this condition", "ra > 1"),
        ("WITH a AS (SELECT ra FROM objects) SELECT ra FROM a", "WITH", ""),
        ("SELECT * FROM objects", "columns and magnitudes", ""),
        (
            "SELECT w.name FROM objects JOIN watchlist_hits w ON objects.diaObjectId = w.diaObjectId",
            "this join",
            "",
        ),
        (
            "SELECT o.ra FROM objects o JOIN diaSources d ON o.diaObjectId = d.diaObjectId",
            "this join",
            "diaSources",
        ),
    ],
)
def test_what_no_form_says(text: str, told: str, at: str) -> None:
    parse(text)
    with pytest.raises(QueryError, match="a form cannot say") as error:
        form_of(text)
    assert told in error.value.message
    if at:
        assert error.value.position is not None
        assert text[error.value.position :].startswith(at.split()[0])


@pytest.mark.parametrize(
    ("form", "told"),
    [
        (Form(()), "no column"),
        (
            Form(
                (FormColumn("objects", "ra"),), conditions=(FormCondition(FormColumn("objects", "ra"), ">"),)
            ),
            "lacks",
        ),
        (Form((FormColumn("objects", "ra"),), (FormJoin("watchlist", "5 OR 1=1", "w"),)), "by its number"),
    ],
)
def test_forms_that_say_nothing(form: Form, told: str) -> None:
    with pytest.raises(QueryError, match=told):
        form.adql()


@given(st.text(max_size=30), st.text(max_size=30))
@settings(max_examples=100, deadline=None)
def test_no_text_breaks_out_of_a_form(value: str, name: str) -> None:
    """What is filled in stays a value: the query that comes of it is refused, or says just this."""
    column = FormColumn("objects", "objectName", called=name)
    join = FormJoin("annotator", value, "a")
    form = Form((column,), (join,), (FormCondition(column, "=", (value,)),))
    try:
        text = form.adql()
        parse(text)
        found: Any = form_of(text)
    except QueryError:
        return
    assert (found.joins[0].which, found.conditions[0].values) == (value, (value,))
