"""Webhooks and notifications: signed, within their time, and never into private networks."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError
from web_server import WebServer, endless, huge, web_server

from hits import parcel_of
from lasair_broker.stream.delivery import (
    AppriseSender,
    Channel,
    Couriers,
    DeliveryError,
    Output,
    Parcel,
    WebhookSender,
)

SECRET = "whsec_" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY="


@pytest.fixture(scope="module")
def couriers() -> Iterator[Couriers]:
    made = Couriers(["127.0.0.0/8"])
    yield made
    made.close()


@pytest.fixture
def server() -> Iterator[WebServer]:
    with web_server() as running:
        yield running


def output(url: str, channel: Channel = Channel.WEBHOOK) -> Output:
    return Output(7, 3, "supernovae", channel, (0.0, ""), address=url, secret=SECRET, hourly_limit=10)


def parcel() -> Parcel:
    return parcel_of([{"diaObjectId": 2**60 + n, "name": "é"} for n in range(3)])


def test_a_webhook_is_verified_by_the_library(server: WebServer, couriers: Couriers) -> None:
    sender = WebhookSender(couriers)
    sent = parcel()
    assert sender.send(output(f"{server.url}/x?y=1"), sent, 20) == {}
    sender.send(output(f"{server.url}/x?y=1"), sent, 20)
    (path, headers, body), (_, again, _) = server.received
    assert path == "/x?y=1"
    event = Webhook(SECRET).verify(body, headers)
    assert event == json.loads(body)
    assert (event["type"], event["data"]["filterId"], event["data"]["name"]) == (
        "filter.hits",
        3,
        "supernovae",
    )
    assert [hit["hitId"] for hit in event["data"]["hits"]] == sent.ids
    assert event["data"]["hits"][2]["content"] == {"diaObjectId": 2**60 + 2, "name": "é"}
    assert headers["webhook-id"] == again["webhook-id"], "a repeat can be told"
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(body + b" ", headers)


def test_summary_and_test_are_events_too(server: WebServer, couriers: Couriers) -> None:
    sender = WebhookSender(couriers)
    sender.summarise(output(server.url), 42, 20)
    assert "filter.test" in sender.test(output(server.url), 20)
    events = [Webhook(SECRET).verify(body, headers) for _, headers, body in server.received]
    assert [event["type"] for event in events] == ["filter.summary", "filter.test"]
    assert events[0]["data"]["heldBack"] == 42


@pytest.mark.parametrize("status", [301, 302, 308, 400, 404, 410, 429, 500, 503])
def test_only_2xx_is_delivered_and_redirections_are_not_followed(
    server: WebServer, couriers: Couriers, status: int
) -> None:
    server.status, server.headers = status, {"Location": f"{server.url}/elsewhere", "content-length": "0"}
    server.body = lambda: iter([])
    with pytest.raises(DeliveryError, match=str(status)):
        WebhookSender(couriers).send(output(server.url), parcel(), 20)
    assert len(server.received) == 1


def test_an_answer_may_be_as_long_as_it_likes(server: WebServer, couriers: Couriers) -> None:
    server.body = huge
    assert WebhookSender(couriers).send(output(server.url), parcel(), 20) == {}


def test_a_server_that_drips_is_cut_off(server: WebServer, couriers: Couriers) -> None:
    server.body = endless
    with pytest.raises(DeliveryError, match="too long"):
        WebhookSender(couriers).send(output(server.url), parcel(), 2)
    server.body = lambda: iter([b"ok"])
    assert WebhookSender(couriers).send(output(server.url), parcel(), 20) == {}, "another process goes on"


def test_nobody_there(couriers: Couriers) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    with pytest.raises(DeliveryError, match="no connection") as error:
        WebhookSender(couriers).send(output(f"http://127.0.0.1:{port}/token-abc"), parcel(), 20)
    assert "token-abc" not in str(error.value)


@pytest.mark.parametrize("channel", [Channel.WEBHOOK, Channel.APPRISE])
@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "127.1", "0.0.0.0", "[::1]", "[::ffff:127.0.0.1]"],  # noqa: S104  # as targets
)
def test_private_addresses_are_not_reached(server: WebServer, channel: Channel, host: str) -> None:
    guarded = Couriers()
    try:
        scheme = "http" if channel is Channel.WEBHOOK else "json"
        sender = (WebhookSender if channel is Channel.WEBHOOK else AppriseSender)(guarded)
        with pytest.raises(DeliveryError) as error:
            sender.send(output(f"{scheme}://{host}:{server.port}/", channel), parcel(), 20)
    finally:
        guarded.close()
    assert server.received == []
    if host in ("127.0.0.1", "localhost"):
        assert "private network" in str(error.value)


@pytest.mark.parametrize(
    "address", ["http://169.254.169.254/latest/meta-data", "http://10.1.2.3/", "http://192.168.0.1/"]
)
def test_neither_are_private_networks(couriers: Couriers, address: str) -> None:
    with pytest.raises(DeliveryError, match="private network"):
        WebhookSender(couriers).send(output(address), parcel(), 20)


def test_apprise_tells_hits_in_words(server: WebServer, couriers: Couriers) -> None:
    sender = AppriseSender(couriers, "https://lasair.example")
    assert sender.send(output(f"json://127.0.0.1:{server.port}/hook", Channel.APPRISE), parcel(), 20) == {}
    ((path, _, body),) = server.received
    message = json.loads(body)
    assert path == "/hook"
    assert message["title"] == "supernovae: 3 hits"
    assert "https://lasair.example/objects/" in message["message"]
    assert "name é" in message["message"]


def test_apprise_errors_hold_no_secrets(server: WebServer, couriers: Couriers) -> None:
    server.status = 403
    address = f"json://somebody:sesame-open@127.0.0.1:{server.port}/abcdef123456"
    with pytest.raises(DeliveryError) as error:
        AppriseSender(couriers).send(output(address, Channel.APPRISE), parcel(), 20)
    for secret in ("sesame", "abcdef123456", "somebody"):
        assert secret not in str(error.value)
    with pytest.raises(DeliveryError, match="does not understand"):
        AppriseSender(couriers).send(output("nonsense://x", Channel.APPRISE), parcel(), 20)


def test_secrets_are_not_in_the_repr() -> None:
    shown = repr(output("https://example.org/token-abc"))
    assert SECRET not in shown
    assert "token-abc" not in shown
