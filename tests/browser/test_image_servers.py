"""Pictures of other surveys: from the server that the operator allows, and from no other."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from PIL import Image
from playwright.sync_api import Page, Route, expect
from site_under_test import Site, serving

expect.set_options(timeout=30_000)
HOST = "images.example.org"
_picture = io.BytesIO()
Image.new("RGB", (8, 8), (90, 20, 20)).save(_picture, "PNG")
PNG = _picture.getvalue()


@pytest.fixture(scope="module")
def allowing(site: Site) -> Iterator[str]:
    """A site on the same archive whose operator allows an image server."""
    environment = site.environment | {
        "LASAIR_SITE__IMAGE_HOSTS": f'["{HOST}"]',
        "LASAIR_SITE__IMAGE_SERVICE": f"https://{HOST}/hips2fits",
    }
    with serving(site.folder, environment) as started:
        yield started.address


@pytest.fixture(scope="module")
def number(site: Site) -> str:
    asked = {"adql": "SELECT TOP 1 diaObjectId FROM objects ORDER BY nDiaSources DESC"}
    answer = requests.post(f"{site.address}/api/v1/query/", json=asked, timeout=60)
    found: str = answer.json()["rows"][0]["diaObjectId"]
    return found


def test_an_allowed_server_is_asked_for_the_place(
    page: Page, allowing: str, allow_host: Callable[[Page, str], None], axe: Callable[..., None], number: str
) -> None:
    asked: list[str] = []

    def answer(route: Route) -> None:
        asked.append(route.request.url)
        if "2MASS" in route.request.url:
            route.fulfill(status=200, content_type="image/png", body=b"no picture")
        else:
            route.fulfill(status=200, content_type="image/png", body=PNG)

    for host in (HOST, urlsplit(allowing).netloc):
        allow_host(page, host)
    page.route(f"https://{HOST}/**", answer)
    page.goto(f"{allowing}/objects/{number}/")
    pictures = page.locator("[data-elsewhere]")
    expect(pictures.first).to_be_attached()
    page.locator(".pictures").scroll_into_view_if_needed()
    expect(page.locator(".pictures .unreachable:visible")).to_have_count(1)
    shown = page.locator("[data-elsewhere]:visible")
    assert shown.count() == pictures.count() - 1
    for picture in shown.all():
        picture.scroll_into_view_if_needed()
        page.wait_for_function("image => image.naturalWidth > 0", arg=picture.element_handle())
    place = requests.get(f"{allowing}/api/v1/objects/{number}/", timeout=60).json()
    for url in asked:
        given = parse_qs(urlsplit(url).query)
        assert float(given["ra"][0]) == pytest.approx(place["ra"], abs=1e-6)
        assert float(given["dec"][0]) == pytest.approx(place["decl"], abs=1e-6)
        assert given["fov"] == ["0.016667"]
    axe(page)


def test_the_policy_opens_to_the_allowed_host_alone(allowing: str, site: Site, number: str) -> None:
    policies = [
        requests.get(f"{address}/objects/{number}/", timeout=60).headers["Content-Security-Policy"]
        for address in (allowing, site.address)
    ]
    assert f"img-src 'self' data: blob: https://{HOST};" in policies[0]
    assert HOST not in policies[1]


def test_without_one_there_are_links_and_no_request(page: Page, number: str) -> None:
    page.goto(f"/objects/{number}/")
    told = page.get_by_text("This site loads no images from elsewhere.")
    told.scroll_into_view_if_needed()
    expect(told.get_by_role("link", name="DSS2")).to_have_attribute("href", re.compile(r"^https://aladin\."))
    expect(page.locator("[data-elsewhere]")).to_have_count(0)
