"""Writing: whatever comes in whatever order, the archive holds what the plain model says."""

from __future__ import annotations

import importlib
import itertools
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from asking import ask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from packets_model import Model, Packet, Row, agree, batch_of, held_rows

from lasair_broker.archive import ArchiveError, ArchiveLockedError
from lasair_broker.archive.duckdb import DuckDBArchive
from lasair_broker.schema import SchemaError, arrow_schema

_numbers = itertools.count(1)


def history(base: int, count: int) -> list[Row]:
    return [Row(base + n, 60_000.0 + n, float(n), "ugrizy"[n % 6]) for n in range(1, count + 1)]


@st.composite
def nights(draw):
    """Batches of packets of a few objects: with histories that are cut, late, withdrawn; in any order;
    again."""
    base = next(_numbers) * 1_000_000
    packets = []
    for number in range(draw(st.integers(1, 3))):
        key = base + 1000 * number
        detections = history(key * 10, draw(st.integers(1, 7)))
        forced = history(key * 10 + 100, 8)
        limits = [replace(row, id=0, flux=2.0) for row in history(0, 8)]
        withdrawn = draw(st.sets(st.integers(0, 6), max_size=2))
        for n, own in enumerate(detections):
            since = draw(st.integers(0, n))
            # As ZTF rounds what it repeats.
            seen = [row if row is own else replace(row, flux=row.flux + 0.5) for row in detections[since:]]
            seen = seen[: n + 1 - since]
            if draw(st.booleans()):
                seen = [
                    replace(row, withdrawn=60_500.0) if row.id % 10 in withdrawn and row is not own else row
                    for row in seen
                ]
            packets.append(
                Packet(
                    key,
                    own.id,
                    own.time,
                    tuple(seen),
                    tuple(row for row in forced[:n] if draw(st.integers(0, 5))),
                    tuple(limits[since:n]),
                    ra=10.0 + n * 1e-4,
                )
            )
    order = draw(st.sampled_from(["in time", "any", "any"]))
    packets.sort(key=lambda packet: packet.time)
    if order == "any":
        packets = draw(st.permutations(packets))
    again = draw(st.lists(st.sampled_from(packets), max_size=3))
    packets = [*packets, *again]
    cuts = sorted(draw(st.sets(st.integers(0, len(packets)), max_size=4)))
    batches = [packets[a:b] for a, b in itertools.pairwise([0, *cuts, len(packets)])]
    return [
        (batch, draw(st.sampled_from(["", "", "", "settle", "compact", "reopen"])))
        for batch in batches
        if batch
    ]


class Reopening:
    """An archive that can be closed and opened again in mid-test."""

    def __init__(self, places):
        self.places = places
        self.archive = places()

    def then(self, what):
        if what == "settle" and self.archive.engine == "duckdb":
            self.archive._settle_bytes, before = 0, self.archive._settle_bytes
            self.archive.write([])
            self.archive._settle_bytes = before
        elif what == "compact":
            self.archive.compact()
        elif what == "reopen":
            self.archive.close()
            self.archive = self.places()


@pytest.fixture(scope="module")
def shared(lasting_places):
    opened = Reopening(lasting_places)
    yield opened
    assert opened.archive.check() == []
    opened.archive.close()


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(nights())
def test_any_sequence_of_batches(shared, batches):
    model = Model()
    for packets, what in batches:
        report = shared.archive.write([batch_of(packets)], None, {("alerts", 0): 1})
        assert (report.alerts, report.duplicates) == model.write(packets)
        shared.then(what)
    agree(shared.archive, model, model.state)
    for diaSourceId, datums in model.datums.items():
        stored = [
            batch.payloads.bytes(n)
            for batch in shared.archive.replay(diaSourceIds=[diaSourceId])
            for n in range(len(batch.payloads))
        ]
        assert sorted(stored) == sorted(datums)


@pytest.mark.slow
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(nights())
def test_any_sequence_of_batches_at_length(shared, batches):
    test_any_sequence_of_batches.hypothesis.inner_test(shared, batches)


