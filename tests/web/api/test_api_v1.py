"""The versioned API as programs use it."""

from __future__ import annotations

import csv
import io
from typing import Any

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from django.core.files.uploadedfile import SimpleUploadedFile
from rest_framework.test import APIClient

from lasair_broker.archive import Archive
from lasair_broker.schema import table


@pytest.fixture
def nobody(archive: Archive, client_of: Any) -> APIClient:
    found: APIClient = client_of(None)
    return found


@pytest.fixture
def ann(archive: Archive, client_of: Any, people: Any) -> APIClient:
    found: APIClient = client_of(people.ann)
    return found


@pytest.fixture
def known(archive: Archive) -> dict[str, Any]:
    number = archive.query("SELECT diaObjectId FROM objects ORDER BY nDiaSources DESC, diaObjectId LIMIT 1")
    return archive.object(number.column(0)[0].as_py()).to_pylist()[0]


def test_objects(nobody: APIClient, archive: Archive, known: dict[str, Any]) -> None:
    number, name = str(known["diaObjectId"]), known["objectName"]
    found = nobody.get(f"/api/v1/objects/{number}/").json()
    assert list(found) == [c.name for c in table("objects").columns]
    assert (found["diaObjectId"], found["nDiaSources"]) == (number, known["nDiaSources"])
    if name:
        assert nobody.get(f"/api/v1/objects/{name}/").json() == found
    some = nobody.get(f"/api/v1/objects/{number}/?columns=ra,decl").json()
    assert some == {"ra": known["ra"], "decl": known["decl"]}
    bulk = nobody.post("/api/v1/objects/", {"diaObjectIds": [number, "1"], "columns": ["ra"]}, format="json")
    assert bulk.json() == {"rows": [{"ra": known["ra"]}], "truncated": False}
    place = {"ra": known["ra"], "decl": known["decl"], "radius": 1}
    near = nobody.get("/api/v1/cone/", place).json()["rows"]
    assert near[0]["diaObjectId"] == number
    assert near[0]["separationArcsec"] < 1e-3
    for address, status in {
        "/api/v1/objects/1/": 404,
        f"/api/v1/objects/{'9' * 30}/": 404,
        f"/api/v1/objects/{number}/?columns=nothing": 400,
        f"/api/v1/objects/{number}/rejected/": 404,
        "/api/v1/cone/?ra=1": 400,
        "/api/v1/cone/?ra=1&decl=nan": 400,
        "/api/v1/nothing/": 404,
        f"/api/v1/objects/{number}/?format=xml": 400,
    }.items():
        answer = nobody.get(address)
        assert answer.status_code == status, address
        assert answer["Content-Type"] == "application/problem+json"
        assert answer.json()["status"] == status


def test_formats_hold_the_same(nobody: APIClient, archive: Archive, known: dict[str, Any]) -> None:
    number = known["diaObjectId"]
    expected = archive.light_curve(number).diaSources
    address = f"/api/v1/objects/{number}/lightcurve/"
    whole = nobody.get(address).json()
    assert [row["diaSourceId"] for row in whole["diaSources"]] == [
        str(i) for i in expected["diaSourceId"].to_pylist()
    ]
    assert set(whole["diaSources"][0]) >= {"psfFlux", "psfFluxErr", "band", "midpointMjdTai"}
    parquet = nobody.get(f"{address}?format=parquet&columns=all")
    assert pq.read_table(pa.BufferReader(parquet.content)).equals(expected)
    arrow = nobody.get(address, headers={"Accept": "application/vnd.apache.arrow.stream"})
    usual = list(whole["diaSources"][0])
    assert pyarrow.ipc.open_stream(arrow.content).read_all().equals(expected.select(usual))
    text = b"".join(nobody.get(f"{address}?format=csv&table=diaForcedSources"))
    lines = list(csv.DictReader(io.StringIO(text.decode())))
    forced = archive.light_curve(number).diaForcedSources
    assert [float(line["psfFlux"]) for line in lines if line["psfFlux"]] == pytest.approx(
        [f for f in forced["psfFlux"].to_pylist() if f is not None]
    )
    some = nobody.get(f"{address}?columns=band,psfFlux").json()
    assert set(some["diaSources"][0]) == {"band", "psfFlux"}
    several = nobody.post("/api/v1/lightcurves/", {"diaObjectIds": [str(number)]}, format="json").json()
    assert several == whole


