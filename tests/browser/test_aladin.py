"""The page of an object with Aladin Lite, which is no part of Lasair: `make test` fetches it for this file.

All other tests have the site without it.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, Response, expect, sync_playwright
from site_under_test import Site, serving

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
    with serving(site.folder, environment) as started:
        yield started


def marked(site: Site, kind: str) -> int:
    """An object with a host, or with a match that is none."""
    having = {"host": 'max("hostProbability") > 0', "match": 'coalesce(max("hostProbability"), 0) = 0'}[kind]
    with open_archive(site.folder, read_only=True) as archive:
        rows = archive.query(
            'SELECT "diaObjectId" AS number FROM sherlock_crossmatches WHERE "separationArcsec" < 25 '
            f'GROUP BY number HAVING {having} ORDER BY max("separationArcsec") DESC, number LIMIT 1'
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


@pytest.mark.parametrize(("kind", "dark", "phone"), [("host", False, False), ("match", True, True)])
def test_the_sky_viewer_has_the_object_and_what_is_near_it(
    new_page: Callable[..., Page],
    axe: Callable[..., None],
    fits: Callable[[Page], None],
    site: Site,
    kind: str,
    dark: bool,
    phone: bool,
) -> None:
    page = new_page(dark=dark, phone=phone)
    number = marked(site, kind)
    tiles: list[tuple[int, str]] = []

    def note(answer: Response) -> None:
        if "/objects/density/Norder" in answer.url:
            tiles.append((answer.status, answer.url))

    page.on("response", note)
    page.goto(f"/objects/{number}/")
    page.get_by_role("button", name="Sky viewer").click()
    viewer = page.locator(".aladin-place")
    expect(viewer.locator("canvas").first).to_be_visible()
    expect(page.locator(".finding-chart")).to_have_count(0)
    viewer.scroll_into_view_if_needed()
    found: set[str] = set()
    for _ in range(240):  # two minutes: the processor draws what a graphics card would
        found = shown(page)
        if found >= {"object", kind} and any(status == 200 for status, _ in tiles):
            break
        page.wait_for_timeout(500)
    assert found >= {"object", kind}
    assert any(status == 200 for status, _ in tiles), "the map under it is this broker's own"
    assert {status for status, _ in tiles} <= {200, 304, 404}, tiles
    expect(page.locator(".toast-body")).to_have_count(0)
    axe(page, exclude=(".aladin-place",))
    fits(page)


def test_without_webgl_the_chart_stays(page: Page, site: Site) -> None:
    page.add_init_script("HTMLCanvasElement.prototype.getContext = () => null")
    page.goto(f"/objects/{marked(site, 'host')}/")
    page.get_by_role("button", name="Sky viewer").click()
    expect(page.locator(".toast-body")).to_have_count(1)
    expect(page.locator(".toast-body")).to_contain_text("the browser has no WebGL 2")
    expect(page.locator(".finding-chart")).to_be_visible()
