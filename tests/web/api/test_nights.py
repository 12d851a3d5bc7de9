"""What the page of the status says, against what alerts say one by one."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from django.test import Client
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from lasair_broker.archive import Archive
from lasair_broker.settings import MetricsSettings
from lasair_broker.stream import serve_operations
from lasair_broker.web import nights as module
from lasair_broker.web.kept import kept
from lasair_broker.web.nights import Latencies, nights, rates, seconds_of
from lasair_broker.web.stream_now import ARRIVAL, running, since


def test_quantiles_are_good_to_12_per_cent() -> None:
    seconds = np.random.default_rng(5).lognormal(0.0, 1.5, 10_000)
    steps, counts = np.unique(np.floor(np.log10(seconds) * 10).astype(np.int64), return_counts=True)
    for part in module.QUANTILES:
        exact = np.quantile(seconds, part, method="inverted_cdf")
        assert Latencies(steps, counts).quantile(part) == pytest.approx(exact, rel=0.123)
    assert Latencies(np.empty(0, np.int64), np.empty(0, np.int64)).quantile(0.5) is None
    assert seconds_of([0])[0] == pytest.approx(10**0.05)


def test_nights_are_those_of_the_alerts(archive: Archive) -> None:
    alerts = archive.query("SELECT * FROM alerts").to_pylist()
    expected: dict[int, int] = {}
    for alert in alerts:
        night = int(np.floor(alert["midpointMjdTai"] - 0.5))
        expected[night] = expected.get(night, 0) + 1
    found = nights()
    assert {night.mjd: night.alerts for night in found} == expected
    assert found[0].objects == len({alert["diaObjectId"] for alert in alerts} - {None})
    took = [86400 * (alert["committedMjdTai"] - alert["arrivedMjdTai"]) for alert in alerts]
    exact = np.quantile(took, 0.5, method="inverted_cdf")
    assert found[0].since_arrival.quantile(0.5) == pytest.approx(exact, rel=0.123)
    times, counts = rates()
    assert sum(counts) == len(alerts)
    assert np.all(np.diff(times) == 60)


class Told(Collector):
    """What a stream tells of itself: so much more at each look."""

    def __init__(self) -> None:
        self.looks = 0

    def collect(self):  # type: ignore[no-untyped-def]  # as the library's
        self.looks += 1
        within = HistogramMetricFamily("lasair_commit_latency_seconds", "", labels=["since"])
        counts = [("0.3", 10.0 * self.looks), ("1.0", 90.0 + 10 * self.looks), ("+Inf", 100.0 * self.looks)]
        within.add_metric([ARRIVAL], counts, 1.0)
        yield within
        yield GaugeMetricFamily("lasair_last_commit_timestamp_seconds", "", value=1e9)
        yield from self.counts()

    def counts(self):  # type: ignore[no-untyped-def]  # as the library's
        alerts = CounterMetricFamily("lasair_stage_alerts", "", labels=["stage"])
        alerts.add_metric(["context"], 50 * self.looks)
        seconds = CounterMetricFamily("lasair_stage_seconds", "", labels=["stage"])
        seconds.add_metric(["context"], 0.5 * self.looks**2)
        lag = GaugeMetricFamily("lasair_source_lag_messages", "", labels=["topic", "partition"])
        lag.add_metric(["lsst", "3"], 7)
        return [alerts, seconds, lag, CounterMetricFamily("lasair_alerts", "", value=100 * self.looks)]


def test_the_stream_that_runs_is_read() -> None:
    server = serve_operations([Told()], list, 0, "127.0.0.1")
    try:
        found = running(f"http://127.0.0.1:{server.server_port}/metrics")
        later = running(f"http://127.0.0.1:{server.server_port}/metrics")
    finally:
        server.shutdown()
        server.server_close()
    assert found is not None
    (stage,) = found.stages
    assert (stage.name, stage.alerts, stage.microseconds) == ("context", 50.0, 10_000.0)
    assert found.lag == {("lsst", 3): 7.0}
    assert found.counters["alerts"] == 100.0
    assert found.last_commit == 1e9
    assert found.within == {ARRIVAL: [(0.3, 10.0), (1.0, 100.0), (np.inf, 100.0)]}
    assert later is not None
    first, between = since(None, found, None), since(found, later, 20.0)
    assert (first.per_second, first.quantile(0.5), first.quantile(0.05)) == (None, 1.0, 0.3)
    assert (between.per_second, between.waiting) == (5.0, 7.0)
    assert between.within[ARRIVAL] == [(0.3, 10.0), (1.0, 10.0), (np.inf, 100.0)]
    assert between.quantile(0.5) == np.inf
    assert between.quantile(0.5, "exposure_end") is None
    (stage,) = between.stages
    assert (stage.alerts, stage.seconds) == (50.0, 1.5)
    assert since(later, found, 20.0) == first  # it was started anew
    assert running("") is None
    assert running(f"http://127.0.0.1:{server.server_port}/metrics") is None  # it has ended


def test_the_page_shows_the_stream(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    from django.conf import settings

    assert b"none does now" in Client().get("/status/").content
    server = serve_operations([Told()], list, 0, "127.0.0.1")
    try:
        with monkeypatch.context() as patched:
            port = {"metrics": MetricsSettings(port=server.server_port)}
            patched.setattr(settings, "LASAIR", settings.LASAIR.model_copy(update=port))
            page = Client().get("/status/").content.decode()
            part = Client().get("/status/now/", headers={"HX-Request": "true"}).content.decode()
            lag = b"".join(Client().get("/status/now/?lag-as=csv")).decode()
    finally:
        server.shutdown()
        server.server_close()
    for words in ("Alerts a second", "half within", "since the stream began", ">context<", ">lsst<"):
        assert words in page, words
        assert words in part, words
    assert lag.splitlines()[1:] == ["lsst,3,7"]
    assert Client().get("/status/now/")["Location"] == "/status/"


def test_the_page_shows_a_night(archive: Archive) -> None:
    (night, *_) = nights()
    page = Client().get("/status/", {"night": str(night.mjd)})
    assert page.status_code == 200
    assert b"Half within" in page.content
    assert Client().get("/status/", {"night": "<x>"}).status_code == 200


def test_one_works_while_others_are_given_what_was() -> None:
    begun, go_on, calls = threading.Event(), threading.Event(), []

    @kept(0.0)
    def slow(word: str) -> int:
        calls.append(word)
        if len(calls) > 1:
            begun.set()
            assert go_on.wait(20)
        return len(calls)

    assert slow("a") == 1
    worker = threading.Thread(target=slow, args=("a",))
    worker.start()
    assert begun.wait(20)
    assert slow("a") == 1  # the old answer, at once
    go_on.set()
    worker.join()
    assert calls == ["a", "a"]

    @kept(1000.0)
    def fails(first: list[int] = [0]) -> int:  # noqa: B006  # counts its calls
        first[0] += 1
        if first[0] == 1:
            raise ValueError
        return first[0]

    with pytest.raises(ValueError):
        fails()
    assert fails() == fails() == 2
