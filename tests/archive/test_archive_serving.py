"""Reading an archive that another process has open: the same answers, the same errors, and no harm."""

from __future__ import annotations

import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from serving_worker import OBJECTS, packets

from lasair_broker.archive import (
    Archive,
    ArchiveError,
    ArchiveLockedError,
    QueryCancelledError,
    QueryError,
    QueryTimeoutError,
    open_archive,
)
from lasair_broker.archive.serving._wire import METHODS, receive, send, socket_path
from lasair_broker.schema import SchemaError

SLOW = "SELECT count(*) FROM range(100000000) a, range(100000) b WHERE a.range * b.range % 7 = 3"


@pytest.fixture(scope="module")
def holder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, subprocess.Popen[str]]]:
    """A folder whose name is longer than the name of a socket may be, and the process that has it open."""
    folder = tmp_path_factory.mktemp("served") / ("long" * 30) / "archive"
    with _started(folder) as process:
        yield folder, process
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(30) == 0


def _started(folder: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("serving_worker.py")), str(folder)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "open\n"
    return process


@pytest.fixture
def remote(holder: tuple[Path, subprocess.Popen[str]]) -> Iterator[Archive]:
    with open_archive(holder[0], read_only=True) as archive:
        yield archive


CALLS: dict[str, Callable[[Archive], Any]] = {
    "alert_bytes": lambda a: [a.alert_bytes(7005), a.alert_bytes(1)],
    "check": lambda a: a.check(),
    "cone": lambda a: a.cone(10.01, -5.0, 30.0, ["diaObjectId"]),
    "cutout": lambda a: [a.cutout(7005, "Science"), a.cutout(1, "Science")],
    "cutout_png": lambda a: a.cutout_png(1, "Science"),
    "hits_after": lambda a: a.hits_after(1, (float("-inf"), ""), limit=7),
    "light_curve": lambda a: vars_of(a.light_curve(7, {"diaSources": ["psfFlux", "band"]})),
    "light_curves": lambda a: vars_of(a.light_curves([np.int64(3), 7, 3])),
    "newest_hits": lambda a: a.newest_hits([1], range(40)).sort_by("hitId"),
    "object": lambda a: [a.object(7), a.object("name8", ["ra"]), a.object("nobody")],
    "object_places": lambda a: [
        pa.concat_tables(a.object_places(batch_rows=10)).sort_by("diaObjectId"),
        list(a.object_places(np.array([[0, 5]]))),
    ],
    "positions": lambda a: a.positions(),
    "query": lambda a: a.query("SELECT diaObjectId, ra FROM objects ORDER BY 1", max_rows=5),
    "rejected": lambda a: [a.rejected(), a.rejected(0)],
    "replay": lambda a: [
        (stored.alerts, [stored.payloads.bytes(n) for n in range(len(stored.payloads))], stored.left)
        for stored in a.replay(diaObjectIds=[1, 2, 3], newest=True, batch_alerts=2)
    ],
    "rows_by_table": lambda a: [
        rows.sort_by("diaObjectId")
        for rows in a.rows_by_table([5, 6], {"objects": ["diaObjectId", "ra"], "annotations": None}).values()
    ],
    "rows_of_objects": lambda a: a.rows_of_objects("diaSources", [5, 6]).sort_by("diaSourceId"),
    "status": lambda a: [a.status().tables["objects"].rows, a.status().positions, a.status().bytes_per_alert],
    "unknown_packs": lambda a: a.unknown_packs(),
}


def vars_of(curve: Any) -> list[pa.Table]:
    return [curve.diaSources, curve.diaForcedSources, curve.diaNondetectionLimits]


def test_every_reading_method_answers_as_the_archive_itself(tmp_path: Path) -> None:
    assert set(CALLS) == set(METHODS)
    with _started(tmp_path / "archive") as process:
        with open_archive(tmp_path / "archive", read_only=True) as remote:
            found = {name: call(remote) for name, call in CALLS.items()}
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(30) == 0
    with open_archive(tmp_path / "archive", read_only=True) as archive:
        for name, call in CALLS.items():
            if name != "status":  # the last checkpoint changes sizes
                assert found[name] == call(archive), name
    assert found["status"][:2] == [OBJECTS, {("alerts", 0): OBJECTS}]
    assert found["object"][0].num_rows == 1
    assert len(found["replay"]) == 2
    assert found["replay"][0][1] == [packet.datum() for packet in packets()[:2]]


