"""What users have to do with an object: seen by whom it may be, written as text, done by whom it may be."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from lasair_broker.archive import Archive, open_archive
from lasair_broker.schema import arrow_schema

Visitor = Callable[..., Any]
SCRIPT = "<script>alert('x')</script>"
ADQL = "SELECT diaObjectId FROM objects WHERE nDiaSources > 2"


def panel(visitor: Visitor, user: Any, key: int, name: str) -> str:
    answer = visitor(user, htmx=True).get(f"/objects/{key}/panels/{name}/")
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.fixture(scope="session")
def small_night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small archive, open nowhere."""
    from stream_fixtures import ListSource

    from lasair_broker.packets import SchemaStore
    from lasair_broker.packets.simulator import Simulation
    from lasair_broker.stream import Pipeline, run

    folder = tmp_path_factory.mktemp("small") / "archive"
    values = [bytes(v) for part in Simulation.night(10, seed=3).alerts() for v in part.values]
    with open_archive(folder) as made:
        run(ListSource(values, 60), Pipeline(SchemaStore(), []), made)
    return folder


@pytest.fixture
def own(small_night: Path, tmp_path: Path) -> Iterator[Archive]:
    """A copy of it to write hits into."""
    from lasair_broker.web.archive import use

    with open_archive(shutil.copytree(small_night, tmp_path / "own")) as made:
        use(made)
        yield made
    use(None)


@pytest.fixture
def mine(own: Archive) -> int:
    """The object with the most detections there."""
    found = own.query("SELECT diaObjectId FROM objects ORDER BY nDiaSources DESC LIMIT 1")
    return int(found["diaObjectId"][0].as_py())


def _rows(name: str, /, **values: Any) -> pa.Table:
    schema = arrow_schema(name)
    row = {field.name: values.get(field.name) for field in schema}
    return pa.Table.from_pylist([row], schema=schema)


@pytest.fixture
def everything(own: Archive, mine: int, people: Any) -> Any:
    """Ann's private list, map, annotator and filter, in all of which the object is."""
    from lasair_broker.web.annotators.models import Annotator
    from lasair_broker.web.filters import services as filters
    from lasair_broker.web.filters.wording import Wording
    from lasair_broker.web.watchlists import services as watchlists
    from lasair_broker.web.watchmaps import services as watchmaps

    ann = people.ann
    own_list = watchlists.create(ann, f"list {SCRIPT}")
    own_map = watchmaps.create_circle(ann, f"map {SCRIPT}", 10.0, -20.0, 1.0)
    Annotator.objects.create(owner=ann, topic="secret_topic")
    own_filter = filters.create(ann, f"filter {SCRIPT}", Wording(adql=ADQL))
    own.write(
        [],
        tables={
            "watchlist_hits": _rows(
                "watchlist_hits",
                diaObjectId=mine,
                wl_id=own_list.pk,
                cone_id=1,
                arcsec=0.5,
                name=f"row {SCRIPT}",
            ),
            "area_hits": _rows("area_hits", diaObjectId=mine, ar_id=own_map.pk),
            "annotations": _rows(
                "annotations",
                annotationID=1,
                diaObjectId=mine,
                topic="secret_topic",
                version="1",
                timestamp=datetime(2026, 1, 1, tzinfo=UTC),
                classification=f"class {SCRIPT}",
                explanation=f"said {SCRIPT}",
                classdict=json.dumps({"x": SCRIPT}),
                url="javascript:alert(1)",
            ),
            "filter_hits": _rows(
                "filter_hits",
                hitId="h1",
                filterId=own_filter.pk,
                filterVersion=1,
                diaObjectId=mine,
                diaSourceId=1,
                trigger="alert",
                content="{}",
                committedMjdTai=61000.0,
                deliveryAttempts=0,
            ),
        },
    )
    return own_filter


WHERE = {
    "hits": ("list &lt;", "map &lt;", "row &lt;"),
    "annotations": ("secret_topic", "said &lt;"),
    "filters": ("filter &lt;",),
}


@pytest.mark.parametrize("name", WHERE)
def test_private_things_are_seen_by_their_owner_only(
    visitor: Visitor, people: Any, mine: int, everything: Any, name: str
) -> None:
    seen = panel(visitor, people.ann, mine, name)
    for words in WHERE[name]:
        assert words in seen
    assert SCRIPT not in seen
    assert "javascript:" not in seen
    for other in (None, people.bob):
        hidden = panel(visitor, other, mine, name)
        assert "&lt;script" not in hidden
        for words in WHERE[name]:
            assert words not in hidden
    page = visitor(people.bob).get(f"/objects/{mine}/").content.decode()
    assert "secret_topic" not in page


