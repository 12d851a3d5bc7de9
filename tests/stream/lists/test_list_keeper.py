"""Whatever changes while the stream runs, in the end the archive's hits are those of the lists and objects as
they are: told by brute force."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from lists_in_memory import Lists, Rows, Stream, brute_force, held, places, settle
from packets_model import Packet, Row, batch_of

from lasair_broker.archive import Archive, ArchiveError, open_archive
from lasair_broker.sky import (
    Moc,
    Trigger,
    Triggers,
    separation_arcsec,
)
from lasair_broker.stream import ActiveLists, Resource
from lasair_broker.stream.lists import _keeper, list_stages, match_archive
from lasair_broker.stream.lists._matching import parts


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    with open_archive(tmp_path / "archive") as opened:
        yield opened


def test_what_was_worked_out_of_old_places_is_not_stored(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    lists = Lists()
    stream = Stream(archive, lists)
    stream.process([stream.packet(1, 10.0, -20.0)])
    stream.commit()
    worked_out, moved = threading.Event(), threading.Event()
    found = []

    def slow(index: Any, held: Archive) -> Iterator[tuple[int, pa.Table]]:
        for looked_at, hits in parts(index, held):
            found.append(hits.num_rows)
            worked_out.set()
            moved.wait(60)
            yield looked_at, hits

    monkeypatch.setattr(_keeper, "parts", slow)
    lists.put(1, {5: (10.0, -20.0, 30.0)})
    with stream.keeper.running():
        for _ in range(30_000):
            stream.keeper.idle()
            if worked_out.wait(0.002):
                break
        stream.process([stream.packet(1, 10.1, -20.0)])
        stream.commit()
        moved.set()
        settle(stream, lists)
    assert found == [1]
    assert held(archive) == (set(), set())


@pytest.mark.parametrize("seed", range(4))
def test_lists_change_while_the_stream_runs(archive: Archive, seed: int) -> None:
    rng = np.random.default_rng(seed)
    lists = Lists()
    stream = Stream(archive, lists)

    def somewhere() -> tuple[float, float]:
        return 10 + rng.normal() * 0.01, -20 + rng.normal() * 0.01

    def rows() -> Rows:
        return {
            int(cone): (*somewhere(), float(rng.uniform(1, 40)))
            for cone in rng.choice(30, rng.integers(1, 20), replace=False)
        }

    with stream.keeper.running():
        for _ in range(40):
            match rng.integers(7):
                case 0:
                    lists.put(int(rng.integers(1, 4)), rows())
                case 1 if lists.lists:
                    lists.drop(int(rng.choice(list(lists.lists))))
                case 2:
                    lists.put_map(int(rng.integers(1, 3)), Moc.circle(*somewhere(), 0.01))
                case 3 | 4:
                    keys = rng.choice(60, 10, replace=False)
                    stream.process([stream.packet(int(key) + 1, *somewhere()) for key in keys])
                case 5:
                    stream.commit()
                case _:
                    stream.keeper.idle()
        stream.commit()
        settle(stream, lists)
    assert lists.failures == []
    found, expected = held(archive), brute_force(archive, lists)
    assert [there - wanted for there, wanted in zip(found, expected, strict=True)] == [set(), set()]
    assert [wanted - there for there, wanted in zip(found, expected, strict=True)] == [set(), set()]
    assert len(places(archive)) > 0


def test_hits_have_separation_and_name(archive: Archive) -> None:
    lists = Lists()
    lists.put(7, {3: (10.0, -20.0, 5.0)})
    stream = Stream(archive, lists)
    stream.process([stream.packet(1, 10.0005, -20.0), stream.packet(2, 10.1, -20.0)])
    stream.commit()
    (row,) = archive.query("SELECT * FROM watchlist_hits").to_pylist()
    assert row["arcsec"] == pytest.approx(float(separation_arcsec(10.0005, -20.0, 10.0, -20.0)), rel=1e-6)
    assert (row["diaObjectId"], row["wl_id"], row["cone_id"], row["name"]) == (1, 7, 3, "source 3")


def test_a_batch_matched_before_the_list_came_has_its_hits(archive: Archive) -> None:
    lists = Lists()
    stream = Stream(archive, lists)
    stream.process([stream.packet(1, 10.0, -20.0)])
    lists.put(1, {1: (10.0, -20.0, 5.0)})
    lists.put_map(4, Moc.circle(10.0, -20.0, 1.0))
    stream.keeper.look()
    stream.commit()
    assert held(archive) == ({(1, 1, 1)}, {(1, 4)})


def test_a_batch_matched_before_the_list_went_leaves_nothing(archive: Archive) -> None:
    lists = Lists()
    lists.put(1, {1: (10.0, -20.0, 5.0)})
    stream = Stream(archive, lists)
    stream.process([stream.packet(1, 10.0, -20.0)])
    lists.drop(1)
    with stream.keeper.running():
        stream.keeper.look()
        stream.commit()
        settle(stream, lists)
    assert held(archive) == (set(), set())


def test_a_list_that_goes_before_it_was_matched_leaves_nothing(archive: Archive) -> None:
    lists = Lists()
    lists.put(1, {1: (10.0, -20.0, 5.0)})
    stream = Stream(archive, lists)
    stream.process([stream.packet(1, 10.0, -20.0)])
    stream.commit()
    assert held(archive)[0] == {(1, 1, 1)}
    lists.drop(1)
    with stream.keeper.running():
        settle(stream, lists)
    assert held(archive)[0] == set()


def test_what_was_begun_is_done_again_after_a_stop(archive: Archive) -> None:
    lists = Lists()
    stream = Stream(archive, lists)
    stream.process([stream.packet(key, 10.0, -20.0) for key in range(1, 30)])
    stream.commit()
    lists.put(1, {1: (10.0, -20.0, 5.0)})
    matching = threading.Thread(target=stream.keeper.match_next)
    matching.start()
    stream.keeper.stop()  # nobody calls idle: the match cannot end
    matching.join()
    assert lists.due() is not None
    other = Stream(archive, lists)
    with other.keeper.running():
        settle(other, lists)
    assert held(archive) == brute_force(archive, lists)
    assert len(held(archive)[0]) == 29


def test_a_match_that_fails_is_told_and_the_stream_goes_on(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    lists = Lists()
    stream = Stream(archive, lists)
    stream.process([stream.packet(1, 10.0, -20.0)])
    stream.commit()

    def full(*_: object, **__: object) -> None:
        raise ArchiveError("the disk is full")

    with monkeypatch.context() as patch, stream.keeper.running():
        patch.setattr(archive, "replace_list_hits", full)
        lists.put(1, {1: (10.0, -20.0, 5.0)})
        settle(stream, lists)
    assert lists.failures == ["the disk is full"]
    stream.process([stream.packet(2, 10.0, -20.0)])
    stream.commit()
    assert held(archive)[0] == {(2, 1, 1)}


def test_match_without_a_stream(archive: Archive) -> None:
    lists = Lists()
    stream = Stream(archive, lists)
    rng = np.random.default_rng(5)
    stream.process(
        [stream.packet(key, *(np.array([10, -20]) + rng.normal(size=2) * 0.01)) for key in range(1, 200)]
    )
    stream.commit()
    lists.put(1, {cone: (10 + rng.normal() * 0.01, -20.0, float(rng.uniform(1, 60))) for cone in range(50)})
    lists.put_map(1, Moc.circle(10, -20, 0.01))
    told: list[tuple[int, int]] = []
    while (task := lists.due()) is not None:
        count = match_archive(task, archive, lambda done, total: told.append((done, total)))
        assert task.seen[-1][1] == count > 0
        assert task.total == 199
    assert told
    assert held(archive) == brute_force(archive, lists)
    lists.drop(1)
    task = lists.due()
    assert task is not None
    assert match_archive(task, archive) == 0
    assert held(archive)[0] == set()


def test_a_stage_takes_new_lists_from_the_next_batch_on() -> None:
    lists = Lists()
    lists.put(1, {1: (10.0, -20.0, 5.0)})
    resource = Resource(lists.lists_now())
    watchlists, _ = list_stages(resource)
    batch = batch_of([Packet(1, 1, 61_000.0, (Row(1, 61_000.0),))])
    assert watchlists(batch).tables["watchlist_hits"].num_rows == 1
    resource.swap(ActiveLists(triggers=Triggers.of([Trigger(1, 1, magnitude=20.0)])))
    assert watchlists(batch).tables["watchlist_hits"].num_rows == 0
