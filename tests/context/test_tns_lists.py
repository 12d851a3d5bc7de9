"""Following TNS: whole lists, deltas, zip files, addresses, and what can be wrong with them."""

from __future__ import annotations

import threading
import urllib.parse
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from test_known_transients import HEADER, LIST, ROWS

from lasair_broker.context import ContextError, ContextLoader, TnsBot, classify, update_tns
from lasair_broker.context.catalogues import CatalogueSet

CHANGED = (
    ROWS[1]
    .replace('"AT","2023xyz","32.0","10.0","","",""', '"SN","2023xyz","32.0","10.0","0.1","3","SN II"')
    .replace("2023-05-20 00:00:00", "2023-05-21 08:00:00")
)
NEW = ROWS[0].replace('"1","SN","2023abc","30.0"', '"3","SN","2023new","33.0"')
DELTA = "\n".join(('"2023-05-21 00:00:00 - 23:59:59"', HEADER, CHANGED, NEW, ""))


@pytest.fixture
def catalogues(tmp_path: Path) -> Path:
    return tmp_path / "catalogues"


def written(tmp_path: Path, text: str, name: str = "tns_public_objects.csv") -> str:
    path = tmp_path / name
    path.write_text(text)
    return str(path)


def known(catalogues: Path) -> dict[str, tuple[str | None, float | None]]:
    """Type and redshift of every transient in the catalogue in use."""
    tns = CatalogueSet.open(catalogues)["tns"]
    rows = tns.take(range(len(tns)), ["name", "type", "redshift"]).to_pylist()
    return {row["name"]: (row["type"] or None, row["redshift"]) for row in rows}


def test_a_whole_list_and_what_changed_in_a_day(catalogues: Path, tmp_path: Path) -> None:
    first = update_tns(written(tmp_path, LIST), catalogues)
    assert (first.new, first.changed, first.total) == (2, 0, 2)
    assert known(catalogues) == {"2023abc": ("SN Ia", 0.05), "2023xyz": (None, None)}
    second = update_tns(written(tmp_path, DELTA, "day.csv"), catalogues)
    assert (second.new, second.changed, second.total) == (1, 1, 3)
    assert known(catalogues)["2023xyz"] == ("SN II", 0.1)
    again = update_tns(written(tmp_path, DELTA, "day.csv"), catalogues)
    assert (again.new, again.changed, again.total) == (0, 0, 3)


def test_an_older_list_takes_nothing_back(catalogues: Path, tmp_path: Path) -> None:
    update_tns(written(tmp_path, DELTA), catalogues)
    report = update_tns(written(tmp_path, LIST), catalogues)
    assert (report.new, report.changed) == (1, 0)
    assert known(catalogues)["2023xyz"] == ("SN II", 0.1)


def test_a_running_stage_has_it_at_once(catalogues: Path, tmp_path: Path) -> None:
    update_tns(written(tmp_path, LIST), catalogues)
    loader = ContextLoader(catalogues)
    before = loader.current().tns
    assert before is not None
    update_tns(written(tmp_path, DELTA), catalogues)
    after = loader.current().tns
    assert after is not None
    assert (len(before), len(after)) == (2, 3)


def test_a_zip_file(catalogues: Path, tmp_path: Path) -> None:
    path = tmp_path / "tns_public_objects.csv.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("tns_public_objects.csv", LIST)
    assert update_tns(str(path), catalogues).total == 2
    cut = path.read_bytes()[:-30]
    path.write_bytes(cut)
    with pytest.raises(ContextError, match="damaged zip file"):
        update_tns(str(path), catalogues)
    assert len(known(catalogues)) == 2


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "no list of TNS"),
        ("<html>log in</html>", "no list of TNS"),
        (LIST.replace('"lastmodified"', '"modified"'), "lastmodified"),
        (LIST.replace(ROWS[1], ROWS[1][:50]), "Expected 23 columns, got"),
        (LIST.replace('"2","AT"', '"","AT"'), "1 rows without objid"),
    ],
)
def test_what_is_no_list(catalogues: Path, tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(ContextError, match=told) as error:
        update_tns(written(tmp_path, text, "wrong.csv"), catalogues)
    assert "wrong.csv" in str(error.value)
    assert not (catalogues / "tns").exists()


@pytest.mark.parametrize(
    ("old", "new", "told", "kept"),
    [
        ('"32.0","10.0"', '"","10.0"', "row 2, column ra: '' is no right ascension", 1),
        ('"32.0","10.0"', '"400","10.0"', "row 2, column ra: '400' is no right", 1),
        ('"32.0","10.0"', '"32.0","nan"', "row 2, column declination: 'nan' is no declination", 1),
        ('"32.0","10.0"', '"10.0","132.0"', "row 2, column declination: '132.0' is no declination", 1),
        ('"10.0","0.05"', '"10.0","unknown"', "row 1, column redshift: 'unknown' is no number", 2),
        ('"19.9"', '">19"', "row 2, column discoverymag: '>19' is no number", 2),
    ],
)
def test_a_broken_row_is_told_and_keeps_the_others_from_nothing(
    catalogues: Path, tmp_path: Path, old: str, new: str, told: str, kept: int
) -> None:
    assert old in LIST
    done = update_tns(written(tmp_path, LIST.replace(old, new), "broken.csv"), catalogues)
    (fault,) = done.faults
    assert told in fault
    assert "broken.csv" in fault
    assert (done.new, len(known(catalogues))) == (kept, kept)
    # When it is mended it is taken in, though TNS says that nothing was modified.
    assert update_tns(written(tmp_path, LIST), catalogues).faults == ()
    assert known(catalogues) == {"2023abc": ("SN Ia", 0.05), "2023xyz": (None, None)}


@pytest.fixture
def server() -> Iterator[HTTPServer]:
    """What TNS's server does: the list for who says who it is and has the key."""

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            form = urllib.parse.parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            marker = 'tns_marker{"tns_id": 7, "type": "bot", "name": "lasair"}'
            allowed = self.headers["User-Agent"] == marker and form["api_key"] == ["secret&="]
            self.send_response(200 if allowed else 401)
            self.end_headers()
            if allowed:
                self.wfile.write(LIST.encode())

        def log_message(self, *args: object) -> None:
            pass

    http = HTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=http.serve_forever)
    thread.start()
    yield http
    http.shutdown()
    thread.join()
    http.server_close()


def test_an_address(catalogues: Path, server: HTTPServer) -> None:
    address = f"http://127.0.0.1:{server.server_port}/tns_public_objects.csv.zip"
    assert update_tns(address, catalogues, TnsBot(7, "lasair", "secret&=")).total == 2
    with pytest.raises(ContextError, match="401") as error:
        update_tns(address, catalogues, TnsBot(7, "lasair", "wrong key"))
    assert "wrong key" not in str(error.value)
    with pytest.raises(ContextError, match=r"tns\.bot_id"):
        update_tns(address, catalogues)
    with pytest.raises(ContextError, match="in clear"):
        update_tns("http://example.org/list.csv", catalogues, TnsBot(7, "lasair", "secret"))


def test_only_tns_is_there(catalogues: Path, tmp_path: Path) -> None:
    """With no catalogue for the classifier there are names, and no classes."""
    update_tns(written(tmp_path, LIST), catalogues)
    resources = ContextLoader(catalogues).current()
    assert resources.tns is not None
    with pytest.raises(ContextError, match="no catalogues"):
        classify([30.0], [10.0], None, resources)
