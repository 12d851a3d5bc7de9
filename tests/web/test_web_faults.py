"""What somebody sees when something goes wrong: words, never a traceback, a path or a list of addresses."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.http import Http404, HttpRequest, HttpResponse
from django.test import Client, override_settings
from django.urls import include, path

from lasair_broker.archive import ArchiveError
from lasair_broker.query import PUBLIC, parse
from lasair_broker.web.errors import Invalid, NotAllowed, NotFound, Unavailable

RAISED: dict[str, tuple[BaseException, int, str]] = {
    "gone": (NotFound("there is no filter <7>"), 404, "there is no filter &lt;7&gt;"),
    "theirs": (NotAllowed("it belongs to ann"), 403, "it belongs to ann"),
    "wrong": (Invalid({"name": "is taken"}), 400, "name: is taken"),
    "away": (Unavailable("The mail could not be sent."), 503, "The mail could not be sent."),
    "archive": (ArchiveError("/secret/archive.duckdb is locked"), 503, "Try again in a moment"),
    "django": (Http404("tried these addresses"), 404, "There is no page"),
    "broken": (RuntimeError("/secret/password"), 500, "a fault of ours"),
}


def view(request: HttpRequest, name: str) -> HttpResponse:
    if name == "query":
        parse("SELECT nothing FROM objects", PUBLIC)
    raise RAISED[name][0]


urlpatterns = [
    path("raised/<str:name>/", view),
    path("api/raised/<str:name>/", view),
    path("", include("lasair_broker.web.urls")),
]
handler400 = "lasair_broker.web.site.faults.bad_request"
handler403 = "lasair_broker.web.site.faults.forbidden"
handler404 = "lasair_broker.web.site.faults.not_found"
handler500 = "lasair_broker.web.site.faults.broken"


@pytest.fixture(autouse=True)
def these_addresses() -> Iterator[None]:
    with override_settings(ROOT_URLCONF=__name__):
        yield


@pytest.mark.parametrize("name", RAISED)
def test_a_page_says_what_went_wrong(name: str) -> None:
    _, status, words = RAISED[name]
    client = Client(raise_request_exception=False)
    page = client.get(f"/raised/{name}/")
    text = page.content.decode()
    assert page.status_code == status
    assert words in text
    assert "<h1" in text
    for hidden in ("secret", "Traceback", "tried these addresses"):
        assert hidden not in text
    if status == 503:
        assert page["Retry-After"]
    if status != 500:
        notice = client.get(f"/raised/{name}/", headers={"HX-Request": "true"})
        assert notice.status_code == status
        assert notice.content.decode().startswith("<p data-reason>")
        assert words in notice.content.decode()


def test_a_fault_in_a_query_is_told() -> None:
    page = Client().get("/raised/query/")
    assert page.status_code == 400
    assert "nothing" in page.content.decode()


def test_a_fault_of_ours_is_in_the_log(capfd: pytest.CaptureFixture[str]) -> None:
    logging.getLogger("django.request").setLevel(logging.NOTSET)
    Client(raise_request_exception=False).get("/raised/broken/")
    said = capfd.readouterr()
    assert "RuntimeError" in said.out + said.err
    assert "/raised/broken/" in said.out + said.err


def test_programs_are_told_in_json() -> None:
    client = Client(raise_request_exception=False)
    for name, status in (("django", 404), ("broken", 500)):
        answer = client.get(f"/api/raised/{name}/")
        assert answer.status_code == status
        assert answer["Content-Type"] == "application/problem+json"
        assert "secret" not in answer.content.decode()
    assert client.get("/api/nothing-here/").status_code == 404


def test_pages_answer_before_scripts_are_built(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from lasair_broker.web.site import assets_built

    monkeypatch.setattr(assets_built, "_MANIFEST", tmp_path / "manifest.json")
    assets_built._manifest.cache_clear()
    try:
        page = Client().get("/accounts/login/")
        assert page.status_code == 200
        text = page.content.decode()
        assert "<script" not in text.replace('<script type="application/json"', "")
        assert '<link rel="stylesheet"' not in text
        assert "<form" in text
    finally:
        assets_built._manifest.cache_clear()


def test_pages_allow_no_script_but_ours() -> None:
    page = Client().get("/accounts/login/")
    policy = page["Content-Security-Policy"]
    assert "script-src 'self' 'wasm-unsafe-eval'" in policy
    assert "https:" not in policy
    assert " on" + 'click="' not in page.content.decode()


def test_image_hosts_are_the_operators(monkeypatch: pytest.MonkeyPatch) -> None:
    from lasair_broker.settings import SettingsError, load
    from lasair_broker.web.headers import _pages

    monkeypatch.setenv("LASAIR_SITE__IMAGE_HOSTS", "alasky.cds.unistra.fr,*.example.org")
    hosts = load().site.image_hosts
    assert "img-src 'self' data: blob: https://alasky.cds.unistra.fr https://*.example.org;" in _pages(
        hosts, ()
    )
    for bad in ("https://x.org", "x.org/path", "x.org; script-src *", "*"):
        monkeypatch.setenv("LASAIR_SITE__IMAGE_HOSTS", bad)
        with pytest.raises(SettingsError, match="image_hosts"):
            load()