def test_hits_are_taken_away_by_who_sees_them(
    visitor: Visitor, people: Any, mine: int, everything: Any
) -> None:
    address = f"/objects/{mine}/panels/hits/?watchlists-as=csv"

    def file(user: Any, address: str) -> str:
        return b"".join(visitor(user).get(address)).decode()

    assert SCRIPT in file(people.ann, address)
    assert SCRIPT not in file(people.bob, address)
    why = f"/objects/{mine}/filters/{everything.pk}/why/?why{everything.pk}-as=csv"
    assert "nDiaSources" in file(people.ann, why)


def test_public_things_are_seen_by_everybody(
    visitor: Visitor, people: Any, mine: int, everything: Any
) -> None:
    from lasair_broker.web.annotators.models import Annotator
    from lasair_broker.web.filters import services as filters

    Annotator.objects.update(visibility="public")
    filters.share(people.ann, everything.pk, "public")
    assert "secret_topic" in panel(visitor, None, mine, "annotations")
    assert "passed 1 time" in panel(visitor, None, mine, "filters")


def test_annotations_are_searched(visitor: Visitor, people: Any, mine: int, everything: Any) -> None:
    client = visitor(people.ann, htmx=True)
    address = f"/objects/{mine}/panels/annotations/?words="
    assert b"secret_topic" in client.get(f"{address}SAID").content
    assert b"No annotation has these words" in client.get(f"{address}zebra").content


def test_why_a_filter_takes_an_object(visitor: Visitor, people: Any, mine: int, everything: Any) -> None:
    address = f"/objects/{mine}/filters/{everything.pk}/why/"
    told = visitor(people.ann, htmx=True).get(address).content.decode()
    assert "The filter takes it" in told
    assert "nDiaSources" in told
    for other in (None, people.bob):
        assert visitor(other, htmx=True).get(address).status_code == 404


def test_comments_are_written_edited_removed_and_had_back(
    visitor: Visitor, people: Any, archive: Archive, key: int
) -> None:
    ann = visitor(people.ann, htmx=True)
    wrote = ann.post(f"/objects/{key}/comments/", {"text": f"bright {SCRIPT}", "visibility": "private"})
    assert b"bright &lt;script" in wrote.content
    assert "lasair:toast" in wrote["HX-Trigger"]
    assert "bright" not in panel(visitor, people.bob, key, "comments")
    from lasair_broker.web.comments.models import Comment

    number = Comment.objects.get().pk
    at = f"/objects/{key}/comments/{number}"
    assert visitor(people.bob, htmx=True).post(f"{at}/edit/", {"text": "mine"}).status_code == 404
    assert b"faint" in ann.post(f"{at}/edit/", {"text": "faint"}).content
    removed = ann.post(f"{at}/remove/").content
    assert b"Undo" in removed
    assert b"faint" in ann.post(f"{at}/restore/").content
    assert ann.post(f"/objects/{key}/comments/", {"text": " "}).status_code == 400
    assert visitor(None, htmx=True).post(f"/objects/{key}/comments/", {"text": "hello"}).status_code in (
        302,
        403,
    )


def test_points_are_added_and_kept_apart(visitor: Visitor, people: Any, archive: Archive, key: int) -> None:
    ann = visitor(people.ann, htmx=True)
    given = {
        "name": f"mine {SCRIPT}",
        "provenance": "my telescope",
        "instrument": "0.5 m",
        "visibility": "private",
        "lines": "mjd,scale,band,value,error,unit\n61000.5,tai,r,19.0,0.05,mag(AB)\n61001.5,utc,g,500,20,uJy",
    }
    wrote = ann.post(f"/objects/{key}/points/", given)
    assert wrote.status_code == 200
    assert "lasair:points" in wrote["HX-Trigger"]
    data = json.loads(ann.get(f"/objects/{key}/data/light-curve.json").content)
    mine = data["users"][0]
    assert mine["band"] == ["r", "g"]
    assert mine["psfFlux"] == pytest.approx([10 ** (0.4 * (31.4 - 19.0)), 500e3])
    assert mine["midpointMjdTai"][1] == pytest.approx(61001.5 + 37 / 86400)
    assert mine["provenance"] == "my telescope"
    assert 61000.5 not in data["diaSources"]["midpointMjdTai"]
    others = json.loads(visitor(people.bob).get(f"/objects/{key}/data/light-curve.json").content)
    assert others["users"] == []
    assert b"61000" not in b"".join(
        visitor(people.bob).get(f"/objects/{key}/data/points.csv").streaming_content
    )
    assert SCRIPT not in panel(visitor, people.ann, key, "points")
    from lasair_broker.web.photometry.models import PhotometrySet

    number = PhotometrySet.objects.get().pk
    assert b"Undo" in ann.post(f"/objects/{key}/points/{number}/remove/").content
    assert json.loads(ann.get(f"/objects/{key}/data/light-curve.json").content)["users"] == []


