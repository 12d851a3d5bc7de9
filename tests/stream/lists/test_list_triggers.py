"""Events of magnitude triggers are there once, however the points come and whatever is repeated or lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from packets_model import Packet, Row, batch_of

from lasair_broker.archive import Archive, open_archive
from lasair_broker.packets import AlertBatch
from lasair_broker.sky import Direction, Trigger, TriggerKind, Triggers, WatchlistIndex
from lasair_broker.stream import ActiveLists
from lasair_broker.stream.lists import match_watchlists, trigger_tables

RULES = [
    Trigger(11, 1, magnitude=20.0, consecutive=2, cooldown=0.5),
    Trigger(12, 1, kind=TriggerKind.CHANGES, change=0.7, direction=Direction.EITHER, baseline_gap=2.0),
    Trigger(13, 1, cone_id=2, magnitude=20.5, direction=Direction.EITHER, consecutive=1, forced=False),
    Trigger(14, 2, magnitude=18.0),
]
FLUX = 10 ** (0.4 * (31.4 - 20.0))


def lists(rules: list[Trigger] = RULES) -> ActiveLists:
    rows = pa.table(
        {
            "cone_id": [1, 2],
            "name": ["V1", "V2"],
            "ra": [10.0, 10.1],
            "decl": [-20.0, -20.0],
            "radius": [5.0, 5.0],
        }
    )
    return ActiveLists(WatchlistIndex.build({1: rows}), triggers=Triggers.of(rules))


def matched(packets: list[Packet], active: ActiveLists) -> AlertBatch:
    return match_watchlists(batch_of(packets), active)


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    with open_archive(tmp_path / "archive") as opened:
        yield opened


def curve(rng: np.random.Generator, first: int, count: int) -> list[Row]:
    flux = FLUX * 10 ** rng.normal(0, 0.4, count)
    times = 61_000 + np.sort(rng.uniform(0, 30, count))
    return [Row(first + n, float(times[n]), float(flux[n]), "ugrizy"[n % 6]) for n in range(count)]


def packets_of(
    key: int, detections: list[Row], forced: list[Row], ra: float, history: int = 1000
) -> list[Packet]:
    """A packet for each detection, with what came before it."""
    return [
        Packet(
            key,
            own.id,
            own.time,
            tuple(row for row in detections if row.time <= own.time)[-history:],
            tuple(row for row in forced if row.time < own.time),
            ra=ra,
            images=False,
        )
        for own in detections
    ]


def events(archive: Archive) -> list[dict[str, object]]:
    text = "SELECT * FROM watchlist_events ORDER BY eventId"
    return archive.query(text, max_rows=None).to_pylist()


def without_times(rows: list[dict[str, object]]) -> list[dict[str, object]]:
    return [{name: value for name, value in row.items() if name != "foundMjdTai"} for row in rows]


@pytest.fixture
def night() -> list[Packet]:
    """The packets of three objects in order of time; two in the list, one of them beside both triggers."""
    rng = np.random.default_rng(8)
    packets = []
    for key, ra in ((1, 10.0), (2, 10.1), (3, 10.5)):
        detections = curve(rng, 1000 * key, 16)
        forced = [Row(row.id + 500, row.time + 0.3, row.flux, row.band) for row in detections[::3]]
        packets += packets_of(key, detections, forced, ra)
    return sorted(packets, key=lambda packet: packet.time)


def run(
    archive: Archive,
    packets: list[Packet],
    active: ActiveLists,
    sizes: Iterator[int],
    *,
    lose: float = 0.0,
    repeat: float = 0.0,
    seed: int = 0,
) -> None:
    """Commit the packets in batches; some commits are lost and made again, some batches come twice."""
    rng = np.random.default_rng(seed)
    place = 0
    while place < len(packets):
        size = next(sizes)
        some = packets[place : place + size]
        batch = matched(some, active)
        tables = trigger_tables([batch], active.triggers, archive)
        if rng.uniform() < lose:
            continue  # killed before the commit: the archive says where to begin again
        archive.write([batch], tables=tables)
        if rng.uniform() < repeat:
            again = matched(packets[max(0, place - 3) : place + size], active)
            archive.write([again], tables=trigger_tables([again], active.triggers, archive))
        place += size


def test_events_do_not_depend_on_how_points_come(tmp_path: Path, night: list[Packet]) -> None:
    active = lists()
    expected: list[dict[str, object]] = []
    for way in range(4):
        rng = np.random.default_rng(way)
        sizes = iter(lambda rng=rng, way=way: 1 if way == 0 else int(rng.integers(5, 25)), None)
        with open_archive(tmp_path / f"archive{way}") as archive:
            run(archive, night, active, sizes, lose=0.3 * (way > 1), repeat=0.3 * (way > 2), seed=way)
            found = events(archive)
        if way == 0:
            expected = found
            assert {row["triggerId"] for row in found} == {11, 12, 13}
            assert {row["diaObjectId"] for row in found} == {1, 2}
            assert {row["diaObjectId"] for row in found if row["triggerId"] == 13} == {2}
            assert {row["direction"] for row in found} == {"brightens", "fades"}
            for row in found:
                assert row["name"] == f"V{row['cone_id']}"
                assert (row["diaSourceId"] is None) != (row["diaForcedSourceId"] is None)
                flux = row["flux"]
                assert isinstance(flux, float)
                assert row["magnitude"] == pytest.approx(31.4 - 2.5 * np.log10(flux))
                assert row["foundMjdTai"] == 61_000.0
        else:
            assert without_times(found) == without_times(expected)


def test_two_batches_of_one_commit_go_on_from_each_other(archive: Archive) -> None:
    active = lists(RULES[:1])
    bright = [Row(n, 61_000.0 + n, 3 * FLUX) for n in range(1, 6)]
    first = matched(packets_of(1, bright[:2], [], 10.0), active)
    second = matched(packets_of(1, bright, [], 10.0)[2:], active)
    tables = trigger_tables([first, second], active.triggers, archive)
    assert tables["watchlist_events"].column("diaSourceId").to_pylist() == [2]
    archive.write([first], tables=tables)
    assert trigger_tables([second], active.triggers, archive) == {}


def test_a_changed_trigger_starts_anew(archive: Archive) -> None:
    active = lists(RULES[:1])
    bright = [Row(n, 61_000.0 + n, 3 * FLUX) for n in range(1, 6)]
    batch = matched(packets_of(1, bright, [], 10.0), active)
    archive.write([batch], tables=trigger_tables([batch], active.triggers, archive))
    assert len(events(archive)) == 1
    changed = lists([Trigger(11, 1, magnitude=19.5, start_mjd=61_010.0)])
    batch = matched(packets_of(1, bright, [], 10.0), changed)
    tables = trigger_tables([batch], changed.triggers, archive)
    assert set(tables) == {"watchlist_trigger_states"}, "what lies before its start is noted, not told"
    archive.write([batch], tables=tables)
    (row,) = archive.query("SELECT * FROM watchlist_trigger_states").to_pylist()
    assert (row["startMjdTai"], row["seenMjdTai"], row["eventMjdTai"]) == (61_010.0, 61_005.0, None)


def test_withdrawn_points_do_not_count(archive: Archive) -> None:
    active = lists(RULES[:1])
    rows = [Row(1, 61_001.0, 3 * FLUX), Row(2, 61_002.0, 3 * FLUX, withdrawn=61_003.0)]
    batch = matched([Packet(1, 1, 61_001.0, tuple(rows), images=False)], active)
    assert "watchlist_events" not in trigger_tables([batch], active.triggers, archive)
    rows[1] = Row(2, 61_002.0, 3 * FLUX)
    batch = matched([Packet(1, 1, 61_001.0, tuple(rows), images=False)], active)
    assert trigger_tables([batch], active.triggers, archive)["watchlist_events"].num_rows == 1


def test_without_triggers_nothing_is_read(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "rows_of_objects", None)
    batch = matched([Packet(1, 1, 61_001.0, (Row(1, 61_001.0),), images=False)], lists([]))
    assert trigger_tables([batch], Triggers.of([]), archive) == {}
    assert trigger_tables([], lists().triggers, archive) == {}