def curve(count: int, key: int = 500) -> Packet:
    """A packet with the first `count` detections of an object, and twice as many forced measurements."""
    rows = history(key * 100, count)
    forced = history(key * 100 + 50, 2 * count)
    return Packet(key, rows[-1].id, rows[-1].time, tuple(rows), tuple(forced))


def test_only_what_is_new_is_written(archive):
    first = archive.write([batch_of([curve(10)])])
    assert first.new_rows == {"diaSources": 10, "diaForcedSources": 20, "diaNondetectionLimits": 0}
    assert (first.new_objects, first.updated_objects) == (1, 0)
    second = archive.write([batch_of([curve(12)])])
    assert second.new_rows == {"diaSources": 2, "diaForcedSources": 4, "diaNondetectionLimits": 0}
    assert (second.new_objects, second.updated_objects) == (0, 1)
    # Histories that only grow are told by the ledger, without reading a row.
    assert second.compared_objects == 0


def test_the_same_packets_again_change_nothing(archive):
    batch = batch_of([curve(5), curve(7, 501)])
    archive.write([batch], None, {("alerts", 0): 2})
    before = {name: ask(archive, f"SELECT * FROM {name} ORDER BY ALL") for name in TABLES}
    report = archive.write([batch], None, {("alerts", 0): 2})
    assert (report.alerts, report.duplicates, report.pack_bytes) == (0, 2, 0)
    assert (report.updated_objects, report.compared_objects) == (0, 0)
    after = {name: ask(archive, f"SELECT * FROM {name} ORDER BY ALL") for name in TABLES}
    assert before == after


TABLES = ("objects", "diaSources", "diaForcedSources", "alerts", "cutouts", "object_ledger", "ssSources")


def test_a_packet_twice_in_one_batch_and_in_two_batches_of_one_write(archive):
    report = archive.write([batch_of([curve(5), curve(5)]), batch_of([curve(5)])])
    assert (report.alerts, report.duplicates) == (1, 2)
    assert archive.check() == []


def test_an_alert_issued_again_is_kept_beside_the_first(archive):
    first = curve(5)
    second = replace(first, remark="corrected")
    third = replace(first, remark="corrected twice")
    archive.write([batch_of([first])])
    report = archive.write([batch_of([second, third, third, first], first_offset=1)])
    assert (report.alerts, report.duplicates) == (2, 2)
    stored = [batch.payloads.bytes(n) for batch in archive.replay() for n in range(len(batch.payloads))]
    assert stored == [first.datum(), second.datum(), third.datum()]
    # The images are the newest ones.
    assert archive.cutout(first.diaSourceId, "Science") == third.image("Science")
    assert ask(archive, "SELECT count(*) AS n FROM cutouts").to_pylist() == [{"n": 1}]
    assert archive.alert_bytes(first.diaSourceId)[0] == third.datum()
    assert archive.check() == []


def test_a_detection_that_others_told_of_is_replaced_by_that_of_its_own_packet(archive):
    """Whatever came first, and however much came together; a correction of it, too."""
    packet = curve(4)
    own = {row.id: row.flux for row in packet.sources}

    def telling(count, remark=""):
        *past, mine = packet.sources[:count]
        rounded = [replace(row, flux=row.flux + 0.25) for row in past]
        return Packet(500, mine.id, mine.time, (*rounded, mine), remark=remark)

    def fluxes():
        rows = held_rows(archive.light_curve(500).diaSources, "diaSourceId")
        return {key: row[1] for key, row in rows.items()}

    archive.write([batch_of([telling(3)])])
    first, second, third, _ = own
    assert fluxes() == {first: own[first] + 0.25, second: own[second] + 0.25, third: own[third]}
    report = archive.write([batch_of([telling(2)])])
    assert (report.alerts, report.new_rows["diaSources"], report.changed_rows) == (1, 0, 1)
    archive.compact()
    report = archive.write([batch_of([telling(4), telling(1), telling(3)])])
    assert (report.alerts, report.duplicates, report.changed_rows) == (2, 1, 1)
    assert fluxes() == own
    # Those that were there already, and those that repeat, change nothing.
    assert archive.write([batch_of([telling(4), telling(2), telling(1)])]).changed_rows == 0
    assert fluxes() == own
    corrected = telling(2, "corrected")
    corrected = replace(corrected, sources=(corrected.sources[0], replace(packet.sources[1], flux=9.0)))
    archive.write([batch_of([corrected])])
    assert fluxes() == {**own, second: 9.0}
    assert archive.check() == []


