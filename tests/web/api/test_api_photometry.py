"""Points that users add: units and times, faulty rows, and who sees them."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import astropy.units as u
import pytest
from astropy.time import Time
from django.core.files.uploadedfile import SimpleUploadedFile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lasair_broker.archive import Archive

HEADER = "diaObjectId,mjd,scale,band,value,error,unit,is_limit,instrument\n"


@pytest.fixture
def number(archive: Archive) -> str:
    return str(
        archive.query("SELECT diaObjectId FROM objects ORDER BY diaObjectId LIMIT 1").column(0)[0].as_py()
    )


def upload(client: Any, text: str | bytes, **more: Any) -> Any:
    data = text if isinstance(text, bytes) else text.encode()
    body = {"name": "NTT run", "provenance": "our own", "file": SimpleUploadedFile("a.csv", data), **more}
    return client.post("/api/v1/photometry/", body, format="multipart")


def test_points_come_in_the_units_of_the_archive(number: str, people: Any, client_of: Any) -> None:
    ann = client_of(people.ann)
    lines = [
        f"{number},60000.25,utc,g,20.5,0.1,mag(AB),,EFOSC2",
        f"{number},60001,tai,r,3.5,0.5,mJy,false,EFOSC2",
        f"{number},60002,TT,Ks,17.0,0.2,mag(Vega),no,SOFI",
        f"{number},60003,tdb,i,21.0,,mag(AB),true,EFOSC2",
    ]
    made = upload(ann, HEADER + "\n".join(lines) + "\n")
    assert made.status_code == 201, made.json()
    rows = ann.get(f"/api/v1/objects/{number}/photometry/").json()["rows"]
    assert [row["band"] for row in rows] == ["g", "r", "Ks", "i"]
    g, r, vega, limit = rows
    flux = (20.5 * u.ABmag).to(u.nJy).value
    assert g["psfFlux"] == pytest.approx(flux, rel=1e-9)
    brighter = (20.4 * u.ABmag).to(u.nJy).value - flux
    fainter = flux - (20.6 * u.ABmag).to(u.nJy).value
    assert g["psfFluxErr"] == pytest.approx((brighter + fainter) / 2, rel=2e-3)
    assert r["psfFlux"] == 3.5e6
    assert vega["psfFlux"] is vega["psfFluxErr"] is None
    assert (vega["value"], vega["unit"]) == (17.0, "mag(Vega)")
    assert limit["is_limit"]
    assert limit["error"] is None
    for row in rows:
        expected = Time(row["time"], format="mjd", scale=row["scale"]).tai.mjd
        assert row["midpointMjdTai"] == pytest.approx(expected, abs=1e-9)
    assert {(row["owner"], row["provenance"]) for row in rows} == {("ann", "our own")}
    sources = ann.get(f"/api/v1/objects/{number}/lightcurve/").json()
    assert not any(source.get("instrument") for table in sources.values() for source in table)
    text = b"".join(ann.get(f"/api/v1/objects/{number}/photometry/?format=csv")).decode()
    assert text.splitlines()[0].startswith("diaObjectId,midpointMjdTai,band")
    assert len(text.splitlines()) == 5


def test_every_faulty_row_is_named(number: str, people: Any, client_of: Any) -> None:
    lines = [
        "# comment",
        f"{number},60000,utc,g,20.5,0.1,mag(AB),,EFOSC2",
        f"{number},2460000.5,utc,g,20.5,0.1,mag(AB),,EFOSC2",
        f"{number},60000,bjd,g,x,-1,counts,maybe,",
        "12345,60000,utc,g,20.5,0.1,mag(AB),,EFOSC2",
        f"{number},60000,utc,,nan,,mag(AB),,EFOSC2",
    ]
    answer = upload(client_of(people.ann), HEADER + "\n".join(lines))
    assert answer.status_code == 400
    found = {fault["field"] for fault in answer.json()["errors"]}
    assert found == {
        "line 4, mjd",
        *(f"line 5, {name}" for name in ("scale", "value", "error", "unit", "is_limit", "instrument")),
        "line 6, diaObjectId",
        *(f"line 7, {name}" for name in ("band", "value", "error")),
    }
    assert client_of(people.ann).get("/api/v1/photometry/").json()["results"] == []


@pytest.mark.parametrize(
    ("data", "field"),
    [
        (b"", "file"),
        (HEADER.encode(), "file"),
        (b"\xff\xfe\x00", "file"),
        (b"a,b\n1,2\n", "header"),
        (b"mjd,mjd\n1,2\n", "header"),
        ((HEADER + "1,2\n").encode(), "line 2"),
        ((HEADER + '1,"2\n').encode(), "line 2"),
        (b"a\x00b\n", "file"),
    ],
)
def test_what_is_no_file_of_points_is_refused(
    archive: Archive, people: Any, client_of: Any, data: bytes, field: str
) -> None:
    answer = upload(client_of(people.ann), data)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == field


def test_too_many_points_are_refused(archive: Archive, people: Any, client_of: Any) -> None:
    answer = upload(client_of(people.ann), "mjd\n" + "1\n" * 10_001)
    assert answer.status_code == 400
    assert "10,000" in answer.json()["detail"]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: (HEADER + text).encode()))
def test_no_file_breaks_it(archive: Archive, data: bytes) -> None:
    from lasair_broker.web.errors import Invalid
    from lasair_broker.web.photometry import rows

    with suppress(Invalid):
        rows.checked(rows.read_csv(data))


def test_rows_as_json_and_the_object_of_the_address(number: str, people: Any, client_of: Any) -> None:
    ann = client_of(people.ann)
    point = {"mjd": 60000.5, "band": "r", "value": 19.0, "error": 0.02, "unit": "mag(AB)"}
    body = {"name": "n", "provenance": "p", "instrument": "NTT", "points": [point, {**point, "mjd": "60001"}]}
    made = ann.post(f"/api/v1/objects/{number}/photometry/", body, format="json")
    assert made.status_code == 201
    points = ann.get(f"/api/v1/photometry/{made.json()['id']}/points/").json()["rows"]
    assert [(p["diaObjectId"], p["instrument"], p["scale"]) for p in points] == [(number, "NTT", "utc")] * 2
    bad = {**body, "points": [{**point, "value": True}, {**point, "colour": 1}, {**point, "mjd": [1]}]}
    answer = ann.post(f"/api/v1/objects/{number}/photometry/", bad, format="json")
    assert {f["field"] for f in answer.json()["errors"]} == {"row 1, value", "row 2, colour", "row 3, mjd"}
    both = {"name": "n", "provenance": "p"}
    assert ann.post("/api/v1/photometry/", both, format="json").status_code == 400


def test_who_sees_points_and_who_changes_them(number: str, people: Any, team: Any, client_of: Any) -> None:
    team("4MOST", manager=people.ann, editor=people.editor, member=people.member)
    ann = client_of(people.ann)
    made = upload(ann, HEADER + f"{number},60000,utc,g,20,0.1,mag(AB),,E\n").json()
    one, of_object = f"/api/v1/photometry/{made['id']}/", f"/api/v1/objects/{number}/photometry/"

    def seen(user: Any) -> bool:
        client = client_of(user)
        there = client.get(one).status_code == 200
        assert (client.get(f"{one}points/").status_code == 200) == there
        assert len(client.get(of_object).json()["rows"]) == there
        assert len(client.get("/api/v1/photometry/").json()["results"]) == there
        return there

    everybody = {None: None, "ann": people.ann, "member": people.member, "other": people.other}
    assert [seen(user) for user in everybody.values()] == [False, True, False, False]
    shared = ann.post(f"{one}share/", {"visibility": "group", "collaboration": "4most"}, format="json")
    assert shared.status_code == 200
    assert [seen(user) for user in everybody.values()] == [False, True, True, False]
    assert client_of(people.member).patch(one, {"name": "x"}, format="json").status_code == 403
    assert client_of(people.editor).patch(one, {"name": "x"}, format="json").json()["name"] == "x"
    assert client_of(people.editor).delete(one).status_code == 403
    assert ann.delete(one).status_code == 204
    assert [seen(user) for user in everybody.values()] == [False] * 4
    assert client_of(people.editor).post(f"{one}restore/").status_code == 404
    assert ann.post(f"{one}restore/").status_code == 200
    ann.post(f"{one}share/", {"visibility": "public"}, format="json")
    assert [seen(user) for user in everybody.values()] == [True] * 4
