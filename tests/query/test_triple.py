"""Lasair's saved filters run as they are."""

# ruff: noqa: E501 - a query is easier to read on one line

from __future__ import annotations

from typing import Any

import pytest

from lasair_broker.query import ARCHIVE, PUBLIC, Catalogue, QueryError, StreamPlan, parse, triple

# selected, tables, conditions, and what it means, in SQL of our own for DuckDB
FILTERS = [
    ("objects.diaObjectId", "objects", "objects.nDiaSources > 2",
     'SELECT "diaObjectId" FROM objects WHERE "nDiaSources" > 2'),
    ("objects.diaObjectId, objects.ra", "", "",
     'SELECT "diaObjectId", ra FROM objects'),
    ("objects.diaObjectId, sherlock_classifications.classification", "objects, sherlock_classifications",
     'sherlock_classifications.classification in ("SN", "NT") ORDER BY objects.ra DESC',
     "SELECT o.\"diaObjectId\", s.classification FROM objects o JOIN sherlock_classifications s USING (\"diaObjectId\") WHERE s.classification IN ('SN', 'NT')"),
    ("objects.diaObjectId, objects_ext.u_psfFluxSigma", "objects,objects_ext", "objects_ext.raErr IS NOT NULL",
     'SELECT "diaObjectId", "u_psfFluxSigma" FROM objects WHERE "raErr" IS NOT NULL'),
    ("objects.diaObjectId, watchlist_hits.name, watchlist_hits.arcsec", "objects,watchlist:2", "watchlist_hits.arcsec < 10",
     'SELECT o."diaObjectId", w.name, w.arcsec FROM objects o JOIN watchlist_hits w ON o."diaObjectId" = w."diaObjectId" WHERE wl_id = 2 AND arcsec < 10'),
    ("objects.diaObjectId", "objects,area:1&2", "1=1",
     'SELECT "diaObjectId" FROM objects o WHERE EXISTS (SELECT 1 FROM area_hits a WHERE a."diaObjectId" = o."diaObjectId" AND ar_id = 1) AND EXISTS (SELECT 1 FROM area_hits a WHERE a."diaObjectId" = o."diaObjectId" AND ar_id = 2)'),
    ("objects.diaObjectId, fastfinder.classification AS c", "objects,annotator:fastfinder&r0b", "r0b.classification IS NOT NULL",
     "SELECT o.\"diaObjectId\", f.classification FROM objects o, annotations f, annotations r WHERE o.\"diaObjectId\" = f.\"diaObjectId\" AND o.\"diaObjectId\" = r.\"diaObjectId\" AND f.topic = 'fastfinder' AND r.topic = 'r0b' AND r.classification IS NOT NULL"),
    ("objects.diaObjectId, crossmatch_tns.tns_prefix", "objects, crossmatch_tns", "crossmatch_tns.type NOT LIKE 'SN%' OR crossmatch_tns.z > 0",
     "SELECT o.\"diaObjectId\", tns_prefix FROM objects o JOIN crossmatch_tns t ON o.tns_name = t.tns_name WHERE type NOT LIKE 'SN%' OR z > 0"),
    ("objects.diaObjectId, flux2mag(objects.g_psfFlux) as m", "objects", "mjdnow()-objects.lastDiaSourceMjdTai > 0 AND flux2mag(g_psfFlux) < 24",
     'SELECT "diaObjectId", 31.4 - 2.5*log10(CASE WHEN "g_psfFlux" > 0 THEN "g_psfFlux"::DOUBLE END) AS m FROM objects WHERE 61000.25 - "lastDiaSourceMjdTai" > 0 AND m < 24'),
    ("sherlock_classifications.classification, COUNT(*) AS n", "objects,sherlock_classifications", "objects.nDiaSources >= 1 GROUP BY sherlock_classifications.classification",
     'SELECT classification, COUNT(*) FROM objects JOIN sherlock_classifications USING ("diaObjectId") WHERE "nDiaSources" >= 1 GROUP BY classification'),
]  # fmt: skip


