"""The page of an object as somebody works with it."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page, expect
from site_under_test import Site

from lasair_broker.lightcurve import LSST, Cosmology

expect.set_options(timeout=30_000)  # the server may be busy with others

DRAWN = """document.querySelector('#chart').data.filter(t => t.customdata)
    .map(t => ({name: t.name, x: t.x, y: t.y, ids: t.customdata.map(c => c[0])}))"""


@pytest.fixture(scope="module")
def known(site: Site) -> dict[str, Any]:
    """Objects of the night: the one with the longest light curve, one with fits, and their data."""
    import requests

    def ask(adql: str) -> list[dict[str, Any]]:
        answer = requests.post(f"{site.address}/api/v1/query/", json={"adql": adql}, timeout=60)
        answer.raise_for_status()
        rows: list[dict[str, Any]] = answer.json()["rows"]
        return rows

    long = ask("SELECT TOP 1 diaObjectId FROM objects ORDER BY nDiaSources DESC")[0]["diaObjectId"]
    fitted = ask(
        "SELECT TOP 1 objects.diaObjectId, objects.BBBPeakFlux, objects.BBBPeakMJD FROM objects "
        "WHERE BBBFallRate IS NOT NULL AND BBBPeakFlux IS NOT NULL AND BBBRiseRate IS NOT NULL "
        "ORDER BY nDiaSources DESC"
    )
    body = ask("SELECT TOP 1 designation FROM ssSources WHERE designation IS NOT NULL")
    curve = requests.get(f"{site.address}/objects/{long}/data/light-curve.json", timeout=60).json()
    return {"long": long, "fitted": fitted, "body": body, "curve": curve}


def show(page: Page, key: str, query: str = "") -> None:
    page.goto(f"/objects/{key}/{query}")
    expect(page.locator("#chart-summary")).to_contain_text(
        re.compile(r"\d+ detections|Nothing|needs"), timeout=30_000
    )


def points(page: Page) -> dict[str, tuple[float, float]]:
    """Every detection that is drawn, by its number."""
    return {
        number: (x, y)
        for trace in page.evaluate(DRAWN)
        for number, x, y in zip(trace["ids"], trace["x"], trace["y"], strict=True)
        if number
    }


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("phone", [False, True], ids=["desktop", "phone"])
def test_everything_on_the_page(
    new_page: Callable[..., Page],
    axe: Callable[..., None],
    fits: Callable[[Page], None],
    known: dict[str, Any],
    dark: bool,
    phone: bool,
) -> None:
    page = new_page(dark=dark, phone=phone)
    show(page, known["long"])
    expect(page.get_by_role("heading", level=1)).to_contain_text(known["long"])
    for section in page.locator(".object-panels > section").all():
        section.scroll_into_view_if_needed()
        expect(section.locator(".waiting")).to_have_count(0)
    page.locator("#images").scroll_into_view_if_needed()
    expect(page.locator("#cutouts img").first).to_have_js_property("complete", True)
    axe(page)
    fits(page)


def test_brightness_in_every_unit(page: Page, known: dict[str, Any]) -> None:
    curve = known["curve"]
    rows = curve["diaSources"]
    flux = dict(zip(rows["diaSourceId"], rows["psfFlux"], strict=True))
    error = dict(zip(rows["diaSourceId"], rows["psfFluxErr"], strict=True))
    total = dict(zip(rows["diaSourceId"], rows["scienceFlux"], strict=True))
    band = dict(zip(rows["diaSourceId"], rows["band"], strict=True))
    show(page, known["long"])
    drawn = points(page)
    assert {key: y for key, (_, y) in drawn.items()} == pytest.approx(flux)

    page.get_by_label("Brightness").select_option("Total flux")
    assert {key: y for key, (_, y) in points(page).items()} == pytest.approx(total)

    page.get_by_label("Brightness").select_option("Magnitude of the difference")
    bright = {key: value for key, value in flux.items() if value > 3 * error[key]}
    shown = points(page)
    for key, value in bright.items():
        assert shown[key][1] == pytest.approx(31.4 - 2.5 * math.log10(value), abs=1e-6)

    page.locator("#c-extinction").check()
    shown = points(page)
    for key, value in bright.items():
        dust = LSST.extinction["ugrizy".index(band[key])] * curve["ebv"]
        assert shown[key][1] == pytest.approx(31.4 - 2.5 * math.log10(value) - dust, abs=1e-6)

    page.locator("#c-extinction").uncheck()
    page.get_by_label("Brightness").select_option("Absolute magnitude")
    page.get_by_label("Redshift").fill("0.1")
    shown = points(page)
    distance = float(Cosmology().luminosity_distance(0.1))
    shift = -5 * math.log10(distance) - 25 + 2.5 * math.log10(1.1)
    for key, value in bright.items():
        assert shown[key][1] == pytest.approx(31.4 - 2.5 * math.log10(value) + shift, abs=1e-4)
    assert "z=0.1" in page.url
    assert "y=absolute" in page.url


def test_time_in_every_scale(page: Page, known: dict[str, Any]) -> None:
    rows = known["curve"]["diaSources"]
    first, last = rows["midpointMjdTai"][0], rows["midpointMjdTai"][-1]
    number = rows["diaSourceId"][-1]
    show(page, known["long"], "?x=days")
    assert points(page)[number][0] == pytest.approx(last - first)
    page.get_by_label("Redshift").fill("1")
    page.get_by_label("Time", exact=True).select_option("Rest-frame days")
    assert points(page)[number][0] == pytest.approx((last - first) / 2)
    page.get_by_label("Time", exact=True).select_option("UTC")
    from astropy.time import Time

    utc = Time(last, format="mjd", scale="tai").utc.strftime("%Y-%m-%d %H:%M:%S")
    assert str(points(page)[number][0]).startswith(utc)


def test_the_address_keeps_what_is_shown(page: Page, known: dict[str, Any]) -> None:
    show(page, known["long"])
    page.get_by_text("none", exact=True).click()
    page.locator("label[for=c-band-r]").click()
    page.get_by_label("Forced").check()
    page.get_by_label("Errors").uncheck()
    page.reload()
    expect(page.locator("#chart-summary")).to_contain_text("detections")
    assert "bands=r" in page.url
    expect(page.get_by_label("Forced")).to_be_checked()
    expect(page.get_by_label("Errors")).not_to_be_checked()
    assert {trace["name"][0] for trace in page.evaluate(DRAWN)} == {"r"}
    page.get_by_role("button", name="As it was").click()
    expect(page).to_have_url(re.compile(rf"/objects/{known['long']}/$"))


def test_measuring_a_range(page: Page, known: dict[str, Any]) -> None:
    rows = known["curve"]["diaSources"]
    middle = sorted(rows["midpointMjdTai"])[len(rows["midpointMjdTai"]) // 2]
    show(page, known["long"], f"?from={middle - 200}&to={middle + 1}")
    line = page.locator("#range tbody tr").first
    band = line.locator("td").first.inner_text()
    chosen = [
        (flux, error)
        for mjd, name, flux, error in zip(
            rows["midpointMjdTai"], rows["band"], rows["psfFlux"], rows["psfFluxErr"], strict=True
        )
        if name == band and middle - 200 <= mjd <= middle + 1
    ]
    flux, error = np.array(chosen).T
    mean = np.average(flux, weights=error**-2)
    cells = line.locator("td").all_inner_texts()
    assert int(cells[1]) == len(flux)
    told = float(re.sub(r"[\u202f\s]", "", cells[2].split("±")[0]).replace("\u2212", "-"))
    assert told == pytest.approx(mean, rel=2e-3, abs=1.0)
    page.get_by_role("button", name="Measure").click()
    box = page.locator("#chart .nsewdrag").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.2, box["y"] + box["height"] * 0.5)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.9, box["y"] + box["height"] * 0.6, steps=5)
    page.mouse.up()
    expect(page.get_by_label("From, MJD")).not_to_have_value(str(middle - 200))


def test_folding_on_a_period_that_is_found(page: Page, known: dict[str, Any]) -> None:
    show(page, known["long"])
    page.get_by_role("button", name="Find periods").click()
    fold = page.get_by_role("button", name=re.compile("^Fold on")).first
    expect(fold).to_be_visible(timeout=60_000)
    fold.click()
    expect(page.get_by_label("Time", exact=True)).to_have_value("phase")
    period = float(page.get_by_label("Period in days").input_value())
    x = [value for trace in page.evaluate(DRAWN) for value in trace["x"]]
    assert all(0 <= value < 2 for value in x)
    page.get_by_role("button", name="Twice the period").click()
    assert float(page.get_by_label("Period in days").input_value()) == pytest.approx(2 * period, rel=1e-6)
    page.get_by_role("button", name="Half the period").click()
    assert float(page.get_by_label("Period in days").input_value()) == pytest.approx(period, rel=1e-6)


def test_fits_go_through_their_peaks(page: Page, known: dict[str, Any]) -> None:
    assert known["fitted"], "the night has no fit; choose another seed"
    row = known["fitted"][0]
    show(page, row["diaObjectId"], "?fits=1")
    lines = page.evaluate(
        "document.querySelector('#chart').data.filter(t => t.mode === 'lines')"
        ".map(t => ({name: t.name, x: t.x, y: t.y}))"
    )
    in_r = next(
        line for line in lines if line["name"].startswith("blackbody") and line["name"].endswith("in r")
    )
    highest = int(np.argmax(in_r["y"]))
    assert in_r["y"][highest] == pytest.approx(row["BBBPeakFlux"], rel=0.02)
    assert in_r["x"][highest] == pytest.approx(row["BBBPeakMJD"], abs=2.0)


def test_the_chart_by_keyboard(page: Page, known: dict[str, Any]) -> None:
    show(page, known["long"])
    expect(page.locator("#cutouts")).to_be_visible()
    chart = page.locator("#chart")
    chart.focus()
    page.keyboard.press("End")
    summary = page.locator("#chart-summary")
    expect(summary).to_contain_text(re.compile(r"^(\d+) of \1: "))
    page.keyboard.press("ArrowLeft")
    expect(summary).to_contain_text("MJD")
    wide = page.evaluate("document.querySelector('#chart').layout.xaxis.range")
    page.keyboard.press("+")
    page.wait_for_function(
        "w => { const r = document.querySelector('#chart').layout.xaxis.range;"
        " return r[1] - r[0] < 0.6 * (w[1] - w[0]); }",
        arg=wide,
    )
    page.keyboard.press("0")
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    expect(page.locator("#cutout-caption").or_(page.locator(".toast-body")).first).to_be_visible()


IMAGES_ARE_THERE = """n => { const images = [...document.querySelectorAll('.point-images img')];
    return images.length === 3 && images.every(i => i.complete && i.naturalWidth && i.src.includes(n)); }"""


def test_a_point_tells_what_it_is_and_shows_its_images(page: Page, known: dict[str, Any]) -> None:
    rows = known["curve"]["diaSources"]
    show(page, known["long"])
    caption = page.locator("#cutout-caption")
    expect(caption).to_contain_text("of")
    first = page.evaluate("() => JSON.parse(document.querySelector('#cutout-frames').textContent)[0]")
    tip = page.get_by_role("tooltip")
    expect(tip).to_be_hidden()
    page.locator("#chart").focus()
    page.keyboard.press("End")
    expect(tip).to_contain_text(f"MJD {rows['midpointMjdTai'][-1]:.5f}")
    page.wait_for_function(IMAGES_ARE_THERE, arg=rows["diaSourceId"][-1])
    expect(tip).to_contain_text("Template")
    page.keyboard.press("Escape")
    expect(tip).to_be_hidden()

    x, y = page.evaluate(
        """frame => { const chart = document.querySelector('#chart'), box = chart.getBoundingClientRect(),
            { xaxis, yaxis } = chart._fullLayout;
            return [box.x + xaxis._offset + xaxis.d2p(frame.midpointMjdTai),
                    box.y + yaxis._offset + yaxis.d2p(frame.psfFlux)]; }""",
        first,
    )
    page.mouse.move(x - 3, y)
    page.mouse.move(x, y)
    expect(tip).to_contain_text(f"MJD {first['midpointMjdTai']:.5f}")
    page.mouse.click(x, y)
    expect(caption).to_contain_text(f"1 of 2: {first['band']}, MJD {first['midpointMjdTai']:.5f}")
    page.get_by_role("button", name="Its row in the table").click()
    marked = page.locator("#panel-detections tr.table-active")
    expect(marked).to_contain_text(first["diaSourceId"])
    expect(marked.locator("[data-detection]")).to_be_focused()


def test_the_row_of_an_old_detection_is_on_a_later_page(page: Page, known: dict[str, Any]) -> None:
    rows = known["curve"]["diaSources"]
    assert len(rows["diaSourceId"]) > 25, "all detections are on one page; choose another seed"
    show(page, known["long"])
    expect(page.locator("#cutout-caption")).to_contain_text("of")
    # The night came as alerts of its own detections: an older one has no images, and a click goes to its row.
    page.locator("#chart").focus()
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    expect(page.locator("#panel-detections")).to_contain_text(rows["diaSourceId"][0])
    marked = page.locator("#panel-detections tr.table-active")
    expect(marked).to_contain_text(rows["diaSourceId"][0])


def test_images_as_a_film(page: Page, known: dict[str, Any]) -> None:
    show(page, known["long"])
    caption = page.locator("#cutout-caption")
    expect(caption).to_contain_text("of")
    count = int(re.findall(r"of (\d+)", caption.inner_text())[0])
    page.get_by_label("Stretch").select_option("log")
    expect(page.locator("#cutouts img").first).to_have_attribute("src", re.compile("stretch=log"))
    if count > 1:
        before = caption.inner_text()
        page.get_by_role("button", name="The detection before").click()
        expect(caption).not_to_have_text(before)
        page.get_by_role("button", name="Film").click()
        expect(page.get_by_role("button", name="Film")).to_have_attribute("aria-pressed", "true")
    widths = page.evaluate("[...document.querySelectorAll('#cutouts img')].map(i => i.naturalWidth)")
    assert all(width == 240 for width in widths)


def test_what_is_drawn_can_be_taken_home(page: Page, known: dict[str, Any]) -> None:
    show(page, known["long"])
    section = page.locator("#light-curve")
    section.get_by_role("button", name="Download").click()
    with page.expect_download() as given:
        section.get_by_role("button", name="What is drawn, CSV").click()
    rows = list(csv.DictReader(io.StringIO(Path(given.value.path()).read_text())))
    assert len(rows) == len(known["curve"]["diaSources"]["diaSourceId"])
    assert {row["diaSourceId"] for row in rows} == set(known["curve"]["diaSources"]["diaSourceId"])
    section.get_by_role("button", name="Download").click()
    with page.expect_download() as given:
        section.get_by_role("button", name="The chart, PNG").click()
    assert Path(given.value.path()).read_bytes().startswith(b"\x89PNG")


def test_coordinates_are_copied(page: Page, known: dict[str, Any]) -> None:
    show(page, known["long"])
    page.get_by_role("button", name="Copy sexagesimal").click()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert re.fullmatch(r"\d\d:\d\d:\d\d\.\d\d [+-]\d\d:\d\d:\d\d\.\d", copied)


def test_a_table_is_sorted_within_the_page(page: Page, known: dict[str, Any]) -> None:
    show(page, known["long"], "?forced=1")
    page.locator("#detections").scroll_into_view_if_needed()
    table = page.locator("#table-detections")
    table.get_by_role("link", name=re.compile("Difference flux")).click()
    faintest = min(v for v in known["curve"]["diaSources"]["psfFlux"] if v is not None)
    first = table.locator("tbody tr").first.locator("td").nth(2)
    expect(first).to_have_text(re.compile(rf"^-?{abs(round(faintest))}" if abs(faintest) > 1000 else r"\d"))
    assert "forced=1" in page.url
    assert "panels" not in page.url


def test_commenting_and_undoing(page: Page, signed_in: Callable[..., Page], known: dict[str, Any]) -> None:
    signed_in(page, "ann")
    show(page, known["long"])
    page.locator("#comments").scroll_into_view_if_needed()
    page.get_by_label("New comment").fill("A <b>bright</b> one")
    page.get_by_role("button", name="Comment", exact=True).click()
    panel = page.locator("#panel-comments")
    expect(panel).to_contain_text("A <b>bright</b> one")
    panel.get_by_text("Change").click()
    panel.get_by_role("button", name="Remove").click()
    expect(panel).not_to_contain_text("A <b>bright</b> one")
    panel.get_by_role("button", name="Undo").click()
    expect(panel).to_contain_text("A <b>bright</b> one")


def test_ones_own_points_appear_on_the_chart(
    page: Page, signed_in: Callable[..., Page], known: dict[str, Any]
) -> None:
    signed_in(page, "ann")
    show(page, known["long"])
    page.locator("#points").scroll_into_view_if_needed()
    page.get_by_text("Add points").click()
    page.get_by_label("Name of the set").fill("my points")
    page.get_by_label("Where they are from").fill("my telescope")
    page.get_by_label("Instrument").fill("0.5 m")
    page.get_by_label("Points, CSV").fill("mjd,scale,band,value,error,unit\n61500,tai,r,19,0.1,furlong")
    page.locator("#points").get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("line 2, unit")
    page.get_by_label("Points, CSV").fill("mjd,scale,band,value,error,unit\n61500,tai,r,19,0.1,mag(AB)")
    page.locator("#points").get_by_role("button", name="Add", exact=True).click()
    expect(page.locator("#panel-points tbody")).to_contain_text("my points")
    expect(page.locator("#chart-summary")).to_contain_text("1 my points (crosses)")
    mine = next(trace for trace in page.evaluate(DRAWN) if "my points" in trace["name"])
    assert mine["y"] == [pytest.approx(10 ** (0.4 * (31.4 - 19)))]


def test_being_notified(page: Page, signed_in: Callable[..., Page], known: dict[str, Any]) -> None:
    signed_in(page, "fay")
    show(page, known["long"])
    page.get_by_role("button", name="Notify me").click()
    expect(page.get_by_role("button", name="Following")).to_be_visible()
    expect(page.locator(".toast-body")).to_contain_text("fay@example.org")
    page.reload()
    page.get_by_role("button", name="Following").click()
    expect(page.get_by_role("button", name="Notify me")).to_be_visible()


def test_the_night_at_another_site(page: Page, known: dict[str, Any]) -> None:
    show(page, known["long"])
    panel = page.locator("#panel-observability")
    panel.scroll_into_view_if_needed()
    with page.expect_response(re.compile("site=lasilla")):
        panel.get_by_label("Site").select_option("La Silla")
    expect(panel.get_by_label("Site")).to_have_value("lasilla")
    page.reload()
    panel.scroll_into_view_if_needed()
    expect(panel.get_by_label("Site")).to_have_value("lasilla")


def test_a_body_of_the_solar_system(
    page: Page, axe: Callable[..., None], fits: Callable[[Page], None], known: dict[str, Any]
) -> None:
    assert known["body"], "the night has no known body; choose another seed"
    page.goto(f"/ssobjects/{known['body'][0]['designation']}/")
    expect(page.get_by_role("heading", level=1)).to_contain_text(known["body"][0]["designation"])
    axe(page)
    fits(page)


def test_without_scripts_the_parts_are_pages(new_page: Callable[..., Page], known: dict[str, Any]) -> None:
    page = new_page(java_script_enabled=False)
    page.goto(f"/objects/{known['long']}/")
    page.locator("#features a", has_text="Show this part").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Features")
