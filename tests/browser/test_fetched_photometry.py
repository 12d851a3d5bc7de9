"""A person has photometry of other surveys fetched, sees it, removes it, and sends the object elsewhere."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
import requests
from other_systems import TOKEN, Systems, other_systems
from photometry_services import Services, photometry_services
from playwright.sync_api import Page, expect
from site_under_test import Site, serving

expect.set_options(timeout=60_000)


@pytest.fixture(scope="module")
def services() -> Iterator[Services]:
    with photometry_services() as started:
        yield started


@pytest.fixture(scope="module")
def systems() -> Iterator[Systems]:
    with other_systems() as started:
        yield started


@pytest.fixture(scope="module")
def site(site: Site, services: Services, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site on the same archive whose operator has switched on what there is. It has people of its own: the
    other's workers would do what is asked here, too."""
    wanted = {f"LASAIR_PHOTOMETRY__{name.upper()}": str(value) for name, value in services.settings.items()}
    users = tmp_path_factory.mktemp("users") / "users.sqlite3"
    wanted |= {"LASAIR_USER_DATABASE": f"sqlite:///{users}", "LASAIR_SENDING__HOSTS": "127.0.0.1"}
    environment = site.environment | wanted | {"no_proxy": "*"}
    with serving(site.folder, environment) as started:
        yield started


@pytest.fixture(scope="module")
def number(site: Site) -> str:
    asked = {"adql": "SELECT TOP 1 diaObjectId FROM objects ORDER BY decl DESC"}
    answer = requests.post(f"{site.address}/api/v1/query/", json=asked, timeout=60)
    found: str = answer.json()["rows"][0]["diaObjectId"]
    return found


def test_fetched_seen_and_removed(
    page: Page, site: Site, services: Services, number: str, signed_in: Callable[..., Page],
    axe: Callable[..., None],
) -> None:  # fmt: skip
    signed_in(page, "fetching-fay")
    services.trouble["atlas"] = 503
    page.goto(f"/objects/{number}/")
    card = page.locator("#services")
    card.scroll_into_view_if_needed()
    card.get_by_role("button", name="Fetch ATLAS forced photometry").click()
    expect(card.get_by_role("alert")).to_contain_text("out of order (503). Try again later.")
    del services.trouble["atlas"]
    card.get_by_role("button", name="Fetch ATLAS forced photometry").click()
    expect(page.get_by_text("3 points of ATLAS forced photometry are there.")).to_be_visible()
    expect(card.locator("#panel-services")).to_contain_text("3 points, fetched")
    expect(page.locator("#chart-summary")).to_contain_text("3 ATLAS forced photometry")
    axe(page)
    points = page.locator("#points")
    points.scroll_into_view_if_needed()
    expect(points.get_by_role("cell", name="ATLAS forced photometry", exact=True)).to_be_visible()
    rows = requests.get(
        f"{site.address}/api/v1/objects/{number}/photometry/",
        cookies={"sessionid": page.context.cookies(site.address)[0]["value"]},
        timeout=60,
    ).json()["rows"]
    assert len(rows) == 3
    points.get_by_role("button", name="Remove ATLAS forced photometry").click()
    expect(page.locator("#chart-summary")).not_to_contain_text("ATLAS")
    expect(card.get_by_role("button", name="Fetch ATLAS forced photometry")).to_be_visible()
    points.get_by_role("button", name="Undo").click()
    expect(page.locator("#chart-summary")).to_contain_text("3 ATLAS forced photometry")
    expect(card.get_by_role("button", name="Fetch again ATLAS forced photometry")).to_be_visible()


def test_cancelled_while_it_waits(
    page: Page, services: Services, number: str, signed_in: Callable[..., Page]
) -> None:
    signed_in(page, "fetching-finn")
    services.steps = 10**9
    page.goto(f"/objects/{number}/panels/services/")
    page.get_by_role("button", name="Fetch ATLAS forced photometry").click()
    expect(page.get_by_role("status").filter(has_text="ATLAS computes")).to_be_visible()
    page.get_by_role("button", name="Cancel ATLAS forced photometry").click()
    expect(page.get_by_role("button", name="Fetch ATLAS forced photometry")).to_be_visible()
    services.steps = 2


def test_total_fluxes_are_drawn_as_such(page: Page, number: str, signed_in: Callable[..., Page]) -> None:
    signed_in(page, "fetching-flo")
    page.goto(f"/objects/{number}/")
    card = page.locator("#services")
    card.scroll_into_view_if_needed()
    card.get_by_role("button", name="Fetch ZTF light curves at IRSA").click()
    expect(page.get_by_text("2 points of ZTF light curves at IRSA are there.")).to_be_visible()
    summary = page.locator("#chart-summary")
    expect(summary).not_to_contain_text("ZTF light curves")
    page.locator("#chart-controls [name=y]").select_option("total")
    expect(summary).to_contain_text("2 ZTF light curves at IRSA")


def test_stored_tested_and_sent(
    page: Page, systems: Systems, number: str, signed_in: Callable[..., Page], axe: Callable[..., None]
) -> None:
    signed_in(page, "sending-sue")
    page.goto(f"/objects/{number}/")
    card = page.locator("#send")
    card.scroll_into_view_if_needed()
    card.get_by_label("Kind").select_option(label="SkyPortal")
    card.get_by_label("Your name for it").fill("our portal")
    card.get_by_label("Address").fill("https://elsewhere.example.org")
    card.get_by_label("Token").fill(TOKEN)
    card.get_by_role("button", name="Store").click()
    expect(card.get_by_role("alert")).to_contain_text("its host is not allowed here")
    expect(card.get_by_label("Token")).to_have_value("")
    card.get_by_label("Address").fill(f"{systems.address}/portal")
    card.get_by_label("Token").fill(TOKEN)
    card.get_by_role("button", name="Store").click()
    card.get_by_role("button", name="Test our portal").click()
    expect(card.locator("#panel-send")).to_contain_text("It takes the token")
    axe(page)
    card.get_by_role("button", name="Send to our portal").click()
    link = card.get_by_role("link", name="The object in our portal")
    expect(link).to_have_attribute("href", re.compile(f"^{systems.address}/portal/source/"))
    assert len(systems.photometry) > 0
    assert TOKEN not in page.content()
    page.on("dialog", lambda dialog: dialog.accept())
    card.get_by_role("button", name="Remove our portal").click()
    expect(card.get_by_role("button", name="Send to our portal")).to_have_count(0)
