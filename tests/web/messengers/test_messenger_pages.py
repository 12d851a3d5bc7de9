"""Pages of messengers, asked in this process: a gravitational wave around an object of a simulated night."""

from __future__ import annotations

import base64
import csv
import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from astropy.time import Time
from django.test import Client

from lasair_broker.archive import Archive, open_archive
from lasair_broker.context.events import read_notice, take_in
from lasair_broker.packets import SchemaStore
from lasair_broker.packets.simulator import Simulation
from lasair_broker.sky import Moc, gaussian_skymap, read_skymap
from lasair_broker.stream import Pipeline, run, standard_stages
from lasair_broker.stream.context import ContextKeeper
from lasair_broker.stream.messengers import MessengerChore, MessengerLoader
from lasair_broker.web.archive import use
from lasair_broker.web.watchmaps.models import Watchmap

sys.path.insert(0, str(Path(__file__).parents[2] / "stream"))  # for `stream_fixtures`
from stream_fixtures import ListSource

PAGE = "/messengers/LVK/S260101a/"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Archive, Path, dict[str, Any]]]:
    folder = tmp_path_factory.mktemp("messengers")
    values = [bytes(value) for part in Simulation.night(60, seed=9).alerts() for value in part.values]
    loader = MessengerLoader(folder / "catalogues")
    with open_archive(folder / "archive") as archive:
        run(ListSource(values, 60), Pipeline(SchemaStore(), standard_stages(messengers=loader)), archive)
        sql = "SELECT * FROM objects ORDER BY firstDiaSourceMjdTai DESC, diaObjectId LIMIT 1"
        (newest,) = archive.query(sql).to_pylist()
        when = Time(newest["firstDiaSourceMjdTai"] - 0.5, format="mjd", scale="tai").utc.isot + "Z"
        skymap = gaussian_skymap(newest["ra"], newest["decl"], 2.0).to_fits()
        event = {"time": when, "far": 1e-12, "group": "CBC", "classification": {"BNS": 1.0},
                 "properties": {"HasRemnant": 1.0}, "skymap": base64.b64encode(skymap).decode()}  # fmt: skip
        notice = {"superevent_id": "S260101a", "alert_type": "INITIAL", "time_created": when, "event": event}
        take_in(folder / "catalogues", [read_notice(json.dumps(notice).encode())])
        ContextKeeper(archive, [MessengerChore(archive, loader)]).finish()
        yield archive, folder / "catalogues", newest


@pytest.fixture
def client(world: tuple[Archive, Path, dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    monkeypatch.setenv("LASAIR_CONTEXT__CATALOGUES", str(world[1]))
    use(world[0])
    yield Client()
    use(None)


def test_the_list_and_the_page(client: Client, world: tuple[Archive, Path, dict[str, Any]]) -> None:
    listed = client.get("/messengers/")
    assert listed.status_code == 200
    assert PAGE in listed.content.decode()
    assert "No event fits" in client.get("/messengers/?kind=frb").content.decode()
    page = client.get(PAGE)
    text = page.content.decode()
    assert page.status_code == 200
    assert world[2]["objectName"] in text
    assert "90 and, darker, 50 per cent" in text
    assert "event:S260101a" in text
    assert "within a day" in text
    assert client.get(PAGE + "?show=old").status_code == 200
    assert "There are none so far" in client.get(PAGE + "?show=gold").content.decode()
    assert client.get("/messengers/LVK/nothing/").status_code == 404


def test_what_can_be_taken_away(client: Client, world: tuple[Archive, Path, dict[str, Any]]) -> None:
    skymap = read_skymap(client.get(PAGE + "map.fits").content)
    moc = Moc.read(client.get(PAGE + "region-90.fits").content)
    assert moc.ranges.tolist() == skymap.region(0.9).ranges.tolist()
    assert client.get(PAGE + "region-100.fits").status_code == 404
    rows = list(csv.DictReader(io.StringIO(client.get(PAGE + "candidates.csv").content.decode())))
    names = [row["objectName"] for row in rows]
    assert world[2]["objectName"] in names
    notice = client.get(PAGE + "candidates.json").json()
    assert [target["event_name"] for target in notice["data"]["targets"]] == names
    assert notice["data"]["targets"][0]["gcn_crossmatch"] == [
        {"ref_type": "GW", "ref_instrument": "LVK", "ref_ID": "S260101a"}
    ]


def test_notices_through_the_api(
    client: Client, world: tuple[Archive, Path, dict[str, Any]], people: Any
) -> None:
    address = f"/api/v1{PAGE}candidates/"
    assert client.get(address).json() == client.get(PAGE + "candidates.json").json()
    assert len(client.get(address + "?limit=1").json()["data"]["targets"]) == 1
    notice = {"mission": "X", "id": uuid4().hex, "ra": 1.0, "dec": 2.0, "ra_dec_error": 1.0}
    send = {"notice": json.dumps(notice)}
    where = "/api/v1/messengers/notices/"
    assert client.post(where, send, content_type="application/json").status_code == 401
    client.force_login(people.ann)
    assert client.post(where, send, content_type="application/json").status_code == 403
    people.ann.is_staff = True
    people.ann.save()
    client.force_login(people.ann)
    taken = client.post(where, send, content_type="application/json")
    assert (taken.status_code, taken.json()) == (200, {"new": 1, "changed": 0, "problems": []})
    assert client.post(where, send, content_type="application/json").json()["new"] == 0
    wrong = client.post(where, {"notice": "{}"}, content_type="application/json")
    assert wrong.status_code == 400
    assert "names no event" in wrong.content.decode()


def test_a_region_becomes_a_watchmap(
    client: Client, world: tuple[Archive, Path, dict[str, Any]], people: Any
) -> None:
    assert client.post(PAGE + "watchmap/").status_code == 302  # to where one logs in
    assert not Watchmap.objects.exists()
    client.force_login(people.ann)
    made = client.post(PAGE + "watchmap/")
    (found,) = Watchmap.objects.all()
    assert made["Location"].endswith(f"/watchmaps/{found.pk}/")
    assert found.owner == people.ann
    again = client.post(PAGE + "watchmap/")
    assert again["Location"].endswith(PAGE)  # it is there already, and the page says so
    assert Watchmap.objects.count() == 1
