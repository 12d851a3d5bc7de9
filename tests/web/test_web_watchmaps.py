"""Watchmaps: made in every way, shared, loaded by the stream."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lasair_broker.sky import Moc, WatchmapIndex, healpix29
from lasair_broker.web.errors import Invalid, NotAllowed, NotFound
from lasair_broker.web.list_matching import UserListMatching
from lasair_broker.web.watchmaps import running, services
from lasair_broker.web.watchmaps.models import Watchmap


def test_every_way_to_make_one(people: Any) -> None:
    circle = services.create_circle(people.ann, "circle", 10, 20, 1, description="a field")
    fields = services.create_fields(people.ann, "fields", [10, 50], [20, 20], [1, 2])
    square = services.create_polygon(people.ann, "square", [0, 2, 2, 0], [0, 0, 2, 2])
    file = services.create_from_file(people.ann, "file", Moc.circle(10, 20, 1).to_fits())
    text = services.create_from_file(people.ann, "text", b"3/5 7-9")
    assert circle.area_deg2 == pytest.approx(np.pi, rel=0.02) == file.area_deg2
    assert fields.area_deg2 == pytest.approx(5 * np.pi, rel=0.02)
    assert square.area_deg2 == pytest.approx(4, rel=0.02)
    assert text.area_deg2 == pytest.approx(4 * 41252.96125 / 768, rel=1e-6)
    assert fields.definition == {"ra": [10, 50], "decl": [20, 20], "radius": [1, 2]}
    assert [m.origin for m in (circle, fields, square, file)] == ["circle", "fields", "polygon", "file"]
    assert np.array_equal(services.region(people.ann, circle.pk).ranges, Moc.circle(10, 20, 1).ranges)


def test_faults_are_said(people: Any) -> None:
    with pytest.raises(Invalid, match="radius"):
        services.create_circle(people.ann, "x", 10, 20, -1)
    with pytest.raises(Invalid, match="at least 3"):
        services.create_polygon(people.ann, "x", [0, 1], [0, 1])
    with pytest.raises(Invalid, match="as a MOC"):
        services.create_from_file(people.ann, "x", b"no map")
    services.create_circle(people.ann, "x", 10, 20, 1)
    with pytest.raises(Invalid, match=r"already exists|violated"):
        services.create_circle(people.ann, "x", 10, 20, 1)
    assert Watchmap.objects.count() == 1


def test_stream_reloads_only_what_changed(people: Any) -> None:
    one = services.create_circle(people.ann, "one", 10, 20, 1)
    loaded = running.load_watchmaps()
    assert loaded.index.map_ids == {one.pk}
    assert running.load_watchmaps(loaded) is loaded
    two = services.create_circle(people.bob, "two", 10.5, 20, 1)
    loaded = running.load_watchmaps(loaded)
    assert loaded.index.match(healpix29([10.2], [20.0])).map_id.tolist() == [one.pk, two.pk]
    services.replace(people.ann, one.pk, Moc.circle(200, 0, 1).to_fits())
    loaded = running.load_watchmaps(loaded)
    assert loaded.index.match(healpix29([10.2, 200], [20.0, 0])).map_id.tolist() == [two.pk, one.pk]
    services.describe(people.bob, two.pk, active=False)
    assert running.load_watchmaps(loaded).index.map_ids == {one.pk}


def test_match_of_the_archive(people: Any) -> None:
    made = services.create_circle(people.ann, "one", 10, 20, 1)
    matching = UserListMatching()
    task = matching.due()
    assert task is not None
    assert (task.table, task.list_id) == ("area_hits", made.pk)
    index = task.load()
    assert isinstance(index, WatchmapIndex)
    assert index.match(healpix29([10.2], [20.0])).map_id.tolist() == [made.pk]
    task.began(10)
    task.progress(5, 2)
    services.describe(people.ann, made.pk, name="another name")
    task.ended(3)
    found = services.get(people.ann, made.pk)
    assert (found.name, found.match, found.match_done, found.match_total, found.match_hits) == (
        "another name",
        "done",
        5,
        10,
        3,
    )
    assert matching.due() is None
    services.replace(people.ann, made.pk, b"3/5")
    again = matching.due()
    assert again is not None
    again.load()
    again.failed("the disk is full")
    assert services.get(people.ann, made.pk).match_message == "the disk is full"
    services.delete(people.ann, made.pk)
    removal = matching.due()
    assert removal is not None
    assert removal.load() is None
    removal.ended(0)
    assert matching.due() is None


def test_what_others_may(people: Any) -> None:
    made = services.create_circle(people.ann, "one", 10, 20, 1)
    with pytest.raises(NotFound):
        services.region(people.bob, made.pk)
    services.share(people.ann, made.pk, "public")
    assert services.region(None, made.pk).order == made.order
    with pytest.raises(NotAllowed):
        services.replace(people.bob, made.pk, b"3/5")
    with pytest.raises(NotAllowed):
        services.delete(people.bob, made.pk)
    mine = services.copy(people.bob, made.pk, "mine")
    assert (mine.owner, mine.visibility, bytes(mine.moc)) == (people.bob, "private", bytes(made.moc))
    with pytest.raises(Invalid, match="order: cannot"):
        services.describe(people.ann, made.pk, order=3)
    services.delete(people.ann, made.pk)
    assert Watchmap.objects.get() == mine
