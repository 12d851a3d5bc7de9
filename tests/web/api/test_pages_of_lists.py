"""Pages of watchlists, watchmaps, annotators, catalogues and events: what they do and hide."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.coordinates import Latitude, Longitude, SkyCoord
from cdshealpix.nested import lonlat_to_healpix
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from lasair_broker.archive import Archive
from lasair_broker.context.catalogues import CatalogueSet, add_catalogue, read_description
from lasair_broker.packets.simulator import Simulation
from lasair_broker.schema import arrow_schema
from lasair_broker.sky import Moc

EVIL = "<script>alert('x')<\\script>{{ 7777|add:7777 }}\"'"
"""Without a slash, which no address could hold."""


@pytest.fixture
def logged_in(archive: Archive) -> Callable[[Any], Client]:
    def make(user: Any) -> Client:
        client = Client(SERVER_NAME="localhost")
        if user is not None:
            client.force_login(user)
        return client

    return make


def csv(*lines: str) -> SimpleUploadedFile:
    return SimpleUploadedFile("stars.csv", "\n".join(("ra,dec,name", *lines, "")).encode())


def test_a_watchlist_from_its_file_to_its_end(people: Any, logged_in: Callable[..., Client]) -> None:
    from lasair_broker.web.watchlists import services
    from lasair_broker.web.watchlists.models import Watchlist

    ann = logged_in(people.ann)
    assert b"no watchlists here yet" in ann.get("/watchlists/").content
    given = {
        "name": "stars",
        "default_radius": "5",
        "file": csv("10,-20,a", "11,-95,b", "x,1,c"),
        "active": "on",
    }
    refused = ann.post("/watchlists/new/", given)
    assert refused.status_code == 400
    text = refused.content.decode()
    assert "2 rows cannot be read" in text
    assert "line 3" in text
    faulty = ann.get("/watchlists/faulty-rows/", {"faulty-sort": "-value"})
    assert re.findall(r"<code>(.*?)</code>", faulty.content.decode()) == ["x", "-95"]
    filed = b"".join(ann.get("/watchlists/faulty-rows/", {"faulty-as": "csv"})).decode()
    assert [line.split(",")[:2] for line in filed.splitlines()[1:]] == [["line 3", "dec"], ["line 4", "ra"]]
    assert logged_in(people.bob).get("/watchlists/faulty-rows/").status_code == 404
    assert not Watchlist.objects.exists()
    given["file"] = csv("10,-20,a", "11,-95,b", "12,-30,c")
    made = ann.post("/watchlists/new/", given | {"skip_bad_rows": "on"}, follow=True)
    found = Watchlist.objects.get()
    assert made.redirect_chain[-1][0] == f"/watchlists/{found.pk}/"
    assert found.active
    assert services.all_rows(people.ann, found.pk)["name"].to_pylist() == ["a", "c"]

    page = f"/watchlists/{found.pk}/"
    row = {"name": "d", "ra": "13", "decl": "-31", "radius": "", "notes": ""}
    assert ann.post(f"{page}rows/new/", row).status_code == 302
    names = services.all_rows(people.ann, found.pk)
    assert names["name"].to_pylist() == ["a", "c", "d"]
    assert names["radius"].to_pylist()[-1] == 5.0
    assert ann.post(f"{page}rows/new/", row | {"decl": "-91"}).status_code == 400
    last = names["cone_id"].to_pylist()[-1]
    assert ann.post(f"{page}rows/{last}/", row | {"name": "e", "radius": "9"}).status_code == 302
    gone = ann.post(f"{page}rows/{last}/delete/", follow=True)
    assert f"Row {last} is removed" in gone.content.decode()
    assert services.all_rows(people.ann, found.pk)["name"].to_pylist() == ["a", "c"]
    ann.post(f"{page}rows/{last}/restore/")
    assert services.all_rows(people.ann, found.pk)["name"].to_pylist() == ["a", "c", "e"]
    assert ann.post(f"{page}rows/{last}/restore/").status_code == 404

    ann.post(f"{page}upload/", {"file": csv("1,1,z")})
    assert services.all_rows(people.ann, found.pk)["name"].to_pylist() == ["z"]
    ann.post(f"{page}versions/1/restore/")
    assert services.all_rows(people.ann, found.pk)["name"].to_pylist() == ["a", "c", "e"]
    trigger = {"name": "bright", "active": "on", "kind": "crosses", "direction": "brightens"}
    trigger |= {"magnitude": "18", "bands": "gr", "consecutive": "2", "baseline_gap": "30"}
    trigger |= {"min_snr": "5", "rearm": "0.3", "cooldown": "1"}
    assert ann.post(f"{page}triggers/new/", trigger).status_code == 302
    assert ann.post(f"{page}triggers/new/", trigger | {"magnitude": ""}).status_code == 400
    (kept,) = services.triggers(people.ann, found.pk)
    assert (kept.name, kept.magnitude, kept.bands) == ("bright", 18.0, "gr")
    assert "bright" in ann.get(page).content.decode()
    assert ann.post(f"{page}triggers/{kept.pk}/delete/").status_code == 302
    assert ann.post(f"{page}active/", {"active": "no"}).status_code == 302
    assert not Watchlist.objects.get().active
    bob = logged_in(people.bob)
    assert bob.get(page).status_code == 404
    assert ann.post(f"{page}share/", {"visibility": "public"}).status_code == 302
    assert bob.get(page).status_code == 200
    assert bob.post(f"{page}delete/").status_code == 403
    copied = bob.post(f"{page}copy/", {"name": "mine"}, follow=True)
    assert "private until you share it" in copied.content.decode()
    assert ann.get(f"{page}delete/").status_code == 200
    assert ann.post(f"{page}delete/").status_code == 302
    assert list(Watchlist.objects.values_list("name", flat=True)) == ["mine"]


def test_rows_are_sorted_searched_and_paged(people: Any, logged_in: Callable[..., Client]) -> None:
    from lasair_broker.web.watchlists import services

    made = services.create(people.ann, "many")
    lines = "".join(f"{n / 10},{-n / 10},star{n:03}\n" for n in range(120))
    services.upload(people.ann, made.pk, f"ra,dec,name\n{lines}".encode())
    page = f"/watchlists/{made.pk}/"
    ann = logged_in(people.ann)

    def names(asked: str) -> list[str]:
        table = ann.get(f"{page}?{asked}").context["rows"]
        return [row["name"] for row in table.rows]

    assert names("") == [f"star{n:03}" for n in range(50)]
    assert names("rows-page=3") == [f"star{n:03}" for n in range(100, 120)]
    assert names("rows-sort=-ra&rows-size=25") == [f"star{n:03}" for n in range(119, 94, -1)]
    assert names("rows-search=STAR11") == [f"star{n:03}" for n in range(110, 120)]
    assert names("rows-sort=nothing&rows-page=-1") == names("")


def test_watchmaps(people: Any, logged_in: Callable[..., Client]) -> None:
    from lasair_broker.web.watchmaps.models import Watchmap

    ann = logged_in(people.ann)
    circle = {"name": "field", "ra": "150.1", "decl": "2.2", "radius": "1.75"}
    made = ann.post("/watchmaps/new/", circle, follow=True)
    assert made.status_code == 200
    assert "square degrees" in made.content.decode()
    area = Watchmap.objects.get().area_deg2
    assert area == pytest.approx(np.pi * 1.75**2, rel=0.05)
    corners = {"name": "strip", "corners": "10 -5\n40, -5\n40 5\n10 5\n", "radius": "5"}
    assert ann.post("/watchmaps/new/", corners).status_code == 302
    moc = Moc.circle(10.0, 10.0, 2.0).to_fits()
    file = {"name": "file", "radius": "5", "file": SimpleUploadedFile("m.fits", moc)}
    assert ann.post("/watchmaps/new/", file).status_code == 302
    for wrong in (
        {"name": "x", "radius": "5"}, circle | {"name": "x", "corners": "1 1\n2 2\n1 2"},
        {"name": "x", "corners": "1 1\n2"}, circle, {"name": "x", "file": SimpleUploadedFile("m", b"junk")},
    ):  # fmt: skip
        answer = ann.post("/watchmaps/new/", wrong)
        assert answer.status_code == 400, wrong
        assert answer.context["form"].errors
    assert Watchmap.objects.count() == 3
    page = f"/watchmaps/{Watchmap.objects.get(name='field').pk}/"
    ann.post(f"{page}active/", {"active": "no"})
    assert not Watchmap.objects.get(name="field").active
    ann.post(f"{page}replace/", {"file": SimpleUploadedFile("m.fits", moc)})
    assert Watchmap.objects.get(name="field").area_deg2 == pytest.approx(np.pi * 4, rel=0.05)
    assert logged_in(people.bob).get(page).status_code == 404
    drawn = ann.get("/watchmaps/preview/?ra=10&decl=10&radius=20").content.decode()
    assert drawn.count("<path") == 1
    assert ann.get("/watchmaps/preview/?ra=10&decl=10&radius=x").status_code == 400
    assert ann.post(f"{page}delete/", follow=True).status_code == 200
    assert Watchmap.objects.count() == 2


def test_annotators(people: Any, logged_in: Callable[..., Client]) -> None:
    from lasair_broker.web.annotators import services

    ann, bob = logged_in(people.ann), logged_in(people.bob)
    made = ann.post("/annotators/new/", {"topic": "fast", "kind": "program", "active": "on"}, follow=True)
    assert made.redirect_chain[-1][0] == "/annotators/fast/"
    assert ann.post("/annotators/new/", {"topic": "1x", "kind": "program"}).status_code == 400
    assert ann.post("/annotators/new/", {"topic": "fast", "kind": "program"}).status_code == 400
    assert bob.get("/annotators/fast/").status_code == 404
    assert ann.post("/annotators/fast/writers/", {"writers": "bob, nobody"}).status_code == 400
    assert ann.post("/annotators/fast/writers/", {"writers": " bob\n"}).status_code == 302
    assert "you may speak under this topic" in bob.get("/annotators/fast/").content.decode()
    assert bob.post("/annotators/fast/edit/", {"kind": "person"}).status_code == 403
    assert ann.post("/annotators/fast/edit/", {"kind": "person", "url": "example.org"}).status_code == 302
    assert services.get(people.ann, "fast").url == "https://example.org"
    assert (
        ann.post("/annotators/fast/edit/", {"kind": "person", "url": "javascript:alert(1)"}).status_code
        == 400
    )


def test_what_users_write_is_shown_as_text(people: Any, logged_in: Callable[..., Client]) -> None:
    from lasair_broker.web.annotators import services as annotators
    from lasair_broker.web.watchlists import services as watchlists
    from lasair_broker.web.watchmaps import services as watchmaps

    one = watchlists.create(people.ann, EVIL, description=EVIL)
    watchlists.add_row(people.ann, one.pk, name=EVIL, ra=1.0, decl=1.0, notes=EVIL)
    watchlists.add_trigger(people.ann, one.pk, name=EVIL, magnitude=18.0)
    two = watchmaps.create_circle(people.ann, EVIL, 1.0, 1.0, 1.0, description=EVIL)
    annotators.create(people.ann, "topic", description=EVIL)
    ann = logged_in(people.ann)
    for path in (
        "/watchlists/", f"/watchlists/{one.pk}/", f"/watchlists/{one.pk}/upload/",
        f"/watchlists/{one.pk}/edit/", f"/watchlists/{one.pk}/rows/1/", f"/watchlists/{one.pk}/share/",
        f"/watchlists/{one.pk}/delete/", "/watchmaps/", f"/watchmaps/{two.pk}/",
        f"/watchmaps/{two.pk}/edit/", "/annotators/", "/annotators/topic/",
        f"/watchlists/?t-search={EVIL}", f"/events/?origin={EVIL}", f"/watchlists/{one.pk}/?removed={EVIL}",
    ):  # fmt: skip
        answer = ann.get(path)
        assert answer.status_code == 200, path
        text = answer.content.decode()
        assert "<script>alert" not in text, path
        assert "15554" not in text, path
    report = ann.post(f"/watchlists/{one.pk}/upload/", {"file": csv(f'"{EVIL}",x,y')})
    assert "<script>alert" not in report.content.decode()


@pytest.mark.parametrize("path", ["/watchlists/new/", "/watchmaps/new/", "/annotators/new/"])
def test_making_needs_somebody(path: str, logged_in: Callable[..., Client]) -> None:
    answer = logged_in(None).get(path)
    assert answer.status_code == 302
    assert "login" in answer["Location"]


def test_forms_need_their_token(people: Any, logged_in: Callable[..., Client]) -> None:
    client = Client(SERVER_NAME="localhost", enforce_csrf_checks=True)
    client.force_login(people.ann)
    assert client.post("/annotators/new/", {"topic": "fast", "kind": "program"}).status_code == 403


@pytest.fixture
def announced(empty_archive: Archive) -> Archive:
    """An archive with two events."""
    schema = arrow_schema("external_events")
    rows = [
        {"origin": "IceCube", "eventName": f"IC-1{EVIL}", "mw_id": 1, "kind": "neutrino",
            "ra": 10.0, "decl": -5.0, "errorRadius": 0.4, "eventMjdTai": 61000.0, "url": "https://example.org/1"},
        {"origin": "Fermi", "eventName": "GRB1", "mw_id": 2, "kind": "grb", "eventMjdTai": 61001.0},
    ]  # fmt: skip
    defaults = {"revision": 1, "role": "observation", "retracted": False, "arrivedMjdTai": 61002.0}
    columns = [
        pa.array([{**defaults, **row}.get(field.name) for row in rows], field.type) for field in schema
    ]
    empty_archive.write([], tables={"external_events": pa.table(columns, schema=schema)})
    return empty_archive


def test_events(announced: Archive, logged_in: Callable[..., Client]) -> None:
    nobody = logged_in(None)
    text = nobody.get("/events/").content.decode()
    assert "IC-1" in text
    assert "GRB1" in text
    assert "<script>alert" not in text
    only = nobody.get("/events/?kind=grb").content.decode()
    assert "GRB1" in only
    assert "IC-1" not in only
    page = nobody.get(f"/events/IceCube/{quote(f'IC-1{EVIL}')}/")
    assert page.status_code == 200
    assert "<script>alert" not in page.content.decode()
    assert nobody.get("/events/Fermi/GRB1/").status_code == 200
    assert nobody.get("/events/Fermi/nothing/").status_code == 404
    assert nobody.get("/events/x'--/y/").status_code == 404
    first = nobody.get("/api/v1/events/?limit=1").json()
    assert [row["eventName"] for row in first["results"]] == [f"IC-1{EVIL}"]
    second = nobody.get(first["next"]).json()
    assert [row["eventName"] for row in second["results"]] == ["GRB1"]
    assert nobody.get("/api/v1/events/1/hits/").json() == {"results": [], "next": None}


def test_catalogues(tmp_path: Any, monkeypatch: pytest.MonkeyPatch, logged_in: Callable[..., Client]) -> None:
    from lasair_broker.web.api.v1 import sky as rest
    from lasair_broker.web.site.sky import catalogues

    table = Simulation.night(60, seed=4).catalogue()
    pq.write_table(table, tmp_path / "sky.parquet")
    add_catalogue(tmp_path / "c", "simulated", str(tmp_path / "sky.parquet"), read_description("simulated"))
    held = CatalogueSet.open(tmp_path / "c")
    monkeypatch.setattr(catalogues, "catalogues_in_use", lambda: held)
    monkeypatch.setattr(rest, "catalogues_in_use", lambda: held)
    nobody = logged_in(None)
    listed = nobody.get("/catalogues/")
    assert listed.context["table"].rows[0]["rows"] == table.num_rows
    page = nobody.get("/catalogues/simulated/")
    assert page.status_code == 200
    counts = held["simulated"].counts(2)
    assert counts.sum() == table.num_rows
    cells = lonlat_to_healpix(
        Longitude(table["ra"].to_numpy(), "deg"), Latitude(table["decl"].to_numpy(), "deg"), 2
    )
    assert np.array_equal(counts, np.bincount(np.asarray(cells).astype(np.int64), minlength=192))
    assert nobody.get("/catalogues/../../etc/passwd/").status_code == 404
    assert nobody.get("/catalogues/nothing/").status_code == 404
    (told,) = nobody.get("/api/v1/catalogues/").json()["results"]
    assert told["rows"] == table.num_rows
    assert told["coverage"] == (held["simulated"].counts(4) > 0).mean()
    assert nobody.get("/api/v1/catalogues/simulated/").json() == told
    assert nobody.get("/api/v1/catalogues/nothing/").status_code == 404


def test_the_projection_is_that_of_mollweide() -> None:
    from lasair_broker.web.site.all_sky import HEIGHT, WIDTH, mollweide

    x, y = mollweide([0.0, 180.0 - 1e-9, 180.0 + 1e-9, 0.0, 0.0, 90.0], [0.0, 0.0, 0.0, 90.0, -90.0, 0.0])
    assert np.allclose(x, [WIDTH / 2, 0.0, WIDTH, WIDTH / 2, WIDTH / 2, WIDTH / 4], atol=1e-3)
    assert np.allclose(y, [HEIGHT / 2, HEIGHT / 2, HEIGHT / 2, 0.0, HEIGHT, HEIGHT / 2], atol=1e-3)
    # Areas are kept: of points that are even on the sphere, each tenth of the ellipse has its part.
    random = np.random.default_rng(3)
    ra, decl = random.uniform(0, 360, 40_000), np.degrees(np.arcsin(random.uniform(-1, 1, 40_000)))
    x, y = mollweide(ra, decl)
    assert np.all((x / WIDTH * 2 - 1) ** 2 + (y / HEIGHT * 2 - 1) ** 2 <= 1 + 1e-9)
    inner = (x / WIDTH * 2 - 1) ** 2 + (y / HEIGHT * 2 - 1) ** 2 <= 0.3
    assert inner.mean() == pytest.approx(0.3, abs=0.01)


@pytest.mark.parametrize("radius", [0.01, 1.0, 30.0, 150.0])
@pytest.mark.parametrize("decl", [-89.5, 0.0, 60.0])
def test_a_region_is_drawn_where_it_is(radius: float, decl: float) -> None:
    from lasair_broker.web.site.all_sky import _MOST_CELLS, _cells, _centres, region

    moc = Moc.circle(179.0, decl, radius)
    regions, rings = region(moc)
    assert bool(rings) == (moc.area_deg2 < 30.0)
    assert 1 <= regions[0].path.count("M") <= _MOST_CELLS
    ra, centre_decl = _centres(_cells(moc, 3), 3)
    distance = SkyCoord(179.0, decl, unit="deg").separation(SkyCoord(ra, centre_decl, unit="deg")).deg
    assert distance.max() <= radius + 8.0
