"""The page of an object with Aladin Lite, which is no part of Lasair: `make test` fetches it for this file.

All other tests have the site without it.
"""

from __future__ import annotations

import io
import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright
from site_under_test import LASAIR, Site

from lasair_broker.archive import open_archive

ROOT = Path(__file__).parents[2]
_VERSION = re.search(r"^version=(.+)$", (ROOT / "scripts" / "fetch-aladin").read_text(), re.MULTILINE)
assert _VERSION is not None
ALADIN = Path(os.environ.get("LASAIR_TEST_CACHE") or ROOT / ".cache") / f"aladin-{_VERSION[1]}"
COLOURS = {"object": (0xFF, 0x9A, 0x5C), "host": (0x30, 0xC3, 0x9F), "match": (0x7C, 0xBC, 0xF7)}
_FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
    "--use-angle=swiftshader", "--enable-unsafe-swiftshader",
)  # fmt: skip
"""With WebGL worked out by the processor."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=list(_FLAGS))
        yield started
        started.close()


@pytest.fixture(scope="module")
def site(site: Site) -> Iterator[Site]:
    """A site on the same archive whose operator has installed Aladin Lite."""
    if not (ALADIN / "aladin.js").is_file():
        pytest.fail(f"Aladin Lite is not in {ALADIN}; run: make test")
    environment = site.environment | {"LASAIR_SITE__ALADIN": str(ALADIN)}
    command = [LASAIR, "serve", "--port", "0"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            found = re.fullmatch(r"site at (http://\S+)/\n", server.stdout.readline())
            assert found is not None
            yield Site(found[1], site.folder, environment)
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(timeout=30)


@pytest.fixture(scope="module")
def number(site: Site) -> int:
    """An object with a host, and with matches besides."""
    with open_archive(site.folder, read_only=True) as archive:
        rows = archive.query(
            'SELECT h."diaObjectId" AS number FROM host_galaxies AS h JOIN sherlock_crossmatches AS m '
            'ON m."diaObjectId" = h."diaObjectId" GROUP BY number ORDER BY count(*) DESC, number LIMIT 1'
        )
    (row,) = rows.to_pylist()
    found: int = row["number"]
    return found


def shown(page: Page) -> set[str]:
    """The kinds of marks whose colours are in the viewer."""
    picture = Image.open(io.BytesIO(page.locator(".aladin-place").screenshot())).convert("RGB")
    pixels = np.asarray(picture, np.int16).reshape(-1, 3)
    return {
        kind
        for kind, colour in COLOURS.items()
        if (np.abs(pixels - np.array(colour)).max(axis=1) < 24).sum() > 8
    }


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("phone", [False, True], ids=["desktop", "phone"])
def test_the_sky_viewer_has_the_object_its_host_and_matches(
    new_page: Callable[..., Page],
    axe: Callable[..., None],
    fits: Callable[[Page], None],
    number: int,
    dark: bool,
    phone: bool,
) -> None:
    page = new_page(dark=dark, phone=phone)
    tiles: list[tuple[int, str]] = []
    page.on("response", lambda answer: tiles.append((answer.status, answer.url)))
    page.goto(f"/objects/{number}/")
    page.get_by_role("button", name="Sky viewer").click()
    viewer = page.locator(".aladin-place")
    expect(viewer.locator("canvas").first).to_be_visible()
    expect(page.locator(".finding-chart")).to_have_count(0)
    viewer.scroll_into_view_if_needed()
    wanted = set(COLOURS)
    for _ in range(120):
        if shown(page) >= wanted:
            break
        page.wait_for_timeout(500)
    assert shown(page) >= wanted
    ours = [(status, url) for status, url in tiles if "/Norder" in url]
    assert ours, "the map under it is this broker's own"
    assert {status for status, _ in ours} <= {200, 304, 404}
    assert any(status == 200 for status, _ in ours)
    expect(page.locator(".toast-body")).to_have_count(0)
    axe(page, exclude=(".aladin-place",))
    fits(page)


def test_without_webgl_the_chart_stays(new_page: Callable[..., Page], number: int) -> None:
    page = new_page()
    page.add_init_script("HTMLCanvasElement.prototype.getContext = () => null")
    page.goto(f"/objects/{number}/")
    page.get_by_role("button", name="Sky viewer").click()
    expect(page.locator(".toast-body")).to_contain_text("the browser has no WebGL 2")
    expect(page.locator(".finding-chart")).to_be_visible()
