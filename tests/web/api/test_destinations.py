"""Objects that people send to their SkyPortal or TOM."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from astropy.time import Time
from other_systems import TOKEN, Systems, other_systems

from lasair_broker.archive import Archive
from lasair_broker.settings import SendingSettings

SYSTEMS = ("skyportal", "tom")


@pytest.fixture
def systems(monkeypatch: pytest.MonkeyPatch) -> Iterator[Systems]:
    monkeypatch.setenv("no_proxy", "*")
    with other_systems() as started:
        allow(monkeypatch)
        yield started


def allow(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
    """What the operator sets."""
    from django.conf import settings

    monkeypatch.setattr(settings, "LASAIR_SENDING", SendingSettings(**{"hosts": "127.0.0.1", **changes}))


@pytest.fixture
def known(archive: Archive) -> dict[str, Any]:
    """An object with detections."""
    text = (
        "SELECT diaObjectId, objectName, ra, decl FROM objects ORDER BY nDiaSources DESC, diaObjectId LIMIT 1"
    )
    row: dict[str, Any] = archive.query(text).to_pylist()[0]
    columns = ["midpointMjdTai", "band", "psfFlux", "psfFluxErr"]
    row["sources"] = archive.light_curve(row["diaObjectId"], {"diaSources": columns}).diaSources.to_pylist()
    row["name"] = row["objectName"] or str(row["diaObjectId"])
    return row


def add(client: Any, systems: Systems, kind: str, **more: Any) -> Any:
    system, path = kind, "portal" if kind == "skyportal" else "tom"
    body = {"name": f"my {system}", "system": system, "address": f"{systems.address}/{path}/", "token": TOKEN}
    return client.post("/api/v1/destinations/", body | more, format="json")


def done(client: Any, made: Any) -> dict[str, Any]:
    from lasair_broker.web.transfers.running import run

    assert made.status_code == 201, made.json()
    run(made.json()["id"])
    found: dict[str, Any] = client.get(f"/api/v1/transfers/{made.json()['id']}/").json()
    return found


def send(client: Any, known: dict[str, Any], destination: int, **more: Any) -> Any:
    body = {"destination": destination, **more}
    return client.post(f"/api/v1/objects/{known['diaObjectId']}/send/", body, format="json")


def add_points(client: Any, known: dict[str, Any], visibility: str, *points: dict[str, Any]) -> None:
    body = {"name": "p", "provenance": "x", "visibility": visibility, "points": list(points)}
    made = client.post(f"/api/v1/objects/{known['diaObjectId']}/photometry/", body, format="json")
    assert made.status_code == 201, made.json()


def atlas(mjd: float, flux: float = 90.0) -> dict[str, Any]:
    return {"mjd": mjd, "band": "o", "value": flux, "error": 10.0, "unit": "uJy", "instrument": "ATLAS"}


def test_to_a_skyportal(systems: Systems, known: dict[str, Any], people: Any, client_of: Any) -> None:
    ann, bob = client_of(people.ann), client_of(people.bob)
    number = add(ann, systems, "skyportal").json()["id"]
    add_points(bob, known, "public", atlas(60000.25), {**atlas(60001.25), "band": "Ks"})
    add_points(ann, known, "private", atlas(60002.25))
    add_points(bob, known, "private", atlas(60003.25))
    sent = done(ann, send(ann, known, number))
    assert (sent["phase"], sent["error"]) == ("COMPLETED", "")
    source = systems.sources[known["name"]]
    assert (source["ra"], source["dec"]) == (known["ra"], known["decl"])
    assert sent["link"] == f"{systems.address}/portal/source/{known['name']}"
    rows = {(row[0], row[2]): row for row in systems.photometry}
    lsst = [row for row in systems.photometry if row[0] == 4]
    assert len(lsst) == len(known["sources"])
    for detection in known["sources"]:
        utc = Time(detection["midpointMjdTai"], format="mjd", scale="tai").utc.mjd
        same = [row for row in lsst if abs(row[1] - utc) < 1e-9 and row[2] == f"lsst{detection['band']}"]
        assert [row[3:] for row in same] == [(detection["psfFlux"], detection["psfFluxErr"])]
    assert rows[7, "atlaso"] == (7, 60000.25, "atlaso", 90e3, 10e3)
    assert sent["count"] == len(systems.photometry) == len(lsst) + 1, "what is private stays here"
    assert sent["left_out"] == 1, "of Ks nobody there knows"
    # Again, and all is as it was; with what is private only what ann may see.
    systems.sources[known["name"]]["ra"] = 0.0
    again = done(ann, send(ann, known, number, private=True))
    assert again["count"] == len(systems.photometry) == sent["count"] + 1
    assert systems.sources[known["name"]]["ra"] == known["ra"]
    assert {row[1] for row in systems.photometry if row[0] == 7} == {60000.25, 60002.25}


def test_to_a_tom(systems: Systems, known: dict[str, Any], people: Any, client_of: Any) -> None:
    ann = client_of(people.ann)
    systems.targets[4] = {"name": f"{known['name']} B"}  # a name that holds ours
    number = add(ann, systems, "tom").json()["id"]
    add_points(ann, known, "public", atlas(60000.25), atlas(60001.25, -50.0))
    sent = done(ann, send(ann, known, number))
    assert (sent["phase"], sent["error"]) == ("COMPLETED", "")
    ((target, made),) = [(n, t) for n, t in systems.targets.items() if t["name"] == known["name"]]
    assert (made["type"], made["ra"], made["dec"]) == ("SIDEREAL", known["ra"], known["decl"])
    assert sent["link"] == f"{systems.address}/tom/targets/{target}/"
    (product,) = systems.products.values()
    assert (product["target"], product["data_product_type"]) == (target, "photometry")
    bright = [row for row in known["sources"] if row["psfFlux"] > 3.0 * row["psfFluxErr"]]
    assert sent["count"] == len(product["rows"]) == len(bright) + 1
    assert sent["left_out"] == len(known["sources"]) - len(bright) + 1, "a negative flux has no magnitude"
    (row,) = [row for row in product["rows"] if row["filter"] == "atlaso"]
    assert float(row["time"]) == 60000.25
    assert float(row["magnitude"]) == pytest.approx(31.4 - 2.5 * math.log10(90e3), abs=1e-5)
    assert float(row["error"]) == pytest.approx(2.5 / math.log(10) / 9.0, abs=1e-5)
    # Again, when the object has moved a little and has one point more.
    systems.targets[target] |= {"ra": 0.0, "note": "ours"}
    for n in range(10, 15):
        systems.products[n] = {"product_id": f"other {n}", "target": target, "rows": []}
    add_points(ann, known, "public", atlas(60002.25))
    again = done(ann, send(ann, known, number))
    assert again["link"] == sent["link"]
    assert (systems.targets[target]["ra"], systems.targets[target]["note"]) == (known["ra"], "ours")
    own = [p for p in systems.products.values() if p["product_id"].startswith("lasair-")]
    assert [len(product["rows"]) for product in own] == [sent["count"] + 1]
    assert len(systems.products) == 6, "what others have put there stays"


def test_fluxes_that_are_no_differences_stay_here(
    systems: Systems, known: dict[str, Any], people: Any, client_of: Any
) -> None:
    from lasair_broker.web.photometry.models import PhotometrySet

    ann = client_of(people.ann)
    number = add(ann, systems, "skyportal").json()["id"]
    add_points(ann, known, "public", atlas(60000.25))
    PhotometrySet.objects.update(flux_of="total")
    limit = {**atlas(60001.0), "is_limit": True, "error": None}
    add_points(ann, known, "public", limit)
    sent = done(ann, send(ann, known, number))
    assert (sent["count"], sent["left_out"]) == (len(known["sources"]), 2)


@pytest.mark.parametrize("system", SYSTEMS)
def test_tried_before_anything_is_sent(system: str, systems: Systems, people: Any, client_of: Any) -> None:
    ann = client_of(people.ann)
    number = add(ann, systems, system).json()["id"]
    address = f"/api/v1/destinations/{number}/"
    tried = done(ann, ann.post(f"{address}test/"))
    assert (tried["phase"], tried["diaObjectId"]) == ("COMPLETED", None)
    assert ("Supernovae" if system == "skyportal" else "sees 3 targets") in tried["progress"]
    assert {method for method, _ in systems.asked} == {"GET"}, "nothing is changed there"
    assert ann.patch(address, {"token": "wrong"}, format="json").status_code == 200
    tried = done(ann, ann.post(f"{address}test/"))
    assert tried["phase"] == "ERROR"
    assert "refuses the token (401): Invalid token" in tried["error"]
    assert "wrong" not in tried["error"]
    systems.trouble = "page"
    assert done(ann, ann.post(f"{address}test/"))["phase"] == "ERROR"


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize(
    ("trouble", "told"),
    [
        (500, "(500): <b>no</b> room"),
        (403, "refuses the token (403)"),
        ("elsewhere", "which is not followed"),
        ("page", "answers with something else than JSON"),
        ("silent", "gives no answer"),
    ],
)
def test_what_goes_wrong_is_told(
    system: str, trouble: int | str, told: str, systems: Systems, known: dict[str, Any], people: Any,
    client_of: Any, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    allow(monkeypatch, seconds=0.5 if trouble == "silent" else 30.0)
    ann = client_of(people.ann)
    number = add(ann, systems, system).json()["id"]
    systems.trouble = trouble
    sent = done(ann, send(ann, known, number))
    assert sent["phase"] == "ERROR"
    assert told in sent["error"]
    assert TOKEN not in sent["error"]
    systems.trouble = None
    assert done(ann, send(ann, known, number))["phase"] == "COMPLETED", "and it can be sent again"


def test_the_token_lies_encrypted_and_is_never_shown(
    systems: Systems, known: dict[str, Any], people: Any, client_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.conf import settings

    from lasair_broker.web.transfers.models import Destination
    from lasair_broker.web.transfers.sealing import seal, unseal

    ann = client_of(people.ann)
    made = add(ann, systems, "tom")
    number = made.json()["id"]
    kept = Destination.objects.get(pk=number)
    assert TOKEN not in str(vars(kept)) + repr(kept)
    assert unseal(kept.token) == TOKEN
    assert seal(TOKEN) != seal(TOKEN), "what is the same does not look the same"
    for address in ("/api/v1/destinations/", f"/api/v1/destinations/{number}/"):
        text = ann.get(address).content.decode()
        assert TOKEN not in text
        assert "token" not in text
    monkeypatch.setattr(settings, "SECRET_KEY", "another key of this site, long enough to be one")
    sent = done(ann, send(ann, known, number))
    assert "store the token again" in sent["error"]
    assert systems.asked == []


def test_a_token_goes_to_no_other_address(systems: Systems, people: Any, client_of: Any) -> None:
    ann = client_of(people.ann)
    number = add(ann, systems, "tom").json()["id"]
    address = f"/api/v1/destinations/{number}/"
    moved = ann.patch(address, {"address": f"{systems.address}/portal"}, format="json")
    assert (moved.status_code, "token again" in moved.json()["detail"]) == (400, True)
    both = {"address": f"{systems.address}/portal", "token": "t"}
    assert ann.patch(address, both, format="json").json()["address"] == f"{systems.address}/portal"
    assert ann.patch(address, {"name": "renamed"}, format="json").json()["name"] == "renamed"


def test_only_hosts_that_the_operator_allows(
    systems: Systems, known: dict[str, Any], people: Any, client_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = client_of(people.ann)
    number = add(ann, systems, "tom").json()["id"]
    for address in (
        "https://evil.example.org/", "http://localhost:1/", "ftp://127.0.0.1/", "https://u:p@127.0.0.1/",
        f"{systems.address}/?next=", f"{systems.address}/#", "javascript:alert(1)", "127.0.0.1",
        "https://127.0.0.1 /",
    ):  # fmt: skip
        assert add(ann, systems, "tom", address=address, name="other").status_code == 400, address
    allow(monkeypatch, hosts=".example.org")
    assert add(ann, systems, "tom", address="http://a.example.org", name="b").status_code == 400, "in clear"
    assert add(ann, systems, "tom", address="https://a.example.org", name="b").status_code == 201
    refused = send(ann, known, number)
    assert (refused.status_code, "not allowed here" in refused.json()["detail"]) == (400, True)
    allow(monkeypatch)
    waiting = send(ann, known, number)
    allow(monkeypatch, hosts="")
    assert "operator allows no host" in done(ann, waiting)["error"]
    assert systems.asked == []


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"token": ""}, "token"),
        ({"token": "a\nb"}, "token"),
        ({"token": "ä"}, "token"),
        ({"name": ""}, "name"),
        ({"system": "hermes"}, "system"),
        ({"name": "my tom"}, ""),
    ],
)
def test_what_is_wrong_is_named(
    given: dict[str, str], field: str, systems: Systems, people: Any, client_of: Any
) -> None:
    ann = client_of(people.ann)
    assert add(ann, systems, "tom").status_code == 201
    refused = add(ann, systems, "tom", **({"name": "another"} | given))
    assert refused.status_code == 400
    assert field in [fault["field"] for fault in refused.json()["errors"]]


def test_each_uses_their_own(systems: Systems, known: dict[str, Any], people: Any, client_of: Any) -> None:
    ann, bob = client_of(people.ann), client_of(people.bob)
    number = add(ann, systems, "tom").json()["id"]
    address = f"/api/v1/destinations/{number}/"
    assert bob.get("/api/v1/destinations/").json()["results"] == []
    assert {bob.get(address).status_code, bob.delete(address).status_code} == {404}
    assert bob.patch(address, {"token": "x"}, format="json").status_code == 404
    assert {bob.post(f"{address}test/").status_code, send(bob, known, number).status_code} == {404}
    assert client_of(None).get("/api/v1/destinations/").status_code in (401, 403)
    assert send(client_of(None), known, number).status_code in (401, 403)
    assert send(client_of(people.ann, "read"), known, number).status_code == 403
    waiting = send(ann, known, number)
    assert send(ann, known, number).json()["id"] == waiting.json()["id"], "what is under way goes on"
    assert ann.delete(address).status_code == 204
    assert "the destination was removed" in done(ann, waiting)["error"]
    assert systems.asked == []


def test_so_often_in_an_hour(
    systems: Systems, known: dict[str, Any], people: Any, client_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lasair_broker.web.transfers.models import Transfer

    allow(monkeypatch, an_hour=2)
    ann = client_of(people.ann)
    number = add(ann, systems, "tom").json()["id"]
    done(ann, ann.post(f"/api/v1/destinations/{number}/test/"))
    done(ann, send(ann, known, number))
    refused = send(ann, known, number)
    assert (refused.status_code, "2 times" in refused.json()["detail"]) == (429, True)
    Transfer.objects.update(created=Transfer.objects.first().created - timedelta(hours=1))
    assert send(ann, known, number).status_code == 201
    other = add(ann, systems, "skyportal").json()["id"]
    assert send(ann, known, other).status_code == 201


def test_the_part_of_the_page(
    systems: Systems, known: dict[str, Any], people: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.test import Client

    from lasair_broker.web.transfers.models import Destination, Transfer
    from lasair_broker.web.transfers.running import run

    page = f"/objects/{known['diaObjectId']}"
    nobody, ann, bob = (Client(SERVER_NAME="localhost", headers={"HX-Request": "true"}) for _ in range(3))
    ann.force_login(people.ann)
    bob.force_login(people.bob)
    assert "Log in to send" in nobody.get(f"{page}/panels/send/").content.decode()
    form = {"name": "<i>our TOM", "system": "tom", "address": "https://evil.example.org", "token": TOKEN}
    refused = ann.post(f"{page}/destinations/", form).content.decode()
    assert "its host is not allowed here" in refused
    assert 'value="&lt;i&gt;our TOM"' in refused
    assert TOKEN not in refused
    stored = ann.post(f"{page}/destinations/", form | {"address": f"{systems.address}/tom"})
    assert "&lt;i&gt;our TOM" in stored.content.decode()
    number = Destination.objects.get().pk
    assert "our TOM" not in bob.get(f"{page}/panels/send/").content.decode()
    for what in ("test", "remove"):
        assert bob.post(f"{page}/destinations/{number}/{what}/").status_code == 404
    assert bob.post(f"{page}/send/", {"destination": number}).status_code == 404
    for text in ("", "x", "9" * 30):
        assert ann.post(f"{page}/send/", {"destination": text}).status_code == 404
    ann.post(f"{page}/destinations/{number}/test/")
    run(Transfer.objects.latest("pk").pk)
    told = ann.get(f"{page}/watch/send/?of={Transfer.objects.latest('pk').pk}")
    assert "It takes the token, which sees 3 targets" in told.content.decode()
    sent = ann.post(f"{page}/send/", {"destination": number, "private": "1"})
    transfer = Transfer.objects.latest("pk")
    assert transfer.state["private"]
    assert f"/watch/send/?of={transfer.pk}" in sent.content.decode()
    run(transfer.pk)
    told = ann.get(f"{page}/watch/send/?of={transfer.pk}")
    assert f'<a href="{systems.address}/tom/targets/4/"' in told.content.decode()
    assert "The object is in" in told["HX-Trigger"]
    assert "our TOM" not in ann.post(f"{page}/destinations/{number}/remove/").content.decode()
    allow(monkeypatch, hosts="")
    assert "allowed no TOM and no SkyPortal" in ann.get(f"{page}/panels/send/").content.decode()
