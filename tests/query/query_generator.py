"""Random queries that are valid on the random data of `conftest`."""

# ruff: noqa: E501 - a query is easier to read on one line

from __future__ import annotations

from hypothesis import strategies as st

REALS = ("g_psfFlux", "r_psfFlux", "glat", "medianR", "absMag", "lastDiaSourceMjdTai", "ra")
INTEGERS = ("nDiaSources", "ngSources", "nrSources", "diaObjectId")
SMALL = ("nDiaSources", "ngSources", "nrSources")
TEXTS = ("latestPairColourBands", "objectName", "tns_name")
FUNCTIONS = (
    "LOG",
    "LOG10",
    "EXP",
    "SQRT",
    "FLOOR",
    "CEILING",
    "ROUND",
    "TRUNCATE",
    "SIN",
    "COS",
    "ATAN",
    "FLUX2MAG",
    "SIGN",
)
# Such that no function of the data's round values falls on them, where engines' last digits could differ.
ODD = ("0.3337", "-1.7713", "17.0391", "3.1e2", "-250.77")

numbers: st.SearchStrategy[str] = st.deferred(lambda: plain | made)
plain = st.sampled_from([f"o.{c}" for c in REALS + SMALL] + ["1", "2", "-3", "0", "0.5", "7.25"])
made = st.one_of(
    st.tuples(numbers, st.sampled_from("+-*/"), numbers).map(lambda t: f"({' '.join(t)})"),
    st.tuples(st.sampled_from(FUNCTIONS), plain).map(lambda t: f"{t[0]}({t[1]})"),
    st.tuples(plain, plain).map(lambda t: f"COALESCE({t[0]}, {t[1]})"),
    st.tuples(plain, plain).map(lambda t: f"GREATEST({t[0]}, {t[1]})"),
    st.tuples(st.sampled_from(SMALL), st.sampled_from(SMALL)).map(lambda t: f"MOD(o.{t[0]}, o.{t[1]})"),
    st.tuples(plain, st.sampled_from(["2", "0.5", "-1", "0"])).map(lambda t: f"POWER({t[0]}, {t[1]})"),
    plain.map(lambda n: f"ABS({n})"),
    plain.map(lambda n: f"-{n}" if n[0] == "o" else n),
    plain.map(lambda n: f"CAST({n} AS INTEGER)"),
    st.tuples(st.deferred(lambda: conditions), plain, plain).map(
        lambda t: f"CASE WHEN {t[0]} THEN {t[1]} ELSE {t[2]} END"
    ),
)
words: st.SearchStrategy[str] = st.one_of(
    st.sampled_from([f"o.{c}" for c in TEXTS]),
    st.sampled_from(["'SN'", "'É'", "''", "NULL"]),
    st.tuples(st.sampled_from(["LOWER", "UPPER"]), st.sampled_from(TEXTS)).map(lambda t: f"{t[0]}(o.{t[1]})"),
    st.tuples(st.sampled_from(TEXTS), st.sampled_from(TEXTS)).map(lambda t: f"o.{t[0]} || '-' || o.{t[1]}"),
    st.sampled_from(TEXTS).map(lambda c: f"NULLIF(o.{c}, 'SN')"),
    st.sampled_from(SMALL).map(lambda c: f"CAST(o.{c} AS VARCHAR)"),
    st.tuples(st.sampled_from(TEXTS), st.sampled_from(TEXTS)).map(
        lambda t: f"COALESCE(o.{t[0]}, o.{t[1]}, 'x')"
    ),
    st.sampled_from(TEXTS).map(lambda c: f"IF(o.glat > 0, o.{c}, 'low')"),
)
PATTERNS = ("'%'", "''", "'_'", "'%_%'", "'%a%b%'", "'_%_%0%'", "'1__\\%'", "'%\\%'", "'S_'", "'é'", "'%.%'")
ANNOTATED = "SELECT a.diaObjectId FROM annotations a WHERE a.topic = 'r0b'"
comparison = st.sampled_from(["=", "<>", "<", "<=", ">", ">="])
literal = st.sampled_from(["'SN'", "'sn'", "'a_b'", "''", "'é'", "'M'"])
conditions: st.SearchStrategy[str] = st.deferred(lambda: simple | combined)
simple = st.one_of(
    st.tuples(plain, comparison, plain).map(" ".join),
    st.tuples(numbers, st.sampled_from(["<", ">"]), st.sampled_from(ODD)).map(" ".join),
    st.tuples(plain, plain, plain).map(lambda t: f"{t[0]} BETWEEN {t[1]} AND {t[2]}"),
    st.tuples(st.sampled_from(TEXTS), comparison, literal).map(lambda t: f"o.{t[0]} {t[1]} {t[2]}"),
    st.tuples(st.sampled_from(TEXTS), st.sampled_from(["LIKE", "NOT LIKE", "ILIKE"]), st.sampled_from(["'s%'", "'%b'", "'a_b'", "'_N'", "'100%'"])).map(lambda t: f"o.{t[0]} {t[1]} {t[2]}"),
    st.tuples(st.sampled_from(TEXTS), st.sampled_from(["IN", "NOT IN"]), st.lists(literal, min_size=1, max_size=3)).map(lambda t: f"o.{t[0]} {t[1]} ({', '.join(t[2])})"),
    st.tuples(plain, st.sampled_from(["IN", "NOT IN"]), st.lists(st.sampled_from(["1", "2", "-1", "0.5", "NULL"]), min_size=1, max_size=3)).map(lambda t: f"{t[0]} {t[1]} ({', '.join(t[2])})"),
    st.tuples(numbers, st.sampled_from(["IS NULL", "IS NOT NULL"])).map(" ".join),
    st.tuples(words, comparison, words).map(" ".join),
    st.tuples(words, st.sampled_from(["LIKE", "NOT LIKE", "ILIKE", "NOT ILIKE"]), st.sampled_from(PATTERNS)).map(" ".join),
    st.tuples(words, st.sampled_from(["IS NULL", "IS NOT NULL"])).map(" ".join),
    words.map(lambda w: f"LENGTH({w}) > 2"),
    st.tuples(comparison, st.sampled_from(["'2026-03-02'", "'2026-03-03T12:00:00'", "'2026-03-03 14:00:00+02:00'", "NULL"])).map(lambda t: f"o.timestamp {' '.join(t)}"),
    st.tuples(plain, st.sampled_from(["NULL", "1"]), plain).map(lambda t: f"{t[0]} NOT BETWEEN {t[1]} AND {t[2]}"),
    st.tuples(plain, plain, plain).map(lambda t: f"{t[0]} IN ({t[1]}, {t[2]})"),
    st.sampled_from([
        f"o.diaObjectId IN ({ANNOTATED})", f"o.diaObjectId NOT IN ({ANNOTATED})", "o.tns_name IN (SELECT t.tns_name FROM crossmatch_tns t)",
        "o.nDiaSources NOT IN (SELECT p.nrSources FROM objects p WHERE p.glat > 30)", "o.nDiaSources IN (SELECT p.nrSources FROM objects p WHERE p.nrSources IS NOT NULL)",
        "EXISTS (SELECT 1 FROM watchlist_hits h WHERE h.diaObjectId = o.diaObjectId AND h.wl_id = 2)",
        "NOT EXISTS (SELECT 1 FROM area_hits h WHERE o.diaObjectId = h.diaObjectId AND h.ar_id = 1)",
        "EXISTS (SELECT 1 FROM watchlist_hits h WHERE h.diaObjectId = o.diaObjectId AND h.arcsec > o.medianR)",
        "o.g_psfFlux > (SELECT AVG(p.g_psfFlux) FROM objects p)", "(SELECT COUNT(*) FROM area_hits h WHERE h.diaObjectId = o.diaObjectId) = 1",
        "INTERSECTS(CIRCLE(o.ra, o.decl, 0.001), BOX(10, -20, 0.01, 0.01)) = 1", "POINT(o.ra, o.decl) = POINT(o.ra, o.decl)",
        "CONTAINS(POINT(o.ra, o.decl), REGION('Union (Circle 10 -20 0.004 Not (Circle 10 -20 1))')) = 0",
    ]),
    st.sampled_from(["DISTANCE(o.ra, o.decl, 10, -20) < 0.01", "CONTAINS(POINT(o.ra, o.decl), CIRCLE(10, -20, 0.015)) = 1",
                     "CONTAINS(POINT(o.ra, o.decl), POLYGON(9.99, -20.01, 10.01, -20.01, 10, -19.99)) = 1", "mjdnow() - o.lastDiaSourceMjdTai > 60990.3"]),
)  # fmt: skip
combined = st.one_of(
    st.tuples(conditions, st.sampled_from(["AND", "OR"]), conditions).map(
        lambda t: f"({t[0]} {t[1]} {t[2]})"
    ),
    conditions.map(lambda c: f"NOT ({c})"),
)
JOINS = {
    "": "",
    "s": "JOIN sherlock_classifications s ON s.diaObjectId = o.diaObjectId AND s.classification <> 'VS'",
    "w": "JOIN watchlist_hits w ON o.diaObjectId = w.diaObjectId AND w.wl_id = 1",
    "t": "JOIN crossmatch_tns t ON o.tns_name = t.tns_name",
    "l": "LEFT JOIN annotations l ON o.diaObjectId = l.diaObjectId AND l.topic = 'r0b'",
    "ll": "LEFT JOIN watchlist_hits l ON l.diaObjectId = o.diaObjectId AND l.wl_id = 1 LEFT JOIN sherlock_classifications m ON m.diaObjectId = o.diaObjectId AND m.z > o.medianR",
    "lt": "LEFT JOIN crossmatch_tns t ON o.tns_name = t.tns_name",
    "r": "RIGHT JOIN area_hits r ON r.diaObjectId = o.diaObjectId AND r.ar_id = 2",
    "f": "FULL JOIN crossmatch_tns t ON o.tns_name = t.tns_name",
    "d": "JOIN (SELECT diaObjectId AS i, COUNT(*) AS c FROM annotations GROUP BY diaObjectId) d ON d.i = o.diaObjectId",
    "n": "LEFT JOIN (SELECT DISTINCT diaObjectId, ar_id FROM area_hits) n ON n.diaObjectId = o.diaObjectId AND n.ar_id = 1",
    "sw": "JOIN sherlock_classifications s ON s.diaObjectId = o.diaObjectId JOIN watchlist_hits w ON o.diaObjectId = w.diaObjectId AND w.arcsec > s.separationArcsec",
}  # fmt: skip
EXTRA = {
    "s": ["s.classification", "s.z"],
    "w": ["w.name", "w.arcsec"],
    "t": ["t.disc_mag"],
    "l": ["l.classification"],
    "sw": ["w.cone_id"],
    "ll": ["l.name", "m.classification"],
    "lt": ["t.tns_prefix"],
    "r": ["r.ar_id"],
    "f": ["t.tns_name"],
    "d": ["d.c"],
    "n": ["n.ar_id"],
}


