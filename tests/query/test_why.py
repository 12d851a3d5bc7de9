"""Why a query takes an object or leaves it."""

# ruff: noqa: E501 - a query is easier to read on one line

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from query_generator import JOINS, conditions

from lasair_broker.query import ARCHIVE, BatchFrame, Condition, QueryError, StreamPlan, parse, triple, why
from lasair_broker.schema import arrow_schema


def rows(name: str, *given: dict[str, object]) -> pa.Table:
    return pa.Table.from_pylist(list(given), arrow_schema(name))


OBJECT = {
    "objects": rows(
        "objects", {"diaObjectId": 1, "ra": 10.0, "decl": -20.0, "g_psfFlux": 100.0, "nDiaSources": 5}
    ),
    "watchlist_hits": rows(
        "watchlist_hits",
        {"diaObjectId": 1, "wl_id": 5, "cone_id": 1, "arcsec": 3.0, "name": "a"},
        {"diaObjectId": 1, "wl_id": 6, "cone_id": 2, "arcsec": 1.0, "name": "b"},
    ),
}


def outline(found: Sequence[Condition]) -> list[object]:
    return [
        (c.text, c.outcome) if not c.parts else (c.text, c.outcome, c.connective, outline(c.parts))
        for c in found
    ]


def test_each_condition_as_the_user_wrote_it() -> None:
    text = "flux2mag( g_psfFlux ) < 26 AND (nDiaSources BETWEEN 1 AND 3 OR r_psfFlux IS NULL or not (tns_name='x' AND ra>1))\n AND r_psfFlux > 3 AND EXISTS (SELECT 1 FROM watchlist_hits h WHERE h.wl_id = 6)"
    found = why(parse(f"SELECT ra FROM objects WHERE {text} ORDER BY ra"), BatchFrame(OBJECT))
    assert outline(found) == [
        ("flux2mag( g_psfFlux ) < 26", False),
        (
            "nDiaSources BETWEEN 1 AND 3 OR r_psfFlux IS NULL or not (tns_name='x' AND ra>1)",
            True,
            "or",
            [
                ("nDiaSources BETWEEN 1 AND 3", False),
                ("r_psfFlux IS NULL", True),
                ("not (tns_name='x' AND ra>1)", None, "not",
                 [("tns_name='x' AND ra>1", None, "and", [("tns_name='x'", None), ("ra>1", True)])]),
            ],
        ),
        ("r_psfFlux > 3", None),
        ("EXISTS (SELECT 1 FROM watchlist_hits h WHERE h.wl_id = 6)", True),
    ]  # fmt: skip
    assert found[0].values == {"objects.g_psfFlux": 100.0}
    assert found[2].values == {"objects.r_psfFlux": None}


def test_of_several_rows_the_one_that_comes_nearest() -> None:
    query = parse(
        "SELECT o.ra FROM objects o JOIN watchlist_hits w ON o.diaObjectId = w.diaObjectId AND w.wl_id > 4 WHERE w.arcsec < 2 AND o.nDiaSources > 9"
    )
    found = why(query, BatchFrame(OBJECT))
    assert [c.outcome for c in found] == [True, True, True, False]
    assert found[2].values == {"w.arcsec": 1.0}


def test_a_table_without_a_row_says_so() -> None:
    found = why(
        triple("objects.ra", "annotator:finder,watchlist:5", "finder.classification IS NULL"),
        BatchFrame(OBJECT),
    )
    by_text = {c.text: c for c in found}
    assert by_text["finder.classification IS NULL"].outcome is False
    assert by_text["finder.classification IS NULL"].absent == ("finder",)
    assert by_text["watchlist_hits.wl_id = 5"].outcome is True
    # A LEFT JOIN asks for no row.
    query = parse(
        "SELECT o.ra FROM objects o LEFT JOIN annotations a ON o.diaObjectId = a.diaObjectId WHERE a.topic IS NULL"
    )
    assert outline(why(query, BatchFrame(OBJECT))) == [("a.topic IS NULL", True)]


def test_what_cannot_be_told_of_one_object() -> None:
    with pytest.raises(QueryError, match="groups"):
        why(parse("SELECT COUNT(*) FROM objects"), BatchFrame(OBJECT))
    with pytest.raises(ValueError, match="one object"):
        why(parse("SELECT ra FROM objects"), BatchFrame({}))


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(join=st.sampled_from(sorted(JOINS)), where=conditions, place=st.integers(0, 119))
def test_the_query_takes_the_object_if_all_are_true(
    data: dict[str, pa.Table], join: str, where: str, place: int
) -> None:
    objects = data["objects"].slice(place, 1)
    ours = objects.column("diaObjectId")[0]
    tables = {
        name: table.filter(pc.equal(table.column("diaObjectId"), ours))
        for name, table in data.items()
        if name != "crossmatch_tns"
    }
    tns = data["crossmatch_tns"]
    tables["crossmatch_tns"] = tns.filter(pc.equal(tns.column("tns_name"), objects.column("tns_name")[0]))
    frame = BatchFrame(tables, 61000.25)
    query = parse(f"SELECT o.ra FROM objects AS o {JOINS[join]} WHERE {where}", ARCHIVE)
    found = why(query, frame)
    assert all(c.text for c in found)
    assert all(c.outcome for c in found) == (StreamPlan(query).run(frame).rows.num_rows > 0)