def test_formulas_in_csv_are_texts(ann: APIClient) -> None:
    made = ann.post("/api/v1/watchlists/", {"name": "w"}, format="json").json()
    rows = f"/api/v1/watchlists/{made['id']}/rows/"
    ann.post(rows, {"name": "=1+1", "ra": 1.0, "decl": 1.0}, format="json")
    assert b"'=1+1" in b"".join(ann.get(f"{rows}?format=csv"))


def test_images(nobody: APIClient, archive: Archive, known: dict[str, Any]) -> None:
    number = archive.light_curve(known["diaObjectId"]).diaSources["diaSourceId"][-1].as_py()
    answer = nobody.get(f"/api/v1/cutouts/{number}/Difference.fits")
    assert answer.content == archive.cutout(number, "Difference")
    assert fits.getdata(io.BytesIO(answer.content)).ndim == 2
    assert nobody.get(f"/api/v1/cutouts/{number}/science.png?size=64").content[:4] == b"\x89PNG"
    assert nobody.get(f"/api/v1/cutouts/{number}/science.png?size=1").status_code == 400
    assert nobody.get(f"/api/v1/cutouts/{number}/other.png").status_code == 404
    assert nobody.get("/api/v1/cutouts/1/science.png").status_code == 404


def test_queries(nobody: APIClient, ann: APIClient, archive: Archive) -> None:
    text = "SELECT TOP 3 diaObjectId, ra FROM objects ORDER BY diaObjectId"
    expected = archive.query("SELECT diaObjectId, ra FROM objects ORDER BY diaObjectId LIMIT 3").to_pylist()
    answer = nobody.post("/api/v1/query/", {"adql": text}, format="json").json()
    assert answer["rows"] == [{**row, "diaObjectId": str(row["diaObjectId"])} for row in expected]
    assert not answer["truncated"]
    cut = ann.post("/api/v1/query/", {"selected": "objects.ra", "limit": 2}, format="json").json()
    assert (len(cut["rows"]), cut["truncated"]) == (2, True)
    wrong = nobody.post("/api/v1/query/", {"adql": "SELECT raa FROM objects"}, format="json")
    assert (wrong.status_code, wrong.json()["position"]) == (400, 7)
    assert "ra" in wrong.json()["suggestion"]
    for text in (
        "SELECT * FROM rejected",
        "SELECT * FROM filter_hits",
        "DROP TABLE objects",
        "SELECT 1; SELECT 2",
    ):
        assert nobody.post("/api/v1/query/", {"adql": text}, format="json").status_code == 400, text
    assert nobody.post("/api/v1/query/", {}, format="json").status_code == 400
    said = ann.post("/api/v1/query/check/", {"adql": "SELECT ra, survey FROM objects"}, format="json").json()
    assert said["columns"] == [{"name": "ra", "type": "real"}, {"name": "survey", "type": "text"}]
    assert said["rows"] == 10_000


