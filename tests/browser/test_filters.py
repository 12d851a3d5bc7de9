"""The pages of filters: from an idea to results that one goes through, as people do it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from site_under_test import Site

QUERY = (
    "SELECT diaObjectId, ra, decl, nDiaSources FROM objects WHERE nDiaSources > 1 AND latest_psfFlux > {flux}"
)


def write(page: Page, text: str) -> None:
    """Put a text into the editor in place of what is there."""
    page.get_by_role("textbox", name="Query in SQL").click()
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.insert_text(text)


def begun(page: Page, name: str, flux: float = 40_000.0) -> Page:
    """A new filter in the editor."""
    page.goto("/filters/new/")
    page.get_by_label("Name", exact=True).fill(name)
    write(page, QUERY.format(flux=flux))
    return page


def saved(page: Page, name: str, flux: float = 40_000.0) -> Page:
    """The page of a new filter, a draft."""
    begun(page, name, flux).get_by_role("button", name="Save as a draft").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(name)
    return page


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("phone", [False, True], ids=["desktop", "phone"])
def test_the_pages_look_right(
    new_page: Callable[..., Page],
    signed_in: Callable[..., Page],
    axe: Callable[..., None],
    fits: Callable[[Page], None],
    dark: bool,
    phone: bool,
) -> None:
    page = signed_in(new_page(dark=dark, phone=phone), "fiona")
    begun(page, f"Looks {dark} {phone}", 300.0)
    expect(page.locator("#trial").get_by_text("Hits a night")).to_be_visible()
    axe(page)
    fits(page)
    page.get_by_role("button", name="Save as a draft").click()
    for name in ("Health", "Query and versions", "Outputs", "Why not?", "Settings"):
        page.get_by_role("tab", name=name).click()
        expect(page.locator(".tab-pane.active [data-waiting]")).to_have_count(0)
        axe(page)
        fits(page)
    page.get_by_role("tab", name="Results").click()
    page.get_by_role("button", name="In the archive now").click()
    expect(page.locator("[data-triage]").first).to_be_visible()
    axe(page)
    fits(page)
    for name in ("Cards", "Sky"):
        page.get_by_role("button", name=name).click()
        expect(page.get_by_role("button", name=name)).to_have_attribute(
            "aria-pressed", "true", timeout=20_000
        )
        axe(page)
        fits(page)
    page.goto("/filters/")
    axe(page)
    fits(page)


def test_from_an_idea_to_a_running_filter(
    page: Page, signed_in: Callable[..., Page], axe: Callable[..., None]
) -> None:
    begun(signed_in(page, "ann"), "Everything", 0.0)
    fields = page.locator("#fields")
    fields.get_by_role("searchbox").fill("latest_psfFlux")
    fields.get_by_role("button", name="values of latest_psfFlux", exact=True).click()
    expect(fields.locator(".distribution .sparkline")).to_be_visible()
    axe(page)
    trial = page.locator("#trial")
    expect(trial.get_by_text("It passes too many to be run")).to_be_visible()
    expect(trial.locator("svg.sparkline").first).to_be_visible()
    page.get_by_label("in", exact=True).select_option(index=1)
    expect(trial.get_by_text("Objects of that night")).to_be_visible()
    page.get_by_role("button", name="Save and run it").click()
    expect(page.get_by_role("alert")).to_contain_text("Version 1 does not run: it passes")
    page.get_by_role("link", name="Edit").click()
    write(page, QUERY.format(flux=40_000.0))
    page.get_by_label("Note on this version").fill("Only bright ones")
    page.get_by_role("button", name="Save and run it").click()
    expect(page.get_by_role("status").filter(has_text="Version 2 runs from the next batch")).to_be_visible()
    expect(page.locator("h1 .state")).to_have_text("runs, version 2")
    page.get_by_role("tab", name="Query and versions").click()
    expect(page.locator(".diff-added").first).to_contain_text("40000")
    expect(page.get_by_text("Only bright ones")).to_be_visible()
    page.get_by_role("tab", name="Health").click()
    expect(page.get_by_text("Expected a night")).to_be_visible()
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("h1 .state")).to_have_text("does not run")
    page.get_by_role("tab", name="Query and versions").click()
    page.get_by_role("button", name="Back to it").click()
    expect(page.locator("h1 .state")).to_have_text("runs, version 2")


def test_what_is_wrong_is_said_where_it_is(
    page: Page, signed_in: Callable[..., Page], allow_fault: Callable[[Page, int], None]
) -> None:
    begun(signed_in(page, "ann"), "Wrong")
    write(page, "SELECT COUNT(*) AS n FROM objects")
    expect(page.locator("[data-told]")).not_to_be_empty()
    allow_fault(page, 400)
    page.get_by_role("button", name="Save as a draft").click()
    expect(page.locator("[data-told]")).not_to_be_empty()
    expect(page.get_by_label("Name", exact=True)).to_have_value("Wrong")


@pytest.mark.parametrize("phone", [False, True], ids=["desktop", "phone"])
def test_a_filter_with_a_parameter(
    new_page: Callable[..., Page],
    signed_in: Callable[..., Page],
    axe: Callable[..., None],
    fits: Callable[[Page], None],
    phone: bool,
) -> None:
    page = begun(signed_in(new_page(phone=phone, dark=phone), "ann"), f"Parameter {phone}")
    write(page, QUERY.format(flux=":limit"))
    value = page.get_by_label("Value of :limit")
    expect(value).to_be_visible()
    expect(page.get_by_label("Type of :limit")).to_have_value("number")
    expect(page.locator("[data-told]")).to_contain_text("the parameter :limit has no value")
    value.fill("bright")
    expect(page.locator("[data-told]")).to_contain_text("is a number, which 'bright' is not")
    value.fill("40000")
    page.get_by_label("Unit of :limit").fill("nJy")
    page.get_by_label("What :limit is").fill("the faintest")
    expect(page.locator("[data-told]")).to_be_empty()
    expect(page.locator("#trial").get_by_text("Hits a night")).to_be_visible()
    axe(page)
    fits(page)
    page.get_by_role("tab", name="Form").click()
    where = page.get_by_label("Value 1 for latest_psfFlux")
    expect(where).to_have_value(":limit")
    page.get_by_role("button", name="The condition on nDiaSources as parameter").click()
    expect(page.get_by_label("Value of :nDiaSources")).to_have_value("1")
    expect(page.get_by_label("Unit of :limit")).to_have_value("nJy")
    axe(page)
    page.get_by_role("button", name="The condition on nDiaSources as value").click()
    expect(page.get_by_label("Value of :nDiaSources")).to_have_count(0)
    page.get_by_role("button", name="Save as a draft").click()
    page.get_by_role("tab", name="Query and versions").click()
    expect(page.locator(".query-text").first).to_contain_text(":limit number = 40000 nJy: the faintest")
    page.get_by_role("link", name="Edit", exact=True).click()
    page.get_by_label("Value of :limit").fill("50000")
    page.get_by_role("button", name="Save as a draft").click()
    page.get_by_role("tab", name="Query and versions").click()
    expect(page.locator(".diff-added").first).to_contain_text("50000")


def test_going_through_results_by_keys(page: Page, signed_in: Callable[..., Page]) -> None:
    saved(signed_in(page, "ann"), "Keys", 300.0)
    page.get_by_role("button", name="In the archive now").click()
    items = page.locator("[data-triage]")
    expect(items.first).to_be_visible()
    page.locator("h1").click()
    page.keyboard.press("j")
    expect(items.nth(0)).to_have_class(re.compile("current"))
    page.keyboard.press("j")
    page.keyboard.press("k")
    page.keyboard.press("j")
    expect(items.nth(1)).to_have_class(re.compile("current"))
    number = items.nth(1).get_attribute("data-object")
    page.keyboard.press("s")
    expect(items.nth(1).locator("[data-keep]")).to_have_attribute("aria-pressed", "true")
    with page.expect_popup() as opened:
        page.keyboard.press("o")
    assert f"/objects/{number}/" in opened.value.url
    opened.value.close()
    page.goto("/filters/saved/")
    expect(page.get_by_role("link", name=number or "")).to_be_visible()
    page.get_by_role("button", name="Keep it no longer").click()
    expect(page.get_by_role("link", name=number or "")).to_have_count(0)


def test_results_are_sorted_searched_and_taken_away(page: Page, signed_in: Callable[..., Page]) -> None:
    saved(signed_in(page, "ann"), "Sorted", 300.0)
    page.get_by_role("button", name="In the archive now").click()
    table = page.locator("#table-results")
    number = table.locator("[data-triage]").first.get_attribute("data-object") or ""
    table.get_by_role("link", name="diaObjectId", exact=True).click()
    expect(table.get_by_role("columnheader", name="diaObjectId")).to_have_attribute("aria-sort", "ascending")
    shown = [item.get_attribute("data-object") or "" for item in table.locator("[data-triage]").all()]
    assert [int(each) for each in shown] == sorted(map(int, shown))
    table.get_by_role("searchbox").fill(f"diaObjectId = {number}")
    expect(table.locator("[data-triage]")).to_have_count(1)
    table.get_by_role("button", name="Download").click()
    with page.expect_download() as waited:
        table.get_by_role("link", name="CSV").click()
    assert len(Path(waited.value.path()).read_text().splitlines()) == 2
    page.get_by_role("button", name="Columns").click()
    page.get_by_label("nDiaSources", exact=True).uncheck()
    page.get_by_role("button", name="Show these").click()
    expect(table.get_by_role("columnheader", name="nDiaSources")).to_have_count(0)
    expect(table.locator("[data-triage]")).to_have_count(1)


def test_a_filter_goes_out_as_a_file_and_comes_back(
    page: Page,
    signed_in: Callable[..., Page],
    axe: Callable[..., None],
    fits: Callable[[Page], None],
    allow_fault: Callable[[Page, int], None],
) -> None:
    saved(signed_in(page, "xaver"), "Goes round")
    page.get_by_role("tab", name="Query and versions").click()
    with page.expect_download() as waited:
        page.locator("#versions").get_by_role("link", name="Export").click()
    page.goto("/filters/")
    page.get_by_role("link", name="Import").click()
    axe(page)
    fits(page)
    allow_fault(page, 400)
    page.get_by_label("Or the text").fill("filters: [{name: x}]")
    page.get_by_role("button", name="Import").click()
    expect(page.get_by_text("give either adql")).to_be_visible()
    page.get_by_label("File").set_input_files(waited.value.path())
    page.get_by_role("button", name="Import").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Goes round (2)")


def test_outputs(page: Page, signed_in: Callable[..., Page]) -> None:
    saved(signed_in(page, "ann"), "Outputs")
    page.get_by_role("tab", name="Outputs").click()
    page.get_by_label("To", exact=True).select_option("webhook")
    page.get_by_label("Address").fill("http://example.org/hook")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_text("give an https:// address")).to_be_visible()
    page.get_by_label("Address").fill("https://localhost:1/hook")
    page.get_by_label("Quiet from").select_option("22")
    page.get_by_label("Quiet until").select_option("6")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_text("22:00 to 06:00 UTC")).to_be_visible()
    page.get_by_role("button", name="Test").click()
    expect(page.locator("#outputs").get_by_text("failed, to be tried again")).to_be_visible(timeout=40_000)
    page.get_by_role("button", name="Switch off").click()
    expect(page.locator("#outputs .state").first).to_have_text("off")
    page.locator("#outputs").get_by_role("button", name="Remove").click()
    page.locator("#outputs").get_by_role("button", name="Have it back").click()
    expect(page.locator("#outputs .state").first).to_have_text("off")
    page.get_by_role("link", name="Log").click()
    expect(page.get_by_role("row")).to_have_count(2)


OF_THE_NIGHT = """
from lasair_broker.web import migrate
migrate()
from lasair_broker.web.accounts.models import User
from lasair_broker.web.filters import outputs, services
from lasair_broker.web.filters.models import Filter
from lasair_broker.web.filters.wording import Wording
ann = User.objects.get(username="ann")
Filter.objects.create(pk=900, owner=ann, name="Of the night", topic="of-the-night")
services.save_version(ann, 900, Wording(adql="SELECT diaObjectId FROM objects WHERE nDiaSources > 1"))
outputs.add(ann, 900, "webhook", url="https://localhost:1/hook")
"""


def test_hits_are_sent_again(
    new_page: Callable[..., Page],
    signed_in: Callable[..., Page],
    axe: Callable[..., None],
    fits: Callable[[Page], None],
    site: Site,
) -> None:
    page = signed_in(new_page(), "ann")
    subprocess.run([sys.executable, "-c", OF_THE_NIGHT], env=site.environment, check=True, timeout=120)
    hits = site.lasair("filter", "hits", "900", "--json", "--limit", "10000", "--user", "ann").splitlines()
    first = json.loads(hits[0])
    page.goto("/filters/900/#outputs")
    page.get_by_role("tab", name="Outputs").click()
    page.get_by_role("link", name="Log").click()
    part = page.locator("#send-again")
    part.get_by_role("button", name="Count them").click()
    expect(part.get_by_role("alert")).to_contain_text("give the beginning")
    part.get_by_label("Found since (UTC)").fill("2020-01-01T00:00:00")
    part.get_by_label("Until (UTC)").fill("2020-01-02T00:00:00")
    part.get_by_role("button", name="Count them").click()
    expect(part.get_by_role("status")).to_have_text("The filter had no hits in that time.")
    axe(page)
    part.get_by_label("Found since (UTC)").fill("")
    part.get_by_label("Until (UTC)").fill("")
    part.get_by_label("or after the hit").fill(f"{first['committedMjdTai']!r}/{first['hitId']}")
    part.get_by_role("button", name="Count them").click()
    count = f"{len(hits) - 1:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")
    expect(part.get_by_role("status")).to_contain_text(f"{count} hit")
    fits(page)
    part.get_by_role("button", name=re.compile(r"^Send .* again$")).click()
    expect(part.get_by_text("asked for by ann")).to_contain_text("goes on")
    phone = signed_in(new_page(dark=True, phone=True), "ann")
    phone.goto(page.url)
    expect(phone.locator("#send-again").get_by_text("asked for by ann")).to_be_visible()
    axe(phone)
    fits(phone)
    part.get_by_role("button", name="Stop").click()
    expect(part.get_by_text("asked for by ann")).to_contain_text("ended")
    expect(part.get_by_role("button", name="Stop")).to_have_count(0)


def test_why_not(page: Page, signed_in: Callable[..., Page]) -> None:
    saved(signed_in(page, "ann"), "Why", 300.0)
    page.get_by_role("button", name="In the archive now").click()
    number = page.locator("[data-triage]").first.get_attribute("data-object")
    page.get_by_role("tab", name="Why not?").click()
    page.get_by_label("Number or name of an object").fill(number or "")
    page.get_by_role("button", name="Does it pass?").click()
    expect(page.locator("#why").get_by_text("passes", exact=True)).to_be_visible()
    expect(page.locator("#why .outcome-true")).to_have_count(2)
    page.get_by_label("Number or name of an object").fill("nothing")
    page.get_by_role("button", name="Does it pass?").click()
    expect(page.locator("#why").get_by_text("there is no object nothing")).to_be_visible()


def test_sharing_copying_deleting_and_restoring(
    new_page: Callable[..., Page], signed_in: Callable[..., Page], allow_fault: Callable[[Page, int], None]
) -> None:
    mine = signed_in(new_page(), "ann")
    saved(mine, "To be shared")
    other = signed_in(new_page(), "bob")
    allow_fault(other, 404)
    answer = other.goto(mine.url)
    assert answer is not None
    assert answer.status == 404
    mine.get_by_role("tab", name="Query and versions").click()
    mine.get_by_role("button", name="Run it").click()
    mine.get_by_role("tab", name="Settings").click()
    mine.get_by_label("Shared with").select_option("public")
    mine.get_by_role("button", name="Share").click()
    other.goto("/filters/gallery/")
    other.get_by_role("button", name="Star for To be shared").click()
    expect(other.get_by_role("button", name="Star for To be shared")).to_have_attribute(
        "aria-pressed", "true"
    )
    other.get_by_role("button", name="Make a copy of To be shared").click()
    expect(other.get_by_role("heading", level=1)).to_have_text("Edit To be shared")
    other.goto(mine.url)
    expect(other.get_by_role("tab", name="Outputs")).to_have_count(0)
    expect(other.get_by_role("tab", name="Settings")).to_have_count(0)
    mine.get_by_role("tab", name="Settings").click()
    mine.get_by_role("button", name="Delete the filter").click()
    expect(mine.get_by_text("The filter is deleted.")).to_be_visible()
    mine.get_by_role("listitem").filter(has_text="To be shared").get_by_role("button", name="Restore").click()
    expect(mine.get_by_role("heading", level=1)).to_contain_text("To be shared")


def test_texts_of_users_stay_texts(page: Page, signed_in: Callable[..., Page], site: Site) -> None:
    """Names, descriptions and notes are shown as they were written, and nothing in them runs."""
    evil = "<img src=x onerror=alert(1)><script>alert(2)</script>"
    saved(signed_in(page, "ann"), evil)
    page.goto("/filters/")
    expect(page.get_by_role("link", name=evil)).to_be_visible()
    assert page.locator("img[src=x]").count() == 0
