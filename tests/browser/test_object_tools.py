"""What one does with an object: tag it, keep a period, take it to a notebook or to TOPCAT."""

from __future__ import annotations

import json
import re
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from queue import Empty, Queue
from typing import Any

import pytest
import requests
from playwright.sync_api import Page, expect
from site_under_test import Site

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it moves to pyvo
    from astropy.samp import SAMPHubServer, SAMPIntegratedClient, WebProfileDialog

expect.set_options(timeout=30_000)


@pytest.fixture(scope="module")
def number(site: Site) -> str:
    """The object with the longest light curve."""
    asked = {"adql": "SELECT TOP 1 diaObjectId FROM objects ORDER BY nDiaSources DESC"}
    answer = requests.post(f"{site.address}/api/v1/query/", json=asked, timeout=60)
    found: str = answer.json()["rows"][0]["diaObjectId"]
    return found


def show(page: Page, number: str) -> None:
    page.goto(f"/objects/{number}/")
    expect(page.locator("#chart-summary")).to_contain_text(re.compile(r"\d+ detections"))


@pytest.mark.parametrize("phone", [False, True], ids=["desktop", "phone"])
def test_tagging(
    new_page: Callable[..., Page],
    signed_in: Callable[..., Page],
    axe: Callable[..., None],
    fits: Callable[[Page], None],
    number: str,
    phone: bool,
) -> None:
    page = signed_in(new_page(phone=phone, dark=phone), f"tara{phone}".lower())
    show(page, number)
    tags = page.locator("#object-tags")
    tags.get_by_text("Tag it").click()
    tags.get_by_label("Word").fill("look <i>again</i>")
    axe(page)
    fits(page)
    tags.get_by_role("button", name="Tag", exact=True).click()
    expect(tags.locator(".tag")).to_contain_text("look <i>again</i>")
    page.goto("/filters/saved/?kept-search=again")
    expect(page.get_by_role("link", name=number)).to_be_visible()
    expect(page.get_by_role("cell", name="only me")).to_be_visible()
    axe(page)
    fits(page)
    page.goto("/filters/saved/?kept-search=never")
    expect(page.get_by_role("link", name=number)).to_have_count(0)
    show(page, number)
    tags.get_by_role("button", name="Remove the tag").click()
    expect(tags.locator(".tag")).to_have_count(0)


def test_a_period_is_kept_and_folded_on_again(
    page: Page, signed_in: Callable[..., Page], number: str
) -> None:
    signed_in(page, "petra")
    show(page, number)
    page.get_by_role("button", name="Keep the period").click()
    expect(page.locator(".toast-body").last).to_contain_text("Give a period")
    page.get_by_label("Period in days").fill("1.25")
    page.get_by_role("button", name="Keep the period").click()
    panel = page.locator("#panel-comments")
    expect(panel).to_contain_text("Period 1.2500000 d")
    page.get_by_label("Period in days").fill("")
    panel.get_by_role("link", name="Fold on 1.25").click()
    expect(page.get_by_label("Period in days")).to_have_value(re.compile(r"^1\.25"))
    expect(page.get_by_label("Time", exact=True)).to_have_value("phase")
    expect(page).to_have_url(re.compile(r"period=1\.25"))


def test_a_notebook_is_taken_away(page: Page, number: str) -> None:
    show(page, number)
    page.get_by_role("button", name="Open in").click()
    with page.expect_download() as waited:
        page.get_by_role("link", name="A notebook (.ipynb)").click()
    assert number in json.dumps(json.loads(Path(waited.value.path()).read_text())["cells"])


class _Consent(WebProfileDialog):  # type: ignore[misc]  # astropy has no types
    """A user who lets every page in."""

    def __init__(self) -> None:
        super().__init__()
        self.over = threading.Event()

    def show_dialog(self, *about: Any) -> None:
        self.consent()

    def run(self) -> None:
        while not self.over.wait(0.05):
            self.handle_queue()


@pytest.fixture
def received() -> Iterator[Queue[tuple[str, dict[str, str]]]]:
    """What a program that is connected to a hub of this machine gets."""
    told: Queue[tuple[str, dict[str, str]]] = Queue()
    consent = _Consent()
    hub = SAMPHubServer(web_profile=True, web_profile_dialog=consent, mode="multiple", addr="127.0.0.1")
    hub.start()
    asking = threading.Thread(target=consent.run, daemon=True)
    asking.start()
    client = SAMPIntegratedClient(addr="127.0.0.1")
    client.connect(hub_params=hub.params)

    def receive(key: Any, sender: Any, kind: str, parameters: dict[str, str], extra: Any) -> None:
        told.put((kind, parameters))

    for kind in ("table.load.votable", "coord.pointAt.sky"):
        client.bind_receive_notification(kind, receive)
    yield told
    client.disconnect()
    consent.over.set()
    asking.join()
    hub.stop()


def test_a_table_and_a_place_go_to_other_programs(
    page: Page,
    allow_host: Callable[[Page, str], None],
    received: Queue[tuple[str, dict[str, str]]],
    number: str,
) -> None:
    allow_host(page, "localhost:21012")
    show(page, number)
    got: dict[str, dict[str, str]] = {}
    items = {"table.load.votable": "TOPCAT and others", "coord.pointAt.sky": "Aladin and others"}
    for kind, item in items.items():
        for _ in range(6):  # nobody acknowledges a notification: whom none reached presses again
            page.get_by_role("button", name="Open in").click()
            page.get_by_role("button", name=item).click()
            expect(page.locator(".toast-body").last).to_contain_text("Sent to 1 program.")
            with suppress(Empty):
                while kind not in got:
                    got.update([received.get(timeout=20)])
            if kind in got:
                break
    assert got.keys() == items.keys()
    table, place = (got[kind] for kind in items)
    answer = requests.get(table["url"], timeout=60)  # as TOPCAT does, with no cookie
    assert answer.content.startswith(b"<?xml")
    assert b"psfFlux" in answer.content
    assert -90.0 <= float(place["dec"]) <= 90.0


def test_without_a_hub_it_is_said_what_to_start(
    page: Page, allow_host: Callable[[Page, str], None], axe: Callable[..., None], number: str
) -> None:
    allow_host(page, "localhost:21012")
    page.route("http://localhost:21012/**", lambda route: route.abort("connectionrefused"))
    show(page, number)
    page.get_by_role("button", name="Open in").click()
    page.get_by_role("button", name="TOPCAT and others").click()
    expect(page.locator(".toast-body").last).to_contain_text("Start TOPCAT or Aladin Desktop")
    axe(page)
