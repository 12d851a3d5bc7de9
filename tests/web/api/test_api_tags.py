"""Tags: one's own, and those of one's collaborations; and periods that are kept with comments."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from lasair_broker.archive import Archive


def _client(user: Any) -> Client:
    client = Client(SERVER_NAME="localhost")
    client.force_login(user)
    return client


def _post(client: Client, address: str, **body: Any) -> Any:
    return client.post(address, body, content_type="application/json")


@pytest.fixture
def number(archive: Archive) -> int:
    found: int = archive.query('SELECT "diaObjectId" FROM objects LIMIT 1')["diaObjectId"][0].as_py()
    return found


def _labels(client: Client, **asked: str) -> list[tuple[str, str]]:
    found = client.get("/api/v1/tags/", asked).json()["results"]
    return sorted((tag["label"], tag["owner"]) for tag in found)


def test_a_collaboration_sees_what_is_tagged_for_it(
    people: Any, archive: Archive, team: Any, number: int
) -> None:
    group = team("taggers", manager=people.owner, member=people.member)
    owner, member, other = (_client(each) for each in (people.owner, people.member, people.other))
    assert _post(owner, "/api/v1/tags/", diaObjectId=str(number), label="alone").status_code == 201
    made = _post(
        owner, "/api/v1/tags/", diaObjectId=str(number), label="together", collaboration=group.slug
    ).json()
    assert made["collaboration"] == group.slug
    assert _labels(owner) == [("alone", "owner"), ("together", "owner")]
    assert _labels(member) == [("together", "owner")]
    assert _labels(member, mine="true") == []
    assert _labels(other) == []
    assert member.delete(f"/api/v1/tags/{made['id']}/").status_code == 404
    refused = _post(other, "/api/v1/tags/", diaObjectId=str(number), label="x", collaboration=group.slug)
    assert refused.status_code == 400
    page = member.get(f"/objects/{number}/").content.decode()
    assert "together" in page
    assert "alone" not in page
    assert "together" not in other.get(f"/objects/{number}/").content.decode()
    assert "together" in member.get("/filters/saved/").content.decode()
    # Said again without the collaboration, it is one's own alone.
    _post(owner, "/api/v1/tags/", diaObjectId=str(number), label="together")
    assert _labels(member) == []


def test_tagging_on_the_page(people: Any, archive: Archive, number: int) -> None:
    from lasair_broker.web.tags.models import Tag

    owner, other = _client(people.owner), _client(people.other)
    address = f"/objects/{number}/tags/"
    assert owner.post(address, {"label": "  two   words "}).status_code == 302
    tag = Tag.objects.get(owner=people.owner, diaObjectId=number)
    assert tag.label == "two words"
    assert owner.post(address, {"label": " "}).status_code == 400
    assert other.post(f"{address}{tag.pk}/drop/").status_code == 404
    assert owner.post(f"{address}{tag.pk}/drop/").status_code == 302
    assert not Tag.objects.filter(pk=tag.pk).exists()
    assert Client(SERVER_NAME="localhost").post(address, {"label": "x"}).status_code == 302


def test_a_period_goes_with_a_comment(people: Any, archive: Archive, number: int) -> None:
    owner = _client(people.owner)
    address = f"/api/v1/objects/{number}/comments/"
    made = _post(owner, address, text="A good one", period=0.5678901234).json()
    assert made["period"] == 0.5678901234
    panel = owner.get(f"/objects/{number}/panels/comments/").content.decode()
    assert 'data-fold="0.5678901234"' in panel
    assert "period=0.5678901234#light-curve" in panel
    for wrong in (0, -1, "x"):
        assert _post(owner, address, text="A bad one", period=wrong).status_code == 400
