"""Several workers share an archive: what one works out of it for a list is right whatever others store."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from archive_places import Places, Server
from lists_in_memory import Lists, Stream, brute_force, held, settle

from lasair_broker.archive import Archive
from lasair_broker.archive.postgresql import PostgreSQLArchive
from lasair_broker.archive.postgresql._write import Writing
from lasair_broker.sky import Moc
from lasair_broker.stream.lists import _keeper
from lasair_broker.stream.lists._matching import parts


@pytest.fixture
def workers(postgresql: str, tmp_path: Path) -> Iterator[Callable[[], Archive]]:
    """Archives of one database, each as a worker of its own has it."""
    server = Server(postgresql)
    PostgreSQLArchive(server.url(), tmp_path / "template").close()
    places = Places("postgresql", tmp_path, server)
    yield places
    places.close()
    server.close()


class Slowly:
    """A match that waits, once it has worked out the hits of a part, until it may give them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.worked_out, self.go_on = threading.Event(), threading.Event()
        monkeypatch.setattr(_keeper, "parts", self._parts)

    def _parts(self, index: Any, archive: Archive) -> Iterator[tuple[int, pa.Table]]:
        for looked_at, hits in parts(index, archive):
            assert hits.num_rows
            self.worked_out.set()
            assert self.go_on.wait(60)
            yield looked_at, hits


def until(stream: Stream, happened: Callable[[], object]) -> None:
    """Let the stream idle until something has happened."""
    for _ in range(30_000):
        stream.keeper.idle()
        if happened():
            return
        time.sleep(0.002)
    raise AssertionError("it does not happen")


@pytest.mark.parametrize("kind", ["watchlist", "map"])
def test_an_object_moves_in_another_worker_during_a_match(
    workers: Callable[[], Archive], kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lists = Lists()
    first, second = Stream(workers(), lists), Stream(workers(), lists, partition=1)
    first.process([first.packet(1, 10.0, -20.0), first.packet(2, 10.0, -20.0), first.packet(3, 10.2, -20.0)])
    first.commit()
    slowly = Slowly(monkeypatch)
    if kind == "watchlist":
        lists.put(1, {5: (10.0, -20.0, 30.0)})
    else:
        lists.put_map(1, Moc.circle(10.0, -20.0, 0.01))
    second.keeper.look()
    with first.keeper.running():
        until(first, slowly.worked_out.is_set)
        second.process([second.packet(1, 10.1, -20.0), second.packet(3, 10.0, -20.0)])
        second.commit()
        slowly.go_on.set()
        settle(first, lists)
    assert lists.failures == []
    assert held(first.archive) == brute_force(first.archive, lists)
    assert {hit[0] for found in held(first.archive) for hit in found} == {2, 3}


def test_a_match_waits_for_what_others_are_about_to_commit(
    workers: Callable[[], Archive], monkeypatch: pytest.MonkeyPatch
) -> None:
    lists = Lists()
    first, second = Stream(workers(), lists), Stream(workers(), lists, partition=1)
    first.process([first.packet(1, 10.0, -20.0)])
    first.commit()
    slowly = Slowly(monkeypatch)
    lists.put(1, {5: (10.0, -20.0, 30.0)})
    second.keeper.look()
    written, may_commit = threading.Event(), threading.Event()
    finish = Writing.finish

    def wait(writing: Writing) -> Any:
        written.set()
        assert may_commit.wait(60)
        return finish(writing)

    with first.keeper.running(), ThreadPoolExecutor(1) as executor:
        until(first, slowly.worked_out.is_set)
        second.process([second.packet(1, 10.1, -20.0)])
        monkeypatch.setattr(Writing, "finish", wait)
        committed = executor.submit(second.commit)  # it has removed the hits that there are, which are none
        assert written.wait(60)
        monkeypatch.setattr(Writing, "finish", finish)
        slowly.go_on.set()
        for _ in range(300):
            first.keeper.idle()
            time.sleep(0.002)
        assert lists.due() is not None, "the match has ended before the other worker has"
        assert held(first.archive)[0] == {(1, 1, 5)}, "worked out of the place that others can still see"
        may_commit.set()
        committed.result()
        settle(first, lists)
    assert held(first.archive) == brute_force(first.archive, lists) == (set(), set())


def test_a_worker_that_has_not_heard_of_a_list_yet(workers: Callable[[], Archive]) -> None:
    lists = Lists()
    first, second = Stream(workers(), lists), Stream(workers(), lists, partition=1)
    first.process([first.packet(1, 10.1, -20.0), first.packet(2, 10.0, -20.0)])
    first.commit()
    lists.put(1, {5: (10.0, -20.0, 30.0)})
    first.keeper._every = 0.2  # the others are given three times as long to look
    old = lists.lists_now()
    with first.keeper.running():
        until(first, lambda: held(first.archive)[0])
        second.process([second.packet(1, 10.0, -20.0)])
        second.commit()
        assert held(first.archive)[0] == {(2, 1, 5)}
        settle(first, lists)
        assert held(first.archive) == brute_force(first.archive, lists) == ({(1, 1, 5), (2, 1, 5)}, set())
        lists.drop(1)
        until(first, lambda: not held(first.archive)[0])
        second.keeper.lists.swap(old)
        second.process([second.packet(2, 10.0, -20.0)])
        second.commit()
        assert held(first.archive)[0] == {(2, 1, 5)}
        settle(first, lists)
    assert held(first.archive) == (set(), set())
