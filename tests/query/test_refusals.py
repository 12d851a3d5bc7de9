"""What is no query is refused, with the place and what to write; what is dangerous does not come through."""

# ruff: noqa: E501 - a query is easier to read on one line

from __future__ import annotations

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lasair_broker.query import ARCHIVE, PUBLIC, BatchFrame, Catalogue, QueryError, StreamPlan, parse
from lasair_broker.schema import TABLES, arrow_schema, ddl

ERRORS = [
    ("SELECT diaobjectid, raa FROM objects", "raa", "did you mean ra?"),
    ("SELECT ra FROM objets", "objets", "did you mean objects?"),
    ("SELECT o.ra FROM objects AS p", "o.ra", "FROM has p"),
    ("SELECT sqr(ra) FROM objects", "sqr", "did you mean SQRT?"),
    ("SELECT ra FROM objects WHERE tns_name > 5", "tns_name", None),
    ("SELECT ra FROM objects WHERE g_psfFlux", "g_psfFlux", "compare it with something"),
    ("SELECT ra,\n  decl,\nFROM objects", ",\nFROM", "leave it out"),
    ("SELECT ra, ORDER BY ra", ", ORDER", "leave it out"),
    ("SELECT ra FROM objects WHERE objectName IN ('a',)", ",)", "leave it out"),
    ("SELECT ra FROM objects WHERE ra == 5", "==", "write ="),
    ("SELECT ra FROM objects; SELECT 1 FROM objects", ";", "leave out what follows the semicolon"),
    ("SELECT ra FROM objects, sherlock_classifications WHERE diaObjectId > 1", "diaObjectId", "write the table before it"),
    ("SELECT classification, COUNT(*), ra FROM objects NATURAL JOIN sherlock_classifications GROUP BY classification", "ra FROM", "add it to GROUP BY, or take its MIN or AVG"),
    ("SELECT ra FROM objects WHERE timestamp > 'soon'", "timestamp", "write it as 2026-03-01 or 2026-03-01T12:00:00"),
    ("SELECT ra FROM objects WHERE ra > 'a", "'a", None),
    ("SELECT ra FROM objects WHERE tns_name = SN2024", "SN2024", "if it is a text, put it in single quotes: 'SN2024'"),
    ("SELECT ra FROM objects WHERE classdict = 'x'", "classdict", "join annotations, where there is one"),
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


PRIVATE = [
    "SELECT name FROM watchlist_hits",
    "SELECT w.name FROM objects o JOIN watchlist_hits w ON o.diaObjectId = w.diaObjectId",
    "SELECT w.name FROM objects o LEFT JOIN watchlist_hits w ON o.diaObjectId = w.diaObjectId",
    "SELECT w.name FROM watchlist_hits w RIGHT JOIN objects o ON o.diaObjectId = w.diaObjectId",
    "SELECT w.name FROM watchlist_hits w FULL JOIN objects o ON o.diaObjectId = w.diaObjectId",
    "SELECT name FROM objects NATURAL JOIN watchlist_hits",
    "SELECT q.name FROM (SELECT name FROM watchlist_hits) AS q",
    "WITH q AS (SELECT name FROM watchlist_hits) SELECT name FROM q",
    "SELECT objectName AS name FROM objects UNION SELECT name FROM watchlist_hits",
    "SELECT name FROM watchlist_hits EXCEPT SELECT objectName FROM objects",
    "SELECT (SELECT MAX(name) FROM watchlist_hits) AS name FROM objects",
    "SELECT MAX(name) AS name FROM watchlist_hits GROUP BY wl_id HAVING COUNT(*) > 0",
    "SELECT objectName AS name FROM objects WHERE EXISTS (SELECT 1 FROM watchlist_hits WHERE name = 'secret')",
    "SELECT objectName AS name FROM objects WHERE 'secret' IN (SELECT name FROM watchlist_hits)",
    "SELECT objectName AS name FROM objects WHERE (SELECT COUNT(*) FROM watchlist_hits WHERE name LIKE 's%') = 1",
    "SELECT a.name FROM watchlist_hits a, watchlist_hits b WHERE a.wl_id = b.wl_id OR 1 = 1",
]


@pytest.mark.parametrize("text", PRIVATE)
def test_others_rows_show_nowhere(text: str) -> None:
    catalogue = Catalogue.of_tables(["objects", "watchlist_hits"], {"watchlist_hits": {"wl_id": [1]}})
    tables = {
        "objects": pa.Table.from_pylist([{"diaObjectId": 1, "ra": 1.0, "decl": 2.0, "objectName": "seen"}], arrow_schema("objects")),
        "watchlist_hits": pa.Table.from_pylist(
            [{"diaObjectId": 1, "wl_id": n, "cone_id": n, "arcsec": 0.0, "name": name} for n, name in ((1, "mine"), (2, "secret"))],
            arrow_schema("watchlist_hits"),
        ),
    }  # fmt: skip
    query = parse(text, catalogue)
    connection = duckdb.connect()
    for name, rows in tables.items():
        connection.register(name, rows)
    rows = connection.execute(query.render("duckdb")).fetchall()
    stream = StreamPlan(query).run(BatchFrame(tables)).rows
    for shown in (repr(rows), repr(stream.to_pylist())):
        assert "secret" not in shown
        # The conditions on the secret are not true for this user.
        assert ("seen" in shown) == ("UNION" in text), shown
    assert "secret" not in query.render("postgresql") or "secret" in text


def test_errors_do_not_tell_of_tables_that_are_not_the_users() -> None:
    catalogue = Catalogue.of_tables(["objects"])
    for name in ("watchlist_hit", "watchlist_hits", "rejected", "filter_hits"):
        with pytest.raises(QueryError) as caught:
            parse(f"SELECT ra FROM {name}", catalogue)
        assert "did you mean" not in str(caught.value)


LARGE = {
    "or": "SELECT ra FROM objects WHERE " + " OR ".join(f"ra = {i}" for i in range(1500)),
    "and": "SELECT ra FROM objects WHERE " + " AND ".join(["ra > 1"] * 1700),
    "plus": f"SELECT {'+'.join(['ra'] * 6000)} FROM objects",
    "minus": f"SELECT {'- ' * 9000}ra FROM objects",
    "not": f"SELECT ra FROM objects WHERE {'NOT ' * 4000}ra > 1",
    "concatenate": f"SELECT {'||'.join(['tns_name'] * 1500)} FROM objects",
    "in": f"SELECT ra FROM objects WHERE ra IN ({','.join(['1'] * 9500)})",
    "case": f"SELECT {'CASE WHEN ra > 1 THEN ' * 600}1{' END' * 600} FROM objects",
    "functions": f"SELECT {'ABS(' * 55}ra{')' * 55} FROM objects",
    "doubling": f"SELECT {'MOD(' * 40}ra{', 7.5)' * 40} FROM objects",
    "sub-queries": f"SELECT ra FROM {'(SELECT ra FROM ' * 55}objects{') a' * 55}",
    "union": " UNION ALL ".join(["SELECT ra FROM objects"] * 600),
    "joins": "SELECT 1 FROM objects a0 " + " ".join(f"JOIN objects a{i} ON a{i}.ra = a0.ra" for i in range(1, 300)),
    "named": "WITH " + ", ".join(f"a{i} AS (SELECT ra FROM {f'a{i - 1}' if i else 'objects'})" for i in range(400)) + " SELECT ra FROM a399",
    "region": "SELECT AREA(REGION('" + "Union (" * 2000 + "Circle 1 2 3" + ")" * 2000 + "')) FROM objects",
    "half a character": "SELECT ra FROM objects WHERE objectName = '\ud800'",
    "corners": f"SELECT ra FROM objects WHERE CONTAINS(POINT(ra, decl), POLYGON({', '.join(f'{i * 0.2:.1f}, {i % 2 + 40}' for i in range(800))})) = 1",
    "words that look alike": "SELECT message FROM RE\u017fECTED", "full width": "SELECT \uff52\uff41 FROM objects", "turned round": "SELECT ra \u202e FROM objects",
    "quotes of prose": "SELECT ra FROM objects WHERE objectName = \u2018x\u2019",
}  # fmt: skip


@pytest.mark.parametrize("name", LARGE)
def test_what_is_large_or_odd_is_answered_or_refused(name: str) -> None:
    try:
        query = parse(LARGE[name], PUBLIC)
        for engine in ("duckdb", "postgresql"):
            assert len(query.render(engine)) <= 500_000  # type: ignore[arg-type]
        StreamPlan(query)
    except QueryError as error:
        pointed = error.pointed(LARGE[name])
    else:
        pointed = "answered"
    assert pointed.encode()


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


@pytest.mark.parametrize(
    "word", ["FROM", "Group", "order by", ")", ",", "JOIN", "LEFT", "0", ";", ":a", "--", "x'1"]
)
def test_a_text_or_name_in_quotes_is_no_word_of_the_language(word: str) -> None:
    literal, name = word.replace("'", "''"), word.replace('"', '""')
    query = parse(
        f'SELECT \'\', \'{literal}\' AS "{name}" FROM objects AS "{name}" JOIN objects AS o ON o.ra <> "{name}".ra '
        f"WHERE o.objectName IN ('a', '{literal}')",
        ARCHIVE,
    )
    assert list(query.columns)[1] == word
    assert "JOIN" in query.render("duckdb")


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
