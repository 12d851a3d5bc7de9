"""What Prometheus is shown adds up."""

from __future__ import annotations

import urllib.request

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families
from stream_fixtures import ListSource

from lasair_broker.archive import Archive, WriteReport
from lasair_broker.stream import Metrics, Pipeline, Progress, StageTimes, run, serve_operations
from lasair_broker.stream._outage import Outage
from lasair_broker.stream._progress import Tally


def _page(port: int) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_the_page_shows_what_was_done(archive: Archive, pipeline: Pipeline, supernova: list[bytes]) -> None:
    metrics = Metrics(pipeline.times)
    server = serve_operations([metrics], list, 0, "127.0.0.1")
    try:
        assert _page(server.server_port)["lasair_alerts_total", ()] == 0
        run(ListSource([*supernova, b"garbage"], size=20), pipeline, archive, metrics=metrics)
        page = _page(server.server_port)
    finally:
        server.shutdown()
        server.server_close()
    assert page["lasair_messages_total", ()] == 35
    assert page["lasair_alerts_total", ()] == 34
    assert page["lasair_rejected_messages_total", ()] == 1
    assert page["lasair_commits_total", ()] == 2
    assert page["lasair_new_objects_total", ()] == 1
    assert page["lasair_message_bytes_total", ()] == sum(map(len, supernova)) + 7
    assert page["lasair_source_lag_messages", (("partition", "0"), ("topic", "alerts"))] == 0
    for stage, alerts in (("read", 35), ("decode", 35), ("lightcurve", 34), ("archive", 35)):
        assert page["lasair_stage_alerts_total", (("stage", stage),)] == alerts
        assert page["lasair_stage_seconds_total", (("stage", stage),)] >= 0
        assert page["lasair_stage_failures_total", (("stage", stage),)] == 0
    since_arrival = ("since", "arrival")
    assert page["lasair_commit_latency_seconds_count", (since_arrival,)] == 34
    assert page["lasair_commit_latency_seconds_bucket", (("le", "86400.0"), since_arrival)] == 34
    # These alerts are years old.
    since_exposure = ("since", "exposure_end")
    assert page["lasair_commit_latency_seconds_bucket", (("le", "86400.0"), since_exposure)] == 0
    assert page["lasair_commit_latency_seconds_bucket", (("le", "+Inf"), since_exposure)] == 34


def test_latencies_fall_into_the_right_buckets() -> None:
    metrics = Metrics(StageTimes())
    metrics.update(Progress(), {"arrival": np.array([0.05, 0.1, 0.2, np.nan, 1e9])})
    (family,) = [f for f in metrics.collect() if f.name == "lasair_commit_latency_seconds"]
    found = {
        s.labels["le"]: s.value
        for s in family.samples
        if s.labels.get("le") and s.labels["since"] == "arrival"
    }
    assert found["0.1"] == 2
    assert found["0.3"] == 3
    assert found["+Inf"] == 4


def test_stages_that_fail_are_counted() -> None:
    times = StageTimes()
    with times.measure("a", 5):
        pass
    with pytest.raises(ValueError), times.measure("a", 5):
        raise ValueError
    assert (times.report()["a"].alerts, times.report()["a"].failures) == (5, 1)


def test_the_rate_is_that_of_the_last_ten_seconds() -> None:
    now = 0.0
    tally = Tally(clock=lambda: now)
    for second in range(1, 101):
        now = float(second)
        count = 100 if second <= 50 else 10
        progress = tally.add(
            WriteReport(alerts=count),
            messages=count,
            size=1,
            rejected=0,
            latency_seconds=0,
            lag={},
            shares={},
        )
    assert progress.alerts_per_second == pytest.approx(10)
    assert progress.messages == 5500
    assert progress.seconds == 100


def test_an_outage_is_told_ever_more_rarely() -> None:
    from structlog.testing import capture_logs

    now = 0.0
    outage = Outage("it", longest=60, clock=lambda: now)
    with capture_logs() as log:
        for tenth in range(6000):
            now = tenth / 10
            outage.failed("no answer")
        assert outage.ongoing
        outage.ended()
        outage.ended()
    waiting = [line["seconds"] for line in log if line["event"] == "waiting"]
    assert waiting[:6] == [0, 1, 3, 7, 15, 31]
    assert len(waiting) < 20
    assert [line["event"] for line in log].count("back") == 1
