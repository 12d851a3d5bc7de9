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


def test_outputs_triggers_and_tokens_on_their_pages(people: Any, archive: Archive) -> None:
    from lasair_broker.web.api import tokens
    from lasair_broker.web.filters import outputs, services
    from lasair_broker.web.filters.wording import Wording
    from lasair_broker.web.watchlists import services as watchlists

    ann, bob = _client(people.owner), _client(people.other)
    made = services.create(people.owner, "Removed output", Wording(adql="SELECT diaObjectId FROM objects"))
    output = outputs.add(people.owner, made.pk, "kafka")
    address = f"/filters/{made.pk}/outputs/{output.pk}"
    assert "Have it back" in ann.post(f"{address}/remove/").content.decode()
    assert bob.post(f"{address}/restore/").status_code == 404
    assert "Have it back" not in ann.post(f"{address}/restore/").content.decode()
    assert made.outputs.get().pk == output.pk

    listed = watchlists.create(people.owner, "Removed trigger")
    trigger = watchlists.add_trigger(people.owner, listed.pk, name="rises", magnitude=20.0)
    page = ann.post(f"/watchlists/{listed.pk}/triggers/{trigger.pk}/delete/", follow=True).content.decode()
    undo = f"/account/removed/triggers/{trigger.pk}/restore/"
    assert f'action="{undo}"' in page
    assert bob.post(undo).status_code == 404
    assert ann.post(undo)["Location"] == f"/watchlists/{listed.pk}/"
    assert listed.triggers.count() == 1

    token, text = tokens.create(people.owner, "ended for good", ["read"])
    end = f"/account/tokens/{token.pk}/end/"
    for who, status in ((ann, 200), (bob, 404)):
        assert who.get(end).status_code == status
    assert "cannot be had back" in ann.get(end).content.decode()
    asked = {"Authorization": f"Token {text}"}
    assert Client(SERVER_NAME="localhost").get("/api/v1/tokens/", headers=asked).status_code != 401
    assert ann.post(end).status_code == 302
    assert Client(SERVER_NAME="localhost").get("/api/v1/tokens/", headers=asked).status_code == 401
