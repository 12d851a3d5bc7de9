"""TNS followed while the stream runs, from a server that does as TNS's does."""

from __future__ import annotations

import fcntl
import io
import threading
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from test_known_transients import LIST
from test_tns_lists import DELTA

from lasair_broker.context import TnsBot
from lasair_broker.context.catalogues import CatalogueSet
from lasair_broker.stream.context import TnsFollower

WHOLE = "tns_public_objects.csv.zip"


class Tns:
    """A server with files, and what it was asked for."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.answer = 200
        tns = self

        class Answer(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                name = self.path.removeprefix("/lists/")
                tns.asked.append(name)
                code = tns.answer if tns.answer != 200 else 200 if name in tns.files else 404
                self.send_response(code)
                self.end_headers()
                if code == 200:
                    self.wfile.write(tns.files[name])

            def log_message(self, *args: object) -> None:
                pass

        self.http = HTTPServer(("127.0.0.1", 0), Answer)
        self.address = f"http://127.0.0.1:{self.http.server_port}/lists/"

    def put(self, name: str, text: str) -> None:
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr(name.removesuffix(".zip"), text)
        self.files[name] = packed.getvalue()


@pytest.fixture
def tns() -> Iterator[Tns]:
    found = Tns()
    thread = threading.Thread(target=found.http.serve_forever)
    thread.start()
    yield found
    found.http.shutdown()
    thread.join()
    found.http.server_close()


def test_the_whole_list_then_hours_then_days(tns: Tns, tmp_path: Path) -> None:
    now = datetime(2026, 3, 1, 2, 30, tzinfo=UTC)
    bot = TnsBot(7, "lasair", "secret")
    follower = TnsFollower(tmp_path / "catalogues", tns.address, bot, 3600.0, now=lambda: now)
    tns.put(WHOLE, LIST)
    assert follower.look()
    assert follower.standing.state == "ok"
    # Of the hours there were none: nobody had reported anything.
    assert tns.asked == [WHOLE, "tns_public_objects_00.csv.zip", "tns_public_objects_01.csv.zip"]
    tns.asked.clear()
    assert follower.look()
    assert tns.asked == []
    now += timedelta(hours=1)
    tns.put("tns_public_objects_02.csv.zip", DELTA)
    # Another process goes on where this one was.
    follower = TnsFollower(tmp_path / "catalogues", tns.address, bot, 3600.0, now=lambda: now)
    assert follower.look()
    assert tns.asked == ["tns_public_objects_02.csv.zip"]
    assert len(CatalogueSet.open(tmp_path / "catalogues")["tns"]) == 3
    # The list of a day is not there: it is told, and asked for again.
    tns.asked.clear()
    now += timedelta(days=1)
    assert not follower.look()
    assert tns.asked == ["tns_public_objects_20260301.csv.zip"]
    assert follower.standing.state == "failed"
    assert "20260301.csv.zip answers 404" in (follower.standing.message or "")
    tns.put("tns_public_objects_20260301.csv.zip", DELTA)
    assert follower.look()
    assert follower.standing.state == "ok"


def test_what_goes_wrong_is_told_and_never_raised(tns: Tns, tmp_path: Path) -> None:
    folder = tmp_path / "catalogues"
    follower = TnsFollower(folder, tns.address, TnsBot(7, "lasair", "secret"), 3600.0)
    for answer, told in ((401, "answers 401"), (429, "answers 429"), (500, "answers 500")):
        tns.answer = answer
        assert not follower.look()
        assert told in (follower.standing.message or "")
        assert "secret" not in (follower.standing.message or "")
    tns.answer = 200
    tns.files[WHOLE] = b"PK\x03\x04 and no more"
    assert not follower.look()
    assert "damaged zip file" in (follower.standing.message or "")
    tns.put(WHOLE, "<html>under maintenance</html>")
    assert not follower.look()
    assert "no list of TNS" in (follower.standing.message or "")
    assert not (folder / "tns").exists()
    tns.http.server_close()
    unreachable = TnsFollower(folder, "http://127.0.0.1:9/", TnsBot(7, "lasair", "secret"), 3600.0)
    assert not unreachable.look()
    assert "cannot reach" in (unreachable.standing.message or "")


def test_one_process_of_several_fetches(tns: Tns, tmp_path: Path) -> None:
    folder = tmp_path / "catalogues"
    folder.mkdir()
    follower = TnsFollower(folder, tns.address, TnsBot(7, "lasair", "secret"), 3600.0)
    with (folder / ".tns_followed.json.lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert follower.look()
        assert tns.asked == []
    with follower.running():
        for _ in range(100):
            if tns.asked:
                break
            threading.Event().wait(0.1)
    assert tns.asked[0] == WHOLE