def test_a_filter_from_draft_to_its_end(ann: APIClient, archive: Archive, known: dict[str, Any]) -> None:
    query = "SELECT diaObjectId, ra FROM objects WHERE nDiaSources > 1"
    made = ann.post("/api/v1/filters/", {"name": "f", "adql": query}, format="json")
    assert made.status_code == 201
    address = f"/api/v1/filters/{made.json()['id']}/"
    wrong = ann.post(f"{address}versions/", {"adql": "SELECT raa FROM objects"}, format="json")
    assert wrong.status_code == 400
    assert wrong.json()["errors"][0]["field"] == "adql"
    assert ann.post(f"{address}versions/1/activate/").status_code == 400, "not previewed"
    seen = ann.post(f"{address}versions/1/preview/").json()
    passing = archive.query("SELECT count(*) FROM objects WHERE nDiaSources > 1").column(0)[0].as_py()
    assert (seen["count"], len(seen["rows"]) > 0) == (passing, True)
    few = f"{query} AND nDiaSources > 100000"
    assert ann.post(f"{address}versions/", {"adql": few}, format="json").json()["number"] == 2
    ann.post(f"{address}versions/2/preview/")
    assert ann.post(f"{address}versions/2/activate/").json()["state"] == "active"
    assert ann.get(address).json()["active_version"] == 2
    assert "100000" in ann.get(f"{address}diff/?old=1&new=2").json()["diff"]
    why = ann.get(f"{address}why/", {"object": str(known["diaObjectId"])}).json()
    assert (why["passes"], why["diaObjectId"]) == (False, str(known["diaObjectId"]))
    assert ann.get(f"{address}health/").json()["version"] == 2
    assert ann.get(f"{address}hits/").json() == {"results": [], "next": None}
    output = ann.post(
        f"{address}outputs/", {"kind": "webhook", "url": "https://example.org/"}, format="json"
    ).json()
    assert output["secret"].startswith("whsec_")
    other = ann.post(f"{address}outputs/{output['id']}/secret/").json()
    assert other["secret"] != output["secret"]
    assert ann.delete(f"{address}outputs/{output['id']}/").status_code == 204
    assert ann.post(f"{address}deactivate/").json()["active_version"] is None
    assert ann.post(f"{address}fork/").json()["name"] == "f (2)"
    assert ann.delete(address).status_code == 204
    assert ann.get(address).status_code == 404


def test_hits_page_by_page(ann: APIClient, empty_archive: Archive) -> None:
    from lasair_broker.schema import arrow_schema

    archive = empty_archive
    made = ann.post("/api/v1/filters/", {"name": "f", "adql": "SELECT ra FROM objects"}, format="json").json()
    schema = arrow_schema("filter_hits")
    for part in range(3):
        rows = {
            "hitId": [f"h{made['id']}-{part}-{n}" for n in range(3)],
            "filterId": [made["id"]] * 3,
            "filterVersion": [1] * 3,
            "diaObjectId": [2**60 + n for n in range(3)],
            "content": ["{}"] * 3,
        }
        columns = [pa.array(rows.get(field.name, [None] * 3), field.type) for field in schema]
        archive.write([], tables={"filter_hits": pa.table(columns, schema=schema)})
    found, address = [], f"http://localhost/api/v1/filters/{made['id']}/hits/?limit=2"
    while address:
        page = ann.get(address.removeprefix("http://localhost")).json()
        found += [row["hitId"] for row in page["results"]]
        address = page["next"]
    assert found == sorted(found, reverse=True)
    assert len(found) == 9
    assert ann.get(f"/api/v1/filters/{made['id']}/hits/?after=x").status_code == 400