def test_errors_come_through(remote: Archive) -> None:
    with pytest.raises(QueryError, match="nowhere"):
        remote.query("SELECT * FROM nowhere")
    with pytest.raises(QueryError, match="only SELECT"):
        remote.query("DELETE FROM objects")
    with pytest.raises(QueryTimeoutError, match=r"0\.3 seconds"):
        remote.query(SLOW, timeout=0.3)
    with pytest.raises(ValueError, match="Difference"):
        remote.cutout(7005, "Sciense")  # type: ignore[arg-type]
    with pytest.raises(SchemaError, match="psfFlux"):
        remote.light_curve(1, {"diaSources": ["psfFlx"]})
    for writing in (
        lambda: remote.write([]),
        lambda: remote.take_rejected(),
        lambda: remote.note_deliveries(pa.table({})),
        lambda: remote.replace_list_hits("area_hits", 1, pa.table({}), first=True),
        lambda: remote.compact(),
        lambda: remote.export_parquet("anywhere"),
    ):
        with pytest.raises(ArchiveLockedError, match="only be read"):
            writing()
    assert remote.query("SELECT count(*) AS n FROM objects").to_pylist() == [{"n": OBJECTS}]


def test_a_query_is_cancelled(remote: Archive) -> None:
    cancelled = threading.Event()
    threading.Timer(0.3, cancelled.set).start()
    with pytest.raises(QueryCancelledError):
        remote.query(SLOW, timeout=None, cancelled=cancelled)
    # It has stopped over there too: there is one thread for queries, and it is free.
    assert remote.query("SELECT 1 AS one", timeout=20).to_pylist() == [{"one": 1}]


def test_only_methods_that_read_can_be_called(holder: tuple[Path, subprocess.Popen[str]]) -> None:
    folder, _ = holder
    for head in (
        {"method": "write", "arguments": {"batches": []}},
        {"method": "close", "arguments": {}},
        {"method": "__init__", "arguments": {}},
        {"method": "query", "arguments": {"sql": "SELECT 1", "unknown": 1}},
        {"method": "object_places", "arguments": {"ranges": [[1, 2], [3]]}},
    ):
        with _connected(folder) as connection:
            send(connection, head)
            answer, _ = receive(connection)
            assert "error" in answer, head
    for garbage in (b"", b"\xff\xff\xff\xff", b"\x02\x00\x00\x00[]", b"\x03\x00\x00\x00{}x", b"\x05\x00"):
        with _connected(folder) as connection:
            connection.sendall(garbage)
    with open_archive(folder, read_only=True) as archive:
        assert archive.positions()[("alerts", 0)] == OBJECTS


def _connected(folder: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    with socket_path(folder) as path:
        connection.connect(path)
    return connection


def test_only_its_user_can_connect(holder: tuple[Path, subprocess.Popen[str]]) -> None:
    assert stat.S_IMODE((holder[0] / "archive.socket").stat().st_mode) == 0o600


def test_readers_that_take_nothing_stop_nobody(holder: tuple[Path, subprocess.Popen[str]]) -> None:
    folder, process = holder
    everything = {"sql": "SELECT * FROM diaSources, range(300)", "max_rows": 60_000}
    lazy = []
    for _ in range(5):
        connection = _connected(folder)
        send(connection, {"method": "query", "arguments": everything})
        lazy.append(connection)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("write\n")
    process.stdin.flush()
    assert process.stdout.readline() == "written\n"
    with open_archive(folder, read_only=True) as archive:
        assert archive.positions()[("alerts", 1)] == 1
    for connection in lazy:
        connection.close()


def test_many_readers_at_once(holder: tuple[Path, subprocess.Popen[str]]) -> None:
    folder, _ = holder
    failed: list[BaseException] = []

    def read() -> None:
        try:
            with open_archive(folder, read_only=True) as archive:
                for key in range(1, 8):
                    assert archive.object(key, ["diaObjectId"]).to_pylist() == [{"diaObjectId": key}]
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=read) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed


def test_a_holder_that_is_killed_leaves_an_archive_that_opens(tmp_path: Path) -> None:
    folder = tmp_path / "archive"
    with _started(folder) as process, open_archive(folder, read_only=True) as remote:
        caught: list[BaseException] = []

        def ask() -> None:
            try:
                remote.query(SLOW, timeout=None)
            except ArchiveError as error:
                caught.append(error)

        asking = threading.Thread(target=ask)
        asking.start()
        time.sleep(0.3)
        process.send_signal(signal.SIGKILL)
        asking.join(30)
        assert "answers no more" in str(caught[0])
        with pytest.raises(ArchiveError, match="answers no more"):
            remote.positions()
    assert (folder / "archive.socket").exists()
    with open_archive(folder, read_only=True) as archive:
        assert archive.status().tables["objects"].rows == OBJECTS
    with _started(folder) as process:
        with open_archive(folder, read_only=True) as remote:
            assert remote.positions() == {("alerts", 0): OBJECTS}
        with pytest.raises(ArchiveLockedError, match=f"process {process.pid}"):
            open_archive(folder)
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(30) == 0
    assert not (folder / "archive.socket").exists()
