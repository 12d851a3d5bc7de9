"""Photometry that people have fetched from other surveys' services, and all that can go wrong with them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import astropy.units as u
import pytest
from astropy.time import Time
from photometry_services import TOKEN, Services, photometry_services
from pydantic import ValidationError

from lasair_broker.archive import Archive
from lasair_broker.settings import PhotometrySettings


@pytest.fixture
def services(monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    monkeypatch.setenv("no_proxy", "*")
    with photometry_services() as started:
        allow(monkeypatch, started)
        yield started


def allow(monkeypatch: pytest.MonkeyPatch, services: Services, **changes: Any) -> None:
    """What the operator sets."""
    from django.conf import settings

    monkeypatch.setattr(settings, "LASAIR_PHOTOMETRY", PhotometrySettings(**{**services.settings, **changes}))


@pytest.fixture
def place(archive: Archive) -> dict[str, Any]:
    """An object that all services cover."""
    rows = archive.query(
        "SELECT diaObjectId, ra, decl FROM objects WHERE decl > -30 ORDER BY diaObjectId LIMIT 1"
    )
    if not rows.num_rows:
        rows = archive.query("SELECT diaObjectId, ra, decl FROM objects ORDER BY decl DESC LIMIT 1")
    found: dict[str, Any] = rows.to_pylist()[0]
    return found


@pytest.fixture(autouse=True)
def _everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """The simulated night lies in the south, which the made-up services cover, too."""
    from lasair_broker.web.transfers import surveys

    for service in surveys.SERVICES.values():
        monkeypatch.setitem(service.__dict__, "south", -90.0)


def fetch(client: Any, place: dict[str, Any], service: str, **more: Any) -> Any:
    address = f"/api/v1/objects/{place['diaObjectId']}/photometry/fetch/"
    return client.post(address, {"service": service, **more}, format="json")


def done(client: Any, made: Any) -> dict[str, Any]:
    """A transfer, after its steps."""
    from lasair_broker.web.transfers.running import run

    assert made.status_code == 201, made.json()
    for _ in range(20):
        known: dict[str, Any] = client.get(f"/api/v1/transfers/{made.json()['id']}/").json()
        if known["phase"] not in ("QUEUED", "EXECUTING"):
            return known
        run(known["id"])
    raise AssertionError(known)


def points(client: Any, place: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get(f"/api/v1/objects/{place['diaObjectId']}/photometry/").json()[
        "rows"
    ]
    return found


def test_ztf(services: Services, place: dict[str, Any], people: Any, client_of: Any) -> None:
    ann = client_of(people.ann)
    made = fetch(ann, place, "ztf")
    assert made.json()["phase"] == "QUEUED"
    assert services.asked == [], "nothing is asked in the request"
    known = done(ann, made)
    assert (known["phase"], known["count"], known["left_out"]) == ("COMPLETED", 2, 1)
    ((method, path, asked),) = services.asked
    assert (method, path) == ("GET", "/cgi-bin/ZTF/nph_light_curves")
    shape, ra, decl, radius = asked["POS"][0].split()
    assert shape == "CIRCLE"
    assert (float(ra), float(decl)) == pytest.approx((place["ra"], place["decl"]), abs=1e-6)
    assert 1.0 < float(radius) * 3600.0 < 3.0
    assert (asked["FORMAT"], asked["BAD_CATFLAGS_MASK"]) == (["CSV"], ["32768"])
    first, second = points(ann, place)
    assert (first["band"], second["band"], first["instrument"], first["unit"]) == ("g", "r", "ZTF", "mag(AB)")
    assert first["psfFlux"] == pytest.approx((16.5 * u.ABmag).to(u.nJy).value)
    middle = Time(58202.5, 15.0 / 86400.0, format="mjd", scale="utc").tai.mjd
    assert first["midpointMjdTai"] == pytest.approx(middle, abs=1e-8)
    assert int(first["photometry"]) == known["photometry"]
    assert f"{services.address}/cgi-bin/ZTF/nph_light_curves?POS=CIRCLE" in first["provenance"]
    assert "UTC" in first["provenance"]
    kept = ann.get(f"/api/v1/photometry/{known['photometry']}/").json()
    assert (kept["service"], kept["flux_of"], kept["visibility"]) == ("ztf", "total", "private")


def test_panstarrs(services: Services, place: dict[str, Any], people: Any, client_of: Any) -> None:
    ann = client_of(people.ann)
    known = done(ann, fetch(ann, place, "panstarrs"))
    assert (known["count"], known["left_out"]) == (3, 2)
    ((_, path, asked),) = services.asked
    assert path == "/api/v0.1/panstarrs/dr2/detection.csv"
    assert float(asked["ra"][0]) == pytest.approx(place["ra"], abs=1e-6)
    rows = points(ann, place)
    assert [(row["band"], row["psfFlux"]) for row in rows] == [
        ("g", pytest.approx(1e5)), ("y", pytest.approx(2e5)), ("i", pytest.approx(1.5e5)),
    ]  # fmt: skip
    assert [row["midpointMjdTai"] for row in rows] == [55300.25, 56300.25, 56301.25], "they are TAI"


def test_atlas_in_its_steps(services: Services, place: dict[str, Any], people: Any, client_of: Any) -> None:
    from lasair_broker.web.transfers.running import run

    ann = client_of(people.ann)
    made = fetch(ann, place, "atlas")
    told = []
    for _ in range(5):
        run(made.json()["id"])
        told.append(ann.get(f"/api/v1/transfers/{made.json()['id']}/").json()["progress"])
    assert told == ["waits in ATLAS' line", "waits in ATLAS' line, 3 before it", "ATLAS computes", "", ""]
    known = done(ann, made)
    assert (known["phase"], known["count"], known["left_out"]) == ("COMPLETED", 3, 1)
    assert [method for method, _, _ in services.asked] == ["POST", "GET", "GET", "GET", "GET", "DELETE"]
    assert float(services.asked[0][2]["dec"][0]) == pytest.approx(place["decl"], abs=1e-6)
    rows = points(ann, place)
    assert [(row["band"], row["psfFlux"]) for row in rows] == [("o", 223e3), ("c", 207e3), ("o", -50e3)]
    assert "task 1234" in rows[0]["provenance"]
    assert TOKEN not in str(rows) + str(known)
    assert ann.get(f"/api/v1/photometry/{known['photometry']}/").json()["flux_of"] == "difference"


def test_a_second_fetch_replaces_the_first(
    services: Services, place: dict[str, Any], people: Any, client_of: Any
) -> None:
    ann, bob = client_of(people.ann), client_of(people.bob)
    first = done(ann, fetch(ann, place, "ztf", visibility="public"))
    services.flags = (0,) * 5
    again = done(ann, fetch(ann, place, "ztf"))
    assert again["photometry"] == first["photometry"]
    assert len(points(ann, place)) == len(points(bob, place)) == 5, "who sees it stays as it was"
    done(ann, fetch(ann, place, "panstarrs"))
    assert len(points(ann, place)) == 8, "another service's are others"
    done(bob, fetch(bob, place, "ztf"))
    assert len(points(bob, place)) == 10, "and another person's"
    # Removed, fetched anew, and the old one is not to be had back beside it.
    assert ann.delete(f"/api/v1/photometry/{first['photometry']}/").status_code == 204
    newer = done(ann, fetch(ann, place, "ztf"))
    assert newer["photometry"] != first["photometry"]
    back = ann.post(f"/api/v1/photometry/{first['photometry']}/restore/")
    assert (back.status_code, "fetched anew" in back.json()["detail"]) == (400, True)
    assert ann.delete(f"/api/v1/photometry/{newer['photometry']}/").status_code == 204
    assert ann.post(f"/api/v1/photometry/{first['photometry']}/restore/").status_code == 200


def test_who_sees_it(
    services: Services, place: dict[str, Any], people: Any, team: Any, client_of: Any
) -> None:
    group = team("TDE", manager=people.ann, member=people.cat)
    ann, bob, cat = (client_of(user) for user in (people.ann, people.bob, people.cat))
    made = fetch(ann, place, "ztf", visibility="group", collaboration=group.slug)
    known = done(ann, made)
    assert [len(points(client, place)) for client in (ann, bob, cat, client_of(None))] == [2, 0, 2, 0]
    for client in (bob, cat):
        assert client.get(f"/api/v1/transfers/{known['id']}/").status_code == 404
        assert client.post(f"/api/v1/transfers/{known['id']}/cancel/").status_code == 404
        assert client.get("/api/v1/transfers/").json()["results"] == []
    assert client_of(None).get("/api/v1/transfers/").status_code in (401, 403)
    assert fetch(client_of(None), place, "ztf").status_code in (401, 403)
    assert fetch(client_of(people.ann, "read"), place, "ztf").status_code == 403
    refused = fetch(bob, place, "ztf", visibility="group", collaboration=group.slug)
    assert refused.status_code == 400
    # Who has left the collaboration meanwhile shares nothing with it.
    services.flags = (0,) * 4
    late = fetch(cat, place, "ztf", visibility="group", collaboration=group.slug)
    people.cat.memberships.all().delete()
    failed = done(cat, late)
    assert (failed["phase"], "not a member" in failed["error"]) == ("ERROR", True)
    assert points(cat, place) == []


@pytest.mark.parametrize(
    ("service", "trouble", "told"),
    [
        ("ztf", "huge", "more than 1,000,000 bytes"),
        ("ztf", "silent", "gives no answer"),
        ("ztf", "elsewhere", "which is not followed"),
        ("ztf", "garbage", "cannot be read: file: is not text"),
        ("ztf", "page", "something else than photometry"),
        ("ztf", "ruined", "cannot be read: line 2"),
        ("ztf", 429, "asked too often"),
        ("panstarrs", 503, "out of order"),
        ("panstarrs", 400, "refuses the request"),
        ("atlas", "elsewhere", "which is not followed"),
        ("atlas", "page", "something else than JSON"),
        ("atlas", "failed", "No data returned"),
        ("atlas", 401, "refuses the token"),
        ("atlas", 500, "out of order"),
    ],
)
def test_what_goes_wrong_is_told_with_what_to_do(
    services: Services, place: dict[str, Any], people: Any, client_of: Any, monkeypatch: pytest.MonkeyPatch,
    service: str, trouble: str | int, told: str,
) -> None:  # fmt: skip
    allow(monkeypatch, services, megabytes=1, seconds=0.5 if trouble == "silent" else 30.0)
    ann = client_of(people.ann)
    services.trouble["irsa" if service == "ztf" else "mast" if service == "panstarrs" else "atlas"] = trouble
    known = done(ann, fetch(ann, place, service))
    assert (known["phase"], known["count"]) == ("ERROR", None)
    assert told in known["error"]
    if trouble != "failed":
        assert "again" in known["error"] or "operator" in known["error"]
    assert TOKEN not in known["error"]
    assert points(ann, place) == []
    services.trouble.clear()
    assert done(ann, fetch(ann, place, service))["phase"] == "COMPLETED", "and it can be tried again"


def test_nothing_there_leaves_what_there_is(
    services: Services, place: dict[str, Any], people: Any, client_of: Any
) -> None:
    ann = client_of(people.ann)
    done(ann, fetch(ann, place, "ztf"))
    for flags, trouble in (((), None), ((0,), "none"), ((32768,), None)):
        services.flags = flags
        services.trouble = {} if trouble is None else {"irsa": trouble}
        known = done(ann, fetch(ann, place, "ztf"))
        assert (known["phase"], known["count"], known["left_out"]) == ("COMPLETED", 0, int(flags == (32768,)))
    assert len(points(ann, place)) == 2


def test_atlas_is_patient(services: Services, place: dict[str, Any], people: Any, client_of: Any) -> None:
    """It waits when it is asked to, and a task survives that the server is away for a while."""
    from django_tasks_db.models import DBTaskResult

    from lasair_broker.web.transfers.running import run

    ann = client_of(people.ann)
    services.trouble["atlas"] = 429
    made = fetch(ann, place, "atlas")
    run(made.json()["id"])
    assert "busy" in ann.get(f"/api/v1/transfers/{made.json()['id']}/").json()["progress"]
    first, second = DBTaskResult.objects.filter(queue_name="transfers").order_by("enqueued_at")
    assert second.run_after - first.enqueued_at >= timedelta(seconds=3)
    services.trouble.clear()
    run(made.json()["id"])
    services.trouble["atlas"] = 500
    for _ in range(5):
        run(made.json()["id"])
        known = ann.get(f"/api/v1/transfers/{made.json()['id']}/").json()
        assert (known["phase"], known["progress"]) == ("QUEUED", "ATLAS does not answer now")
    services.trouble.clear()
    assert done(ann, made)["count"] == 3


def test_a_task_that_never_ends_is_given_up(
    services: Services, place: dict[str, Any], people: Any, client_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    allow(monkeypatch, services, hours=1e-9)
    services.steps = 100
    ann = client_of(people.ann)
    known = done(ann, fetch(ann, place, "atlas"))
    assert (known["phase"], "has not ended" in known["error"]) == ("ERROR", True)
    assert services.asked[-1][0] == "DELETE"


def test_cancelled(services: Services, place: dict[str, Any], people: Any, client_of: Any) -> None:
    from lasair_broker.web.transfers.models import Transfer
    from lasair_broker.web.transfers.running import look_after, run

    ann = client_of(people.ann)
    services.steps = 100
    number = fetch(ann, place, "atlas").json()["id"]
    run(number)
    assert fetch(ann, place, "atlas").json()["id"] == number, "what is under way goes on"
    assert ann.post(f"/api/v1/transfers/{number}/cancel/").json()["phase"] == "ABORTED"
    run(number)  # the step that waits in the line gives it up there
    assert [method for method, _, _ in services.asked] == ["POST", "DELETE"]
    # One that is cancelled while a step runs, and a step whose process is gone.
    for cancelled, phase in ((True, "ABORTED"), (False, "QUEUED")):
        number = fetch(ann, place, "ztf").json()["id"]
        running = Transfer.objects.filter(pk=number)
        running.update(phase="EXECUTING", alive=running.get().created)
        if cancelled:
            assert ann.post(f"/api/v1/transfers/{number}/cancel/").json()["phase"] == "EXECUTING"
        look_after()
        assert running.get().phase == "EXECUTING"
        look_after(running.get().created + timedelta(hours=1))
        assert running.get().phase == phase
    for _ in range(2):
        running.update(phase="EXECUTING", alive=running.get().created)
        look_after(running.get().created + timedelta(hours=1))
    assert (running.get().phase, "ended" in running.get().error) == ("ERROR", True)
    assert points(ann, place) == []


def test_cancelled_at_the_last_moment(
    services: Services, place: dict[str, Any], people: Any, client_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lasair_broker.web.transfers import running
    from lasair_broker.web.transfers.models import Transfer

    ann = client_of(people.ann)
    number = fetch(ann, place, "ztf").json()["id"]
    keep = running.photometry.keep_fetched

    def slow(*given: Any, **more: Any) -> Any:
        Transfer.objects.filter(pk=number).update(cancel=True)
        return keep(*given, **more)

    monkeypatch.setattr(running.photometry, "keep_fetched", slow)
    running.run(number)
    assert Transfer.objects.get(pk=number).phase == "ABORTED"
    assert points(ann, place) == [], "what was kept is undone"


def test_what_is_not_on_is_not_there(
    services: Services, place: dict[str, Any], people: Any, client_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = client_of(people.ann)
    named = [each["name"] for each in client_of(None).get("/api/v1/photometry/services/").json()["results"]]
    assert named == ["ztf", "atlas", "panstarrs"]
    waiting = fetch(ann, place, "ztf")
    allow(monkeypatch, services, ztf="", atlas_token="")
    named = [each["name"] for each in ann.get("/api/v1/photometry/services/").json()["results"]]
    assert named == ["panstarrs"], "ATLAS without a token is off"
    assert fetch(ann, place, "ztf").status_code == 404
    assert fetch(ann, place, "../etc").status_code == 404
    assert fetch(ann, {"diaObjectId": 5}, "panstarrs").status_code == 404
    assert "switched this service off" in done(ann, waiting)["error"]
    assert services.asked == []


def test_what_lies_too_far_south_is_not_asked_for(
    services: Services, place: dict[str, Any], people: Any, client_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lasair_broker.web.transfers import surveys

    monkeypatch.setitem(surveys.SERVICES["panstarrs"].__dict__, "south", place["decl"] + 1.0)
    answer = fetch(client_of(people.ann), place, "panstarrs")
    assert (answer.status_code, "nothing south of" in answer.json()["detail"]) == (400, True)


def test_each_may_ask_each_service_so_often(
    services: Services, place: dict[str, Any], people: Any, client_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lasair_broker.web.transfers.models import Transfer

    allow(monkeypatch, services, an_hour=2)
    ann = client_of(people.ann)
    for _ in range(2):
        done(ann, fetch(ann, place, "ztf"))
    refused = fetch(ann, place, "ztf")
    assert refused.status_code == 429
    assert 1 <= int(refused["Retry-After"]) <= 3600
    assert "2 times in the last hour" in refused.json()["detail"]
    assert fetch(ann, place, "panstarrs").status_code == 201
    assert fetch(client_of(people.bob), place, "ztf").status_code == 201
    oldest = Transfer.objects.filter(owner=people.ann, subject="ztf").order_by("pk").first()
    Transfer.objects.filter(pk=oldest.pk).update(created=oldest.created - timedelta(hours=1))
    assert fetch(ann, place, "ztf").status_code == 201


def test_addresses_of_services_are_safe() -> None:
    for address in (
        "http://irsa.example.org/x",
        "ftp://a.org/",
        "https://a.org/?q=1",
        "https://u:p@a.org/",
        "a.org",
    ):
        with pytest.raises(ValidationError, match="must be an address"):
            PhotometrySettings(atlas=address)
    assert TOKEN not in repr(PhotometrySettings(atlas_token=TOKEN))


def test_the_part_of_the_page(
    services: Services, place: dict[str, Any], people: Any, team: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.test import Client

    from lasair_broker.web.transfers.models import Transfer
    from lasair_broker.web.transfers.running import run

    group = team("TDE", manager=people.ann)
    page = f"/objects/{place['diaObjectId']}"
    nobody, ann, bob = (Client(SERVER_NAME="localhost", headers={"HX-Request": "true"}) for _ in range(3))
    ann.force_login(people.ann)
    bob.force_login(people.bob)
    assert "Log in to have it fetched" in nobody.get(f"{page}/panels/services/").content.decode()
    assert nobody.post(f"{page}/fetch/", {"service": "ztf"}).status_code == 302
    asked = ann.post(f"{page}/fetch/", {"service": "ztf", "visibility": f"group:{group.slug}"})
    transfer = Transfer.objects.get()
    watch = f"{page}/watch/services/?of={transfer.pk},999999,x"
    assert f"/watch/services/?of={transfer.pk}" in asked.content.decode()
    assert "waits to be asked" in asked.content.decode()
    assert bob.post(f"{page}/transfers/{transfer.pk}/cancel/").status_code == 404
    assert "HX-Trigger" not in ann.get(watch)
    run(transfer.pk)
    told = ann.get(watch)
    assert "2 points</b>, fetched" in told.content.decode()
    assert "seen by TDE" in told.content.decode()
    assert f'value="group:{group.slug}" selected' in told.content.decode()
    assert all(word in told["HX-Trigger"] for word in ("lasair:points", "lasair:fetched", "2 points of ZTF"))
    assert "HX-Trigger" not in bob.get(watch), "of others nothing is told"
    assert "Fetch again" not in bob.get(f"{page}/panels/services/").content.decode()
    (kept,) = ann.get(f"{page}/data/light-curve.json").json()["users"]
    assert (kept["fluxOf"], kept["name"]) == ("total", "ZTF light curves at IRSA")
    services.trouble["irsa"] = 503
    ann.post(f"{page}/fetch/", {"service": "ztf"})
    newer = Transfer.objects.latest("pk")
    run(newer.pk)
    told = ann.get(f"{page}/watch/services/?of={newer.pk}")
    assert "out of order (503)" in told.content.decode()
    assert "lasair:points" not in told["HX-Trigger"]
    allow(monkeypatch, services, ztf="", atlas="", panstarrs="")
    said = ann.get(f"{page}/panels/services/").content.decode()
    assert "switched no service on" in said
    assert "#points" in said
