"""Batches as a collector of traces sees them: a trace each, from the reading to the commit."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pytest
import structlog
from stream_fixtures import ListSource
from structlog.testing import capture_logs

from lasair_broker.archive import Archive
from lasair_broker.packets import AlertBatch, SchemaStore
from lasair_broker.packets.simulator import Simulation
from lasair_broker.schema import arrow_schema
from lasair_broker.settings import LoggingSettings, TelemetrySettings
from lasair_broker.stream import Pipeline, Resource, Stage, run, standard_stages
from lasair_broker.telemetry import begin, set_up_logging, span, traced, within
from otlp_receiver import Receiver


@pytest.fixture(scope="module")
def values() -> list[bytes]:
    night = Simulation.night(30, seed=4).alerts()
    return [bytes(value) for messages in night for value in messages.values][:20]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """What a process logs that is set up as the commands are, as JSON."""
    written = io.StringIO()
    monkeypatch.setattr(sys, "stderr", written)
    before = structlog.get_config()
    set_up_logging(LoggingSettings(format="json"))
    yield written
    structlog.configure(**before)


def poisonous(alert: int) -> Stage[Any]:
    """A stage that cannot bear one alert."""

    def enrich(batch: AlertBatch, resource: None) -> AlertBatch:
        if alert in batch.alerts.column("diaSourceId").to_pylist():
            raise ValueError("this one")
        return batch

    return Stage("poisonous", enrich, Resource(None))


def test_each_batch_is_a_trace(archive: Archive, values: list[bytes], receiver: Receiver) -> None:
    pipeline = Pipeline(SchemaStore(), standard_stages())
    with traced(TelemetrySettings(endpoint=receiver.endpoint), "ingest"):
        run(ListSource(values), pipeline, archive)
    batches = receiver.named("batch")
    assert len(batches) == 2 == len({batch.trace_id for batch in batches})
    names = ["read", "decode", *(stage.name for stage in pipeline.stages), "archive"]
    for number, batch in enumerate(sorted(batches, key=lambda batch: batch.begin)):
        assert batch.service == "lasair-ingest"
        assert batch.parent_id == ""
        assert batch.attributes["lasair.messages"] == batch.attributes["lasair.alerts"] == 10
        assert batch.attributes["lasair.rejected"] == 0
        assert batch.attributes["lasair.positions"] == [f"alerts/0:{10 * (number + 1)}"]
        inside = [one for one in receiver.spans if one.parent_id == batch.span_id]
        assert {one.trace_id for one in inside} == {batch.trace_id}
        assert [one.name for one in sorted(inside, key=lambda one: one.end)] == names
        assert all(batch.begin <= one.begin <= one.end <= batch.end for one in inside)
        counted = {"lasair.alerts": 10}
        assert all(one.attributes == counted for one in inside if one.name in names[1:])
    assert not any(one.failed for one in receiver.spans)


class EveryAlert:
    """A commit stage that takes each alert for a hit."""

    name = "every"

    def tables(self, batches: Sequence[AlertBatch], tables: Mapping[str, pa.Table]) -> Mapping[str, pa.Table]:
        schema = arrow_schema("filter_hits")
        rows = [
            {"hitId": str(key), "filterId": 7, "filterVersion": 1, "diaObjectId": key}
            for batch in batches
            for key in batch.alerts.column("diaSourceId").to_pylist()
        ]
        full = [{name: row.get(name) for name in schema.names} for row in rows]
        return {"filter_hits": pa.Table.from_pylist(full, schema)}

    def committed(self) -> None:
        pass

    def idle(self) -> None:
        pass


def test_a_batch_says_of_which_times_its_hits_are(
    archive: Archive, values: list[bytes], receiver: Receiver
) -> None:
    """As deliveries do, so that one leads to the other."""
    with traced(TelemetrySettings(endpoint=receiver.endpoint), "ingest"):
        run(ListSource(values), Pipeline(SchemaStore(), ()), archive, commit_stages=[EveryAlert()])
        run(ListSource(values, topic="again"), Pipeline(SchemaStore(), ()), archive)
    hits = archive.query("SELECT hitId, committedMjdTai FROM filter_hits", max_rows=None)
    times = dict(zip(*hits.to_pydict().values(), strict=True))
    assert len(times) == 20
    first, second, *without = sorted(receiver.named("batch"), key=lambda batch: batch.begin)
    for batch in (first, second):
        low, high = batch.attributes["lasair.hits_first"], batch.attributes["lasair.hits_last"]
        assert (
            sum(low <= time <= high for time in times.values())
            == batch.attributes["lasair.filter_hits"]
            == 10
        )
    assert first.attributes["lasair.hits_last"] < second.attributes["lasair.hits_first"]
    assert len(without) == 2
    assert not any("lasair.hits_first" in batch.attributes for batch in without)


def test_a_line_of_the_log_leads_to_its_trace(
    archive: Archive, values: list[bytes], receiver: Receiver, log: io.StringIO
) -> None:
    store = SchemaStore()
    whole = Pipeline(store, ()).process(ListSource(values).read_all())
    poison = whole.batches[0].alerts.column("diaSourceId")[3].as_py()
    with traced(TelemetrySettings(endpoint=receiver.endpoint), "ingest"):
        run(ListSource(values), Pipeline(store, [poisonous(poison)]), archive)
    (line,) = [json.loads(line) for line in log.getvalue().splitlines() if "a stage failed" in line]
    assert line["diaSourceId"] == poison
    assert (line["topic"], line["partition"], line["offset"]) == ("alerts", 0, 3)
    (batch,) = [one for one in receiver.named("batch") if one.attributes["lasair.rejected"] == 1]
    assert (line["trace_id"], line["span_id"]) == (batch.trace_id, batch.span_id)
    failed = [one for one in receiver.named("poisonous") if one.failed]
    assert {one.trace_id for one in failed} == {batch.trace_id}


def test_a_commit_that_fails_is_told(archive: Archive, values: list[bytes], receiver: Receiver) -> None:
    def full(*_: object, **named: object) -> None:
        raise RuntimeError("the archive is broken")

    archive.write = full  # type: ignore[method-assign, assignment]
    settings = TelemetrySettings(endpoint=receiver.endpoint)
    with traced(settings, "ingest"), pytest.raises(RuntimeError, match="is broken"):
        run(ListSource(values[:10]), Pipeline(SchemaStore(), ()), archive)
    (batch,) = receiver.named("batch")
    assert batch.failed


def test_spans_inside_each_other_in_several_threads(receiver: Receiver) -> None:
    with traced(TelemetrySettings(endpoint=receiver.endpoint), "work"):
        outer = begin("outer", seconds_ago=2.0)
        with span("beside"):
            pass
        with within(outer), span("inner", {"lasair.rows": 3}) as inner:
            inner.note({"lasair.phase": "COMPLETED"})
            inner.rename("innermost")
        outer.failed("said so")
        outer.end()
    (outermost,) = receiver.named("outer")
    (innermost,) = receiver.named("innermost")
    (beside,) = receiver.named("beside")
    assert innermost.parent_id == outermost.span_id
    assert innermost.attributes == {"lasair.rows": 3, "lasair.phase": "COMPLETED"}
    assert beside.parent_id == ""
    assert beside.trace_id != outermost.trace_id
    assert outermost.failed
    assert not innermost.failed
    assert outermost.end - outermost.begin >= 2_000_000_000


def test_a_part_of_all_traces(receiver: Receiver) -> None:
    settings = TelemetrySettings(endpoint=receiver.endpoint, fraction=0.0)
    with traced(settings, "work"), span("never"), span("either"):
        pass
    assert receiver.spans == []


def test_a_collector_that_is_not_there_holds_up_nothing() -> None:
    with Receiver() as gone:
        pass
    with capture_logs() as lines, traced(TelemetrySettings(endpoint=gone.endpoint), "work"):
        for _ in range(3000):
            with span("unheard"):
                pass
    assert [line["event"] for line in lines].count("traces are dropped") == 1


def test_without_a_collector_nothing_is_imported() -> None:
    code = """
import sys
import lasair_broker.cli._broker, lasair_broker.stream
from lasair_broker.settings import TelemetrySettings
from lasair_broker.telemetry import begin, span, traced, within
with traced(TelemetrySettings(), "run"):
    trace = begin("batch")
    with within(trace), span("stage", {"lasair.alerts": 3}) as stage:
        stage.note({"lasair.alerts": 2})
    trace.end()
assert not [name for name in sys.modules if name.startswith("opentelemetry")]
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
