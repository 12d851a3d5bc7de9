"""Today's contract, as today's client speaks it: the package `lasair` from PyPI, unchanged, over HTTP."""

from __future__ import annotations

import json
from typing import Any

import lasair
import pytest
import requests
from site_under_test import Site

from lasair_broker.archive import open_archive
from lasair_broker.context import CLASSES


@pytest.fixture(autouse=True)
def database() -> None:
    """The site has a user database of its own."""


@pytest.fixture(scope="module")
def token(site: Site) -> str:
    site.lasair("user", "create", "ann", "--email", "ann@example.org")
    site.lasair("user", "password", "ann", said="correct horse battery\n")
    site.lasair("annotator", "create", "fastfinder", "--user", "ann")
    return site.lasair("user", "token", "ann")


@pytest.fixture
def client(site: Site, token: str) -> Any:
    return lasair.lasair_client(token, endpoint=f"{site.address}/api")


@pytest.fixture(scope="module")
def known(site: Site) -> dict[str, Any]:
    """The object with the most detections, as the archive itself tells it."""
    with open_archive(site.folder, read_only=True) as archive:
        number = archive.query(
            "SELECT diaObjectId FROM objects ORDER BY nDiaSources DESC, diaObjectId LIMIT 1"
        )
        row = archive.object(number.column(0)[0].as_py()).to_pylist()[0]
        curve = archive.light_curve(row["diaObjectId"])
        return {
            **row,
            "sources": curve.diaSources.to_pylist(),
            "forced": curve.diaForcedSources.to_pylist(),
            "all": archive.query("SELECT count(*) FROM objects").column(0)[0].as_py(),
            "images": archive.cutout(curve.diaSources["diaSourceId"][-1].as_py(), "Science"),
        }


def test_cone(client: Any, known: dict[str, Any]) -> None:
    ra, decl = known["ra"], known["decl"]
    found = client.cone(ra, decl, radius=2.0)
    assert found["count"] == len(found["objects"]) >= 1
    assert found["nearest"] == found["objects"][0]
    assert found["nearest"]["object"] == known["diaObjectId"], "an exact 64-bit number"
    assert found["nearest"]["separation"] < 1e-3
    assert client.cone(ra, decl, 2.0, "nearest") == {"nearest": found["nearest"]}
    assert client.cone(ra, decl, 2.0, "count") == {"count": found["count"]}
    assert client.cone((ra + 180.0) % 360.0, -decl, 1.0, "nearest") == {}
    for wrong in ((ra, 91.0), (-1.0, decl), (ra, decl, 1001.0), (ra, decl, -1.0)):
        with pytest.raises(lasair.LasairError) as error:
            client.cone(*wrong)
        assert error.value.message.startswith("Bad Request:{")


def test_query(client: Any, known: dict[str, Any]) -> None:
    rows = client.query(
        "objects.diaObjectId, objects.ra AS right_ascension",
        "objects",
        f"diaObjectId = {known['diaObjectId']}",
    )
    assert rows == [{"diaObjectId": known["diaObjectId"], "right_ascension": known["ra"]}]
    order = "nDiaSources >= 0 ORDER BY diaObjectId"
    first = client.query("objects.diaObjectId", "objects", order, limit=5)
    rest = client.query("objects.diaObjectId", "objects", order, limit=5, offset=3)
    assert rest[:2] == first[3:]
    assert len(client.query("objects.diaObjectId", "objects", "", limit=1000)) == known["all"]
    for wrong in (
        "nothing_such > 1",
        "ra > 1; DROP TABLE objects",
        "1=1) UNION SELECT digest FROM api_apitoken",
    ):
        with pytest.raises(lasair.LasairError) as error:
            client.query("objects.diaObjectId", "objects", wrong)
        assert set(json.loads(error.value.message.removeprefix("Bad Request:"))) == {"error"}


def test_object(client: Any, site: Site, known: dict[str, Any]) -> None:
    number = known["diaObjectId"]
    lite = client.object(number)
    assert set(lite) == {"diaObjectId", "lasairData", "diaObject", "diaSourcesList", "diaForcedSourcesList"}
    assert lite["diaObjectId"] == str(number)
    assert set(lite["diaObject"]) == {"ra", "decl", "firstDiaSourceMjdTai", "lastDiaSourceMjdTai"}
    times = [source["midpointMjdTai"] for source in lite["diaSourcesList"]]
    assert times == sorted((s["midpointMjdTai"] for s in known["sources"]), reverse=True)
    assert set(lite["diaSourcesList"][0]) == {
        "diaSourceId", "midpointMjdTai", "band", "psfFlux", "psfFluxErr", "reliability",
    }  # fmt: skip
    assert len(lite["diaForcedSourcesList"]) == sum(s["psfFlux"] is not None for s in known["forced"])
    data = lite["lasairData"]
    assert data["nDiaSources"] == known["nDiaSources"]
    assert (data["discMjd"], data["latestMjd"]) == (times[-1], times[0])
    assert float(data["now_mjd"]) > 60000.0
    assert data["peakFilter"] in "ugrizy"
    assert data["TNS"] == {}
    assert data["rasex"].count(":") == 2
    whole = client.object(number, lite=False)
    assert whole["diaObject"]["nDiaSources"] == whole["lasairData"]["nDiaSources"] == known["nDiaSources"]
    assert len(whole["diaSourcesList"][0]) > 50
    bare = client.object(number, lasair_added=False)
    assert set(bare) == {"diaObjectId", "diaSourcesList", "diaForcedSourcesList"}
    assert set(client.object(number, lite=False, lasair_added=False)) == {*bare, "diaObject"}
    assert client.object(1, lasair_added=False) == {
        "diaObjectId": "1", "diaSourcesList": [], "diaForcedSourcesList": [],
    }  # fmt: skip
    with pytest.raises(lasair.LasairError) as error:
        client.object(1)
    assert error.value.message == f"HTTP return code 404 for\n{site.address}/api/object/"
    image = requests.get(data["imageUrls"][0]["Science"], timeout=20)
    assert (image.status_code, image.content) == (200, known["images"])
    assert (
        requests.get(data["imageUrls"][0]["Science"].replace("Science", "Other"), timeout=20).status_code
        == 404
    )