def test_faulty_points_are_told_row_by_row(visitor: Visitor, people: Any, archive: Archive, key: int) -> None:
    given = {
        "name": "x",
        "provenance": "y",
        "visibility": "private",
        "lines": "mjd,band,value,error,unit\nnow,r,19,0.1,furlongs",
    }
    told = visitor(people.ann, htmx=True).post(f"/objects/{key}/points/", given).content.decode()
    assert "line 2, mjd" in told
    assert "line 2, unit" in told
    assert "furlongs" in told, "what was written is still there to be mended"


def test_following_makes_a_list_and_a_filter_that_writes(
    visitor: Visitor, people: Any, archive: Archive, key: int
) -> None:
    from lasair_broker.web.filters.models import Filter
    from lasair_broker.web.objects.following import followed
    from lasair_broker.web.watchlists.models import Watchlist

    ann = visitor(people.ann, htmx=True)
    for _ in range(2):  # again makes no second
        answer = ann.post(f"/objects/{key}/follow/")
        assert b"Following" in answer.content
    own, made = Watchlist.objects.get(), Filter.objects.get()
    assert own.active
    assert own.visibility == "private"
    assert own.current is not None
    assert own.current.row_count == 1
    assert made.active_version is not None
    assert [output.kind for output in made.outputs.all()] == ["email"]
    assert made.outputs.get().recipient == people.ann
    assert followed(people.ann, key) is not None
    assert followed(people.bob, key) is None
    assert b"Following" in ann.get(f"/objects/{key}/").content
    assert b"Notify me" in ann.post(f"/objects/{key}/follow/", {"stop": "1"}).content
    assert followed(people.ann, key) is None
    assert visitor().post(f"/objects/{key}/follow/").status_code in (302, 403)


def test_a_list_that_is_made_anew_takes_its_filter_along(
    visitor: Visitor, people: Any, archive: Archive, key: int
) -> None:
    from lasair_broker.web.filters import services as filters
    from lasair_broker.web.filters.models import Filter
    from lasair_broker.web.filters.wording import Wording
    from lasair_broker.web.objects.following import follow
    from lasair_broker.web.watchlists import services as watchlists

    first, made = follow(people.ann, str(key))
    text = made.active_version.adql
    own = Wording(adql=f"{text} AND objects.nDiaSources > 1")  # what the user adds is kept
    filters.save_version(people.ann, made.pk, own)
    filters.record_preview(people.ann, made.pk, 2, filters.Preview(0, 0.0, 0.0, 0.0))
    filters.activate(people.ann, made.pk, 2)
    watchlists.delete(people.ann, first.pk)
    second, again = follow(people.ann, str(key))
    assert second.pk != first.pk
    assert again.pk == made.pk
    assert again.active_version.adql == own.adql.replace(f"wl_id = {first.pk}", f"wl_id = {second.pk}")
    follow(people.ann, str(key))
    assert Filter.objects.get().versions.count() == 3
    filters.save_version(people.ann, made.pk, Wording(adql="SELECT diaObjectId FROM objects WHERE decl > 95"))
    filters.record_preview(people.ann, made.pk, 4, filters.Preview(0, 0.0, 0.0, 0.0))
    filters.activate(people.ann, made.pk, 4)
    _, told = follow(people.ann, str(key))
    assert told.active_version.adql == text.replace(f"wl_id = {first.pk}", f"wl_id = {second.pk}")


def test_no_form_works_without_its_token(people: Any, archive: Archive, key: int) -> None:
    from django.test import Client

    client = Client(SERVER_NAME="localhost", enforce_csrf_checks=True)
    client.force_login(people.ann)
    for path in ("follow/", "comments/", "comments/1/remove/", "points/", "points/1/remove/"):
        assert client.post(f"/objects/{key}/{path}").status_code == 403


@pytest.mark.parametrize(
    "path", ["follow/", "comments/", "comments/1/remove/", "points/", "points/1/remove/"]
)
def test_nothing_is_changed_by_looking(visitor: Visitor, people: Any, key: int, path: str) -> None:
    assert visitor(people.ann).get(f"/objects/{key}/{path}").status_code == 405
