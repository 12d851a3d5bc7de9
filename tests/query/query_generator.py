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
    "sw": "JOIN sherlock_classifications s ON s.diaObjectId = o.diaObjectId JOIN watchlist_hits w ON o.diaObjectId = w.diaObjectId AND w.arcsec > s.separationArcsec",
}  # fmt: skip
EXTRA = {
    "s": ["s.classification", "s.z"],
    "w": ["w.name", "w.arcsec"],
    "t": ["t.disc_mag"],
    "l": ["l.classification"],
    "sw": ["w.cone_id"],
}


@st.composite
def queries(draw: st.DrawFn) -> str:
    join = draw(st.sampled_from(sorted(JOINS)))
    where = draw(conditions)
    source = f"FROM objects AS o {JOINS[join]} WHERE {where}"
    kind = draw(st.sampled_from(["rows", "rows", "rows", "groups", "subquery", "union", "distinct"]))
    if kind == "groups":
        return f"SELECT o.nDiaSources AS n, COUNT(*) AS c, MIN(o.g_psfFlux), MAX(o.tns_name), AVG(o.medianR), COUNT(DISTINCT o.objectName), SUM(o.ngSources) {source} GROUP BY o.nDiaSources HAVING COUNT(*) > 1"
    if kind == "subquery":
        return f"SELECT o.diaObjectId {source} AND o.diaObjectId IN (SELECT diaObjectId FROM area_hits WHERE ar_id = 1) AND NOT EXISTS (SELECT 1 FROM watchlist_hits h WHERE h.diaObjectId = o.diaObjectId AND h.arcsec > 5)"
    if kind == "union":
        operator = draw(st.sampled_from(["UNION", "UNION ALL", "EXCEPT", "INTERSECT"]))
        return f"SELECT o.nDiaSources AS n, o.tns_name AS t {source} {operator} SELECT nrSources, objectName FROM objects WHERE glat > 0"
    outputs = draw(st.lists(numbers, min_size=1, max_size=3))
    if kind == "distinct":
        return f"SELECT DISTINCT o.tns_name, o.nDiaSources {source}"
    return f"SELECT o.diaObjectId AS id, {', '.join([*outputs, *EXTRA.get(join, [])])} {source}"
