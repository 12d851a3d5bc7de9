"""Which column of a table a result's column is."""

from __future__ import annotations

import pytest

from lasair_broker.query import origins, parse


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "SELECT ra, decl AS d, ra + 1 AS more FROM objects",
            {"ra": ("objects", "ra"), "d": ("objects", "decl")},
        ),
        (
            "SELECT o.ra, s.classification, w.arcsec FROM objects o JOIN sherlock_classifications s "
            "ON o.diaObjectId = s.diaObjectId LEFT JOIN watchlist_hits w ON o.diaObjectId = w.diaObjectId",
            {
                "ra": ("objects", "ra"),
                "classification": ("sherlock_classifications", "classification"),
                "arcsec": ("watchlist_hits", "arcsec"),
            },
        ),
        ("SELECT x FROM (SELECT g_psfFlux AS x FROM objects) AS q", {"x": ("objects", "g_psfFlux")}),
        (
            "WITH a AS (SELECT ra AS x FROM objects), b AS (SELECT x AS y FROM a) SELECT y, 1 AS one FROM b",
            {"y": ("objects", "ra")},
        ),
        ("SELECT band, COUNT(*) AS n FROM diaSources GROUP BY band", {"band": ("diaSources", "band")}),
        ("SELECT ra FROM objects UNION SELECT decl FROM objects", {}),
    ],
)
def test_origins(text: str, expected: dict[str, tuple[str, str]]) -> None:
    assert origins(parse(text)) == expected
