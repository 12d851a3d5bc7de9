"""The site in a real browser, on a simulated night; nothing of a page may fail in it, or ask another host.

A page that has a console error (of the browser's own or of a script), or that sends a request to anywhere
but the site under test, fails its test. `allow_fault(page, 404)` excuses one answer that a test wants to see.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pyarrow.parquet as pq
import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

from lasair_broker.archive import open_archive
from lasair_broker.context import ContextLoader
from lasair_broker.context.catalogues import add_catalogue, read_description
from lasair_broker.packets import SchemaStore
from lasair_broker.packets.simulator import Simulation
from lasair_broker.stream import Pipeline, SubscriptionFile, run, standard_stages
from lasair_broker.stream.filters import FilterStage

sys.path.insert(0, str(Path(__file__).parents[1] / "stream"))  # for `stream_fixtures`
from stream_fixtures import ListSource

sys.path.insert(0, str(Path(__file__).parents[1] / "web" / "api"))  # for `site_under_test`
from site_under_test import Site, serving

sys.path.insert(0, str(Path(__file__).parent))  # for `mail_server`
from mail_server import Inbox, mail_server

AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"
_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)
_WISHES = """
filters:
  - {id: 900, name: of the night, adql: SELECT diaObjectId FROM objects WHERE nDiaSources > 1}
"""
"""Its hits are there when the site begins, and nobody's until a test makes a filter of this number."""
_SIGN_IN = """
import sys
from lasair_broker.web import migrate
migrate()
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.conf import settings
from django.contrib.sessions.backends.db import SessionStore
from lasair_broker.web.accounts.models import User
name, staff = sys.argv[1], sys.argv[2] == "staff"
user = User.objects.filter(username=name).first() or User.objects.create_user(
    f"{name}@example.org", name, f"{name}'s long password", is_staff=staff, is_superuser=staff)
session = SessionStore()
session.update({SESSION_KEY: str(user.pk), BACKEND_SESSION_KEY: settings.AUTHENTICATION_BACKENDS[0],
    HASH_SESSION_KEY: user.get_session_auth_hash()})
session.create()
print(session.session_key)
"""


@pytest.fixture(scope="session")
def inbox() -> Iterator[Inbox]:
    """The mails that the site sends."""
    with mail_server() as started:
        yield started


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory, inbox: Inbox) -> Iterator[Site]:
    """`lasair serve` on an archive with a simulated night, and an empty user database."""
    if not AXE.is_file():
        pytest.fail("the pages' scripts and axe-core are not installed; run: make assets")
    folder = tmp_path_factory.mktemp("site") / "archive"
    catalogues = folder.with_name("catalogues")
    simulation = Simulation.night(400, seed=9)
    pq.write_table(simulation.catalogue(), folder.with_name("sky.parquet"))
    add_catalogue(
        catalogues, "simulated", str(folder.with_name("sky.parquet")), read_description("simulated")
    )
    values = [bytes(value) for part in simulation.alerts() for value in part.values]
    with open_archive(folder) as archive:
        stages = standard_stages(catalogues=ContextLoader(catalogues))
        wishes = folder.with_name("wishes.yaml")
        wishes.write_text(_WISHES)
        filters = FilterStage(archive, SubscriptionFile(wishes))
        run(ListSource(values, 200), Pipeline(SchemaStore(), stages), archive, commit_stages=[filters])
    environment = {
        **os.environ,
        "LASAIR_ARCHIVE__URL": str(folder),
        "LASAIR_CONTEXT__CATALOGUES": str(catalogues),
        "LASAIR_DELIVERY__MAIL_HOST": "127.0.0.1",
        "LASAIR_DELIVERY__MAIL_PORT": str(inbox.port),
        "COLUMNS": "200",
    }
    environment.pop("LASAIR_USER_DATABASE", None)
    with serving(folder, environment) as started:
        yield started


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium. Its event loop must have ended when tests of Django begin, which runs in none."""
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=list(_FLAGS))
        yield started
        started.close()


@pytest.fixture
def new_page(browser: Browser, site: Site) -> Iterator[Callable[..., Page]]:
    """Open a page with a browser profile of its own: ``new_page(dark=True, phone=True)``.

    Its addresses may be paths: ``page.goto("/filters/")``.
    """
    contexts: list[BrowserContext] = []
    watches: list[_Watch] = []

    def make(*, dark: bool = False, phone: bool = False, **options: Any) -> Page:
        size = {"width": 390, "height": 844} if phone else {"width": 1280, "height": 900}
        context = browser.new_context(
            base_url=site.address,
            color_scheme="dark" if dark else "light",
            viewport=size,  # type: ignore[arg-type]  # it is a ViewportSize
            has_touch=phone,
            permissions=["clipboard-read", "clipboard-write"],
            **options,
        )
        context.set_default_timeout(20_000)
        context.set_default_navigation_timeout(60_000)  # a site's first page, on a busy machine
        contexts.append(context)
        watches.append(_Watch(context, urlsplit(site.address).netloc))
        page = context.new_page()
        page.allowed_faults = watches[-1].allowed  # type: ignore[attr-defined]  # for `allow_fault`
        page.allowed_hosts = watches[-1].hosts  # type: ignore[attr-defined]  # for `allow_host`
        return page

    yield make
    for context in contexts:
        context.close()
    wrong = [line for watch in watches for line in watch.wrong]
    assert not wrong, "\n".join(wrong)


@pytest.fixture
def page(new_page: Callable[..., Page]) -> Page:
    """A page of a desktop's width, light."""
    return new_page()


