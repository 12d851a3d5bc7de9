"""Messengers in a browser: a gravitational wave around an object of a simulated night."""

from __future__ import annotations

import base64
import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from astropy.time import Time
from playwright.sync_api import Page, expect

from lasair_broker.archive import open_archive
from lasair_broker.context.events import read_notice, take_in
from lasair_broker.packets import SchemaStore
from lasair_broker.packets.simulator import Simulation
from lasair_broker.sky import gaussian_skymap
from lasair_broker.stream import Pipeline, run, standard_stages
from lasair_broker.stream.context import ContextKeeper
from lasair_broker.stream.messengers import MessengerChore, MessengerLoader

sys.path.insert(0, str(Path(__file__).parents[1] / "stream"))  # for `stream_fixtures`
from stream_fixtures import ListSource

sys.path.insert(0, str(Path(__file__).parents[1] / "web" / "api"))  # for `site_under_test`
from site_under_test import Site, serving


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site of this module's own, as others expect that there are no events."""
    folder = tmp_path_factory.mktemp("site") / "archive"
    catalogues = folder.with_name("catalogues")
    values = [bytes(value) for part in Simulation.night(120, seed=9).alerts() for value in part.values]
    with open_archive(folder) as archive:
        loader = MessengerLoader(catalogues)
        run(ListSource(values, 60), Pipeline(SchemaStore(), standard_stages(messengers=loader)), archive)
        sql = "SELECT * FROM objects ORDER BY firstDiaSourceMjdTai DESC, diaObjectId LIMIT 1"
        (newest,) = archive.query(sql).to_pylist()
        for kind, radius in (("PRELIMINARY", 9.0), ("UPDATE", 4.0)):
            when = Time(newest["firstDiaSourceMjdTai"] - 0.5, format="mjd", scale="tai").utc.isot + "Z"
            skymap = gaussian_skymap(newest["ra"], newest["decl"] + 1.0, radius, 0.4 * radius, 30.0).to_fits()
            event = {
                "time": when, "far": 1e-12, "group": "CBC", "properties": {"HasRemnant": 0.9},
                "classification": {"BNS": 0.9, "NSBH": 0.05, "BBH": 0.0, "Terrestrial": 0.05},
                "skymap": base64.b64encode(skymap).decode(),
            }  # fmt: skip
            notice = {"superevent_id": "S260101a", "alert_type": kind, "time_created": when, "event": event}
            take_in(catalogues, [read_notice(json.dumps(notice).encode())])
        ContextKeeper(archive, [MessengerChore(archive, loader)]).finish()
    environment = {
        **os.environ,
        "LASAIR_ARCHIVE__URL": str(folder),
        "LASAIR_CONTEXT__CATALOGUES": str(catalogues),
        "COLUMNS": "200",
    }
    environment.pop("LASAIR_USER_DATABASE", None)
    with serving(folder, environment) as started:
        yield started


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("phone", [False, True], ids=["desktop", "phone"])
def test_an_event_and_its_candidates(
    new_page: Callable[..., Page],
    axe: Callable[..., None],
    fits: Callable[[Page], None],
    dark: bool,
    phone: bool,
) -> None:
    page = new_page(dark=dark, phone=phone)
    page.goto("/messengers/")
    expect(page.get_by_role("heading", level=1)).to_have_text("Messengers")
    axe(page)
    fits(page)
    page.get_by_role("link", name="S260101a").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("S260101a")
    expect(page.get_by_role("img", name="The sky with the regions that hold S260101a")).to_be_visible()
    expect(page.get_by_role("heading", name="Notices")).to_be_visible()
    expect(page.locator("table").first.get_by_role("link").first).to_be_visible()
    expect(page.get_by_role("img", name="Share of the probability looked at by us")).to_be_visible()
    axe(page)
    fits(page)
    page.locator("#choose-show").select_option("Seen before the event")
    page.get_by_role("button", name="Show").click()
    expect(page).to_have_url(re.compile("show=before"))
    page.get_by_label("Level, at most %").fill("50")
    page.get_by_label("Tier").select_option("bronze or better")
    page.get_by_role("button", name="Show").click()
    expect(page).to_have_url(re.compile("tier=bronze.*level=50"))
    page.get_by_role("link", name="All", exact=True).click()
    expect(page).to_have_url(re.compile("S260101a/$"))
    with page.expect_download() as download:
        page.locator("dl").get_by_role("link", name="90 % region").click()
    assert download.value.suggested_filename == "s260101a-region-90.moc.fits"