@pytest.mark.parametrize(("selected", "tables", "conditions", "sql"), FILTERS)
def test_saved_filters(engines: Any, selected: str, tables: str, conditions: str, sql: str) -> None:
    query = triple(selected, tables, conditions, ARCHIVE)

    def shape(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        return sorted(
            (tuple(round(v, 4) if isinstance(v, float) else v for v in row) for row in rows), key=repr
        )

    expected = shape(engines.duckdb.execute(sql).fetchall())
    assert expected
    assert shape(engines.in_duckdb(query)) == expected
    assert len(engines.in_postgresql(query)) == len(expected)
    stream = StreamPlan(query).run(engines.frame).rows.to_pylist()
    assert shape([tuple(row.values()) for row in stream]) == expected


# What else today's users write: every clause, helper, function and quoting of Lasair's documentation.
SHAPES = [
    ("objects.diaObjectId, objects.ra, objects.decl, mjdnow() - objects.lastDiaSourceMjdTai AS since", "objects", "objects.nDiaSources BETWEEN 2 AND 50 AND mjdnow() - lastDiaSourceMjdTai < 3"),
    ('diaObjectId AS "id", tns_name AS \'name\'', "objects", 'tns_name LIKE "20%" AND NOT tns_name LIKE \'%z\''),
    ("objects.*", "objects", "glat > 10 OR glat < -10"),
    ("*", "", ""),
    ("objects.diaObjectId, watchlist_hits.name", "objects,watchlist:42", ""),
    ("objects.diaObjectId", "objects, area:1&2&3", "ra > 1"),
    ("objects.diaObjectId, ar0.ar_id", "objects, watchmap:7", "ar0.ar_id = 7"),
    ("objects.diaObjectId, fastfinder.classification, JSON_EXTRACT(fastfinder.classdict, '$.score') AS s, fastfinder.explanation, fastfinder.version, fastfinder.url, fastfinder.timestamp", "objects,annotator:fastfinder", "JSON_EXTRACT(fastfinder.classdict, \"$.score\") > 0.5 AND fastfinder.timestamp > '2026-01-01'"),
    ("objects.diaObjectId", "objects,annotator:a_b,annotator:c", "a_b.classification = c.classification"),
    ("objects.diaObjectId, crossmatch_tns.tns_prefix, crossmatch_tns.type, crossmatch_tns.z", "objects,crossmatch_tns", "crossmatch_tns.tns_prefix = 'SN' ORDER BY crossmatch_tns.z DESC"),
    ("objects.diaObjectId, sherlock_classifications.classification, sherlock_classifications.separationArcsec", "objects,sherlock_classifications,objects_ext", "objects_ext.g_psfFluxMax > 1000 AND sherlock_classifications.classification IN (\"SN\",\"NT\")"),
    ("objects.diaObjectId, IF(g_psfFlux > r_psfFlux, 'blue', 'red') AS colour, IFNULL(tns_name, 'none') AS n, CONCAT(tns_name, '-', latestPairColourBands) AS c", "objects", "POW(g_psfFlux, 2) > 5 AND LN(r_psfFlux) > 1 AND MOD(nDiaSources, 2) = 0 AND nDiaSources % 2 = 0"),
    ("diaObjectId, ROUND(flux2mag(g_psfFluxMean), 2) AS mag, flux2mag(g_psfFlux) - flux2mag(r_psfFlux) AS g_r, DEGREES(ACOS(0.5)) AS d", "objects", "g_psfFlux > 0 AND SQRT(POWER(ra - 10, 2) + POWER(decl + 20, 2)) < 5 AND absMag IS NOT NULL"),
    ("sherlock_classifications.classification, COUNT(*) AS n, AVG(objects.medianR) AS r", "objects,sherlock_classifications", "1=1 GROUP BY sherlock_classifications.classification HAVING n > 3 ORDER BY n DESC"),
    ("diaObjectId", "objects", "CASE WHEN g_psfFlux IS NULL THEN r_psfFlux ELSE g_psfFlux END > 20 AND (BBBRiseRate > 0.2 AND BBBPeakMJD > mjdnow() - 7) AND jump1 > 5 AND latestPairColourBands = 'g-r' LIMIT 10"),
]  # fmt: skip


@pytest.mark.parametrize(("selected", "tables", "conditions"), SHAPES)
def test_what_todays_users_write_runs(engines: Any, selected: str, tables: str, conditions: str) -> None:
    query = triple(selected, tables, conditions, PUBLIC)
    rows = engines.in_duckdb(query)
    assert len(engines.in_postgresql(query)) == len(rows)
    if "LIMIT" not in conditions:
        assert StreamPlan(query).run(engines.frame).rows.num_rows == len(rows)


@pytest.mark.parametrize(
    ("field", "at", "fields"),
    [
        ("selected", "raa", ("objects.ra,\n raa", "", "")),
        ("selected", ",", ("ra,", "", "")),
        ("tables", "nothing", ("ra", "objects, watchlist:1, nothing", "")),
        ("tables", "area:x", ("ra", "objects,area:x", "ra > 1")),
        (
            "conditions",
            "abc.clasification",
            ("ra", "annotator:abc,area:1", "ra > 1 AND\n abc.clasification = 'a'"),
        ),
        ("conditions", ")", ("ra", "crossmatch_tns", "ra > 1) OR (1 = 1")),
    ],
)
def test_errors_point_into_the_users_own_text(field: str, at: str, fields: tuple[str, str, str]) -> None:
    with pytest.raises(QueryError) as caught:
        triple(*fields, PUBLIC)
    text = dict(zip(("selected", "tables", "conditions"), fields, strict=True))[field]
    assert (caught.value.field, caught.value.position) == (field, text.index(at))
    assert caught.value.pointed(text).startswith(
        f"{field}, line {text[: text.index(at)].count(chr(10)) + 1}, "
    )


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ("objects,watchlists:139", "no table watchlists:139; did you mean watchlist:N"),
        ("objects,ssobjects", "no table ssobjects"),
        ("objects,watchlist:x", "a number is expected"),
        ("objects,watchlist:1 OR 1=1", "a number is expected"),
        ("objects,annotator:a'b", "a word"),
        ("mma:3", "no table mma:3"),
    ],
)
def test_unknown_tables_are_errors(tables: str, message: str) -> None:
    with pytest.raises(QueryError, match=message):
        triple("objects.ra", tables, "", PUBLIC)


