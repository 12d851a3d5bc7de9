"""Schema, status and help, as a person uses them."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

LOOKS = pytest.mark.parametrize(
    ("dark", "phone"), [(False, False), (True, False), (True, True)], ids=["light", "dark", "dark-phone"]
)


@LOOKS
def test_schema(
    new_page: Callable[..., Page],
    axe: Callable[..., None],
    fits: Callable[[Page], None],
    dark: bool,
    phone: bool,
) -> None:
    page = new_page(dark=dark, phone=phone)
    page.goto("/schema/")
    axe(page)
    fits(page)
    page.get_by_role("searchbox", name="Search columns").press_sequentially("psfFlux error")
    expect(page.get_by_role("link", name="psfFluxErr").first).to_be_visible()
    expect(page).to_have_url(re.compile(r"q=psfFlux"))
    page.get_by_role("link", name="psfFluxErr").first.click()
    expect(page.locator("tr:target")).to_contain_text("psfFluxErr")
    axe(page)
    fits(page)


@LOOKS
def test_status(
    new_page: Callable[..., Page],
    axe: Callable[..., None],
    fits: Callable[[Page], None],
    dark: bool,
    phone: bool,
) -> None:
    page = new_page(dark=dark, phone=phone)
    page.goto("/status/")
    for chart in ("latencies", "rates", "nights"):
        expect(page.locator(f"#chart-{chart} canvas")).to_be_visible()
    axe(page)
    fits(page)
    page.locator("#table-nights tbody a").first.click()
    expect(page).to_have_url(re.compile(r"night=\d+"))
    expect(page.get_by_role("heading", name="Night of")).to_be_visible()


def test_tour(page: Page, axe: Callable[..., None]) -> None:
    page.goto("/help/")
    axe(page)
    page.get_by_role("link", name="Begin").click()
    tour = page.get_by_role("complementary", name="Tour")
    for number in range(1, 4):
        expect(tour).to_contain_text(f"Tour, {number} of")
        tour.get_by_role("link", name="Next").click()
    tour.get_by_role("link", name="Before").click()
    expect(tour).to_contain_text("Tour, 3 of")
    axe(page)
    tour.get_by_role("link", name="End").click()
    expect(tour).to_have_count(0)


@LOOKS
def test_documents(
    new_page: Callable[..., Page],
    axe: Callable[..., None],
    fits: Callable[[Page], None],
    dark: bool,
    phone: bool,
) -> None:
    page = new_page(dark=dark, phone=phone)
    for name in ("filters", "query-language", "api"):
        page.goto(f"/help/{name}/")
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        axe(page)
        fits(page)
