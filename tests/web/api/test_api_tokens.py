"""Tokens, sessions, limits."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone
from rest_framework.test import APIClient

from lasair_broker.archive import Archive
from lasair_broker.web.api import tokens
from lasair_broker.web.api.models import ApiToken
from lasair_broker.web.errors import Invalid


def bearer(text: str) -> APIClient:
    client = APIClient(SERVER_NAME="localhost")
    client.credentials(HTTP_AUTHORIZATION=f"Token {text}")
    return client


def test_a_token_is_not_kept(people: Any) -> None:
    made, text = tokens.create(people.ann, "t")
    kept = ApiToken.objects.filter(pk=made.pk).values().get()
    assert text not in str(kept)
    found = tokens.used(text)
    assert found is not None
    assert found.user == people.ann
    assert tokens.used(text[:-1] + "0") is None or text.endswith("0")
    _, again = tokens.rotate(people.ann, made.pk)
    assert tokens.used(text) is None
    assert tokens.used(again) is not None
    people.ann.is_active = False
    people.ann.save()
    assert tokens.used(again) is None


def test_an_expired_token_ends(people: Any, archive: Archive) -> None:
    made, text = tokens.create(people.ann, "t", expires=timezone.now() + timedelta(days=1))
    assert bearer(text).get("/api/v1/account/").json()["username"] == "ann"
    ApiToken.objects.filter(pk=made.pk).update(expires=timezone.now() - timedelta(seconds=1))
    answer = bearer(text).get("/api/v1/account/")
    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, "Token")
    with pytest.raises(Invalid):
        tokens.create(people.ann, "t", ["everything"])
    with pytest.raises(Invalid):
        tokens.create(people.ann, "t", expires=timezone.now())


def test_log_ins_leave_few_tokens(people: Any) -> None:
    texts = [tokens.of_login(people.ann) for _ in range(15)]
    assert ApiToken.objects.count() == 10
    assert [tokens.used(text) is not None for text in texts] == [False] * 5 + [True] * 10


def test_scopes(people: Any, archive: Archive, client_of: Any) -> None:
    reader, speaker = client_of(people.ann, "read"), client_of(people.ann, "annotate")
    assert reader.get("/api/v1/filters/").status_code == 200
    assert (
        reader.post("/api/v1/query/", {"adql": "SELECT TOP 1 ra FROM objects"}, format="json").status_code
        == 200
    )
    refused = reader.post("/api/v1/annotators/", {"topic": "t"}, format="json")
    assert refused.status_code == 403
    assert "write" in refused.json()["detail"]
    assert speaker.get("/api/v1/filters/").status_code == 403


def test_only_a_session_makes_tokens_and_only_with_its_csrf_token(
    people: Any, archive: Archive, client_of: Any
) -> None:
    assert client_of(people.ann).post("/api/v1/tokens/", {"name": "t"}, format="json").status_code == 403
    assert client_of(None).get("/api/v1/tokens/").status_code == 401
    browser = APIClient(SERVER_NAME="localhost", enforce_csrf_checks=True)
    browser.force_login(people.ann)
    assert browser.post("/api/v1/tokens/", {"name": "t"}, format="json").status_code == 403
    browser.cookies[settings.CSRF_COOKIE_NAME] = "a" * 32
    made = browser.post(
        "/api/v1/tokens/", {"name": "t", "scopes": ["read"]}, format="json", headers={"X-CSRFToken": "a" * 32}
    )
    assert made.status_code == 201
    assert bearer(made.json()["token"]).get("/api/v1/account/").json()["scopes"] == ["read"]
    listed = browser.get("/api/v1/tokens/").json()["results"]
    assert "token" not in listed[-1]
    other = APIClient(SERVER_NAME="localhost")
    other.force_login(people.bob)
    assert other.delete(f"/api/v1/tokens/{made.json()['id']}/").status_code == 404
    assert other.post(f"/api/v1/tokens/{made.json()['id']}/rotate/").status_code == 404


def test_too_many_requests(
    people: Any, archive: Archive, client_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = settings.LASAIR_SITE.model_copy(update={"user_requests": 3, "anonymous_requests": 2})
    monkeypatch.setattr(settings, "LASAIR_SITE", few)
    ann, bob, nobody = client_of(people.ann), client_of(people.bob), client_of(None)
    assert [ann.get("/api/v1/account/").status_code for _ in range(4)] == [200, 200, 200, 429]
    answer = ann.get("/api/v1/account/")
    assert 0 < int(answer["Retry-After"]) <= 7200
    assert "3 requests an hour" in answer.json()["detail"]
    classic = ann.post("/api/cone/", {"ra": 1, "dec": 1, "requestType": "count"})
    assert (classic.status_code, set(classic.json())) == (429, {"message"})
    assert bob.get("/api/v1/account/").status_code == 200, "somebody else's requests do not count"
    assert [nobody.get("/api/v1/account/").status_code for _ in range(3)] == [200, 200, 429]
    forged = nobody.get("/api/v1/account/", headers={"X-Forwarded-For": "10.0.0.1"})
    assert forged.status_code == 429, "no proxy is trusted unless the settings say so"
