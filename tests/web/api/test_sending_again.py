"""Hits are asked for again on the page of an output, and by the API: counted, confirmed, stopped."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from django.test import Client
from rest_framework.test import APIClient, RequestsClient

from lasair_broker.archive import Archive
from lasair_broker.client import Lasair, LasairError
from lasair_broker.packets import mjd_tai_now


class Hits:
    """An archive of which only `hits_after` is asked: so many hits of this day."""

    def __init__(self, count: int) -> None:
        begin = mjd_tai_now() - 0.5
        self.hits = [(begin + 1e-6 * number, f"h{number:03d}") for number in range(count)]

    def hits_after(self, filterId: int, after: Any, *, until: float, limit: int) -> pa.Table:
        chosen = [hit for hit in self.hits if after < hit and hit[0] <= until][:limit]
        return pa.table({"committedMjdTai": [c for c, _ in chosen], "hitId": [h for _, h in chosen]})


@pytest.fixture
def hits(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> Hits:
    from lasair_broker.web.api.v1 import filter_runs
    from lasair_broker.web.site.filters import send_again

    found = Hits(40)
    for module in (filter_runs, send_again):
        monkeypatch.setattr(module, "archive", lambda: found)
    return found


@pytest.fixture
def output(people: Any) -> Any:
    from lasair_broker.web.filters import outputs
    from lasair_broker.web.filters import services as filters
    from lasair_broker.web.filters.wording import Wording

    made = filters.create(people.ann, "again", Wording(adql="SELECT diaObjectId FROM objects"))
    return outputs.add(people.ann, made.pk, "webhook", url="https://example.org/x")


def page_of(user: Any) -> Client:
    client = Client(SERVER_NAME="localhost", headers={"HX-Request": "true"})
    client.force_login(user)
    return client


def test_the_page_counts_then_sends_then_stops(hits: Hits, output: Any, people: Any) -> None:
    from lasair_broker.web.delivery.models import Redelivery

    client = page_of(people.ann)
    address = f"/filters/{output.filter.pk}/outputs/{output.pk}"
    assert "Send again" in client.get(f"{address}/log/").text
    after = f"{hits.hits[9][0]!r}/{hits.hits[9][1]}"
    counted = client.post(f"{address}/send-again/", {"after": after}).text
    assert "Send 30 hits again" in counted
    assert not Redelivery.objects.exists(), "it is only counted"
    sent = client.post(f"{address}/send-again/", {"after": after, "confirm": "yes"}).text
    wish = Redelivery.objects.get()
    assert (wish.output_id, wish.by, wish.reached_hit) == (output.pk, people.ann, "h009")
    assert "goes on" in sent
    refused = client.post(f"{address}/send-again/", {"since": "2026-01-01T00:00", "confirm": "yes"}).text
    assert "still being sent" in refused
    assert "goes on" not in client.post(f"{address}/send-again/{wish.pk}/stop/").text
    for wrong, told in (
        ({}, "give the beginning"),
        ({"after": "<b>"}, "MJD/hitId"),
        ({"since": "yesterday"}, "valid date"),
        ({"since": "2030-01-01T00:00"}, "before the end"),
    ):
        assert told in client.post(f"{address}/send-again/", wrong).text
    early = {"since": "2020-01-01T00:00", "until": "2020-01-02T00:00"}
    assert "had no hits" in client.post(f"{address}/send-again/", early).text
    stranger = page_of(people.bob)
    assert stranger.post(f"{address}/send-again/", {"after": after, "confirm": "yes"}).status_code == 404
    assert stranger.post(f"{address}/send-again/{wish.pk}/stop/").status_code == 404
    assert Redelivery.objects.count() == 1


def test_the_api_counts_and_sends(hits: Hits, output: Any, people: Any) -> None:
    from lasair_broker.web.delivery.models import Redelivery

    client = APIClient()
    client.force_login(people.ann)
    address = f"/api/v1/filters/{output.filter.pk}/redeliver/"
    since = {"since_mjd": hits.hits[0][0] - 1.0}
    counted = client.post(address, {**since, "only_count": True}, format="json")
    assert (counted.status_code, counted.json()) == (200, {"count": 0, "hits": 40})
    after = f"{hits.hits[0][0]!r}/h000"
    asked = client.post(address, {"after": after, "output_id": output.pk}, format="json")
    assert asked.json() == {"count": 1, "hits": 39}
    assert client.post(address, since, format="json").status_code == 503
    assert client.post(address, {}, format="json").status_code == 400
    assert Redelivery.objects.count() == 1


def test_our_client_asks_after_the_last_hit_that_it_has(
    hits: Hits, output: Any, people: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lasair_broker.web.api import tokens
    from lasair_broker.web.delivery.models import Redelivery

    _, token = tokens.create(people.ann, "client")
    monkeypatch.setattr("lasair_broker.client._client.requests.Session", RequestsClient)
    number, (began, first) = output.filter.pk, hits.hits[0]
    with Lasair("http://testserver", token) as client:
        assert client.redeliver(number, since=began - 1.0, only_count=True) == 40
        assert client.redeliver(number, since=began - 1.0, until=began - 0.5, only_count=True) == 0
        assert not Redelivery.objects.exists(), "it is only counted"
        assert client.redeliver(number, after=f"{began!r}/{first}", output_id=output.pk) == 39
        wish = Redelivery.objects.get()
        assert (wish.output_id, wish.by, wish.reached_mjd, wish.reached_hit) == (
            output.pk, people.ann, began, first,
        )  # fmt: skip
        with pytest.raises(LasairError, match="still being sent"):
            client.redeliver(number, since=began - 1.0)
        with pytest.raises(LasairError, match="MJD/hitId"):
            client.redeliver(number, after="the last one")
