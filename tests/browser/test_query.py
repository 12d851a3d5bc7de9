"""The query page: writing, running, keeping, as people do it."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

QUERY = "SELECT diaObjectId, ra, decl, nDiaSources FROM objects WHERE nDiaSources > 1"


def write(page: Page, text: str) -> None:
    """Put a text into the editor in place of what is there."""
    page.get_by_role("textbox", name="Query in SQL").click()
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.insert_text(text)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("phone", [False, True], ids=["desktop", "phone"])
def test_the_query_page(
    new_page: Callable[..., Page],
    signed_in: Callable[..., Page],
    axe: Callable[..., None],
    fits: Callable[[Page], None],
    dark: bool,
    phone: bool,
) -> None:
    page = signed_in(new_page(dark=dark, phone=phone), "quentin")
    page.goto("/query/")
    expect(page.get_by_role("tab", name="Form")).to_be_enabled()
    if phone:
        page.get_by_role("button", name="Fields").click()
        expect(page.get_by_role("button", name="lastDiaSourceMjdTai", exact=True)).to_be_visible()
        page.get_by_role("button", name="Close the fields").click()
    page.get_by_role("tab", name="Form").click()
    expect(page.get_by_role("group", name="Where all of these hold")).to_be_visible()
    axe(page)
    fits(page)


def test_a_query_from_the_first_letter_to_the_file(
    page: Page, signed_in: Callable[..., Page], axe: Callable[..., None], fits: Callable[[Page], None]
) -> None:
    signed_in(page, "quentin").goto("/query/")
    write(page, QUERY.replace("nDiaSources >", "nDiaSurces >"))
    expect(page.locator("[data-told]")).to_contain_text("did you mean nDiaSources?")
    expect(page.locator(".cm-lintRange-error")).to_have_text("nDiaSurces")
    write(page, QUERY)
    expect(page.locator("[data-told]")).to_be_empty()
    page.get_by_role("textbox", name="Name").fill("More than one")
    page.keyboard.press("Escape")
    page.get_by_role("textbox", name="Query in SQL").press("ControlOrMeta+Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("More than one")
    expect(page.locator(".phase")).to_have_text("done", timeout=30_000)
    rows = page.get_by_role("row")
    assert rows.count() > 20
    page.get_by_role("link", name=re.compile("^nDiaSources")).click()
    expect(page.get_by_role("columnheader", name="nDiaSources")).to_have_attribute("aria-sort", "ascending")
    counts = [int(text) for text in page.locator("tbody td:nth-child(4)").all_inner_texts()]
    assert counts == sorted(counts)
    axe(page)
    fits(page)
    told = page.locator("#table-rows .card-header > span")
    whole, middle = told.inner_text(), counts[len(counts) // 2]
    page.get_by_role("searchbox", name="Words, or psfFlux > 1000").fill(f"nDiaSources > {middle}")
    expect(told).not_to_have_text(whole)
    left = int(told.inner_text().split()[-1])
    page.locator("#table-rows").get_by_role("button", name="Download").click()
    with page.expect_download() as waited:
        page.locator("#table-rows").get_by_role("link", name="CSV").click()
    kept = list(csv.DictReader(Path(waited.value.path()).read_text().splitlines()))
    assert len(kept) == left
    assert all(int(row["nDiaSources"]) > middle for row in kept)
    page.keyboard.press("Escape")
    page.locator("#state").get_by_role("button", name="Download").click()
    for label, begins in (("CSV", b"diaObjectId,ra"), ("VOTable", b"<?xml"), ("FITS", b"SIMPLE")):
        with page.expect_download() as waited:
            page.get_by_role("link", name=label, exact=True).click()
        assert Path(waited.value.path()).read_bytes().startswith(begins)
        if not page.get_by_role("link", name=label, exact=True).is_visible():
            page.locator("#state").get_by_role("button", name="Download").click()
    page.goto("/query/jobs/")
    expect(page.get_by_role("link", name="More than one").first).to_be_visible()


def test_a_query_that_fails_says_so_and_one_can_be_saved(page: Page, signed_in: Callable[..., Page]) -> None:
    signed_in(page, "quentin").goto("/query/")
    write(page, QUERY)
    page.get_by_role("textbox", name="Name").fill("My best")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status").filter(has_text="Saved as “My best”.")).to_be_visible()
    expect(page.get_by_role("textbox", name="Query in SQL")).to_contain_text("nDiaSources > 1")
    page.goto("/query/saved/")
    page.get_by_label("Share My best with").select_option("public")
    page.get_by_role("button", name="Set").click()
    expect(page.get_by_label("Share My best with")).to_have_value("public")
    page.get_by_role("button", name="Remove My best").click()
    expect(page.get_by_text("No query is saved yet.")).to_be_visible()


def test_form_and_text_follow_each_other(page: Page, signed_in: Callable[..., Page]) -> None:
    signed_in(page, "quentin").goto("/query/")
    write(page, QUERY)
    page.get_by_role("tab", name="Form").click()
    page.get_by_label("Value 1 for nDiaSources").fill("3")
    page.get_by_label("Value 1 for nDiaSources").press("Tab")
    page.get_by_label("Add a condition on").fill("objects.latest_psfFlux")
    page.get_by_label("Add a condition on").press("Tab")
    page.get_by_label("Value 1 for latest_psfFlux").fill("500")
    page.get_by_label("Value 1 for latest_psfFlux").press("Tab")
    page.get_by_role("button", name="as magnitude").click()
    page.get_by_label("Join with").select_option(label="Sherlock's class and host")
    page.get_by_label("Add a column").fill("sherlock_classifications.classification")
    page.get_by_label("Add a column").press("Tab")
    expect(
        page.get_by_role("button", name="Do not show sherlock_classifications.classification")
    ).to_be_visible()
    page.get_by_role("tab", name="SQL").click()
    text = page.locator("#adql")
    expect(text).to_have_value(re.compile(r"nDiaSources > 3\s+AND flux2mag\(objects.latest_psfFlux\) > 500"))
    expect(text).to_have_value(re.compile("JOIN sherlock_classifications ON"))
    expect(text).to_have_value(re.compile("sherlock_classifications.classification"))
    write(page, "SELECT COUNT(*) AS n FROM objects")
    page.get_by_role("tab", name="Form").click()
    expect(page.locator("[data-told]")).to_contain_text("so it stays SQL")
    expect(page.get_by_role("tab", name="SQL")).to_have_attribute("aria-selected", "true")


def test_completion_knows_the_tables(page: Page) -> None:
    page.goto("/query/")
    expect(page.get_by_role("tab", name="Form")).to_be_enabled()
    write(page, "")
    page.keyboard.type("SELECT latest_psf")
    option = page.get_by_role("option", name=re.compile("latest_psfFlux"))
    expect(option.first).to_be_visible()
    expect(page.locator(".cm-completionInfo")).to_contain_text("nJy")
    page.keyboard.press("Escape")
    page.get_by_label("Search among tables and columns").fill("host redshift")
    expect(page.locator("[data-fields-list] .field-name").first).to_be_visible()


def test_the_text_is_laid_out(page: Page) -> None:
    page.goto("/query/")
    expect(page.get_by_role("tab", name="Form")).to_be_enabled()
    write(
        page,
        "select ra,decl from objects o join watchlist_hits w on o.diaObjectId=w.diaObjectId "
        "where ra between 1 and 2 and name='a and b' order by ra desc",
    )
    page.get_by_role("button", name="Format").click()
    expect(page.locator("#adql")).to_have_value(
        "SELECT ra, decl\nFROM objects o\nJOIN watchlist_hits w ON o.diaObjectId = w.diaObjectId\n"
        "WHERE ra BETWEEN 1 AND 2\n  AND name = 'a and b'\nORDER BY ra DESC"
    )


def test_without_logging_in_a_few_rows_come_at_once(
    page: Page, allow_fault: Callable[[Page, int], None]
) -> None:
    page.goto("/query/")
    write(page, QUERY)
    page.get_by_role("button", name="Run").click()
    expect(page.get_by_role("region", name="Result, rows")).to_be_visible()
    allow_fault(page, 400)
    write(page, "SELECT raa FROM objects")
    page.get_by_role("button", name="Run").click()
    expect(page.locator("[data-told]")).to_contain_text("did you mean ra?")


def test_nobody_sees_anothers_query(
    new_page: Callable[..., Page], signed_in: Callable[..., Page], allow_fault: Callable[[Page, int], None]
) -> None:
    mine = signed_in(new_page(), "quentin")
    mine.goto("/query/")
    write(mine, QUERY)
    mine.get_by_role("button", name="Run").click()
    mine.wait_for_url("**/query/jobs/*/")
    other = signed_in(new_page(), "walter")
    allow_fault(other, 404)
    answer = other.goto(mine.url)
    assert answer is not None
    assert answer.status == 404
    other.goto("/query/jobs/")
    expect(other.get_by_text("You have not run a query yet.")).to_be_visible()


def test_a_saved_query_asks_for_its_values(page: Page, signed_in: Callable[..., Page]) -> None:
    signed_in(page, "quentin").goto("/query/")
    write(page, QUERY.replace("> 1", "> :least"))
    page.get_by_label("Value of :least").fill("1")
    expect(page.locator("[data-told]")).to_be_empty()
    page.get_by_role("textbox", name="Name").fill("At least so many")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved as “At least so many”.")).to_be_visible()
    value = page.get_by_label("Value of :least")
    expect(value).to_have_value("1")
    value.fill("20")
    expect(page).to_have_url(re.compile(r"saved=\d+&%3Aleast=20"))
    page.reload()
    expect(value).to_have_value("20")
    page.get_by_role("button", name="Run").click()
    expect(page.locator(".phase")).to_have_text("done", timeout=30_000)
    counts = [int(text) for text in page.locator("tbody td:nth-child(4)").all_inner_texts()]
    assert counts
    assert min(counts) > 20
    page.get_by_role("link", name="Edit and run again").click()
    expect(value).to_have_value("20")