def test_sherlock(client: Any, known: dict[str, Any]) -> None:
    number = known["diaObjectId"]
    said = client.sherlock_object(number, lite=False)
    assert list(said["classifications"]) == [str(number)]
    label, text = said["classifications"][str(number)]
    assert label in CLASSES
    assert text
    assert all(match["transient_object_id"] == str(number) for match in said["crossmatches"])
    assert client.object(number)["lasairData"]["sherlock"]["classification"] == label
    with pytest.raises(lasair.LasairError, match="404"):
        raise_message(client.sherlock_object, 1)
    found = client.sherlock_position(known["ra"], known["decl"], lite=False)
    assert list(found["classifications"]) == ["query0"]
    assert all(match["transient_object_id"] == "query0" for match in found["crossmatches"])


def raise_message(method: Any, *arguments: Any) -> None:
    """Call a method; its error, which has no text, gets its message as one."""
    try:
        method(*arguments)
    except lasair.LasairError as error:
        raise lasair.LasairError(error.message) from None


def test_annotations(client: Any, site: Site, known: dict[str, Any]) -> None:
    number = known["diaObjectId"]
    said = client.annotate("fastfinder", number, "SN", explanation="it rises", classdict={"p": 0.9})
    assert (said["status"], said["annotation_topic"]) == ("success", "fast_annotations")
    assert json.loads(said["message"])["classification"] == "SN"
    batch = [{"objectId": number, "topic": "fastfinder", "classification": "AGN"} for _ in range(3)]
    assert client.annotate_list(batch) == {"status": "success", "n": 3}
    for topic, which, why in (
        ("other", number, "there is no annotator other"),
        ("fastfinder", 1, "there is no object 1"),
    ):
        with pytest.raises(lasair.LasairError) as error:
            client.annotate(topic, which, "SN")
        assert why in json.loads(error.value.message.removeprefix("Bad Request:"))["error"]
    reading = site.lasair("user", "token", "ann", "--scope", "read")
    reader = lasair.lasair_client(reading, endpoint=client.endpoint)
    assert reader.cone(known["ra"], known["decl"])["count"] >= 1
    with pytest.raises(lasair.LasairError, match="403"):
        raise_message(reader.annotate, "fastfinder", number, "SN")


def test_tokens_and_passwords(site: Site, client: Any, known: dict[str, Any]) -> None:
    stranger = lasair.lasair_client("0" * 40, endpoint=client.endpoint)
    with pytest.raises(lasair.LasairError, match="Unauthorized"):
        raise_message(stranger.cone, 1, 2)
    address = f"{client.endpoint}/auth-token/"
    answer = requests.post(address, data={"username": "ann", "password": "correct horse battery"}, timeout=20)
    token = answer.json()["token"]
    assert (len(token), int(token, 16) > 0) == (40, True)
    place = {"ra": known["ra"], "dec": known["decl"], "radius": 5, "requestType": "count"}
    by_address = requests.get(f"{client.endpoint}/cone/", params={**place, "token": token}, timeout=20)
    assert by_address.json()["count"] >= 1
    assert requests.get(f"{client.endpoint}/cone/", params=place, timeout=20).status_code == 401
    wrong = requests.post(address, data={"username": "ann", "password": "wrong"}, timeout=20)
    assert (wrong.status_code, set(wrong.json())) == (400, {"non_field_errors"})
    tries = [
        requests.post(address, data={"username": "bob", "password": "x"}, timeout=20).status_code
        for _ in range(11)
    ]
    assert tries[-1] == 429


def test_retired_methods(client: Any, known: dict[str, Any]) -> None:
    number = known["diaObjectId"]
    both = client.fetch_from_server("objects", {"objectIds": f"{number},{number}"})
    assert [found["diaObjectId"] for found in both] == [str(number)] * 2
    (curve,) = client.fetch_from_server("lightcurves", {"objectIds": number})
    assert len(curve["diaSourcesList"]) == len(known["sources"])
    said = client.fetch_from_server("sherlock/objects", {"objectIds": number})
    assert list(said["classifications"]) == [str(number)]
    assert client.fetch_from_server("streams", {"regex": ".*SN.*"}) == []
    with pytest.raises(lasair.LasairError, match="404"):
        raise_message(client.fetch_from_server, "streams/lasair_1nothing", {})