@pytest.fixture
def signed_in(site: Site) -> Callable[..., Page]:
    """Log somebody in, who is made when first asked for: ``signed_in(page, "ann")``; ``staff=True``."""

    def sign_in(page: Page, name: str, *, staff: bool = False) -> Page:
        command = [sys.executable, "-c", _SIGN_IN, name, "staff" if staff else "user"]
        done = subprocess.run(command, env=site.environment, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        page.context.add_cookies([{"name": "sessionid", "value": done.stdout.strip(), "url": site.address}])
        return page

    return sign_in


@pytest.fixture
def axe() -> Callable[..., None]:
    """Fail on what axe finds serious or critical: ``axe(page)``; ``exclude`` names foreign parts."""

    def check(page: Page, *, exclude: tuple[str, ...] = ()) -> None:
        if not page.evaluate("() => 'axe' in window"):
            page.evaluate(AXE.read_text(encoding="utf-8"))  # past the policy, which allows no foreign script
        found = page.evaluate(
            "exclude => axe.run({exclude: exclude.map(s => [s])}, {resultTypes: ['violations']})",
            list(exclude),
        )
        bad = [
            f"{v['impact']}: {v['id']}: {v['help']}: {[n['html'][:200] for n in v['nodes']][:5]}"
            for v in found["violations"]
            if v["impact"] in ("serious", "critical")
        ]
        assert not bad, f"{page.url}:\n" + "\n".join(bad)

    return check


@pytest.fixture
def fits() -> Callable[[Page], None]:
    """Fail if a page is wider than its window: on a phone nobody wants to move it from side to side."""

    def check(page: Page) -> None:
        wide = page.evaluate("() => document.documentElement.scrollWidth - window.innerWidth")
        assert wide <= 0, f"{page.url} is {wide} px wider than the window"

    return check


@pytest.fixture
def allow_fault() -> Callable[[Page, int], None]:
    """Excuse answers with this status, which the browser reports as errors of the console."""

    def allow(page: Page, status: int) -> None:
        page.allowed_faults.add(status)  # type: ignore[attr-defined]  # see `new_page`

    return allow


@pytest.fixture
def allow_host() -> Callable[[Page, str], None]:
    """Let pages ask another host, ``localhost:21012`` say: one that the test itself has started, or keeps
    away."""

    def allow(page: Page, host: str) -> None:
        page.allowed_hosts.add(host)  # type: ignore[attr-defined]  # see `new_page`

    return allow


class _Watch:
    """What goes wrong in the pages of a browser profile."""

    def __init__(self, context: BrowserContext, host: str) -> None:
        self.wrong: list[str] = []
        self.allowed: set[int] = set()
        self.own, self.hosts = host, {host}
        context.on("console", self._said)
        context.on("weberror", lambda error: self.wrong.append(f"script: {error.error}"))
        context.on("request", lambda request: self._asked(request.url))

    def _said(self, message: ConsoleMessage) -> None:
        if message.type != "error":
            return
        if "net::ERR" in message.text and urlsplit(message.location["url"]).netloc in self.hosts - {self.own}:
            return  # one that may be away
        status = re.search(r"status of (\d+)", message.text)
        if status is None or int(status[1]) not in self.allowed:
            self.wrong.append(f"console: {message.text} ({message.location['url']})")

    def _asked(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme in ("http", "https", "ws", "wss") and parts.netloc not in self.hosts:
            self.wrong.append(f"asked another host: {url}")
