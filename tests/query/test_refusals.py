"""What is no query is refused, with the place and what to write; what is dangerous does not come through."""

# ruff: noqa: E501 - a query is easier to read on one line

from __future__ import annotations

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lasair_broker.query import ARCHIVE, PUBLIC, Catalogue, QueryError, parse
from lasair_broker.schema import TABLES, ddl

ERRORS = [
    ("SELECT diaobjectid, raa FROM objects", "raa", "did you mean ra?"),
    ("SELECT ra FROM objets", "objets", "did you mean objects?"),
    ("SELECT o.ra FROM objects AS p", "o.ra", "FROM has p"),
    ("SELECT sqr(ra) FROM objects", "sqr", "did you mean SQRT?"),
    ("SELECT ra FROM objects WHERE tns_name > 5", "tns_name", None),
    ("SELECT ra FROM objects WHERE g_psfFlux", "g_psfFlux", "compare it with something"),
    ("SELECT ra,\n  decl,\nFROM objects", ",\nFROM", "leave it out"),
    ("SELECT ra FROM objects WHERE ra == 5", "==", "write ="),
    ("SELECT ra FROM objects; SELECT 1 FROM objects", ";", "leave out what follows the semicolon"),
    ("SELECT ra FROM objects, sherlock_classifications WHERE diaObjectId > 1", "diaObjectId", "write the table before it"),
    ("SELECT classification, COUNT(*), ra FROM objects NATURAL JOIN sherlock_classifications GROUP BY classification", "ra FROM", "add it to GROUP BY, or take its MIN or AVG"),
    ("SELECT ra FROM objects WHERE timestamp > 'soon'", "timestamp", "write it as 2026-03-01 or 2026-03-01T12:00:00"),
    ("SELECT ra FROM objects WHERE ra > 'a", "'a", None),
    ("SELECT ra", "ra", "write FROM and a table"),
    ("", "", "write SELECT … FROM … WHERE …"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "at", "suggestion"), ERRORS)
def test_errors_point_at_the_place(text: str, at: str, suggestion: str | None) -> None:
    with pytest.raises(QueryError) as caught:
        parse(text, PUBLIC)
    assert caught.value.position == text.index(at)
    assert caught.value.suggestion == suggestion
    line = text[: text.index(at)].count("\n") + 1
    assert f"line {line}, " in caught.value.pointed(text)
    assert "^" in caught.value.pointed(text)


ATTACKS = [
    "SELECT * FROM read_csv('/etc/passwd')", "SELECT * FROM '/etc/passwd'", "SELECT * FROM \"/etc/passwd\"",
    "SELECT content FROM read_text('/etc/passwd')", "SELECT * FROM duckdb_settings()", "SELECT * FROM query('SELECT 1')",
    "SELECT * FROM pg_catalog.pg_shadow", "SELECT * FROM information_schema.tables", "SELECT * FROM sqlite_master",
    "SELECT getenv('HOME') FROM objects", "SELECT current_setting('x') FROM objects", "SELECT pg_sleep(10) FROM objects",
    "SELECT pg_read_file('/etc/passwd') FROM objects", "SELECT version() FROM objects", "SELECT repeat('x', 1000000000) FROM objects",
    "SELECT list_sum(range(0, 1000000000)) FROM objects", "SELECT * FROM range(1000000000)", "SELECT * FROM generate_series(1, 10)",
    "CREATE TABLE x (a INT)", "DROP TABLE objects", "DELETE FROM objects", "INSERT INTO objects SELECT * FROM objects",
    "UPDATE objects SET ra = 1", "COPY objects TO '/tmp/x'", "ATTACH ':memory:' AS m", "PRAGMA database_list", "SET threads = 1",
    "CALL pragma_version()", "EXPLAIN SELECT ra FROM objects", "SELECT ra INTO x FROM objects", "SELECT ra FROM objects FOR UPDATE",
    "WITH x AS (DELETE FROM objects RETURNING *) SELECT * FROM x", "WITH RECURSIVE x AS (SELECT 1 AS a FROM objects UNION ALL SELECT a FROM x) SELECT * FROM x",
    "SELECT ra FROM objects; DROP TABLE objects", "SELECT ra FROM objects -- \n; DROP TABLE objects", "SELECT ra::INT FROM objects",
    "SELECT ra FROM objects WINDOW w AS (PARTITION BY ra)", "SELECT ROW_NUMBER() OVER (ORDER BY ra) FROM objects", "SELECT $1 FROM objects",
    "SELECT ? FROM objects", "SELECT :x FROM objects", "SELECT @@version FROM objects", "SELECT {fn now()} FROM objects", "VALUES (1)",
    "SELECT ra FROM objects QUALIFY ra > 1", "SELECT ra FROM objects TABLESAMPLE (10)", "SELECT * EXCLUDE (ra) FROM objects", "SELECT COLUMNS('r.*') FROM objects",
    "SELECT ra FROM objects, LATERAL (SELECT 1) AS x", "SELECT [1,2,3] FROM objects", "SELECT x -> x + 1 FROM objects", "TABLE objects", "SELECT ra FROM objects GROUP BY ALL",
    "SELECT message FROM rejected", "SELECT content FROM filter_hits", "SELECT x'00' FROM objects", "SELECT b'1' FROM objects", "SELECT U&'a' FROM objects", "SELECT E'\\x' FROM objects",
    "SELECT $$a$$ FROM objects", "SELECT ra FROM objects PIVOT (sum(ra) FOR decl IN (1))", "SELECT ra FROM ONLY objects", "SELECT ra FROM objects ASOF JOIN objects o ON 1 = 1",
]  # fmt: skip