def test_others_lists_are_refused() -> None:
    catalogue = Catalogue.of_tables(
        ["objects", "watchlist_hits"], may_use=lambda kind, which: (kind, which) == ("watchlist", "5")
    )
    triple("objects.ra", "watchlist:5", "", catalogue)
    with pytest.raises(QueryError, match="not yours"):
        triple("objects.ra", "watchlist:6", "", catalogue)


def test_areas_of_several_entries_are_numbered_through() -> None:
    query = triple("objects.ra", "area:1, area:2&3", "ar0.ar_id + ar1.ar_id + ar2.ar_id = 6", PUBLIC)
    for place, number in enumerate((1, 2, 3)):
        assert f"ar{place}.ar_id = {number}" in query.text
    with pytest.raises(QueryError, match="only one watchlist") as caught:
        triple("objects.ra", "watchlist:1, watchlist:2", "", PUBLIC)
    assert (caught.value.field, caught.value.position) == ("tables", 13)


def test_topics_are_named_in_capitals_or_not() -> None:
    catalogue = Catalogue.of_tables(
        ["objects", "annotations"],
        {"annotations": {"topic": ["FastFinder", "fast"]}},
        lambda kind, which: which in ("FastFinder", "fast"),
    )
    query = triple("objects.ra", "annotator:fastfinder&FAST", "fastfinder.classification = 'SN'", catalogue)
    assert "fastfinder.topic = 'FastFinder'" in query.text
    assert "FAST.topic = 'fast'" in query.text
    with pytest.raises(QueryError, match="not yours"):
        triple("objects.ra", "annotator:faster", "", catalogue)


@pytest.mark.parametrize("name", ["SN 2024a", "O'Neill", 'a "b"', "a--b", ""])
def test_texts_in_double_quotes_are_texts_of_adql(name: str) -> None:
    in_double_quotes, text = name.replace('"', '""'), name.replace("'", "''")
    query = triple(
        f'objects.ra, "{in_double_quotes}" AS x', "", f'objectName = "{in_double_quotes}" AND ra > 1'
    )
    assert query.text.startswith(f"SELECT objects.ra, '{text}' AS x\nFROM objects")
    assert query.text.endswith(f"WHERE objectName = '{text}' AND ra > 1")
    assert parse(query.text).tree == query.tree


def test_a_table_that_is_not_joined_is_named() -> None:
    with pytest.raises(QueryError) as caught:
        triple("objects.ra", "objects", 'sherlock_classifications.classification = "SN"', PUBLIC)
    assert (caught.value.field, caught.value.position) == ("conditions", 0)
    assert caught.value.suggestion == "join this table, too; FROM has objects"