def test_a_withdrawn_detection_stays_so_when_its_own_packet_comes(archive):
    first, second = history(100, 2)
    gone = replace(first, withdrawn=60_100.0, flux=1.5)
    archive.write([batch_of([Packet(500, second.id, second.time, (gone, second))])])
    report = archive.write([batch_of([Packet(500, first.id, first.time, (first,))])])
    assert (report.alerts, report.changed_rows) == (1, 0)
    rows = held_rows(archive.light_curve(500).diaSources, "diaSourceId")
    assert rows[first.id][1:] == (1.5, first.band, 60_100.0)
    assert archive.check() == []


def test_a_late_packet_adds_what_it_knows_and_leaves_the_state(archive):
    new, old = curve(8), curve(6)
    unseen = Row(99_999, 60_002.5, 7.0)
    old = replace(old, sources=tuple(sorted((*old.sources, unseen), key=lambda row: row.time)), ra=11.0)
    archive.write([batch_of([replace(new, sources=new.sources[4:])])])
    report = archive.write([batch_of([old])])
    assert report.new_rows["diaSources"] == 5
    assert (report.updated_objects, report.stale_objects, report.alerts) == (0, 1, 1)
    assert archive.object(500).column("ra").to_pylist() == [10.0]
    times = archive.light_curve(500).diaSources.column("midpointMjdTai").to_pylist()
    assert times == sorted({*(row.time for row in new.sources), 60_002.5})
    assert archive.check() == []


def test_a_window_that_moves_on_costs_a_comparison_but_no_row(archive):
    archive.write([batch_of([curve(10)])])
    moved = curve(12)
    report = archive.write([batch_of([replace(moved, sources=moved.sources[6:], forced=moved.forced[9:])])])
    assert report.new_rows == {"diaSources": 2, "diaForcedSources": 4, "diaNondetectionLimits": 0}
    assert report.compared_objects == 1
    assert len(archive.light_curve(500).diaSources) == 12
    assert archive.check() == []


def test_a_withdrawn_source_is_marked_and_stays_marked(archive):
    packet = curve(5)
    gone = [replace(row, withdrawn=60_100.0) if n == 2 else row for n, row in enumerate(packet.sources)]
    forced_gone = [replace(row, withdrawn=60_101.0) if n == 0 else row for n, row in enumerate(packet.forced)]
    later = replace(packet, sources=tuple(gone), forced=tuple(forced_gone), remark="one withdrawn")
    archive.write([batch_of([packet])])
    for batches in ([later], [replace(packet, remark="did not know yet")]):
        report = archive.write([batch_of(batches)])
        assert report.new_rows["diaSources"] == 0
        rows = held_rows(archive.light_curve(500).diaSources, "diaSourceId")
        assert [row[3] for row in rows.values()] == [None, None, 60_100.0, None, None]
        forced = held_rows(archive.light_curve(500).diaForcedSources, "diaForcedSourceId")
        assert [row[3] for row in forced.values()][:2] == [60_101.0, None]
        archive.compact()
    assert archive.check() == []


def test_an_object_keeps_the_cell_in_which_it_was_first_seen(archive):
    packet = curve(4)
    archive.write([batch_of([packet])])
    cell = archive.object(500).column("healpix29")[0].as_py()
    archive.write([batch_of([replace(curve(6), ra=200.0, decl=60.0)])])
    moved = archive.object(500).to_pylist()[0]
    assert (moved["ra"], moved["healpix29"]) == (200.0, cell)
    for name in ("diaSources", "diaForcedSources", "alerts", "object_ledger"):
        found = ask(archive, f"SELECT DISTINCT healpix29 FROM {name} WHERE diaObjectId = 500").to_pylist()
        assert found == [{"healpix29": cell}], name
    assert len(archive.light_curve(500).diaSources) == 6


