"""Which queries speak of one object at a time, and of which."""

from __future__ import annotations

import pyarrow as pa
import pytest

from lasair_broker.query import (
    OBJECT,
    PUBLIC,
    BatchFrame,
    Catalogue,
    Query,
    QueryError,
    StreamPlan,
    columns_read,
    of_objects,
    parse,
    triple,
    values_wanted,
)

GOOD = [
    "SELECT ra FROM objects WHERE nDiaSources > 3",
    "SELECT TOP 5 ra FROM objects ORDER BY ra",
    "SELECT o.ra, w.name FROM objects o JOIN watchlist_hits w ON o.diaObjectId = w.diaObjectId",
    "SELECT o.ra FROM objects o, watchlist_hits w, area_hits a "
    "WHERE o.diaObjectId = w.diaObjectId AND a.diaObjectId = w.diaObjectId",
    "SELECT o.ra FROM objects o JOIN watchlist_hits w USING (diaObjectId)",
    "SELECT ra FROM objects WHERE diaObjectId IN (SELECT diaObjectId FROM watchlist_hits WHERE wl_id = 3)",
    "SELECT ra FROM objects WHERE diaObjectId NOT IN (SELECT diaObjectId FROM watchlist_hits)",
    "SELECT ra FROM objects o WHERE EXISTS (SELECT 1 FROM annotations a WHERE a.diaObjectId = o.diaObjectId)",
    "SELECT ra, (SELECT COUNT(*) FROM diaSources d WHERE d.diaObjectId = o.diaObjectId) AS n FROM objects o",
    "SELECT o.diaObjectId, COUNT(*) AS n FROM objects o JOIN annotations a ON o.diaObjectId = a.diaObjectId "
    "GROUP BY o.diaObjectId",
    "SELECT diaObjectId, classification FROM annotations WHERE topic = 'x'",
    "SELECT o.ra, t.type FROM objects o JOIN crossmatch_tns t ON o.tns_name = t.tns_name",
    "SELECT o.ra, e.kind FROM objects o JOIN mma_hits m ON o.diaObjectId = m.diaObjectId "
    "JOIN external_events e ON e.mw_id = m.mw_id",
    "SELECT o.ra, e.kind FROM objects o JOIN event_hits h ON o.diaObjectId = h.diaObjectId "
    "JOIN external_events e ON e.mw_id = h.mw_id",
    "SELECT a.ra, p.partnerRank, b.g_psfFlux FROM objects b "
    "JOIN partners p ON b.diaObjectId = p.partnerDiaObjectId "
    "JOIN objects a ON a.diaObjectId = p.diaObjectId",
    "SELECT diaObjectId FROM objects WHERE ra < 3 UNION SELECT diaObjectId FROM annotations",
    "SELECT o.ra FROM objects o JOIN (SELECT diaObjectId AS id, MAX(reliability) AS best FROM diaSources "
    "GROUP BY diaObjectId) AS s ON o.diaObjectId = s.id WHERE s.best > 0.9",
    "WITH w AS (SELECT diaObjectId FROM watchlist_hits WHERE wl_id = 1) "
    "SELECT o.ra FROM objects o JOIN w ON o.diaObjectId = w.diaObjectId",
    "SELECT o.ra FROM objects o LEFT JOIN annotations a ON o.diaObjectId = a.diaObjectId "
    "WHERE a.topic IS NULL",
]  # fmt: skip

BAD = [
    ("SELECT COUNT(*) AS n FROM objects", "groups rows of several objects"),
    ("SELECT AVG(ra) AS a FROM objects GROUP BY nDiaSources", "groups rows"),
    ("SELECT a.ra FROM objects a, objects b WHERE a.ra = b.ra", "objects is not tied"),
    ("SELECT a.ra FROM objects a, objects b, partners p WHERE b.diaObjectId = p.partnerDiaObjectId",
     "is not tied"),
    ("SELECT a.ra FROM objects a JOIN partners p ON a.diaObjectId = p.diaObjectId "
     "JOIN objects b ON b.diaObjectId = p.partnerDiaObjectId "
     "JOIN annotations c ON c.diaObjectId = b.diaObjectId", "annotations is not tied"),
    ("SELECT o.ra FROM objects o JOIN external_events e ON o.ra = e.ra",
     "compare external_events.mw_id with mma_hits.mw_id or external_events.mw_id with event_hits.mw_id"),
    ("SELECT ra FROM objects WHERE ra > (SELECT AVG(ra) FROM objects)", "objects is not tied"),
    ("SELECT ra FROM objects WHERE EXISTS (SELECT 1 FROM annotations WHERE topic = 'x')", "is not tied"),
    ("SELECT o.ra FROM objects o JOIN crossmatch_tns t ON o.ra = t.ra", "compare crossmatch_tns.tns_name"),
    ("SELECT ra FROM objects WHERE tns_name IN (SELECT t.tns_name FROM crossmatch_tns t, crossmatch_tns u)",
     "crossmatch_tns is not tied"),
    ("SELECT o.ra FROM objects o JOIN (SELECT TOP 3 diaObjectId FROM objects) AS t "
     "ON o.diaObjectId = t.diaObjectId", "choose among objects"),
    ("SELECT a.ra FROM objects a WHERE nDiaSources NOT IN (SELECT nDiaSources FROM objects)", "is not tied"),
]  # fmt: skip


@pytest.mark.parametrize("text", GOOD)
def test_what_is_said_of_one_object(text: str) -> None:
    query = parse(text)
    changed = of_objects(query)
    assert list(changed.columns) == [*query.columns, OBJECT]
    changed.render("duckdb")


