"""Removing and having back, by the API and by the pages."""

from __future__ import annotations

from typing import Any

from django.test import Client

from lasair_broker.archive import Archive


def _client(user: Any) -> Client:
    client = Client(SERVER_NAME="localhost")
    client.force_login(user)
    return client


def test_by_the_api(people: Any, archive: Archive) -> None:
    from lasair_broker.web.annotators import services

    services.create(people.owner, "removed_by_api")
    ann = _client(people.owner)
    assert _client(people.other).delete("/api/v1/annotators/removed_by_api/").status_code == 404
    assert ann.delete("/api/v1/annotators/removed_by_api/").status_code == 204
    assert ann.get("/api/v1/annotators/removed_by_api/").status_code == 404
    [told] = ann.get("/api/v1/removed/").json()["results"]
    assert (told["kind"], told["name"]) == ("annotators", "removed_by_api")
    address = f"/api/v1/removed/annotators/{told['id']}/restore/"
    assert _client(people.other).post(address).status_code == 404
    assert Client(SERVER_NAME="localhost").get("/api/v1/removed/").status_code == 401
    assert ann.post(address).status_code == 204
    assert ann.get("/api/v1/annotators/removed_by_api/").status_code == 200


def test_by_the_pages(people: Any, archive: Archive) -> None:
    from lasair_broker.web.watchlists import services

    made = services.create(people.owner, "Removed <b>list</b>")
    ann = _client(people.owner)
    assert "can have it back" in ann.get(f"/watchlists/{made.pk}/delete/").content.decode()
    page = ann.post(f"/watchlists/{made.pk}/delete/", follow=True).content.decode()
    undo = f"/account/removed/watchlists/{made.pk}/restore/"
    assert f'action="{undo}"' in page
    removed = ann.get("/account/removed/").content.decode()
    assert "Removed &lt;b&gt;list" in removed
    assert undo in removed
    assert ann.get(undo).status_code == 405
    assert _client(people.other).post(undo).status_code == 404
    back = ann.post(undo, follow=True)
    assert back.redirect_chain[-1][0] == f"/watchlists/{made.pk}/"
    assert "is there again" in back.content.decode()