@pytest.mark.parametrize("text", ATTACKS)
def test_attacks_are_refused(text: str) -> None:
    with pytest.raises(QueryError):
        parse(text, PUBLIC)


def test_texts_cannot_grow_until_they_fill_the_memory() -> None:
    doubled = "objectName"
    for _ in range(20):
        doubled = f"({doubled} || {doubled})"
        if len(doubled) > 18_000:
            break
    layers = ", ".join(
        f"a{i} AS (SELECT t || t AS t FROM {'a' + str(i - 1) if i else 'start'})" for i in range(25)
    )
    start = "start AS (SELECT 'xxxxxxxxxxxxxxxx' AS t FROM objects)"
    with pytest.raises(QueryError, match="too long"):
        parse(f"WITH {start}, {layers} SELECT t FROM a24", PUBLIC)


def test_expressions_cannot_grow_without_bound() -> None:
    nested = "ra"
    for _ in range(12):
        nested = f"POWER({nested}, 0.5)"
    with pytest.raises(QueryError, match="too large"):
        parse(f"SELECT {nested} FROM objects", PUBLIC).render("postgresql")
    with pytest.raises(QueryError, match="too deeply"):
        parse(f"SELECT {'(' * 5000}ra{')' * 5000} FROM objects", PUBLIC)
    with pytest.raises(QueryError, match="at most"):
        parse(f"SELECT ra FROM objects WHERE {' AND '.join(['ra > 1'] * 5000)}", PUBLIC)
    parse(f"SELECT ra FROM objects WHERE {' AND '.join(['ra > 1'] * 150)}", PUBLIC).render("duckdb")


def test_only_the_rows_a_user_may_see() -> None:
    catalogue = Catalogue.of_tables(
        ["objects", "watchlist_hits", "annotations"],
        {"watchlist_hits": {"wl_id": [1, 7]}, "annotations": {"topic": []}},
    )
    connection = duckdb.connect()
    for name in TABLES:
        connection.execute(ddl(name, "duckdb"))
    connection.execute(
        "INSERT INTO watchlist_hits VALUES (1, 1, 1, 0, 'a'), (1, 2, 1, 0, 'secret'), (1, 7, 1, 0, 'c')"
    )
    connection.execute("INSERT INTO annotations (diaObjectId, topic) VALUES (1, 't')")
    for text, expected in (
        ("SELECT name FROM watchlist_hits WHERE wl_id > 0 OR 1 = 1 ORDER BY name", [("a",), ("c",)]),
        (
            "SELECT w.name FROM annotations AS a RIGHT JOIN watchlist_hits AS w ON a.diaObjectId = w.diaObjectId ORDER BY 1",
            [("a",), ("c",)],
        ),
        ("SELECT COUNT(*) FROM annotations", [(0,)]),
    ):
        assert connection.execute(parse(text, catalogue).render("duckdb")).fetchall() == expected


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=12)


ENGINE = duckdb.connect()
ENGINE.execute("CREATE TABLE objects (a INT); INSERT INTO objects VALUES (1)")


@settings(max_examples=150, deadline=None)
@given(literal=NAMES, alias=NAMES)
def test_literals_and_names_come_back_as_they_were(literal: str, alias: str) -> None:
    quoted_literal, quoted_alias = literal.replace("'", "''"), alias.replace('"', '""')
    query = parse(f"SELECT '{quoted_literal}' AS \"{quoted_alias}\" FROM objects", ARCHIVE)
    result = ENGINE.execute(query.render("duckdb"))
    assert [d[0] for d in result.description] == [alias]
    assert result.fetchall() == [(literal,)]


@settings(max_examples=250, deadline=None)
@given(
    st.lists(
        st.sampled_from(["SELECT", "ra", ",", "FROM", "objects", "WHERE", "(", ")", "=", "1", "'a'", '"b"', "*", "AND", "OR", "NOT", "IN", "NULL", "IS", "LIKE", "CASE", "WHEN", "THEN", "END", "UNION", "WITH", "AS", "x", "JOIN", "ON", ";", "--", "/*", "*/", "COUNT", "ORDER", "BY", "GROUP", "1.5", ".", "||", "TOP", "DISTINCT", "CAST", "INTEGER", "BETWEEN"]),
        max_size=25,
    ).map(" ".join) | st.text(max_size=60)
)  # fmt: skip
def test_nothing_but_a_query_error_comes_of_nonsense(text: str) -> None:
    try:
        parse(text, PUBLIC).render("duckdb")
    except QueryError as error:
        pointed = error.pointed(text)
    else:
        pointed = "a query"
    assert pointed
