"""What the pages of one's account do with what is one's own, and not with what is others'."""

from __future__ import annotations

import re
from typing import Any

from django.test import Client


def browser(person: Any) -> Client:
    client = Client()
    client.force_login(person)
    return client


def test_mails_of_filters_are_ended_by_who_gets_them(people: Any) -> None:
    from lasair_broker.web.filters.models import Filter, FilterOutput, OutputKind

    found = Filter.objects.create(owner=people.ann, name="<b>young</b>", topic="young")
    output = FilterOutput.objects.create(filter=found, kind=OutputKind.EMAIL, recipient=people.ann)
    page = browser(people.ann).get("/account/")
    assert b"&lt;b&gt;young&lt;/b&gt;" in page.content
    address = f"/account/mails/{output.pk}/end/"
    assert browser(people.bob).post(address).status_code == 404
    assert Client().post(address).status_code == 302
    output.refresh_from_db()
    assert output.enabled
    assert browser(people.ann).post(address).status_code == 302
    output.refresh_from_db()
    assert not output.enabled
    assert b"young" not in browser(people.ann).get("/account/tokens/").content


def test_tokens_are_shown_once_and_to_their_owner(people: Any) -> None:
    from lasair_broker.web.api.models import ApiToken

    ann = browser(people.ann)
    made = ann.post("/account/tokens/", {"name": "laptop", "scopes": ["read"], "days": 30})
    assert made.status_code == 302
    token = ApiToken.objects.get(user=people.ann)
    assert token.expires is not None
    assert token.beginning.encode() in ann.get("/account/tokens/").content

    def shown() -> list[bytes]:
        return re.findall(rb'value="([0-9a-f]{40})"', ann.get("/account/tokens/").content)

    ann.post(f"/account/tokens/{token.pk}/rotate/")
    assert len(shown()) == 1
    assert shown() == []
    bob = browser(people.bob)
    assert bob.post(f"/account/tokens/{token.pk}/rotate/").status_code == 404
    assert bob.post(f"/account/tokens/{token.pk}/end/").status_code == 404
    assert ApiToken.objects.filter(pk=token.pk).exists()
    wrong = ann.post("/account/tokens/", {"name": "", "scopes": ["all"], "days": 7})
    assert wrong.status_code == 200
    assert b"is-invalid" in wrong.content


def test_members_are_seen_by_members(people: Any, team: Any) -> None:
    made = team("4MOST", manager=people.ann, member=people.bob)
    assert browser(people.carol).get("/account/collaborations/4most/").status_code == 404
    made.listed = True
    made.save()
    page = browser(people.carol).get("/account/collaborations/4most/")
    assert b"Only its members see who they are" in page.content
    assert b">bob<" not in page.content
    assert b">bob<" in browser(people.bob).get("/account/collaborations/4most/").content
    refused = browser(people.bob).post(
        "/account/collaborations/4most/members/", {"username": "dan", "role": "member"}
    )
    assert refused.status_code == 403
    assert (
        browser(people.bob).post("/account/collaborations/4most/members/ann/", {"remove": "1"}).status_code
        == 403
    )
    left = browser(people.bob).post("/account/collaborations/4most/members/bob/", {"remove": "1"})
    assert left["Location"] == "/account/collaborations/"
