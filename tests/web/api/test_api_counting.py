"""Requests are counted by all processes together, and never more are answered than are allowed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lasair_broker.web.api.counting import SharedWindow

COUNT = """
import sys
from concurrent.futures import ThreadPoolExecutor
from lasair_broker.web import migrate
migrate()
from django.db import connection
from lasair_broker.web.api.counting import SharedWindow
window = SharedWindow(3600.0, lambda: 1.0e9)

def ask(_):
    admitted = 0
    while window.wait(sys.argv[2], int(sys.argv[1])) == 0.0:
        admitted += 1
    connection.close()
    return admitted

print("ready", flush=True)
sys.stdin.readline()
with ThreadPoolExecutor(3) as threads:
    print(sum(threads.map(ask, range(3))))
"""


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(0.0, 5.0), min_size=1, max_size=40), st.integers(1, 8))
def test_never_more_than_twice_as_many_in_a_window(steps: list[float], most: int) -> None:
    now = 0.0
    window = SharedWindow(10.0, lambda: now)
    window.forget()
    admitted: list[float] = []
    for step in steps:
        now += step
        wait = window.wait("a", most)
        assert (wait == 0.0) == (window.wait("b", 10**9) == 0.0) or wait > 0.0
        if wait > 0.0:
            now += wait * (1 + 1e-9) + 1e-9
            assert window.wait("a", most) == 0.0, "after the time it said"
        admitted.append(now)
    for begin in admitted:
        assert sum(begin <= moment < begin + 10.0 for moment in admitted) <= 2 * most
        fixed = (begin // 10.0) * 10.0
        assert sum(fixed <= moment < fixed + 10.0 for moment in admitted) <= most


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 2), min_size=1, max_size=200), st.integers(1, 120))
def test_processes_together_answer_as_many_as_are_allowed(asked: list[int], most: int) -> None:
    processes = [SharedWindow(3600.0, lambda: 1.0e9) for _ in range(3)]
    processes[0].forget()
    admitted = sum(processes[which].wait("ann", most) == 0.0 for which in asked)
    assert admitted <= most
    assert admitted >= min(len(asked), most - 2 * -(-most // 20)), "few are refused too early"
    for process in processes:  # what each has taken is asked for in the end: none is lost
        while process.wait("ann", most) == 0.0:
            admitted += 1
    assert admitted == most


def test_a_database_that_is_away_lets_people_in(monkeypatch: pytest.MonkeyPatch) -> None:
    from django.db import OperationalError

    def fail(*_: object) -> None:
        raise OperationalError("away")

    window = SharedWindow(3600.0, lambda: 1.0e9)
    monkeypatch.setattr(window, "_row", fail)
    assert [window.wait("ann", 1) for _ in range(3)] == [0.0, 0.0, 0.0]


def test_who_is_refused_does_not_keep_the_database_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1.0e9
    window = SharedWindow(3600.0, lambda: now)
    window.forget()
    assert window.wait("ann", 1) == 0.0
    first = window.wait("ann", 1)
    asked: list[str] = []
    reserve = window._reserve
    monkeypatch.setattr(window, "_reserve", lambda *args: asked.append("") or reserve(*args))  # type: ignore[func-returns-value]  # append gives None, so it goes on
    now += 0.5
    assert window.wait("ann", 1) == pytest.approx(first - 0.5)
    assert not asked
    now += 1.0
    assert window.wait("ann", 1) == pytest.approx(first - 1.5)
    assert len(asked) == 1


@pytest.mark.parametrize("server", ["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def test_two_processes_at_once(request: pytest.FixtureRequest, tmp_path: Path, server: str) -> None:
    url = f"sqlite:///{tmp_path}/users.sqlite3"
    if server == "postgresql":
        parts = dict(part.split("=") for part in request.getfixturevalue("postgresql").split())
        url = f"postgresql://{parts['user']}@/{parts['dbname']}?host={parts['host']}"
    environment = {**os.environ, "LASAIR_USER_DATABASE": url}
    command = [sys.executable, "-c", COUNT, "500", tmp_path.name]  # the server is that of other tests, too
    running = []
    for _ in range(2):  # one after the other: the first makes the tables
        process = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        running.append(process)
    for process in running:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    counted = [int(process.communicate(timeout=120)[0]) for process in running]
    assert sum(counted) == 500
