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

import numpy as np
import pyarrow as pa
import pytest
from astropy.time import Time
from django.test import Client

from lasair_broker.archive import Archive, open_archive
from lasair_broker.context.events import read_notice, take_in
from lasair_broker.packets import SchemaStore
from lasair_broker.packets.simulator import Simulation
from lasair_broker.schema import conform
from lasair_broker.sky import Moc, gaussian_skymap, read_skymap
from lasair_broker.stream import Pipeline, run, standard_stages
from lasair_broker.stream.context import ContextKeeper
from lasair_broker.stream.messengers import MessengerChore, MessengerLoader
from lasair_broker.web.archive import use
from lasair_broker.web.filters import services as filters
from lasair_broker.web.messenger_coverage import coverage
from lasair_broker.web.messengers import event_of, map_of
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


def file_of(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return b"".join(answer.streaming_content).decode()  # type: ignore[attr-defined]  # files are streamed


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
    assert PAGE + "coverage/" in text
    assert client.get(PAGE + "?show=old").status_code == 200
    assert "None is like that" in client.get(PAGE + "?tier=gold").content.decode()
    assert "S260101a" in file_of(client, "/messengers/?t-as=csv").splitlines()[1]
    assert client.get("/messengers/LVK/nothing/").status_code == 404


def test_candidates_are_narrowed(client: Client, world: tuple[Archive, Path, dict[str, Any]]) -> None:
    def names(query: str) -> list[str]:
        rows = csv.DictReader(io.StringIO(file_of(client, f"{PAGE}?{query}&candidates-as=csv")))
        return [row["objectName"] for row in rows]

    rows = (
        world[0]
        .query(
            'SELECT o."objectName" AS name, m.*, s.classification FROM mma_hits m '
            'JOIN objects o ON o."diaObjectId" = m."diaObjectId" '
            'LEFT JOIN sherlock_classifications s ON s."diaObjectId" = m."diaObjectId" '
            "WHERE m.state = 'current' AND NOT m.\"seenBefore\""
        )
        .to_pylist()
    )
    assert rows

    def those(fits: Any) -> list[str]:
        return sorted(row["name"] for row in rows if fits(row))

    assert sorted(names("")) == those(lambda _: True)
    middle = sorted(row["contour"] for row in rows)[len(rows) // 2]
    assert sorted(names(f"level={middle + 1e-3}")) == those(lambda row: row["contour"] <= middle + 1e-3)
    assert sorted(names("tier=bronze")) == those(lambda row: row["tier"] is not None)
    kind = rows[0]["classification"]
    if kind is not None:
        assert sorted(names(f"class={kind}")) == those(lambda row: row["classification"] == kind)
    assert sorted(names("tier=x&class='&level=nan&space=&passed=9999999")) == those(lambda _: True)


def test_filters_that_candidates_passed_are_named_to_those_who_see_them(
    client: Client, world: tuple[Archive, Path, dict[str, Any]], people: Any
) -> None:
    mine = filters.create(
        people.ann, "Fast and blue", filters.Wording("SELECT objects.diaObjectId FROM objects")
    )
    hit = {"hitId": uuid4().hex, "filterId": mine.pk, "filterVersion": 1, "trigger": "alert",
           "diaObjectId": world[2]["diaObjectId"], "content": "{}", "committedMjdTai": 61000.0}  # fmt: skip
    world[0].rematch({}, {"filter_hits": conform(pa.Table.from_pylist([hit]), "filter_hits")})
    assert "Fast and blue" not in client.get(PAGE).content.decode()
    client.force_login(people.ann)
    text = client.get(PAGE).content.decode()
    assert "Fast and blue (1)" in text
    assert f"/filters/{mine.pk}/" in text
    rows = file_of(client, f"{PAGE}?passed={mine.pk}&candidates-as=csv").splitlines()
    assert len(rows) == 2
    assert world[2]["objectName"] in rows[1]


def test_coverage_night_by_night(client: Client, world: tuple[Archive, Path, dict[str, Any]]) -> None:
    event = event_of(None, "LVK", "S260101a")
    skymap = map_of(event)
    assert skymap is not None
    nights = coverage(event, skymap, 3)
    since = event["eventMjdTai"]
    cells: set[int] = set()
    probability = np.zeros(12 * 4**6)
    fine = skymap.order >= 6
    np.add.at(probability, skymap.start[fine] >> 46, skymap.probability[fine])
    if (~fine).any():
        pytest.fail("the map has cells larger than those of coverage")
    assert 1 <= len(nights) <= 3
    for day in range(len(nights)):
        sql = " UNION ALL ".join(
            f'SELECT healpix29 FROM {name} WHERE "midpointMjdTai" >= {since + day!r} '
            f'AND "midpointMjdTai" < {since + day + 1!r}'
            for name in ("diaSources", "diaForcedSources", "diaNondetectionLimits")
        )
        today = {cell >> 46 for cell in world[0].query(sql)["healpix29"].to_pylist() if cell is not None}
        cells |= today
        assert nights[day].that_day == pytest.approx(sum(probability[cell] for cell in today), abs=1e-6)
        assert nights[day].so_far == pytest.approx(sum(probability[cell] for cell in cells), abs=1e-6)
    assert nights[-1].so_far > 0.0
    assert nights[-1].area <= skymap.area_deg2(0.9) * (1 + 1e-9)
    page = client.get(PAGE + "coverage/").content.decode()
    assert "coverage-chart" in page
    assert "<html" in page
    part = client.get(PAGE + "coverage/", headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in part
    assert "Images of a place" in part


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
