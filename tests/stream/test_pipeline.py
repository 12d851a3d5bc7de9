"""The pipeline sets aside what a stage cannot bear, and nothing else."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
import pytest
from stream_fixtures import messages

from lasair_broker.packets import AlertBatch, SchemaStore
from lasair_broker.stream import Pipeline, Resource, Stage, StageBrokenError, standard_stages


def _ids(batch: AlertBatch) -> list[int]:
    found: list[int] = batch.alerts.column("diaSourceId").to_pylist()
    return found


def _poisoned(
    schemas: SchemaStore, poison: set[int], error: Callable[[], Exception], limit: int = 100
) -> Pipeline:
    def fail(batch: AlertBatch, resource: set[int]) -> AlertBatch:
        if resource & set(_ids(batch)):
            raise error()
        return batch

    return Pipeline(schemas, [Stage("fragile", fail, Resource(poison))], poison_limit=limit)


def test_alerts_go_through_the_stages_in_order(schemas: SchemaStore, supernova: list[bytes]) -> None:
    def stage(name: str) -> Stage[None]:
        def enrich(batch: AlertBatch, resource: None) -> AlertBatch:
            seen.append(name)
            return batch

        return Stage(name, enrich, Resource(None))

    seen: list[str] = []
    pipeline = Pipeline(schemas, [stage("first"), *standard_stages(), stage("last")])
    processed = pipeline.process(messages(supernova))
    assert processed.alerts == len(supernova)
    assert processed.rejected.num_rows == 0
    assert seen == ["first", "last"]
    objects = pa.concat_tables([batch.objects for batch in processed.batches])
    assert objects.num_rows == 1
    assert objects.column("nDiaSources").to_pylist()[0] >= 34
    report = pipeline.times.report()
    stages = ["known", "context", "lightcurve", "movers", "classify", "messengers", "events", "partners"]
    assert list(report) == ["decode", "first", *stages, "last"]
    assert all(stage.alerts == len(supernova) and stage.failures == 0 for stage in report.values())
    assert sum(pipeline.times.shares().values()) == pytest.approx(1)


@pytest.mark.parametrize("places", [[0], [33], [16, 17], [3, 11, 30]])
def test_a_poison_message_is_rejected_and_its_neighbours_go_on(
    schemas: SchemaStore, supernova: list[bytes], places: list[int]
) -> None:
    ids = _ids(Pipeline(schemas, ()).process(messages(supernova)).batches[0])
    poison = {ids[place] for place in places}
    pipeline = _poisoned(schemas, poison, lambda: ValueError("cannot bear it"))
    processed = pipeline.process(messages(supernova, first=100))
    kept = [each for batch in processed.batches for each in _ids(batch)]
    assert kept == [each for each in ids if each not in poison]
    rejected = processed.rejected.to_pylist()
    assert [(r["topic"], r["partition"], r["offset"]) for r in rejected] == [
        ("alerts", 0, 100 + p) for p in places
    ]
    assert [r["message"] for r in rejected] == [supernova[place] for place in places]
    assert {r["reason"] for r in rejected} == {"fragile: ValueError: cannot bear it"}
    assert pipeline.times.report()["fragile"].failures > 0


def test_damaged_and_poisonous_messages_together(schemas: SchemaStore, supernova: list[bytes]) -> None:
    ids = _ids(Pipeline(schemas, ()).process(messages(supernova)).batches[0])
    values = [*supernova[:5], b"garbage", *supernova[5:]]
    processed = _poisoned(schemas, {ids[20]}, lambda: KeyError("x")).process(messages(values))
    assert processed.alerts == 33
    assert sorted(processed.rejected.column("offset").to_pylist()) == [5, 21]


def test_a_broken_stage_stops_the_pipeline_rather_than_reject_a_night(
    schemas: SchemaStore, supernova: list[bytes]
) -> None:
    ids = _ids(Pipeline(schemas, ()).process(messages(supernova)).batches[0])
    pipeline = _poisoned(schemas, set(ids), lambda: ValueError("always"), limit=10)
    with pytest.raises(StageBrokenError, match=r"more than 10 alerts.*fragile: ValueError: always"):
        pipeline.process(messages(supernova))


@pytest.mark.parametrize(
    "error", [MemoryError(), FileNotFoundError("catalogue"), ConnectionError("registry")]
)
def test_what_no_message_can_cause_is_not_blamed_on_one(
    schemas: SchemaStore, supernova: list[bytes], error: Exception
) -> None:
    ids = _ids(Pipeline(schemas, ()).process(messages(supernova)).batches[0])
    with pytest.raises(type(error)):
        _poisoned(schemas, {ids[0]}, lambda: error).process(messages(supernova))


def test_a_resource_is_replaced_between_batches(schemas: SchemaStore, supernova: list[bytes]) -> None:
    seen: list[tuple[str, ...]] = []
    resource: Resource[tuple[str, ...]] = Resource(("old",))

    def enrich(batch: AlertBatch, value: tuple[str, ...]) -> AlertBatch:
        assert resource.swap(("new",)) == value
        seen.append(value)
        return batch

    pipeline = Pipeline(schemas, [Stage("swaps", enrich, resource)])
    pipeline.process(messages(supernova))
    pipeline.process(messages(supernova))
    assert seen == [("old",), ("new",)]


def test_no_messages_give_nothing(pipeline: Pipeline) -> None:
    processed = pipeline.process(messages([]))
    assert processed.alerts == 0
    assert processed.rejected.num_rows == 0