def test_two_batches_of_one_write_may_meet_one_object(archive):
    report = archive.write([batch_of([curve(4)]), batch_of([curve(6)], first_offset=1)])
    assert (report.new_objects, report.updated_objects, report.new_rows["diaSources"]) == (1, 1, 6)
    assert archive.object(500).column("nDiaSources").to_pylist() == [6]
    assert archive.check() == []


def test_solar_system_detections(archive):
    bodies = [Packet(None, 900 + n, 60_000.0 + n, ssObjectId=7 + n % 2) for n in range(4)]
    report = archive.write([batch_of(bodies)])
    assert (report.alerts, report.ss_sources, report.new_objects) == (4, 4, 0)
    again = archive.write([batch_of([*bodies[2:], replace(bodies[0], remark="again"), bodies[1]])])
    assert (again.alerts, again.ss_sources) == (1, 1)
    found = ask(archive, "SELECT diaSourceId, ssObjectId FROM ssSources ORDER BY 1").to_pylist()
    assert found == [{"diaSourceId": 900 + n, "ssObjectId": 7 + n % 2} for n in range(4)]
    assert ask(archive, "SELECT ssObjectId FROM ssObjects ORDER BY 1").column(0).to_pylist() == [7, 8]
    assert archive.cutout(902, "Template") == bodies[2].image("Template")
    archive.compact()
    assert archive.check() == []


def test_alerts_without_images(archive):
    archive.write([batch_of([replace(curve(3), images=False)])])
    assert ask(archive, "SELECT * FROM cutouts").num_rows == 0
    assert archive.cutout(curve(3).diaSourceId, "Science") is None
    assert archive.check() == []


def test_tables_of_matches_are_replaced_by_object(archive):
    def hits(*pairs):
        return pa.table(
            {"diaObjectId": [a for a, _ in pairs], "ar_id": pa.array([b for _, b in pairs], pa.int32())}
        )

    both = [curve(4), curve(4, 501)]
    archive.write([batch_of(both).with_table("area_hits", hits((500, 1), (500, 2), (501, 1)))])
    archive.write([batch_of([curve(5)]).with_table("area_hits", hits((500, 3)))])
    rows = ask(archive, "SELECT * FROM area_hits ORDER BY ALL").to_pylist()
    assert [(row["diaObjectId"], row["ar_id"]) for row in rows] == [(500, 3), (501, 1)]
    # No match any more; and a state that is out of date says nothing.
    archive.write([batch_of([curve(6)]).with_table("area_hits", hits())])
    archive.write([batch_of([replace(curve(2, 501), remark="late")]).with_table("area_hits", hits((501, 9)))])
    rows = ask(archive, "SELECT * FROM area_hits ORDER BY ALL").to_pylist()
    assert [(row["diaObjectId"], row["ar_id"]) for row in rows] == [(501, 1)]


def test_a_hit_that_is_there_stays_as_it_is(archive):
    def hit(delivered):
        return pa.table({
            "hitId": ["a"], "filterId": [1], "filterVersion": pa.array([1], pa.int32()), "diaObjectId": [500],
            "deliveredMjdTai": pa.array([delivered], pa.float64()),
        })  # fmt: skip

    archive.write([batch_of([curve(4)]).with_table("filter_hits", hit(60_000.0))])
    archive.write([batch_of([curve(5)]).with_table("filter_hits", hit(None))])
    assert ask(archive, "SELECT deliveredMjdTai FROM filter_hits").column(0).to_pylist() == [60_000.0]


