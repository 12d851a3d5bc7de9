"""Several outputs of a filter: each at its own pace, with its limit; what is measured and counted of them."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from standardwebhooks.webhooks import Webhook
from test_kafka_delivery import read_topic
from typer.testing import CliRunner
from web_server import WebServer, web_server

from hits import hit_rows, wait_for, write_hits
from lasair_broker.archive import Archive
from lasair_broker.cli import app
from lasair_broker.packets import mjd_tai_now
from lasair_broker.settings import DeliverySettings, TelemetrySettings
from lasair_broker.stream.delivery import DeliveryMetrics, latencies
from lasair_broker.telemetry import traced
from otlp_receiver import Receiver


@pytest.fixture
def server() -> Iterator[WebServer]:
    with web_server() as running:
        yield running


def webhook(found: Any, server: WebServer, **values: Any) -> Any:
    """A webhook to this machine, as users cannot make one."""
    from lasair_broker.web.filters import outputs

    made = outputs.add(found.owner, found.pk, "webhook", url="https://example.org/", **values)
    type(made).objects.filter(pk=made.pk).update(url=server.url)
    return made


def events_of(server: WebServer, output: Any) -> list[dict[str, Any]]:
    return [Webhook(output.secret).verify(body, headers) for _, headers, body in server.received]


def test_a_slow_output_delays_no_other(
    made_filter: Callable[..., Any], archive: Archive, kafka: str, server: WebServer
) -> None:
    from lasair_broker.web.delivery.senders import deliveries
    from lasair_broker.web.filters import outputs

    found = made_filter("slow and quick")
    answer = threading.Event()

    def slow() -> Iterator[bytes]:
        answer.wait(30)
        yield b"at last"

    server.body = slow
    slow_ones = [webhook(found, server) for _ in range(12)]
    outputs.add(found.owner, found.pk, "kafka")
    ids = write_hits(archive, found.pk, range(5))
    settings = DeliverySettings(bootstrap=kafka, allowed_networks=("127.0.0.0/8",), workers=2)
    with deliveries(archive, settings):
        messages = read_topic(kafka, found.topic, 5)
        assert {dict(m.headers())["hitId"].decode() for m in messages} == set(ids)
        assert not any(output.deliveries.exists() for output in slow_ones)
        answer.set()
        wait_for(lambda: all(output.deliveries.exists() for output in slow_ones))
    assert len(server.received) == 12


def test_hits_above_the_limit_are_summed_up(
    made_filter: Callable[..., Any], archive: Archive, server: WebServer
) -> None:
    from lasair_broker.web.delivery.models import OutputState
    from lasair_broker.web.delivery.senders import deliveries

    found = made_filter("many")
    output = webhook(found, server, hourly_limit=5)
    ids = write_hits(archive, found.pk, range(12))
    with deliveries(archive, DeliverySettings(allowed_networks=("127.0.0.0/8",))) as service:
        wait_for(lambda: OutputState.objects.filter(held_back=7).exists())
        (event,) = events_of(server, output)
        assert [hit["hitId"] for hit in event["data"]["hits"]] == sorted(ids)[:5]
        state = OutputState.objects.get()
        OutputState.objects.update(window_began=state.window_began - timedelta(hours=2))
        service.notify()
        wait_for(lambda: OutputState.objects.filter(held_back=0).exists())
        more = write_hits(archive, found.pk, range(12, 14))
        wait_for(lambda: len(server.received) == 3)
    events = events_of(server, output)
    assert [event["type"] for event in events] == ["filter.hits", "filter.summary", "filter.hits"]
    assert events[1]["data"]["heldBack"] == 7
    assert [hit["hitId"] for hit in events[2]["data"]["hits"]] == sorted(more)


def test_what_is_committed_is_still_delivered_at_the_end(
    made_filter: Callable[..., Any], archive: Archive, server: WebServer
) -> None:
    from lasair_broker.web.delivery.senders import deliveries

    found = made_filter("the end")
    output = webhook(found, server)
    write_hits(archive, found.pk, range(250))
    with deliveries(archive, DeliverySettings(allowed_networks=("127.0.0.0/8",))):
        pass
    assert sum(len(event["data"]["hits"]) for event in events_of(server, output)) == 250


def test_attempts_are_traced(made_filter: Callable[..., Any], archive: Archive, server: WebServer) -> None:
    from lasair_broker.web.delivery.senders import deliveries

    found = made_filter("traced")
    output = webhook(found, server)
    settings = DeliverySettings(allowed_networks=("127.0.0.0/8",))
    with Receiver() as collector:
        with traced(TelemetrySettings(endpoint=collector.endpoint), "deliver"):
            with deliveries(archive, settings):
                write_hits(archive, found.pk, range(3))
                wait_for(lambda: output.deliveries.count() == 1)
            server.status = 500
            with deliveries(archive, settings):
                write_hits(archive, found.pk, range(3, 5))
                wait_for(lambda: output.deliveries.count() == 2)
        sent = [one for one in collector.named("deliver") if not one.failed]
        (refused,) = [one for one in collector.named("deliver") if one.failed]
    assert sum(one.attributes["lasair.filter_hits"] for one in sent) == 3
    assert refused.attributes["lasair.filter_hits"] == 2
    assert {one.attributes["lasair.output"] for one in (*sent, refused)} == {output.pk}
    assert refused.attributes["lasair.channel"] == "webhook"
    assert refused.service == "lasair-deliver"
    times = archive.query("SELECT committedMjdTai FROM filter_hits ORDER BY 1", max_rows=None)
    committed = times.column(0).to_pylist()
    assert min(one.attributes["lasair.hits_first"] for one in sent) == committed[0]
    assert max(one.attributes["lasair.hits_last"] for one in sent) == committed[2]
    assert refused.attributes["lasair.hits_first"] == committed[3]
    assert refused.attributes["lasair.hits_last"] == committed[4]


def test_latencies_are_those_of_the_hits(archive: Archive) -> None:
    now = mjd_tai_now()
    assert [latency.hits for latency in latencies(archive)] == [0] * 5
    archive.write([], tables={"filter_hits": hit_rows(1, range(200))})
    archive.write([], tables={"filter_hits": hit_rows(2, range(10))})
    found = {latency.step: latency for latency in latencies(archive, filter_id=1)}
    exposure = found["exposure to arrival"]
    assert (exposure.hits, exposure.p50) == (200, pytest.approx(60.0, abs=1e-3))
    assert (exposure.p99, sum(exposure.counts)) == (pytest.approx(60.0, abs=1e-3), 200)
    assert found["arrival to commit"].hits == 200
    assert found["commit to delivery"].hits == 0
    assert latencies(archive, since=now)[0].hits == 210
    assert latencies(archive, since=mjd_tai_now() + 1)[0].hits == 0


def test_metrics_and_commands_tell_what_was_delivered(
    made_filter: Callable[..., Any],
    archive: Archive,
    server: WebServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from lasair_broker.web.delivery.senders import deliveries

    found = made_filter("told")
    output = webhook(found, server)
    metrics = DeliveryMetrics()
    registry = CollectorRegistry()
    registry.register(metrics)
    write_hits(archive, found.pk, range(3))
    with deliveries(archive, DeliverySettings(allowed_networks=("127.0.0.0/8",)), metrics):
        wait_for(output.deliveries.exists)
    shown = generate_latest(registry).decode()
    assert 'lasair_delivered_hits_total{channel="webhook"} 3.0' in shown
    assert 'lasair_delivery_attempts_total{channel="webhook",result="delivered"} 1.0' in shown
    for since in ("commit", "arrival", "exposure_end"):
        assert f'latency_seconds_count{{channel="webhook",since="{since}"}} 3.0' in shown
    assert 'latency_seconds_bucket{channel="webhook",le="30",since="exposure_end"} 0.0' in shown
    archive.close()
    monkeypatch.setenv("LASAIR_ARCHIVE__URL", str(tmp_path / "archive"))

    def command(*arguments: str) -> str:
        done = CliRunner().invoke(app, [*arguments, "--archive", str(tmp_path / "archive")])
        assert done.exit_code == 0, done.output
        return done.output

    said = json.loads(command("latency", "--json", "--filter", str(found.pk)))
    steps = {step["step"]: step for step in said["steps"]}
    assert steps["arrival to delivery"]["hits"] == 3
    assert "arrival to delivery" in command("latency", "--since", "1h")
    assert "delivered" in command("deliver", "log", str(found.pk), "--user", "ann")
    assert "1 output" in command("deliver", "again", str(found.pk), "--since", "1h", "--user", "ann")
    assert "0 hits" in command("deliver", "resend", str(output.pk), "--user", "ann")
    wrong = ["deliver", "again", str(found.pk), "--since", "yesterday", "--user", "ann"]
    refused = CliRunner().invoke(app, [*wrong, "--archive", str(tmp_path / "archive")])
    assert refused.exit_code == 2
    assert "is no time" in refused.output
