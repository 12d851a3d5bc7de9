"""The front page, and what all pages have."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect
from site_under_test import Site


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("phone", [False, True], ids=["desktop", "phone"])
def test_front_page(
    new_page: Callable[..., Page],
    axe: Callable[..., None],
    fits: Callable[[Page], None],
    dark: bool,
    phone: bool,
) -> None:
    page = new_page(dark=dark, phone=phone)
    page.goto("/")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    assert page.evaluate("document.documentElement.dataset.bsTheme") == ("dark" if dark else "light")
    if phone:
        page.get_by_role("button", name="Menu").click()
        expect(page.get_by_role("button", name="Colours")).to_be_visible()
    axe(page)
    fits(page)


def test_chosen_colours_are_kept(page: Page) -> None:
    page.goto("/")
    page.get_by_role("button", name="Colours").click()
    page.get_by_role("button", name="Dark", exact=True).click()
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
    page.get_by_role("button", name="Colours").click()
    page.get_by_role("button", name="As the system").click()
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "light")


def test_a_page_that_is_not_there(page: Page, allow_fault: Callable[[Page, int], None]) -> None:
    allow_fault(page, 404)
    answer = page.goto("/nothing/here/")
    assert answer is not None
    assert answer.status == 404
    expect(page.get_by_role("heading", level=1)).to_have_text("Not Found")
    page.get_by_role("link", name="To the front page").click()
    expect(page).to_have_url(re.compile(r":\d+/$"))


def test_who_is_logged_in_is_named(page: Page, signed_in: Callable[..., Page]) -> None:
    signed_in(page, "ann").goto("/")
    expect(page.get_by_role("button", name="ann")).to_be_visible()


def test_map_by_keyboard_and_by_class(page: Page, axe: Callable[..., None]) -> None:
    page.goto("/")
    expect(page.locator("#sky-classes label").first).to_be_visible()
    expect(page.locator("#live")).to_be_visible()
    canvas = page.get_by_role("application")
    canvas.focus()
    page.keyboard.press("ArrowRight")
    told = page.locator("#sky-told")
    expect(told).not_to_be_empty()
    first = told.text_content()
    for key in ("ArrowRight", "ArrowUp", "ArrowLeft", "ArrowDown"):
        page.keyboard.press(key)
    page.keyboard.press("Home")
    expect(told).to_have_text(first or "")
    page.get_by_role("button", name="Zoom to them").click()
    expect(page.locator(".sky-ground")).not_to_have_attribute("viewBox", "-6 -6 732 372")
    for box in page.locator("#sky-classes input:visible").all():
        box.uncheck()
    canvas.focus()
    page.keyboard.press("ArrowRight")  # there is nothing to go to
    for box in page.locator("#sky-classes input:visible").all():
        box.check()
    axe(page)
    page.get_by_label("of the last").select_option("30")
    canvas.focus()
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/objects/\d+/"))


def test_hits_of_own_filters_are_asked_for(page: Page, signed_in: Callable[..., Page]) -> None:
    signed_in(page, "nora").goto("/")  # who has no filters in any test
    expect(page.get_by_role("heading", name="Your filters found")).to_be_visible()
    expect(page.get_by_text("A filter that is active tells of what it finds here")).to_be_visible()


@pytest.mark.parametrize("phone", [False, True], ids=["desktop", "phone"])
def test_search(
    new_page: Callable[..., Page],
    site: Site,
    axe: Callable[..., None],
    fits: Callable[[Page], None],
    phone: bool,
) -> None:
    page = new_page(dark=phone, phone=phone)
    rows = site.lasair("query", "SELECT TOP 2 diaObjectId, ra, decl FROM objects", "--format", "csv").split()
    (first, *place), (second, *_) = (line.split(",") for line in rows[1:3])
    page.goto("/")
    if phone:
        page.get_by_role("button", name="Menu").click()
    box = page.get_by_role("combobox", name="Search objects")
    box.press_sequentially(first[:10])
    expect(page.get_by_role("option").first).to_be_visible()
    box.press("ArrowDown")
    expect(box).to_have_attribute("aria-activedescendant", "site-suggestion-0")
    axe(page)
    box.press("Escape")
    expect(page.get_by_role("option").first).to_be_hidden()
    box.fill(first)
    box.press("Enter")
    expect(page).to_have_url(re.compile(rf"/objects/{first}/"))
    page.goto("/search/")
    axe(page)
    page.get_by_label("Numbers, names or positions").fill(f"{second}\n{' '.join(place)}\nZTF99nowhere")
    page.locator("main").get_by_role("button", name="Search").click()
    expect(page.get_by_text("1 of 3 not found")).to_be_visible()
    expect(page.locator("main").get_by_role("link", name=second).first).to_be_visible()
    axe(page)
    fits(page)


def test_search_that_cannot_be_is_explained(page: Page, allow_fault: Callable[[Page, int], None]) -> None:
    allow_fault(page, 400)
    page.goto("/search/?q=10+95")
    expect(page.get_by_text("declination must lie between -90 and 90")).to_be_visible()


def test_search_key(page: Page) -> None:
    page.goto("/status/")
    page.keyboard.press("/")
    expect(page.get_by_role("combobox", name="Search objects")).to_be_focused()


def test_pages_without_scripts(new_page: Callable[..., Page]) -> None:
    page = new_page(java_script_enabled=False)
    page.goto("/")
    page.locator("#table-newest tbody a").first.click()
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    page.goto("/search/")
    page.get_by_label("Numbers, names or positions").fill("nobody")
    page.locator("main").get_by_role("button", name="Search").click()
    expect(page.get_by_text("1 of 1 not found")).to_be_visible()
