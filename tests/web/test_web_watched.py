"""What those who watch are told of requests: the name of the address, never what somebody wrote into it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client, override_settings
from django.urls import include, path

from lasair_broker.settings import TelemetrySettings
from lasair_broker.telemetry import traced
from lasair_broker.web.watched import REQUEST_SECONDS, REQUESTS
from otlp_receiver import Receiver


def broken(request: HttpRequest, word: str) -> HttpResponse:
    raise RuntimeError(word)


urlpatterns = [
    path("broken/<str:word>/", broken, name="broken"),
    path("", include("lasair_broker.web.urls")),
]
handler404 = "lasair_broker.web.site.faults.not_found"
handler500 = "lasair_broker.web.site.faults.broken"


@pytest.fixture
def client() -> Iterator[Client]:
    with override_settings(ROOT_URLCONF=__name__):
        client = Client()
        client.raise_request_exception = False
        yield client


def counts() -> dict[tuple[str, ...], float]:
    return {
        (sample.labels["route"], sample.labels["method"], sample.labels["status"]): sample.value
        for family in REQUESTS.collect()
        for sample in family.samples
        if sample.name.endswith("_total")
    }


def timed(route: str) -> float:
    return sum(
        sample.value
        for family in REQUEST_SECONDS.collect()
        for sample in family.samples
        if sample.name.endswith("_count") and sample.labels["route"] == route
    )


ASKED = [
    ("GET", "/health/live", ("lasair_broker.web.health.live", "GET", "2xx")),
    ("POST", "/health/live", ("lasair_broker.web.health.live", "POST", "4xx")),
    ("GET", "/broken/secret/", ("broken", "GET", "5xx")),
    ("GET", "/nowhere/secret", ("unknown", "GET", "4xx")),
    ("BREW", "/nowhere/secret", ("unknown", "other", "4xx")),
    ("GET", "/static/secret.css", ("static", "GET", "4xx")),
]


@pytest.mark.parametrize(("method", "address", "labels"), ASKED)
def test_requests_are_counted_and_timed(
    client: Client, method: str, address: str, labels: tuple[str, str, str]
) -> None:
    before, seconds = counts().get(labels, 0.0), timed(labels[0])
    client.generic(method, address)
    assert counts()[labels] == before + 1
    assert timed(labels[0]) == seconds + 1
    assert "secret" not in str(counts())


def test_requests_are_traced(client: Client) -> None:
    with Receiver() as collector, traced(TelemetrySettings(endpoint=collector.endpoint), "serve"):
        for method, address, _ in ASKED:
            client.generic(method, f"{address}?word=secret")
    found = {span.name: span for span in collector.spans}
    assert set(found) == {f"{method} {route}" for _, _, (route, method, _) in ASKED}
    assert [name for name, span in found.items() if span.failed] == ["GET broken"]
    assert found["GET broken"].attributes == {
        "http.request.method": "GET",
        "http.route": "/broken/<str:word>/",
        "http.response.status_code": 500,
    }
    assert not re.search("secret", str(collector.spans))
