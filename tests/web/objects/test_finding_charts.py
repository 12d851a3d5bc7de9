"""Finding charts as files: what is drawn is where it should be, and other surveys' images only if allowed."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from PIL import Image

from lasair_broker.archive import Archive
from lasair_broker.web.errors import Invalid, NotFound
from lasair_broker.web.objects.backgrounds import Background, own_template, survey_picture
from lasair_broker.web.objects.finding_chart import SIDE, Chart, Mark
from lasair_broker.web.objects.finding_figure import draw, moved

RED = np.array([1.0, 0.0, 0.0])


def picture(content: bytes) -> Any:
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"), float) / 255.0


def chart(*marks: Mark) -> Chart:
    return Chart("SN $2026$ <x>", 150.0, -30.0, 60.0, list(marks), 20 * SIDE / 60.0, "20″")


def test_the_image_lies_north_up_and_east_left() -> None:
    pixels = np.ones((60, 60, 3))
    pixels[:15, :15] = RED  # the north-east corner
    with_image = picture(draw(chart(), Background(pixels, 60.0, "x"), "2026-11-27", "png"))
    red = (np.abs(with_image - RED).max(axis=2) < 0.05).nonzero()
    height, width = with_image.shape[:2]
    assert red[0].size > 0.02 * height * width * 0.5
    assert red[1].max() < width / 2  # left
    assert red[0].max() < height / 2  # up


def test_a_small_image_keeps_its_scale() -> None:
    small = picture(draw(chart(), Background(np.tile(RED, (8, 8, 1)), 15.0, "x"), "2026-11-27", "png"))
    rows, columns = (np.abs(small - RED).max(axis=2) < 0.05).nonzero()
    field = 0.82 * small.shape[1]  # of the axes across the page
    assert np.ptp(columns) == pytest.approx(field / 4.0, abs=3.0)
    assert np.ptp(rows) == pytest.approx(field / 4.0, abs=3.0)


def test_names_are_text_and_moves_go_back_to_the_object() -> None:
    star = Mark(0.0, 0.0, 150.001, -30.002, "match", r"$\frac{1", "star in Gaia", 7.2)
    content = draw(chart(star), None, "2026-11-27", "pdf")
    assert content.startswith(b"%PDF")
    assert moved(-3.118, 7.2).split() == ["3.12″", "W", "7.20″", "N"]


@pytest.mark.parametrize("where", ["/objects/{}/finding-chart", "/api/v1/objects/{}/finding-chart"])
def test_files_of_an_object(visitor: Callable[..., Any], key: int, where: str) -> None:
    client = visitor()
    address = where.format(key)
    png = client.get(f"{address}.png?field=20")
    assert png.headers["Content-Type"] == "image/png"
    assert picture(png.content).shape[2] == 3
    assert client.get(f"{address}.pdf").content.startswith(b"%PDF")
    assert client.get(f"{address}.gif").status_code == 404
    assert client.get(f"{address}.png?field=21").status_code == 400
    refused = client.get(f"{address}.png?survey=SDSS")
    assert refused.status_code == 400
    assert client.get(where.format("nothing") + ".png").status_code == 404


def test_our_template_is_the_background(archive: Archive, key: int) -> None:
    row = archive.object(key, ["ra", "decl"]).to_pylist()[0]
    found = own_template(key, row["ra"], row["decl"])
    assert found is not None
    assert "template" in found.credit
    assert 2.0 < found.side < 60.0
    assert np.nanmin(found.pixels) >= 0.0
    assert np.nanmax(found.pixels) <= 1.0


@pytest.fixture
def image_server() -> Iterator[tuple[str, list[dict[str, list[str]]], dict[str, Any]]]:
    """A stand-in for hips2fits: what it was asked, and what it shall answer."""
    asked: list[dict[str, list[str]]] = []
    out = io.BytesIO()
    Image.new("RGB", (600, 600), (255, 0, 0)).save(out, "JPEG")
    answers: dict[str, Any] = {"status": 200, "content": out.getvalue()}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(parse_qs(urlsplit(self.path).query))
            self.send_response(answers["status"])
            if answers["status"] == 302:
                self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", str(len(answers["content"])))
            self.end_headers()
            self.wfile.write(answers["content"])

        def log_message(self, *_: Any) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/cut", asked, answers
        server.shutdown()


def test_images_of_others_come_from_the_server_that_is_allowed(image_server: Any) -> None:
    service, asked, answers = image_server
    found = survey_picture("DSS2", 10.0, 20.0, 180.0, service)
    assert found.pixels.shape == (600, 600, 3)
    assert found.side == 180.0
    assert float(asked[0]["fov"][0]) == pytest.approx(0.05)
    assert (asked[0]["ra"], asked[0]["dec"]) == (["10.000000"], ["20.000000"])
    survey_picture("DSS2", 10.0, 20.0, 180.0, service)
    assert len(asked) == 1  # it is kept
    with pytest.raises(Invalid, match="loads no images"):
        survey_picture("DSS2", 10.0, 20.0, 180.0, "")
    with pytest.raises(Invalid, match="choose from"):
        survey_picture("Pan-STARRS DR1", 10.0, -80.0, 180.0, service)
    for place, (status, content, told) in enumerate(
        (
            (404, b"", "404"),
            (302, b"", "302"),
            (200, b"<html>", "no image"),
            (200, b"0" * 5_000_000, "more than"),
        )
    ):
        answers |= {"status": status, "content": content}
        with pytest.raises(NotFound, match=told):
            survey_picture("DSS2", 11.0 + place, 20.0, 180.0, service)
    assert len(asked) == 5  # a server that sends us elsewhere is not followed