def test_a_watchlist(ann: APIClient, known: dict[str, Any]) -> None:
    made = ann.post("/api/v1/watchlists/", {"name": "w"}, format="json").json()
    address = f"/api/v1/watchlists/{made['id']}/"
    good = f"ra,dec,name\n{known['ra']},{known['decl']},a\n10,95,b\n".encode()
    refused = ann.post(f"{address}upload/", {"file": SimpleUploadedFile("w.csv", good)}, format="multipart")
    assert refused.status_code == 400
    assert any("3" in fault["field"] for fault in refused.json()["errors"]), refused.json()
    kept = ann.post(
        f"{address}upload/",
        {"file": SimpleUploadedFile("w.csv", good), "skip_bad_rows": "true"},
        format="multipart",
    )
    assert (kept.status_code, kept.json()["row_count"]) == (201, 1)
    for junk in (b"", b"\x00" * 100, b"<xml/>", b"PAR1" + b"\xff" * 64):
        file = SimpleUploadedFile("../../etc/passwd", junk)
        assert ann.post(f"{address}upload/", {"file": file}, format="multipart").status_code == 400
    cone = ann.post(f"{address}rows/", {"name": "c", "ra": 1.0, "decl": 2.0}, format="json").json()["cone_id"]
    assert ann.patch(f"{address}rows/{cone}/", {"name": "d"}, format="json").status_code == 204
    first = ann.get(f"{address}rows/?limit=1").json()
    assert [row["name"] for row in first["rows"]] == ["a"]
    rest = ann.get(first["next"].removeprefix("http://localhost")).json()
    assert [row["name"] for row in rest["rows"]] == ["d"]
    assert ann.patch(address, {"active": True}, format="json").json()["active"]
    trigger = ann.post(f"{address}triggers/", {"magnitude": 20.0}, format="json")
    assert trigger.status_code == 201
    assert ann.delete(f"{address}triggers/{trigger.json()['id']}/").status_code == 204
    assert ann.get(f"{address}hits/").json() == {"results": [], "next": None}
    assert ann.post(f"{address}copy/", {"name": "w2"}, format="json").status_code == 201
    lists = ann.get("/api/v1/watchlists/?limit=1").json()
    again = ann.get(lists["next"].removeprefix("http://localhost")).json()
    assert [found["name"] for found in lists["results"] + again["results"]] == ["w", "w2"]
    assert again["next"] is None


def test_a_watchmap_and_an_annotator(ann: APIClient, known: dict[str, Any]) -> None:
    circle = {"name": "m", "ra": [10.0], "decl": [-20.0], "radius": 1.0}
    made = ann.post("/api/v1/watchmaps/", circle, format="json").json()
    assert made["area_deg2"] == pytest.approx(3.14, rel=0.05)
    moc = ann.get(f"/api/v1/watchmaps/{made['id']}/moc/")
    again = ann.post(
        "/api/v1/watchmaps/",
        {"name": "n", "file": SimpleUploadedFile("m.fits", moc.content)},
        format="multipart",
    )
    assert again.json()["area_deg2"] == made["area_deg2"]
    bad = ann.post("/api/v1/watchmaps/", {"name": "x", "ra": [1.0], "decl": []}, format="json")
    assert bad.status_code == 400
    assert ann.post("/api/v1/annotators/", {"topic": "fast"}, format="json").status_code == 201
    said = {"annotations": [{"diaObjectId": str(known["diaObjectId"]), "classification": "SN"}]}
    assert ann.post("/api/v1/annotators/fast/annotations/", said, format="json").json()["count"] == 1
    said["annotations"].append({"diaObjectId": "1", "classification": "SN"})
    wrong = ann.post("/api/v1/annotators/fast/annotations/", said, format="json")
    assert wrong.json()["errors"] == [
        {"field": "row 2, diaObjectId", "message": "there is no object 1 in the archive"}
    ]


def test_general(nobody: APIClient, archive: Archive) -> None:
    objects = archive.status().tables["objects"].rows
    tables = {size["name"]: size["rows"] for size in nobody.get("/api/v1/status/").json()["tables"]}
    assert tables["objects"] == objects
    assert "watchlist_hits" not in tables, "it would count private hits"
    names = [found["name"] for found in nobody.get("/api/v1/tables/").json()["tables"]]
    assert "objects" in names
    assert "filter_hits" not in names
    assert nobody.get("/api/v1/tables/objects/").json()["columns"][0]["name"]
    assert nobody.get("/api/v1/account/").json()["limits"]["class"] == "anonymous"
    for part in ("live", "ready"):
        assert nobody.get(f"/health/{part}").status_code == 200
    answer = nobody.get("/api/v1/account/")
    assert answer["Content-Security-Policy"].startswith("default-src 'none'")
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Cache-Control"] == "private, no-store"
    assert nobody.get("/api/v1/docs/")["Content-Security-Policy"].startswith("default-src 'self'")