def rejected(*offsets: int, reason: str = "torn") -> pa.Table:
    return pa.table(
        {
            "topic": ["t"] * len(offsets),
            "partition": pa.array([0] * len(offsets), pa.int32()),
            "offset": list(offsets),
            "arrivedMjdTai": [60_000.0 + n for n in offsets],
            "reason": [reason] * len(offsets),
            "message": [bytes([n]) for n in offsets],
        },
        schema=arrow_schema("rejected"),
    )


def test_positions_and_rejected_messages(archive):
    assert archive.positions() == {}
    archive.write([], rejected(5, 3), {("t", 0): 6, ("t", 1): 1, ("u", 0): 9})
    report = archive.write([], rejected(5, reason="torn again"), {("t", 0): 7})
    assert report.rejected == 1
    assert archive.positions() == {("t", 0): 7, ("t", 1): 1, ("u", 0): 9}
    # Who slept while another read on moves nothing back; who reads anew on purpose says so.
    archive.write([], None, {("t", 0): 4, ("t", 1): 2})
    assert archive.positions() == {("t", 0): 7, ("t", 1): 2, ("u", 0): 9}
    archive.write([], None, {("t", 0): 4, ("t", 1): 1}, rewound=[("t", 0)])
    assert archive.positions() == {("t", 0): 4, ("t", 1): 2, ("u", 0): 9}
    assert archive.rejected().column("offset").to_pylist() == [3, 5]
    assert archive.rejected(1).column("message").to_pylist() == [b"\3"]
    assert archive.rejected().column("reason").to_pylist() == ["torn", "torn again"]
    assert archive.take_rejected([("t", 0, 3), ("t", 0, 4)]).column("offset").to_pylist() == [3]
    assert archive.take_rejected().column("offset").to_pylist() == [5]
    assert archive.take_rejected().num_rows == 0


@pytest.mark.parametrize("place", ["light_curve_news", "kept_alerts", "store_rows", "conform", "images_of"])
def test_an_error_in_the_middle_leaves_nothing_behind(archive, monkeypatch, place):
    _write = importlib.import_module(f"lasair_broker.archive.{archive.engine}._write")
    archive.write([batch_of([curve(4)])], None, {("alerts", 0): 1})
    before = {name: ask(archive, f"SELECT * FROM {name} ORDER BY ALL") for name in TABLES}
    packs = archive._reader.sizes()

    def failing(*arguments, **named):
        raise RuntimeError("in the middle")

    monkeypatch.setattr(_write, place, failing)
    with pytest.raises(RuntimeError, match="in the middle"):
        archive.write([batch_of([curve(6), curve(3, 501)])], None, {("alerts", 0): 3})
    monkeypatch.undo()
    assert {name: ask(archive, f"SELECT * FROM {name} ORDER BY ALL") for name in TABLES} == before
    assert archive.positions() == {("alerts", 0): 1}
    assert archive._reader.sizes() == packs
    report = archive.write([batch_of([curve(6), curve(3, 501)])], None, {("alerts", 0): 3})
    assert report.alerts == 2
    assert archive.check() == []


def test_unknown_columns_are_refused_by_name(archive):
    wrong = batch_of([curve(4)])
    wrong = wrong.with_object_columns({"nDiaSurces": pa.array([1])})
    with pytest.raises(SchemaError, match="nDiaSources"):
        archive.write([wrong])
    assert archive.write([batch_of([curve(4)])]).alerts == 1


def test_an_embedded_archive_in_use_says_so(duckdb_archive):
    with pytest.raises(ArchiveLockedError, match=r"open in process \d+"):
        DuckDBArchive(duckdb_archive.folder)


def test_an_archive_that_is_closed_says_so(places):
    archive = places()
    archive.close()
    archive.close()
    with pytest.raises(ArchiveError, match="closed"):
        archive.positions()
    with pytest.raises(ArchiveError):
        archive.write([batch_of([curve(4)])])
    assert places().positions() == {}


def test_empty_batches(archive):
    report = archive.write([batch_of([])], arrow_schema("rejected").empty_table(), {})
    assert (report.alerts, report.new_objects) == (0, 0)
    assert archive.write([]).alerts == 0
    assert np.isfinite(report.seconds)
