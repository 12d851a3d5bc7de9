"""Watchlists, watchmaps and annotators in a browser, as a person uses them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from lasair_broker.sky import Moc


def test_a_watchlist_is_uploaded_mended_edited_and_had_back(
    page: Page, signed_in: Callable[..., Page], axe: Callable[..., None], tmp_path: Path
) -> None:
    signed_in(page, "lena").goto("/watchlists/")
    page.get_by_role("link", name="New watchlist").click()
    file = tmp_path / "stars.csv"
    file.write_text("ra,dec,name\n10,-20,first\n11,-95,second\n12,x,third\n13,-23,fourth\n")
    page.get_by_label("Name", exact=True).fill("My <b>stars</b>")
    page.get_by_label(re.compile("^File")).set_input_files(file)
    page.get_by_role("button", name="Make it").click()
    expect(page.get_by_role("alert")).to_contain_text("2 rows cannot be read")
    faults = page.get_by_role("region", name="Faulty rows, rows")
    expect(faults).to_contain_text("line 3")
    expect(faults).to_contain_text("-95")
    axe(page)
    page.get_by_label("Leave faulty rows out").check()
    page.get_by_role("button", name="Make it").click()  # the file is still chosen
    expect(page.get_by_role("heading", level=1)).to_have_text("My <b>stars</b>")
    page.get_by_role("tab", name="Rows").click()
    rows = page.get_by_role("region", name="Rows, rows")
    expect(rows).to_contain_text("first")
    expect(rows).to_contain_text("fourth")
    expect(rows).not_to_contain_text("second")
    rows.get_by_role("link", name="Change row 2").click()
    page.get_by_label("Notes").fill("an old friend")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("tab", name="Rows").click()
    expect(rows).to_contain_text("an old friend")
    axe(page)
    rows.get_by_role("button", name="Remove row 2").click()
    page.get_by_role("button", name="Undo").click()
    page.get_by_role("tab", name="Rows").click()
    expect(rows).to_contain_text("an old friend")
    page.locator("#table-rows").get_by_role("searchbox").fill("FIRST")
    expect(rows).not_to_contain_text("fourth")
    with page.expect_download() as download:
        page.locator("#table-rows").get_by_role("button", name="Download").click()
        page.locator("#table-rows").get_by_role("link", name="CSV").click()
    text = Path(download.value.path()).read_text()
    assert "first" in text
    assert "an old friend" not in text, "what the search leaves over is downloaded"


def test_a_trigger_is_made(
    page: Page,
    signed_in: Callable[..., Page],
    axe: Callable[..., None],
    allow_fault: Callable[[Page, int], None],
) -> None:
    allow_fault(page, 400)  # the form without a magnitude
    signed_in(page, "tom").goto("/watchlists/new/")
    page.get_by_label("Name", exact=True).fill("novae")
    page.get_by_role("button", name="Make it").click()
    page.get_by_role("link", name="Add a row").click()
    page.get_by_label("Name").fill("T CrB")
    page.get_by_label("Right ascension").fill("239.8757")
    page.get_by_label("Declination").fill("25.9202")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("tab", name="Triggers").click()
    page.get_by_role("link", name="Add a trigger").click()
    axe(page)
    page.get_by_label("Name").fill("it goes off")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert").or_(page.locator(".invalid-feedback")).first).to_be_visible()
    page.get_by_label("Magnitude", exact=False).first.fill("8")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("tab", name="Triggers").click()
    expect(page.get_by_text("it goes off")).to_be_visible()
    page.get_by_role("button", name="Match with alerts").click()
    expect(page.get_by_role("status")).to_contain_text("every alert")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("phone", [False, True], ids=["desktop", "phone"])
def test_a_circle_is_drawn_on_the_sky(
    new_page: Callable[..., Page],
    signed_in: Callable[..., Page],
    axe: Callable[..., None],
    fits: Callable[[Page], None],
    dark: bool,
    phone: bool,
) -> None:
    page = signed_in(new_page(dark=dark, phone=phone), "mara")
    page.goto("/watchmaps/new/")
    sky = page.get_by_role("img", name="The sky; choose a place")
    sky.scroll_into_view_if_needed()
    box = sky.bounding_box()
    assert box is not None
    sky.click(position={"x": box["width"] / 2, "y": box["height"] / 2})
    assert float(page.get_by_label("RA, deg").input_value()) % 360 == pytest.approx(0.0, abs=1.5)
    assert float(page.get_by_label("Dec, deg").input_value()) == pytest.approx(0.0, abs=1.5)
    expect(sky.locator(".all-sky-drawn path")).to_have_count(1)
    page.get_by_label(re.compile("^Radius")).fill("20")
    page.get_by_label(re.compile("^Radius")).blur()
    name = f"drawn {'dark' if dark else 'light'} {'phone' if phone else 'desktop'}"
    page.get_by_label("Name", exact=True).fill(name)
    axe(page)
    fits(page)
    page.get_by_role("button", name="Make it").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(name)
    expect(page.get_by_text(re.compile("square degrees"))).to_contain_text("12")  # 1245 and a little more
    axe(page)
    fits(page)
    page.goto("/watchmaps/?whose=mine")
    expect(page.get_by_role("link", name=name)).to_be_visible()
    fits(page)


def test_a_map_from_a_file_is_copied(page: Page, signed_in: Callable[..., Page], tmp_path: Path) -> None:
    file = tmp_path / "field.fits"
    file.write_bytes(Moc.circle(150.0, 2.0, 1.0).to_fits())
    signed_in(page, "nils").goto("/watchmaps/new/")
    page.get_by_label("Name", exact=True).fill("field")
    page.get_by_label(re.compile("^File")).set_input_files(file)
    page.get_by_role("button", name="Make it").click()
    expect(page.locator(".all-sky-ring")).to_have_count(1)
    with page.expect_download() as download:
        page.get_by_role("link", name="MOC").click()
    again = Moc.read(Path(download.value.path()).read_bytes())
    assert again.area_deg2 == Moc.circle(150.0, 2.0, 1.0).area_deg2
    page.get_by_role("button", name="Make a copy of your own").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("field (copy)")
    page.get_by_role("link", name="Remove").click()
    page.get_by_role("button", name="Remove it").click()
    expect(page.get_by_role("status")).to_contain_text("field (copy) is removed")
    page.get_by_role("status").get_by_role("button", name="Undo").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("field (copy)")


def test_what_was_removed_is_listed_and_had_back(
    page: Page, signed_in: Callable[..., Page], axe: Callable[..., None], fits: Callable[[Page], None]
) -> None:
    signed_in(page, "rita").goto("/annotators/new/")
    page.get_by_label("Topic").fill("ritas_topic")
    page.get_by_role("button", name="Make it").click()
    page.get_by_role("link", name="Remove", exact=True).click()
    page.get_by_role("button", name="Remove it").click()
    page.goto("/account/")
    page.get_by_role("link", name="Removed").click()
    expect(page.get_by_role("cell", name="ritas_topic", exact=True)).to_be_visible()
    axe(page)
    fits(page)
    page.get_by_role("button", name="Restore ritas_topic").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("ritas_topic")


def test_an_annotator_speaks(
    page: Page,
    signed_in: Callable[..., Page],
    axe: Callable[..., None],
    fits: Callable[[Page], None],
    allow_fault: Callable[[Page, int], None],
) -> None:
    allow_fault(page, 400)  # the form with a name of nobody
    signed_in(page, "olga").goto("/annotators/")
    page.get_by_role("link", name="New annotator").click()
    page.get_by_label("Topic").fill("fastfinder")
    page.get_by_label("Description").fill("Finds what rises fast.")
    page.get_by_role("button", name="Make it").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("fastfinder")
    page.get_by_role("link", name="Who may speak").click()
    page.get_by_label("Writers").fill("nobody-of-this-name")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".invalid-feedback")).to_contain_text("nobody-of-this-name")
    page.get_by_role("link", name="Back").click()
    page.get_by_role("link", name="Share").click()
    page.get_by_label("Everybody").check()
    page.get_by_role("button", name="Share").click()
    expect(page.get_by_text("seen by everybody")).to_be_visible()
    axe(page)
    fits(page)
