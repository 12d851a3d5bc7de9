"""The front page, and what all pages have."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect


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
