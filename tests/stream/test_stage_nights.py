"""The sums of the stages in an archive that a stream filled."""

from __future__ import annotations

from stream_fixtures import ListSource

from lasair_broker.archive import Archive
from lasair_broker.packets import SchemaStore
from lasair_broker.packets.simulator import Simulation
from lasair_broker.stream import NightKeeper, Pipeline, run, standard_stages


def test_a_stream_keeps_its_stages(archive: Archive) -> None:
    values = [bytes(value) for part in Simulation.night(40, seed=3).alerts() for value in part.values]
    pipeline = Pipeline(SchemaStore(), standard_stages())
    keeper = NightKeeper(archive, pipeline.times)
    run(ListSource(values, 20), pipeline, archive, commit_stages=[keeper], on_progress=keeper.seen)
    keeper.finish()
    held = archive.query("SELECT * FROM stage_nights", max_rows=None).to_pylist()
    rows = {row["stage"]: row for row in held}
    assert {"read", "archive"} <= set(rows)
    assert rows["read"]["alerts"] == rows["archive"]["alerts"] == len(values)
    assert rows["read"]["lagMax"] == 0
