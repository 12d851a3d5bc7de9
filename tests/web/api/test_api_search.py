"""Finding objects by number, name and position, in every notation that is usual."""

from __future__ import annotations

import math

import pytest
from astropy import units
from astropy.coordinates import Angle, SkyCoord
from django.test import Client
from hypothesis import given, settings
from hypothesis import strategies as st

from lasair_broker.archive import Archive
from lasair_broker.web.errors import Invalid
from lasair_broker.web.positions import Position, position
from lasair_broker.web.search import look_for, suggested, understood

ra = st.floats(0.0, 359.99)
decl = st.floats(-89.9, 89.9)


def written(alpha: float, delta: float) -> list[str]:
    """A position as astropy writes it in several notations, and as people do."""
    hours, degrees = Angle(alpha, units.deg), Angle(delta, units.deg)
    colons = {"sep": ":", "precision": 3, "pad": True}
    h, d = hours.to_string(units.hour, **colons), degrees.to_string(units.deg, alwayssign=True, **colons)
    return [
        f"{alpha:.6f} {delta:.6f}",
        f"{alpha:.6f},{delta:.6f}",
        f"RA={alpha:.6f} Dec={delta:.6f}",
        f"({alpha:.6f}, {delta:+.6f})",
        f"{h} {d}",
        f"{h}, {d}",
        f"{h.replace(':', ' ')} {d.replace(':', ' ')}",
        f"{hours.to_string(units.hour, precision=3)} "
        f"{degrees.to_string(units.deg, precision=3, alwayssign=True)}",
        f"{h}{d}",
    ]


@settings(max_examples=60, deadline=None)
@given(
    ra,
    decl,
    st.sampled_from([("", 5.0), (" r=30", 30.0), (" 2 arcmin", 120.0), (", radius 0.5 deg", 1800.0)]),
)
def test_every_notation_is_the_same_place(alpha: float, delta: float, radius: tuple[str, float]) -> None:
    place = SkyCoord(alpha, delta, unit="deg")
    for text in written(alpha, delta):
        read = position(text + radius[0])
        assert read is not None, text
        assert place.separation(SkyCoord(read.ra, read.decl, unit="deg")).arcsec < 0.02, text
        assert read.radius == pytest.approx(radius[1])


def test_names_that_tell_a_place() -> None:
    read = position("SDSS J123456.70-012345.6")
    assert read is not None
    known = SkyCoord("12h34m56.70s", "-01d23m45.6s")
    assert (read.ra, read.decl) == pytest.approx((known.ra.deg, known.dec.deg))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10.5 -20 7", Position(10.5, -20.0, 7.0)),
        ("10.5 -20 7'", Position(10.5, -20.0, 420.0)),
        ("10.5-20", Position(10.5, -20.0, 5.0)),
        ("10:00 −20:30", Position(150.0, -20.5, 5.0)),
    ],
)
def test_what_is_usual_is_preferred(text: str, expected: Position) -> None:
    assert position(text) == expected


@pytest.mark.parametrize("text", ["10.5 95", "400 10", "10 20 4000", "10 20 r=2deg"])
def test_what_is_nowhere_is_said_to_be(text: str) -> None:
    with pytest.raises(Invalid, match=r"must"):
        position(text)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_understood_or_refused(text: str) -> None:
    try:
        lines = understood(text)
    except Invalid:
        return
    for line in lines:
        known = (line.position is not None) + (line.diaObjectId is not None) + bool(line.name)
        assert known == 1
        if line.position is not None:
            assert math.isfinite(line.position.ra)
            assert -90.0 <= line.position.decl <= 90.0


def test_lists_are_taken_apart() -> None:
    def names(text: str) -> list[object]:
        return [line.diaObjectId or line.name or line.position for line in understood(text)]

    ids = [313637921267122191, 313637921267122192]
    assert names("313637921267122191 313637921267122192") == ids
    assert names("313637921267122191,\r\n313637921267122192;") == ids
    assert names("SN 2023ixf, ZTF18abcdefg") == ["SN 2023ixf", "ZTF18abcdefg"]
    assert names("2011 1001 T-2") == ["2011 1001 T-2"]
    assert names("1 2\n1987A") == [Position(1.0, 2.0), "1987A"]
    with pytest.raises(Invalid, match="at most 1,000"):
        understood("\n".join(map(str, range(1, 1002))))
    with pytest.raises(Invalid, match="watchlist"):
        understood("1 2\n" * 201)


def test_objects_are_found_by_all_they_are_known_by(archive: Archive) -> None:
    known = archive.query("SELECT diaObjectId, objectName, ra, decl FROM objects LIMIT 3").to_pylist()
    first, second, third = known
    text = f"{first['diaObjectId']}\n{second['objectName']}\n{third['ra']} {third['decl']} 0.5\nZTF99zzzzzzz"
    found = look_for(understood(text))
    assert [row["diaObjectId"] for row in found.rows][:3] == [row["diaObjectId"] for row in known]
    assert found.rows[-1]["separationArcsec"] < 0.5
    assert found.missing == ["ZTF99zzzzzzz"]
    assert found.rows[0]["asked"] == str(first["diaObjectId"])


def test_an_asteroid_is_found_by_its_designation(archive: Archive) -> None:
    rows = archive.query(
        "SELECT designation FROM ssSources WHERE designation IS NOT NULL LIMIT 1"
    ).to_pylist()
    found = look_for(understood(rows[0]["designation"]))
    assert found.bodies == [rows[0]["designation"]]
    assert not found.missing
    answer = Client().get("/search/", {"q": rows[0]["designation"]})
    assert answer.status_code == 302
    assert answer["Location"].startswith("/ssobjects/")


def test_suggestions_begin_with_what_was_typed(archive: Archive) -> None:
    number = str(archive.query("SELECT max(diaObjectId) AS n FROM objects").column("n")[0].as_py())
    for length in (3, 8, len(number)):
        rows = suggested(number[:length])
        assert rows
        assert all(str(row["diaObjectId"]).startswith(number[:length]) for row in rows)
    assert suggested("ab") == suggested("'; DROP") == suggested("%%%") == []


def test_search_over_the_api_and_on_the_page(archive: Archive) -> None:
    number = archive.query("SELECT min(diaObjectId) AS n FROM objects").column("n")[0].as_py()
    client = Client()
    answer = client.get("/api/v1/search/", {"q": str(number)}).json()
    assert [row["diaObjectId"] for row in answer["objects"]] == [str(number)]
    answer = client.post(
        "/api/v1/search/", {"q": f"{number}\nnobody"}, content_type="application/json"
    ).json()
    assert answer["missing"] == ["nobody"]
    assert client.get("/api/v1/search/").status_code == 400
    assert client.get("/search/", {"q": str(number)})["Location"] == f"/objects/{number}/"
    page = client.get("/search/", {"q": "<script>alert(1)</script>"})
    assert b"<script>alert" not in page.content
    assert client.get("/search/", {"q": "10 95"}).status_code == 400
