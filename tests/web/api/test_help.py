"""The documents as pages, and the tour."""

from __future__ import annotations

import re

from django.test import Client

from lasair_broker.archive import Archive
from lasair_broker.web.site.about.documents import DOCUMENTS


def test_every_document_is_a_page_and_its_links_lead_somewhere(archive: Archive) -> None:
    client = Client()
    for name in DOCUMENTS:
        page = client.get(f"/help/{name}/")
        assert page.status_code == 200, name
        text = page.content.decode()
        for address in set(re.findall(r'href="(/[^"#?]*)', text.split("<main", 1)[1])):
            assert client.get(address).status_code in (200, 302), f"{name} leads to {address}"
    assert client.get("/help/operations/").status_code == 404  # not for users
    assert client.get("/help/..%2fREADME/").status_code == 404


def test_the_tour_goes_from_page_to_page(archive: Archive) -> None:
    client = Client()
    address: str | None = re.search(r'href="(/[^"]*\?tour=1)"', client.get("/help/").content.decode())[1]  # type: ignore[index]  # there is one
    seen = []
    while address:
        page = client.get(address, follow=True)
        assert page.status_code == 200, address
        seen.append(address)
        text = page.content.decode()
        if "swagger" in text and 'class="tour card' not in text:
            break  # the page of the API is not ours
        assert f"Tour, {len(seen)} of" in text, address
        following = re.search(r'btn-primary" href="([^"]*\?tour=\d+)"', text)
        address = following[1] if following else None
    assert len(seen) >= 6
    assert b'class="tour card' not in client.get("/?tour=99").content
    assert b'class="tour card' not in client.get("/help/?tour=1").content


def test_the_schema_is_searched(archive: Archive) -> None:
    client = Client()
    found = client.get("/schema/", {"q": "psfflux err"}).content.decode()
    assert "psfFluxErr" in found
    assert "No column has these words" in client.get("/schema/", {"q": "zzz <b>"}).content.decode()
    assert "<b>" not in client.get("/schema/", {"q": "zzz <b>"}).content.decode().split("<main", 1)[1]
    assert "Nanojansky" in (page := client.get("/schema/diaSources/").content.decode()) or "nJy" in page
    assert client.get("/schema/object_ledger/").status_code == 404
    assert client.get("/schema/nothing/").status_code == 404
