"""Watchlists: uploads, versions, single rows, triggers, and what the stream loads."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lasair_broker import sky
from lasair_broker.sky import WatchlistIndex
from lasair_broker.web.active_lists import ActiveListsReader
from lasair_broker.web.errors import Invalid, NotAllowed, NotFound
from lasair_broker.web.list_matching import UserListMatching
from lasair_broker.web.watchlists import rows as stored
from lasair_broker.web.watchlists import running, services
from lasair_broker.web.watchlists.models import Watchlist, WatchlistTrigger
from lasair_broker.web.watchlists.services import RowsRefused


@pytest.fixture
def stars(people: Any) -> Watchlist:
    made = services.create(people.ann, "stars", default_radius=4)
    services.upload(people.ann, made.pk, b"10,20,a\n11,21,b,30\n12,22,c\n", source_name="stars.csv")
    made.refresh_from_db()
    return made


def table(user: Any, made: Watchlist) -> list[tuple[Any, ...]]:
    return [tuple(r.values()) for r in services.all_rows(user, made.pk).to_pylist()]


def test_upload(people: Any, stars: Watchlist) -> None:
    assert table(people.ann, stars) == [
        (1, "a", 10.0, 20.0, 4.0, None),
        (2, "b", 11.0, 21.0, 30.0, None),
        (3, "c", 12.0, 22.0, 4.0, None),
    ]
    assert stars.current is not None
    assert (stars.current.number, stars.current.row_count, stars.current.source_name) == (1, 3, "stars.csv")
    assert not stars.active


def test_faulty_rows_are_refused_or_skipped(people: Any, stars: Watchlist) -> None:
    data = b"10,20,a\n400,1,x\n1,2,y,9999\n"
    with pytest.raises(RowsRefused) as caught:
        services.upload(people.ann, stars.pk, data)
    assert caught.value.upload.num_problems == 2
    assert list(caught.value.faults) == ["line 2, ra", "line 3, radius"]
    assert len(table(people.ann, stars)) == 3, "nothing changed"
    services.upload(people.ann, stars.pk, data, skip_bad_rows=True)
    assert [r[1] for r in table(people.ann, stars)] == ["a"]
    with pytest.raises(RowsRefused):
        services.upload(people.ann, stars.pk, b"400,1,x\n", skip_bad_rows=True)
    with pytest.raises(Invalid, match="no rows"):
        services.upload(people.ann, stars.pk, b"")


def test_rows_keep_their_numbers_by_name(people: Any, stars: Watchlist) -> None:
    services.upload(people.ann, stars.pk, b"12.5,22,c\n1,1,new\n10,20,a\n2,2,a\n")
    assert [(r[0], r[1], r[2]) for r in table(people.ann, stars)] == [
        (1, "a", 10.0),
        (3, "c", 12.5),
        (4, "new", 1.0),
        (5, "a", 2.0),
    ]
    services.restore(people.ann, stars.pk, 1)
    assert [r[0] for r in table(people.ann, stars)] == [1, 2, 3]
    services.upload(people.ann, stars.pk, b"1,1,z\n")
    assert [r[0] for r in table(people.ann, stars)] == [6], "numbers are never used twice"
    assert list(stars.versions.values_list("number", flat=True)) == [1, 2, 3, 4]
    with pytest.raises(NotFound, match="no version 9"):
        services.restore(people.ann, stars.pk, 9)


def test_single_rows(people: Any, stars: Watchlist) -> None:
    services.edit_row(people.ann, stars.pk, 2, ra=11.5, notes="moved")
    new = services.add_row(people.ann, stars.pk, name="d", ra=359.0, decl=-89.0)
    services.delete_row(people.ann, stars.pk, 1)
    assert table(people.ann, stars) == [
        (2, "b", 11.5, 21.0, 30.0, "moved"),
        (3, "c", 12.0, 22.0, 4.0, None),
        (new, "d", 359.0, -89.0, 4.0, None),
    ]
    stars.refresh_from_db()
    assert stars.current is not None
    assert stars.current.row_count == 3
    services.edit_row(people.ann, stars.pk, new, radius=60.0)
    services.delete_row(people.ann, stars.pk, new)
    assert [r[0] for r in table(people.ann, stars)] == [2, 3]
    for cone_id in (1, new, 99):
        with pytest.raises(NotFound, match=f"no row {cone_id}"):
            services.edit_row(people.ann, stars.pk, cone_id, ra=1.0)
    for values, says in [
        ({"ra": 361.0}, "ra"),
        ({"radius": 0.5, "decl": -91.0}, "decl"),
        ({"mag": 3}, "mag"),
    ]:
        with pytest.raises(Invalid, match=says):
            services.edit_row(people.ann, stars.pk, 2, **values)
    assert table(people.ann, stars)[0][2] == 11.5


def test_rows_by_hand_only(people: Any) -> None:
    made = services.create(people.ann, "by hand")
    with pytest.raises(Invalid, match="no rows yet"):
        services.set_active(people.ann, made.pk, True)
    assert services.rows(people.ann, made.pk).num_rows == 0
    services.add_row(people.ann, made.pk, name="x", ra=1.0, decl=2.0, radius=9.0)
    assert table(people.ann, made) == [(1, "x", 1.0, 2.0, 9.0, None)]


def test_pages_and_search(people: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored, "ROWS_PER_BLOCK", 10)
    made = services.create(people.ann, "long")
    services.upload(people.ann, made.pk, "".join(f"{k},{k / 9},star {k}\n" for k in range(95)).encode())
    services.delete_row(people.ann, made.pk, 12)
    services.edit_row(people.ann, made.pk, 30, name="Special")
    seen, after = [], 0
    while (page := services.rows(people.ann, made.pk, after_cone_id=after, limit=7)).num_rows:
        assert page.num_rows == 7 or page["cone_id"][-1].as_py() == 95
        seen += page["cone_id"].to_pylist()
        after = seen[-1]
    assert seen == [k for k in range(1, 96) if k != 12]
    found = services.rows(people.ann, made.pk, name="SPECIAL")
    assert found["cone_id"].to_pylist() == [30]


def test_many_edits_are_merged(people: Any, stars: Watchlist, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "COMPACT_AT", 3)
    for k in range(7):
        services.add_row(people.ann, stars.pk, name=f"n{k}", ra=1.0, decl=1.0)
    stars.refresh_from_db()
    assert stars.current is not None
    assert stars.current.edits.count() == 1
    assert [r[0] for r in table(people.ann, stars)] == list(range(1, 11))
    assert stars.current.row_count == 10


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from("abcd"), max_size=6), st.lists(st.sampled_from("abcde"), max_size=6))
def test_numbers_are_kept_as_far_as_possible(old: list[str], new: list[str]) -> None:
    def rows(names: list[str]) -> pa.Table:
        ones = pa.array(np.ones(len(names)))
        columns = [pa.array(names, pa.string()), ones, ones, ones, pa.nulls(len(names), pa.string())]
        return pa.table(columns, schema=sky.UPLOAD_SCHEMA)

    before, free = stored.keep_numbers(stored.STORED_SCHEMA.empty_table(), rows(old), 1)
    after, free_after = stored.keep_numbers(before, rows(new), free)
    by_number = {r["cone_id"]: r["name"] for r in before.to_pylist()}
    ids = after["cone_id"].to_pylist()
    assert ids == sorted(set(ids))
    assert sorted(after["name"].to_pylist()) == sorted(new)
    kept = [r for r in after.to_pylist() if r["cone_id"] < free]
    assert all(by_number[r["cone_id"]] == r["name"] for r in kept)
    assert len(kept) == sum(min(old.count(n), new.count(n)) for n in set(new))
    assert free_after == free + len(new) - len(kept)


def test_what_others_may(people: Any, stars: Watchlist, team: Any) -> None:
    ours = team("T", manager=people.ann, editor=people.eve, member=people.max)
    services.share(people.ann, stars.pk, "group", ours)
    assert services.rows(people.max, stars.pk).num_rows == 3
    for attempt in (
        lambda u: services.edit_row(u, stars.pk, 1, ra=1.0),
        lambda u: services.upload(u, stars.pk, b"1,1,z\n"),
        lambda u: services.set_active(u, stars.pk, True),
        lambda u: services.describe(u, stars.pk, name="mine"),
        lambda u: services.add_trigger(u, stars.pk, magnitude=18.0),
        lambda u: services.delete(u, stars.pk),
    ):
        with pytest.raises(NotAllowed):
            attempt(people.max)
        with pytest.raises(NotFound):
            attempt(people.bob)
    services.edit_row(people.eve, stars.pk, 1, ra=1.0)
    mine = services.copy(people.max, stars.pk, "mine")
    assert (mine.owner, mine.visibility, mine.active) == (people.max, "private", False)
    assert table(people.max, mine) == table(people.ann, stars)
    with pytest.raises(NotFound):
        services.rows(people.ann, mine.pk)
    services.delete(people.ann, stars.pk)
    with pytest.raises(NotFound):
        services.get(people.ann, stars.pk)


# ---- the stream ----


def test_stream_reloads_only_what_changed(people: Any, stars: Watchlist) -> None:
    loaded = running.load_watchlists()
    assert len(loaded.index) == 0
    services.set_active(people.ann, stars.pk, True)
    loaded = running.load_watchlists(loaded)
    assert loaded.index.list_ids == {stars.pk}
    assert running.load_watchlists(loaded) is loaded
    hits = loaded.index.hits(pa.array([7]), [11.005], [21.0])
    assert hits.select(["diaObjectId", "wl_id", "cone_id", "name"]).to_pylist() == [
        {"diaObjectId": 7, "wl_id": stars.pk, "cone_id": 2, "name": "b"}
    ]
    other = services.create(people.bob, "other")
    services.upload(people.bob, other.pk, b"11.005,21,x\n")
    services.set_active(people.bob, other.pk, True)
    services.edit_row(people.ann, stars.pk, 2, ra=200.0)
    now = running.load_watchlists(loaded)
    assert now.index.take(now.index.match([11.005], [21.0]).row)["wl_id"].to_pylist() == [other.pk]
    services.set_active(people.ann, stars.pk, False)
    people.bob.is_active = False
    people.bob.save()
    assert len(running.load_watchlists(now).index) == 0


def test_match_of_the_archive_is_kept_account_of(people: Any, stars: Watchlist) -> None:
    matching = UserListMatching()
    assert matching.due() is None, "the list is not active"
    services.set_active(people.ann, stars.pk, True)
    task = matching.due()
    assert task is not None
    assert (task.table, task.list_id) == ("watchlist_hits", stars.pk)
    index = task.load()
    assert isinstance(index, WatchlistIndex)
    assert index.list_ids == {stars.pk}
    task.began(1000)
    task.progress(400, 3)
    version = services.get(people.ann, stars.pk).current
    assert version is not None
    assert (version.match, version.match_done, version.match_total, version.match_hits) == (
        "running",
        400,
        1000,
        3,
    )
    assert UserListMatching().due() is not None, "what was begun is due again after a kill"
    task.ended(3)
    version.refresh_from_db()
    assert version.match == "done"
    assert matching.due() is None


def test_an_edit_meanwhile_makes_a_list_due_again(people: Any, stars: Watchlist) -> None:
    services.set_active(people.ann, stars.pk, True)
    matching = UserListMatching()
    task = matching.due()
    assert task is not None
    task.load()
    services.edit_row(people.ann, stars.pk, 1, ra=1.0)
    task.ended(0)
    again = matching.due()
    assert again is not None
    index = again.load()
    assert isinstance(index, WatchlistIndex)
    assert len(index.match([1.0], services.rows(people.ann, stars.pk)["decl"].to_pylist()[:1])) == 1
    again.ended(1)
    assert matching.due() is None
    matching.again("watchlist_hits", stars.pk)
    assert matching.due() is not None


def test_a_failed_match_waits_for_a_change(people: Any, stars: Watchlist) -> None:
    services.set_active(people.ann, stars.pk, True)
    matching = UserListMatching()
    task = matching.due()
    assert task is not None
    task.load()
    task.failed("the disk is full")
    version = services.get(people.ann, stars.pk).current
    assert version is not None
    assert (version.match, version.match_message) == ("failed", "the disk is full")
    assert matching.due() is None
    assert UserListMatching().due() is not None, "the next process tries it"
    services.edit_row(people.ann, stars.pk, 1, ra=1.0)
    assert matching.due() is not None


def test_hits_of_the_stream_are_removed_though_the_list_was_never_matched(
    people: Any, stars: Watchlist
) -> None:
    services.set_active(people.ann, stars.pk, True)
    matching = UserListMatching()
    matching.expect([("watchlist_hits", stars.pk), ("watchlist_hits", 1000), ("area_hits", 1000)])
    matching.expect([("watchlist_hits", stars.pk)])
    due = set()
    services.set_active(people.ann, stars.pk, False)
    while (task := matching.due()) is not None:
        assert task.load() is None
        task.ended(0)
        due.add((task.table, task.list_id))
    assert due == {("watchlist_hits", stars.pk), ("watchlist_hits", 1000), ("area_hits", 1000)}


@pytest.mark.parametrize("how", ["deactivated", "deleted", "owner gone", "while it was matched"])
def test_hits_of_a_list_no_longer_matched_are_removed(people: Any, stars: Watchlist, how: str) -> None:
    services.set_active(people.ann, stars.pk, True)
    matching = UserListMatching()
    task = matching.due()
    assert task is not None
    task.load()
    if how != "while it was matched":
        task.ended(5)
    wl_id = stars.pk
    if how == "deactivated":
        services.set_active(people.ann, stars.pk, False)
    elif how == "owner gone":
        people.ann.is_active = False
        people.ann.save()
    else:
        services.delete(people.ann, stars.pk)
    if how == "while it was matched":
        task.ended(5)
    removal = matching.due()
    assert removal is not None
    assert (removal.table, removal.list_id) == ("watchlist_hits", wl_id)
    assert removal.load() is None
    removal.began(0)
    removal.ended(0)
    assert matching.due() is None


def test_the_stream_is_given_the_same_object_until_something_changes(people: Any, stars: Watchlist) -> None:
    reader = ActiveListsReader()
    before = reader.read()
    assert reader.read() is before
    services.set_active(people.ann, stars.pk, True)
    now = reader.read()
    assert len(now.watchlists) > 0
    assert now.token != before.token
    assert reader.read() is now
    trigger = services.add_trigger(people.ann, stars.pk, magnitude=18.0)
    with_trigger = reader.read()
    assert with_trigger.triggers.trigger_id.tolist() == [trigger.pk]
    assert with_trigger.watchlists is now.watchlists
    assert reader.read() is with_trigger
    services.change_trigger(people.ann, trigger.pk, magnitude=17.0)
    assert reader.read().triggers.limit.tolist() == [17.0]


# ---- triggers ----


def test_triggers(people: Any, stars: Watchlist) -> None:
    whole = services.add_trigger(people.ann, stars.pk, magnitude=18.0, bands="gr", name="outburst")
    row = services.add_trigger(
        people.ann, stars.pk, cone_id=2, kind="changes", direction="either", change=1.0, start_mjd=60000.0
    )
    assert whole.start_mjd > 60000
    assert len(running.load_triggers().trigger_id) == 0, "the list is not active"
    services.set_active(people.ann, stars.pk, True)
    loaded = running.load_triggers()
    assert loaded.trigger_id.tolist() == [whole.pk, row.pk]
    assert loaded.wl_id.tolist() == [stars.pk] * 2
    assert loaded.cone_id.tolist() == [sky.WHOLE_LIST, 2]
    assert loaded.bands.tolist() == [0b000110, 0b111111]
    assert loaded.limit.tolist() == [18.0, 1.0]
    assert [math.isnan(m) for m in loaded.baseline_magnitude] == [True, True]
    services.change_trigger(people.ann, row.pk, name="renamed")
    assert running.load_triggers().start_mjd.tolist()[1] == 60000.0
    services.change_trigger(people.ann, row.pk, change=2.0)
    assert running.load_triggers().start_mjd.tolist()[1] > 60000.0, "a changed rule starts anew"
    services.change_trigger(people.ann, whole.pk, active=False)
    assert running.load_triggers().trigger_id.tolist() == [row.pk]
    assert [t.pk for t in services.triggers(people.ann, stars.pk)] == [whole.pk, row.pk]
    with pytest.raises(NotFound):
        services.triggers(people.bob, stars.pk)
    services.remove_trigger(people.ann, row.pk)
    assert WatchlistTrigger.objects.count() == 1


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({}, "magnitude"),
        ({"magnitude": 18.0, "bands": "rq"}, "instead of q"),
        ({"magnitude": 18.0, "colour": 1}, "colour: unknown"),
        ({"magnitude": 18.0, "watchlist": None}, "watchlist: unknown"),
        ({"kind": "changes", "change": 0.1}, "rearm"),
        ({"kind": "explodes", "magnitude": 18.0}, "kind"),
        ({"magnitude": "bright"}, "magnitude"),
    ],
)
def test_senseless_triggers(people: Any, stars: Watchlist, values: dict[str, Any], says: str) -> None:
    with pytest.raises(Invalid, match=says):
        services.add_trigger(people.ann, stars.pk, **values)
    assert not WatchlistTrigger.objects.exists()


def test_triggers_are_the_lists(people: Any, stars: Watchlist) -> None:
    made = services.add_trigger(people.ann, stars.pk, magnitude=18.0)
    with pytest.raises(NotFound):
        services.change_trigger(people.bob, made.pk, active=False)
    with pytest.raises(NotFound, match="no row 77"):
        services.add_trigger(people.ann, stars.pk, cone_id=77, magnitude=18.0)
    assert not WatchlistTrigger.objects.visible_to(people.bob).exists()
    services.share(people.ann, stars.pk, "public")
    assert WatchlistTrigger.objects.visible_to(None).count() == 1
    with pytest.raises(NotAllowed):
        services.remove_trigger(people.bob, made.pk)
