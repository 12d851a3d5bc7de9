"""Catalogues and events in a browser."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("phone", [False, True], ids=["desktop", "phone"])
def test_what_catalogues_there_are(
    new_page: Callable[..., Page],
    axe: Callable[..., None],
    fits: Callable[[Page], None],
    dark: bool,
    phone: bool,
) -> None:
    page = new_page(dark=dark, phone=phone)
    page.goto("/catalogues/")
    expect(page.get_by_role("heading", level=1)).to_have_text("Catalogues")
    axe(page)
    fits(page)
    page.get_by_role("link", name="simulated", exact=True).click()
    expect(page.get_by_role("img", name="The sky with the density of simulated")).to_be_visible()
    expect(page.locator(".all-sky-region").first).to_be_attached()
    page.get_by_role("searchbox").last.fill("redshift")
    expect(page.locator("#table-columns")).not_to_contain_text("pmra")
    axe(page)
    fits(page)


def test_events_are_chosen_by_kind(
    page: Page, axe: Callable[..., None], fits: Callable[[Page], None]
) -> None:
    page.goto("/events/")
    expect(page.get_by_role("heading", level=1)).to_have_text("Events")
    expect(page.get_by_text("No event fits.")).to_be_visible()
    page.get_by_label("Kind").select_option("any")
    page.get_by_role("button", name="Show").click()
    expect(page).to_have_url(re.compile("kind="))
    axe(page)
    fits(page)
