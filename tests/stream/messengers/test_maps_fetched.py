"""Maps that notices only name: from a server of this machine, slow, large, wrong, elsewhere."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import structlog

from lasair_broker.context.events import (
    EventError,
    MapSource,
    fetch_map,
    missing_maps,
    read_notice,
    read_stored,
    read_versions,
    take_in,
)
from lasair_broker.sky import gaussian_skymap
from lasair_broker.stream.messengers import MapFetcher, MessengerLoader

MAP = gaussian_skymap(120.0, -20.0, 3.0).to_fits()


class Server:
    """Answers with what it is given for a path, and notes what was asked."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, bytes, dict[str, str]]] = {}
        self.asked: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append(self.path)
                status, body, headers = outer.answers.get(self.path, (404, b"", {}))
                self.send_response(status)
                for name, value in ({"Content-Length": str(len(body))} | headers).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.http.server_port}"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "*")
    made = Server()
    thread = threading.Thread(target=made.http.serve_forever, daemon=True)
    thread.start()
    yield made
    made.http.shutdown()
    made.http.server_close()
    thread.join()


def source(**changes: Any) -> MapSource:
    return MapSource(**({"hosts": ("127.0.0.1",), "most_bytes": 10_000_000, "seconds": 30.0} | changes))


def notice(address: str, name: str = "N1", **more: Any) -> bytes:
    said = {
        "mission": "X", "instrument": "Y", "messenger": "Neutrino", "id": [name], "ra": 120.0, "dec": -20.0,
        "ra_dec_error": 8.0, "trigger_time": "2026-01-01T00:00:00Z", "healpix_url": address,
    }  # fmt: skip
    return json.dumps(said | more).encode()


def test_a_map_comes_later(server: Server, tmp_path: Path) -> None:
    address = f"{server.address}/a/map.fits.gz"
    take_in(tmp_path, [read_notice(notice(address))])
    (event,) = read_stored(tmp_path).to_pylist()
    assert (event["skymap"], event["skymapUrl"]) == (None, address)
    assert missing_maps(tmp_path, 9) == [address]
    loader = MessengerLoader(tmp_path)
    before = loader.current()
    assert before is not None
    now = [0.0]
    fetcher = MapFetcher(tmp_path, source(), clock=lambda: now[0])
    with structlog.testing.capture_logs() as logs:
        assert fetcher.look() == 0  # it is not there yet
        assert fetcher.look() == 0  # and not asked for at once again
    assert server.asked == ["/a/map.fits.gz"]
    assert "404" in logs[0]["reason"]
    server.answers["/a/map.fits.gz"] = (200, MAP, {})
    now[0] = 31.0
    assert fetcher.look() == 1
    (event,) = read_stored(tmp_path).to_pylist()
    (version,) = read_versions(tmp_path).to_pylist()
    area = gaussian_skymap(120.0, -20.0, 3.0).area_deg2(0.9)
    for row in (event, version):
        assert row["area90"] == pytest.approx(area, rel=1e-6)
        assert row["skymap"].endswith(".fits")
    after = loader.current()
    assert after is not None
    assert after.revision > before.revision
    assert after.index.maps[0].area_deg2(0.9) == pytest.approx(area)
    assert before.index.maps[0].area_deg2(0.9) > 1.3 * area
    assert missing_maps(tmp_path, 9) == []
    assert fetcher.look() == 0
    # The same notice again changes nothing.
    assert take_in(tmp_path, [read_notice(notice(address))]).changed == 0
    # A newer one without a map of its own goes on with it; one with another address waits again.
    other = f"{server.address}/b.fits"
    take_in(tmp_path, [read_notice(notice(other, record_number=2))])
    (event,) = read_stored(tmp_path).to_pylist()
    assert event["skymap"] == version["skymap"]
    assert missing_maps(tmp_path, 9) == [other]


def test_nothing_is_asked_that_is_not_allowed(server: Server, tmp_path: Path) -> None:
    address = f"{server.address}/map.fits"
    server.answers["/map.fits"] = (200, MAP, {})
    take_in(tmp_path, [read_notice(notice(address))])
    for hosts in ((), ("localhost",), (".0.0.1.example",)):
        assert MapFetcher(tmp_path, source(hosts=hosts)).look() == 0
    with pytest.raises(EventError, match="at none of the hosts"):
        fetch_map(address, source(hosts=()))
    assert server.asked == []
    server.answers["/away.fits"] = (302, b"", {"Location": "http://localhost:1/map.fits"})
    with pytest.raises(EventError, match=r"leads to http://localhost:1/map.fits"):
        fetch_map(f"{server.address}/away.fits", source())
    server.answers["/here.fits"] = (302, b"", {"Location": address})
    assert fetch_map(f"{server.address}/here.fits", source()).skymap.area_deg2(0.9) > 1.0
    assert not source(hosts=(".nasa.gov",)).allows("https://evilnasa.gov/a.fits")
    assert source(hosts=(".nasa.gov",)).allows("https://gcn.NASA.gov/a.fits")
    for bad in ("file:///etc/passwd", "ftp://127.0.0.1/a.fits", "http://u:p@127.0.0.1/a.fits", "http://["):
        assert not source().allows(bad)


@pytest.mark.parametrize(
    ("answer", "changes", "told"),
    [
        ((200, MAP, {}), {"most_bytes": 2000}, "more than 2,000 bytes"),
        ((200, b"<html>", {}), {}, "no FITS"),
        ((500, b"", {}), {}, "answers 500"),
        ((200, MAP[:10], {"Content-Length": "99"}), {"seconds": 1.0}, "cannot reach|damaged"),
    ],
)
def test_what_is_no_map_is_left(server: Server, answer: Any, changes: dict[str, Any], told: str) -> None:
    server.answers["/m.fits"] = answer
    with pytest.raises(EventError, match=told):
        fetch_map(f"{server.address}/m.fits", source(**changes))


def test_what_is_tried_in_vain_is_given_up(server: Server, tmp_path: Path) -> None:
    take_in(tmp_path, [read_notice(notice(f"{server.address}/never.fits"))])
    now = [0.0]
    fetcher = MapFetcher(tmp_path, source(), clock=lambda: now[0])
    with structlog.testing.capture_logs() as logs:
        for _ in range(30):
            fetcher.look()
            now[0] += 4000.0
    assert len(server.asked) == 9
    assert "given up" in logs[-1]["event"]
    (event,) = read_stored(tmp_path).to_pylist()
    assert event["skymap"] is None


def test_addresses_of_pages_are_no_maps() -> None:
    rows = read_notice(notice("https://opendata.km3net.de/")).rows
    assert rows["skymapUrl"].to_pylist() == [None]
    rows = read_notice(notice("https://gracedb.ligo.org/api/superevents/S1/files/b.multiorder.fits,2")).rows
    assert rows["skymapUrl"].to_pylist() != [None]
    xml = b"""<voe:VOEvent xmlns:voe="http://www.ivoa.net/xml/VOEvent/v2.0" ivorn="ivo://a/b#1">
    <What><Group><Param name="skymap_fits" value="https://example.org/bayestar.fits.gz"/></Group></What>
    </voe:VOEvent>"""
    assert read_notice(xml).rows["skymapUrl"].to_pylist() == ["https://example.org/bayestar.fits.gz"]