@st.composite
def queries(draw: st.DrawFn) -> str:
    join = draw(st.sampled_from(sorted(JOINS)))
    where = draw(conditions)
    source = f"FROM objects AS o {JOINS[join]} WHERE {where}"
    kind = draw(
        st.sampled_from(
            [
                "rows",
                "rows",
                "rows",
                "groups",
                "expressions",
                "subquery",
                "union",
                "chain",
                "distinct",
                "named",
                "texts",
            ]
        )
    )
    if kind == "groups":
        return f"SELECT o.nDiaSources AS n, COUNT(*) AS c, MIN(o.g_psfFlux), MAX(o.tns_name), AVG(o.medianR), COUNT(DISTINCT o.objectName), SUM(o.ngSources) {source} GROUP BY o.nDiaSources HAVING COUNT(*) > 1"
    if kind == "subquery":
        return f"SELECT o.diaObjectId {source} AND o.diaObjectId IN (SELECT diaObjectId FROM area_hits WHERE ar_id = 1) AND NOT EXISTS (SELECT 1 FROM watchlist_hits h WHERE h.diaObjectId = o.diaObjectId AND h.arcsec > 5)"
    if kind == "expressions":
        by = draw(numbers.filter(lambda n: "o." in n))
        return f"SELECT COUNT(*) AS c, MIN(o.tns_name) AS t, MAX(o.timestamp) AS s, SUM(o.nDiaSources + 1) AS n {source} GROUP BY FLOOR({by}), o.tns_name HAVING COUNT(o.glat) >= 0 AND MAX(o.nDiaSources) IS NOT NULL"
    if kind == "chain":
        first, second = (
            draw(
                st.sampled_from(["UNION", "UNION ALL", "EXCEPT", "EXCEPT ALL", "INTERSECT", "INTERSECT ALL"])
            )
            for _ in range(2)
        )
        return f"SELECT o.tns_name AS t {source} {first} SELECT objectName FROM objects WHERE glat > 0 {second} SELECT tns_name FROM crossmatch_tns"
    if kind == "named":
        return f"WITH a AS (SELECT o.diaObjectId AS i, o.tns_name AS n {source}), b (j) AS (SELECT i FROM a WHERE n IS NOT NULL) SELECT a.i, a.n FROM a LEFT JOIN b ON a.i = b.j WHERE b.j IS NULL OR a.n <> '2026a'"
    if kind == "texts":
        return f"SELECT {draw(words)} AS w, o.timestamp AS t, {draw(words)} AS v {source}"
    if kind == "union":
        operator = draw(st.sampled_from(["UNION", "UNION ALL", "EXCEPT", "INTERSECT"]))
        return f"SELECT o.nDiaSources AS n, o.tns_name AS t {source} {operator} SELECT nrSources, objectName FROM objects WHERE glat > 0"
    outputs = draw(st.lists(numbers, min_size=1, max_size=3))
    if kind == "distinct":
        return f"SELECT DISTINCT o.tns_name, o.nDiaSources {source}"
    return f"SELECT o.diaObjectId AS id, {', '.join([*outputs, *EXTRA.get(join, [])])} {source}"
