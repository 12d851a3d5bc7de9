"""What goes with a hit of what is known of its object, against the archive's own look-ups."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator

import pytest

from lasair_broker.archive import Archive, open_archive
from lasair_broker.packets import SchemaStore
from lasair_broker.packets.simulator import Simulation
from lasair_broker.stream import Pipeline, SimulatorSource, run
from lasair_broker.stream.delivery import LightCurve
from lasair_broker.stream.delivery._light_curves import alerts_of


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    with open_archive(tmp_path_factory.mktemp("night") / "archive") as archive:
        run(SimulatorSource(Simulation.night(60, cutouts="none")), Pipeline(SchemaStore(), []), archive)
        yield archive


def some_objects(archive: Archive) -> list[int]:
    found = archive.query('SELECT "diaObjectId" FROM objects ORDER BY "diaObjectId" DESC LIMIT 7')
    return list(found.column(0).to_pylist())


def test_lite_holds_what_a_plot_needs(night: Archive) -> None:
    numbers = some_objects(night)
    written = alerts_of(night, [*numbers, numbers[0]], LightCurve.LITE)
    assert written[0] == written[-1], "in the order asked for, one for each"
    points = 0
    for number, alert in zip(numbers, written, strict=False):
        read = json.loads(alert)
        curve = night.light_curve(number)
        assert set(read) == {"diaSourcesList", "diaForcedSourcesList"}
        columns = ["psfFlux", "psfFluxErr", "midpointMjdTai", "band", "reliability"]
        assert read["diaSourcesList"] == curve.diaSources.select(columns).to_pylist()
        forced = curve.diaForcedSources.select(columns[:4]).to_pylist()
        assert [row["midpointMjdTai"] for row in read["diaForcedSourcesList"]] == [
            row["midpointMjdTai"] for row in forced
        ]
        points += len(read["diaSourcesList"])
    assert points > 0


def test_full_holds_everything_but_images(night: Archive) -> None:
    numbers = some_objects(night)
    for number, alert in zip(numbers, alerts_of(night, numbers, LightCurve.FULL), strict=True):
        read = json.loads(alert)
        curve = night.light_curve(number)
        assert read["diaObject"]["diaObjectId"] == number
        assert set(read["diaObject"]) == set(night.object(number).column_names)
        for name, table in (
            ("diaSourcesList", curve.diaSources),
            ("diaForcedSourcesList", curve.diaForcedSources),
            ("diaNondetectionLimitsList", curve.diaNondetectionLimits),
        ):
            assert len(read[name]) == table.num_rows
            assert all(set(row) == set(table.column_names) for row in read[name])
        assert all(not isinstance(v, float) or math.isfinite(v) for v in read["diaObject"].values())
        assert "ebv" in read


def test_without_hits_or_wish_nothing_is_looked_up(night: Archive) -> None:
    assert alerts_of(night, some_objects(night), LightCurve.NONE) == []
    assert alerts_of(night, [], LightCurve.FULL) == []
    (unknown,) = alerts_of(night, [1], LightCurve.LITE)
    assert json.loads(unknown) == {"diaSourcesList": [], "diaForcedSourcesList": []}
