"""Bodies of the solar system: never taken for transients, and flagged when nobody has linked them yet."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from astropy.coordinates import BarycentricMeanEcliptic, SkyCoord
from hypothesis import given
from hypothesis import strategies as st
from made_up_sky import catalogue, loader
from test_context_stage import batch_of

from lasair_broker import context
from lasair_broker.context import flag_movers, in_solar_system
from lasair_broker.context.events import EventIndex, match_events
from lasair_broker.packets import AlertBatch, Messages, SchemaStore, decode, read_files
from lasair_broker.schema import arrow_schema
from lasair_broker.sky import ecliptic_latitude

DATA = Path(os.environ.get("LASAIR_TEST_DATA", Path(__file__).parents[3] / "shared" / "data"))


@given(st.floats(0.0, 360.0), st.floats(-90.0, 90.0))
def test_ecliptic_latitude_equals_astropy(ra: float, decl: float) -> None:
    expected = SkyCoord(ra, decl, unit="deg").transform_to(BarycentricMeanEcliptic(equinox="J2000")).lat.deg
    assert float(ecliptic_latitude(ra, decl)) == pytest.approx(expected, abs=1e-4)


def decoded(path: Path) -> list[AlertBatch]:
    values = [bytes(value) for messages in read_files([path]) for value in messages.values]
    count = len(values)
    messages = Messages(
        values,
        ("t",),
        np.zeros(count, np.int32),
        np.zeros(count, np.int32),
        np.arange(count),
        np.full(count, 61e3),
    )
    return decode(messages, SchemaStore(folders=[DATA / "lsst" / "schemas"]))[0]


@pytest.mark.parametrize("name", ["ztf/ztf_v3_2.tar.xz", "lsst/ddf_v10.avro", "lsst/sso_v9.tar.gz"])
def test_real_bodies_get_no_class_and_match_no_event(name: str, tmp_path: Path) -> None:
    """Packets that speak of a body, whatever the survey calls it, go to tables of their own."""
    folder = tmp_path / "catalogues"
    catalogue(folder, "stars", [{"ra": 1.0, "decl": 1.0, "name": "a star"}])
    resources = loader(folder).current()
    bodies = 0
    for batch in decoded(DATA / name):
        enriched = flag_movers(context.enrich(batch, resources))
        judged = set(enriched.tables["sherlock_classifications"].column("diaObjectId").to_pylist())
        ids = batch.objects.column("diaObjectId").to_numpy()
        body = set(ids[in_solar_system(batch)].tolist())
        assert judged == set(ids.tolist()) - body
        of_bodies = set(batch.ssSources.column("diaSourceId").to_pylist())
        bodies += len(of_bodies)
        for alert in batch.alerts.select(["diaObjectId", "diaSourceId", "ssObjectId"]).to_pylist():
            if alert["ssObjectId"]:
                assert alert["diaSourceId"] in of_bodies
                assert alert["diaObjectId"] not in judged
        events = EventIndex.build(_events_at(batch.objects))
        hit = set(match_events(batch, events).tables["event_hits"].column("diaObjectId").to_pylist())
        assert hit == set(ids.tolist()) - body
    assert bodies > 0


def _events_at(objects: pa.Table) -> pa.Table:
    rows = [
        {"origin": "X", "eventName": str(n), "mw_id": n, "revision": 0, "role": "observation",
         "retracted": False, "ra": ra, "decl": decl, "errorRadius": 1.0 / 3600.0}
        for n, (ra, decl) in enumerate(zip(*objects.select(["ra", "decl"]).to_pydict().values(), strict=True))
    ]  # fmt: skip
    return pa.Table.from_pylist(rows, arrow_schema("external_events"))


def test_a_star_that_a_body_passes_keeps_its_class() -> None:
    """ZTF only says that a body is near: an object seen on many nights is none."""
    some = 0
    for batch in decoded(DATA / "ztf" / "ztf_v3_2.tar.xz"):
        near = set(batch.ssSources.column("diaSourceId").to_pylist())
        flagged = in_solar_system(batch)
        offsets, time = batch.diaSources.offsets, batch.diaSources.numpy("midpointMjdTai")
        row_of = {key: row for row, key in enumerate(batch.objects.column("diaObjectId").to_pylist())}
        for alert in batch.alerts.select(["diaObjectId", "diaSourceId"]).to_pylist():
            row = row_of[alert["diaObjectId"]]
            times = time[offsets[row] : offsets[row + 1]]
            expected = alert["diaSourceId"] in near and times[-1] - times[0] <= 0.5
            some += expected
            if len(times):
                assert flagged[row] == expected
    assert some > 0


ECLIPTIC = (30.0, 12.0)
OFF = (30.0, 60.0)


@pytest.mark.parametrize(
    ("place", "star", "expected"),
    [(ECLIPTIC, False, True), (ECLIPTIC, True, False), (OFF, False, False)],
)
def test_what_may_be_a_body(tmp_path: Path, place: tuple[float, float], star: bool, expected: bool) -> None:
    folder = tmp_path / "catalogues"
    there = place if star else (place[0], place[1] + 1.0)
    catalogue(folder, "stars", [{"ra": there[0], "decl": there[1], "name": "a star"}])
    batch = context.enrich(batch_of([place]), loader(folder).current())
    times = pa.array([61000.0]), pa.array([61000.0 + 20.0 / 1440.0])
    brief = batch.with_object_columns(dict(zip(SEEN, times, strict=True)))
    assert flag_movers(brief).objects["possibleSolarSystem"].to_pylist() == [expected]
    stays = batch.with_object_columns({SEEN[0]: pa.array([60999.0]), SEEN[1]: times[1]})
    assert flag_movers(stays).objects["possibleSolarSystem"].to_pylist() == [False]


SEEN = ("firstDiaSourceMjdTai", "lastDiaSourceMjdTai")


class _Detections:
    """What is looked at of the detections of one object."""

    def __init__(self, **columns: list[float]) -> None:
        self._columns = {name: np.array(values) for name, values in columns.items()}
        self.offsets = np.array([0, len(self)])
        self.object_row = np.zeros(len(self), np.int64)

    def __len__(self) -> int:
        return len(self._columns["midpointMjdTai"])

    def numpy(self, name: str) -> npt.NDArray[np.float64]:
        return self._columns[name]


@pytest.mark.parametrize(
    ("length", "error", "minutes", "expected"),
    [
        ([0.4, 6.0], [0.1, 0.3], 10.0, True),
        ([6.0, np.nan], [0.3, np.nan], 29.0, True),
        ([6.0, 6.0], [0.3, 0.3], 31.0, False),
        ([6.0, 6.0], [2.0, np.nan], 10.0, False),
        ([1.4, 1.4], [0.01, 0.01], 10.0, False),
    ],
)
def test_what_is_drawn_out_is_flagged_wherever_it_is(
    length: list[float], error: list[float], minutes: float, expected: bool
) -> None:
    times = [61000.0, 61000.0 + minutes / 1440.0]
    sources = _Detections(midpointMjdTai=times, trailLength=length, trailLengthErr=error)
    batch = replace(batch_of([OFF]), diaSources=sources)  # type: ignore[arg-type]  # it looks like them
    columns = {SEEN[0]: pa.array(times[:1]), SEEN[1]: pa.array(times[1:])}
    assert flag_movers(batch.with_object_columns(columns)).objects["possibleSolarSystem"].to_pylist() == [
        expected
    ]