@pytest.mark.parametrize(("text", "says"), BAD)
def test_what_depends_on_others(text: str, says: str) -> None:
    with pytest.raises(QueryError, match=says):
        of_objects(parse(text))


def test_lasairs_own_form() -> None:
    query = triple(
        "objects.ra", "objects,watchlist:3,annotator:a&b,crossmatch_tns", "objects.ra > 3 ORDER BY objects.ra"
    )
    assert OBJECT in of_objects(query).columns
    assert set(columns_read(query)) == {"objects", "watchlist_hits", "annotations", "crossmatch_tns"}


def test_what_is_read_in_conditions_counts() -> None:
    catalogue = Catalogue.of_tables(PUBLIC.relations, {"area_hits": {"ar_id": [1]}})
    query = parse(
        "SELECT s.best FROM objects o JOIN (SELECT diaObjectId AS i, MAX(reliability) AS best "
        "FROM diaSources GROUP BY diaObjectId) AS s ON s.i = o.diaObjectId WHERE EXISTS "
        "(SELECT 1 FROM area_hits a WHERE a.diaObjectId = o.diaObjectId AND EXISTS "
        "(SELECT COUNT(*) FROM mma_hits m WHERE m.diaObjectId = o.diaObjectId AND m.contour < o.ra)) "
        "ORDER BY o.decl",
        catalogue,
    )
    assert columns_read(query) == {
        "objects": {"diaObjectId", "ra", "decl"},
        "diaSources": {"diaObjectId", "reliability"},
        "area_hits": {"diaObjectId", "ar_id"},
        "mma_hits": {"diaObjectId", "contour"},
    }
    of_objects(query)


@pytest.mark.parametrize(("topics", "found"), [(["a", "b"], [1, 2, 3]), (["b"], [2]), ([], [])])
@pytest.mark.parametrize("join", ["JOIN", "LEFT JOIN"])
def test_rows_that_are_not_the_users_stay_hidden_on_the_stream(
    topics: list[str], found: list[int], join: str
) -> None:
    catalogue = Catalogue.of_tables(PUBLIC.relations, {"annotations": {"topic": topics}})
    text = (
        f"SELECT objects.diaObjectId FROM objects {join} annotations ON "
        "objects.diaObjectId = annotations.diaObjectId WHERE annotations.topic IS NOT NULL"
    )
    plan = StreamPlan(of_objects(parse(text, catalogue)))
    frame = BatchFrame(
        {
            "objects": pa.table({"diaObjectId": [1, 2, 3]}),
            "annotations": pa.table({"diaObjectId": [3, 2, 1], "topic": ["a", "b", "a"]}),
        }
    )
    rows = plan.run(frame).rows
    assert sorted(rows.column("diaObjectId").to_pylist()) == found
    assert rows.column(OBJECT).equals(rows.column("diaObjectId"))
    if join == "JOIN":
        assert plan.compiled


SAID = "SELECT o.ra FROM objects o JOIN annotations a USING (diaObjectId)"


@pytest.mark.parametrize(
    ("query", "topics"),
    [
        (triple("objects.ra", "objects,annotator:a&b", ""), {"a", "b"}),
        (parse("SELECT ra FROM objects"), set()),
        (parse(SAID), None),
        (parse(f"{SAID} WHERE a.topic IN ('x', 'y') AND 'y' = a.topic"), {"y"}),
        (parse(f"{SAID} WHERE a.topic = 'x' OR o.ra < 3"), None),
        (parse("SELECT ra FROM objects o WHERE EXISTS (SELECT 1 FROM annotations a "
               "WHERE a.diaObjectId = o.diaObjectId AND a.topic = 'z')"), {"z"}),
        (parse("SELECT o.ra FROM objects o LEFT JOIN annotations a "
               "ON a.diaObjectId = o.diaObjectId AND a.topic = 'q'"), {"q"}),
        (parse(f"{SAID} WHERE a.topic = o.objectName"), None),
        (parse("SELECT o.ra FROM annotations a LEFT JOIN objects o "
               "ON a.diaObjectId = o.diaObjectId AND a.topic = 'q'"), None),
        (parse("SELECT o.ra FROM annotations a RIGHT JOIN objects o "
               "ON a.diaObjectId = o.diaObjectId AND a.topic = 'q'"), {"q"}),
        (parse("SELECT o.ra FROM objects o JOIN (annotations a LEFT JOIN area_hits h "
               "ON a.diaObjectId = h.diaObjectId AND a.topic = 'q') ON a.diaObjectId = o.diaObjectId"), None),
    ],
)  # fmt: skip
def test_annotators_that_matter(query: Query, topics: set[str] | None) -> None:
    assert values_wanted(query, "annotations", "topic") == topics


def test_a_join_that_would_fill_the_memory() -> None:
    text = (
        "SELECT o.ra FROM objects o JOIN watchlist_hits a ON o.diaObjectId = a.diaObjectId "
        "JOIN watchlist_hits b ON b.wl_id = a.wl_id"
    )
    number = 4000
    hits = pa.table({"diaObjectId": list(range(number)), "wl_id": [1] * number})
    frame = BatchFrame({"objects": pa.table({"diaObjectId": list(range(number))}), "watchlist_hits": hits})
    with pytest.raises(QueryError, match="more than 10,000,000 rows on a batch"):
        StreamPlan(parse(text)).run(frame)
