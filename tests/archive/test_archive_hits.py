"""Hits of filters, and what is said of objects: against plain lists of everything that was given."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from archive_places import pack_writer
from asking import ask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from packets_model import Packet, Row, batch_of

from lasair_broker.archive import Archive
from lasair_broker.archive.duckdb import DuckDBArchive, _migrations
from lasair_broker.archive.duckdb import _hits as duckdb_hits
from lasair_broker.schema import SchemaError, arrow_schema

START = (float("-inf"), "")


def hits(*rows: dict[str, Any]) -> pa.Table:
    """Rows of `filter_hits`; what is not given is invented."""
    filled = [{"filterId": 1, "filterVersion": 1, "diaObjectId": 500, **row} for row in rows]
    names = [name for name in arrow_schema("filter_hits").names if any(name in row for row in filled)]
    return pa.table(
        {name: pa.array([row.get(name) for row in filled], arrow_schema("filter_hits").field(name).type)
         for name in names}
    )  # fmt: skip


def curve(count: int, key: int = 500, remark: str = "") -> Packet:
    rows = tuple(Row(key * 100 + n, 60_000.0 + n) for n in range(1, count + 1))
    return Packet(key, rows[-1].id, rows[-1].time, rows, remark=remark)


def stored(archive: Archive) -> dict[str, dict[str, Any]]:
    rows = ask(archive, "SELECT * FROM filter_hits").to_pylist()
    assert len({row["hitId"] for row in rows}) == len(rows)
    return {row["hitId"]: row for row in rows}


def test_hits_are_stored_whatever_becomes_of_the_state(archive):
    new = hits({"hitId": "new", "diaSourceId": 50_008})
    assert archive.write([batch_of([curve(8)]).with_table("filter_hits", new)]).filter_hits == 1
    # An older state than the one held; a packet that changes nothing; an object of another batch.
    late = batch_of([curve(6, remark="late")]).with_table(
        "filter_hits", hits({"hitId": "late", "diaSourceId": 50_006}, {"hitId": "new", "filterId": 7})
    )
    report = archive.write([late])
    assert (report.stale_objects, report.filter_hits) == (1, 1)
    same = batch_of([curve(8)]).with_table("filter_hits", hits({"hitId": "same", "diaSourceId": 50_008}))
    report = archive.write(
        [same], tables={"filter_hits": hits({"hitId": "said", "diaObjectId": 9}, {"hitId": "same"})}
    )
    assert (report.duplicates, report.filter_hits) == (1, 2)
    found = stored(archive)
    times = [found[key]["committedMjdTai"] for key in ("same", "said")]
    assert report.hitsMjdTai == (min(times), max(times))
    assert archive.write([batch_of([curve(8)]).with_table("filter_hits", new)]).hitsMjdTai is None
    assert set(found) == {"new", "late", "same", "said"}
    # The first of one id stays as it is, of one transaction the last.
    assert (found["new"]["filterId"], found["same"]["diaSourceId"]) == (1, None)
    assert archive.check() == []


def test_times_of_commits_never_fall(places, monkeypatch):
    """Even if the clock is put back, and if the archive is opened anew."""
    archive = places()
    clock = iter([60_000.0, 59_999.0, 60_000.0, 60_001.0, 59_000.0])
    module = f"lasair_broker.archive.{archive.engine}._hits"
    monkeypatch.setattr(f"{module}.mjd_tai_now", lambda: next(clock))
    for number in range(4):
        archive.write([], tables={"filter_hits": hits({"hitId": str(number)}, {"hitId": f"{number} too"})})
    archive.close()
    with places() as again:
        again.write([], tables={"filter_hits": hits({"hitId": "4"})})
        found = stored(again)
    times = [found[str(number)]["committedMjdTai"] for number in range(5)]
    assert times == sorted(set(times))
    assert [times[0], times[3]] == [60_000.0, 60_001.0]
    np.testing.assert_allclose(times[1:3], 60_000.0, atol=1e-9)
    # PostgreSQL keeps hits of one commit a microsecond apart, to know their order.
    assert found["2 too"]["committedMjdTai"] == pytest.approx(times[2], abs=3e-11, rel=0)


class Reference:
    """What was written, as a list."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []

    def write(self, archive: Archive, rows: list[dict[str, Any]]) -> None:
        archive.write([], tables={"filter_hits": hits(*rows)})
        times = {row["hitId"]: row["committedMjdTai"] for row in stored(archive).values()}
        known = {row["hitId"] for row in self.rows}
        last = {row["hitId"]: row for row in rows}
        self.rows += [
            {**row, "committedMjdTai": times[row["hitId"]]}
            for row in rows
            if row["hitId"] not in known and last[row["hitId"]] is row
        ]


_row = st.builds(
    lambda number, filter_id, key, source: {
        "hitId": f"{key}-{number}", "filterId": filter_id, "diaObjectId": key, "diaSourceId": source
    },
    st.integers(0, 20), st.integers(1, 3), st.integers(1, 4), st.one_of(st.none(), st.integers(1, 9)),
)  # fmt: skip


@pytest.fixture(scope="module")
def emptied(lasting_places):
    return lasting_places()


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    commits=st.lists(st.lists(_row, min_size=1, max_size=8), min_size=1, max_size=6),
    window=st.sampled_from([1, 3, 1000]),
    limit=st.integers(1, 9),
    data=st.data(),
)
def test_hits_by_object_and_by_time(emptied, monkeypatch, commits, window, limit, data):
    if emptied.engine == "duckdb":
        monkeypatch.setattr(duckdb_hits, "_WINDOW_ROWS", window)
        emptied._database.writer.execute("DELETE FROM filter_hits")
    else:
        emptied._committer.session.run("DELETE FROM filter_hits")
    reference = Reference()
    for rows in commits:
        reference.write(emptied, rows)
    for filter_id in (1, 2, 3):
        mine = [row for row in reference.rows if row["filterId"] == filter_id]
        mine.sort(key=lambda row: (row["committedMjdTai"], row["hitId"]))
        # Page by page, from the beginning or from behind any hit, to the end or to any time.
        whole = [(row["committedMjdTai"], row["hitId"]) for row in mine]
        after = data.draw(st.sampled_from([START, *whole]))
        until = data.draw(st.sampled_from([None, 0.0, *(time for time, _ in whole)]))
        expected = [at for at in whole if at > after and (until is None or at[0] <= until)]
        found: list[tuple[float, str]] = []
        while True:
            page = emptied.hits_after(filter_id, found[-1] if found else after, until=until, limit=limit)
            assert page.schema == arrow_schema("filter_hits")
            assert page.num_rows <= limit
            if not page.num_rows:
                break
            found += zip(
                page.column("committedMjdTai").to_pylist(), page.column("hitId").to_pylist(), strict=True
            )
        assert found == expected
    newest = {(row["filterId"], row["diaObjectId"]): row["hitId"] for row in reference.rows}
    for filters, objects in (([1, 2, 3], [1, 2, 3, 4, 99]), ([2, 2], [4, 1]), ([], [1]), ([1], [])):
        narrow = emptied.newest_hits(filters, objects, ["diaObjectId", "filterId"])
        rows = emptied.newest_hits(filters, objects).to_pylist()
        expected = {key: hit for key, hit in newest.items() if key[0] in filters and key[1] in objects}
        assert len(rows) == len(expected)
        assert {(row["filterId"], row["diaObjectId"]): row["hitId"] for row in rows} == expected
        assert narrow.column_names == ["diaObjectId", "filterId"]
        assert {(row["filterId"], row["diaObjectId"]) for row in narrow.to_pylist()} == set(expected)


def deliveries(*rows: tuple[str, float | None, int, str | None]) -> pa.Table:
    names = "hitId", "deliveredMjdTai", "deliveryAttempts", "deliveryError"
    return named("filter_hits", names, rows)


def named(table: str, names: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> pa.Table:
    """Rows of some columns of a table of the schema."""
    fields = [arrow_schema(table).field(name) for name in names]
    return pa.table(
        [pa.array([row[n] for row in rows], field.type) for n, field in enumerate(fields)],
        schema=pa.schema(fields),
    )


def test_deliveries_are_noted(places, monkeypatch):
    archive = places()
    module = f"lasair_broker.archive.{archive.engine}._hits"
    monkeypatch.setattr(f"{module}.mjd_tai_now", lambda: 60_000.0)
    archive.write([], tables={"filter_hits": hits({"hitId": "old"})})
    monkeypatch.undo()
    archive.write([], tables={"filter_hits": hits({"hitId": "a"}, {"hitId": "b"}, {"hitId": "c"})})
    in_order = "SELECT hitId FROM filter_hits" + (
        "" if archive.engine == "duckdb" else " ORDER BY committedMjdTai, hitId"
    )
    order = ask(archive, in_order).column(0).to_pylist()
    archive.note_deliveries(
        deliveries(("a", None, 1, "refused"), ("b", 61_000.0, 1, None), ("nobody", 1.0, 1, None))
    )
    archive.note_deliveries(
        deliveries(("a", 61_001.0, 1, None), ("b", None, 2, "refused"), ("old", 61_002.0, 1, None))
    )
    archive.note_deliveries(deliveries())
    said = {
        key: (row["deliveredMjdTai"], row["deliveryAttempts"], row["deliveryError"])
        for key, row in stored(archive).items()
    }
    assert said == {
        "a": (61_001.0, 2, None),
        "b": (61_000.0, 3, None),
        "c": (None, None, None),
        "old": (61_002.0, 1, None),
    }
    # They stay where they are, in the order of their commits, through settling and compaction and a restart.
    archive._settle_bytes = 0
    archive.write([])
    archive.compact()
    archive.close()
    with places() as again:
        assert ask(again, in_order).column(0).to_pylist() == order
        assert stored(again)["b"]["deliveredMjdTai"] == 61_000.0


def test_deliveries_wait_for_no_batch(archive):
    """While a batch is in the middle of its transaction, deliveries are noted and seen."""
    archive.write([], tables={"filter_hits": hits({"hitId": "a"})})
    seen = []
    write = pack_writer(archive).reserve

    def reserve(*arguments: Any) -> Any:
        done = threading.Thread(target=archive.note_deliveries, args=(deliveries(("a", 61_000.0, 1, None)),))
        done.start()
        done.join(30)
        seen.append(stored(archive)["a"]["deliveredMjdTai"])
        return write(*arguments)

    pack_writer(archive).reserve = reserve
    batch = batch_of([curve(4)]).with_table("filter_hits", hits({"hitId": "b", "diaSourceId": 50_004}))
    archive.write([batch])
    assert seen == [61_000.0]
    assert stored(archive)["a"]["deliveredMjdTai"] == 61_000.0
    assert set(stored(archive)) == {"a", "b"}


def test_deliveries_while_batches_come_and_the_archive_settles(archive):
    archive._settle_bytes = 0  # a checkpoint after each write
    archive.write([], tables={"filter_hits": hits(*({"hitId": str(n)} for n in range(80)))})
    failed: list[BaseException] = []

    def note() -> None:
        try:
            for n in range(80):
                archive.note_deliveries(deliveries((str(n), 61_000.0 + n, 1, None)))
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=note)
    thread.start()
    for count in range(3, 15):
        archive.write([batch_of([curve(count)])], tables={"filter_hits": hits({"hitId": f"more {count}"})})
        if count == 8:
            archive.compact()
    thread.join()
    assert not failed
    found = stored(archive)
    assert [found[str(n)]["deliveredMjdTai"] for n in range(80)] == [61_000.0 + n for n in range(80)]
    assert len(found) == 92
    assert archive.check() == []


def annotations(*rows: tuple[int, str, str]) -> pa.Table:
    return named("annotations", ("diaObjectId", "topic", "classification"), rows)


def said_of(archive: Archive, *ids: int) -> set[tuple[int, str, str]]:
    found = archive.rows_of_objects("annotations", ids, ["diaObjectId", "topic", "classification"])
    assert found.column_names == ["diaObjectId", "topic", "classification"]
    rows = [tuple(row.values()) for row in found.to_pylist()]
    assert len(set(rows)) == len(rows)
    return set(rows)


def test_rows_replace_those_of_the_same_key(archive):
    archive.write(
        [], tables={"annotations": annotations((1, "a", "x"), (1, "b", "x"), (2, "a", "x"), (1, "a", "y"))}
    )
    assert said_of(archive, 1, 2, 3) == {(1, "a", "y"), (1, "b", "x"), (2, "a", "x")}
    archive.compact()
    names = pa.table({"tns_name": ["2026abc", "2026abd"], "z": [0.1, 0.2]})
    archive.write([], tables={"crossmatch_tns": names})
    more = {
        "annotations": annotations((2, "a", "z"), (7, "a", "q")),
        "crossmatch_tns": pa.table({"tns_name": ["2026abd"], "z": [0.3]}),
    }
    archive.write([batch_of([curve(3)])], tables=more)
    found = ask(archive, "SELECT tns_name, z FROM crossmatch_tns ORDER BY 1").to_pylist()
    assert [tuple(row.values()) for row in found] == [
        ("2026abc", pytest.approx(0.1)), ("2026abd", pytest.approx(0.3))
    ]  # fmt: skip
    assert said_of(archive, 1, 2, 7, 7) == {(1, "a", "y"), (1, "b", "x"), (2, "a", "z"), (7, "a", "q")}
    assert said_of(archive, 3) == said_of(archive) == set()
    archive.compact()
    assert said_of(archive, 1, 2) == {(1, "a", "y"), (1, "b", "x"), (2, "a", "z")}
    with pytest.raises(SchemaError, match="must have values"):
        archive.write([], tables={"annotations": annotations((1, "a", "n")).drop_columns(["topic"])})
    with pytest.raises(ValueError, match="objects are stored with the batch"):
        archive.write([], tables={"objects": arrow_schema("objects").empty_table()})
    with pytest.raises(SchemaError, match="annotations"):
        archive.write([], tables={"anotations": annotations((1, "a", "n"))})
    assert said_of(archive, 1) == {(1, "a", "y"), (1, "b", "x")}


def test_rows_of_objects_of_any_table(archive):
    archive.write([batch_of([curve(3), curve(5, 501), curve(2, 502)])])
    archive.compact()
    archive.write([batch_of([curve(6, 501)])])
    for name in ("objects", "diaSources", "alerts", "object_ledger"):
        expected = ask(archive, f"SELECT * FROM {name} WHERE diaObjectId IN (501, 502) ORDER BY ALL")
        found = archive.rows_of_objects(name, [501, 502, 501, 10**18])
        assert found.sort_by([(column, "ascending") for column in keys(name)]) == expected.sort_by(
            [(column, "ascending") for column in keys(name)]
        ), name
    assert archive.rows_of_objects("objects", [501], ["nDiaSources"]).to_pylist() == [{"nDiaSources": 6}]
    assert archive.rows_of_objects("objects", [], ["nDiaSources"]).num_rows == 0
    with pytest.raises(SchemaError, match="diaObjectId"):
        archive.rows_of_objects("mpc_orbits", [1])
    with pytest.raises(SchemaError, match="nDiaSources"):
        archive.rows_of_objects("objects", [1], ["nDiaSurces"])


def keys(name: str) -> list[str]:
    return {"diaSources": ["diaSourceId"], "alerts": ["diaSourceId"]}.get(name, ["diaObjectId"])


def lists(*rows: tuple[int, int, int]) -> pa.Table:
    return named("watchlist_hits", ("diaObjectId", "wl_id", "cone_id"), rows)


def test_hits_of_a_list_are_replaced_part_by_part(archive):
    archive.write([batch_of([curve(3)]).with_table("watchlist_hits", lists((500, 1, 1), (500, 2, 1)))])
    archive.compact()

    def listed() -> set[tuple[int, int, int]]:
        rows = ask(archive, "SELECT diaObjectId, wl_id, cone_id FROM watchlist_hits").to_pylist()
        assert len({tuple(row.values()) for row in rows}) == len(rows)
        return {tuple(row.values()) for row in rows}

    archive.replace_list_hits("watchlist_hits", 2, lists((7, 2, 1), (8, 2, 5)), first=True)
    assert listed() == {(500, 1, 1), (7, 2, 1), (8, 2, 5)}
    archive.replace_list_hits("watchlist_hits", 2, lists((8, 2, 5), (8, 2, 6), (8, 2, 6)), first=False)
    assert listed() == {(500, 1, 1), (7, 2, 1), (8, 2, 5), (8, 2, 6)}
    archive.replace_list_hits("watchlist_hits", 2, lists(), first=True)
    assert listed() == {(500, 1, 1)}
    areas = pa.table({"diaObjectId": [3, 4], "ar_id": pa.array([9, 9], pa.int32())})
    archive.replace_list_hits("area_hits", 9, areas, first=True)
    assert ask(archive, "SELECT count(*) AS n FROM area_hits").to_pylist() == [{"n": 2}]
    with pytest.raises(ValueError, match="not of wl_id 1"):
        archive.replace_list_hits("watchlist_hits", 1, lists((7, 2, 1)), first=False)
    with pytest.raises(ValueError, match="watchlist_hits"):
        archive.replace_list_hits("objects", 1, lists(), first=True)


def test_hits_of_some_objects_are_matched_anew(archive):
    archive.write([batch_of([replace(curve(n, key=n), ra=10.0 + n) for n in (1, 2, 3)])])
    archive.replace_list_hits("watchlist_hits", 2, lists((1, 2, 1), (1, 2, 2), (3, 2, 1)), first=True)
    archive.replace_list_hits("watchlist_hits", 4, lists((1, 4, 1)), first=True)
    archive.compact()
    archive.replace_list_hits("watchlist_hits", 2, lists((2, 2, 9)), first=False)
    asked = []

    def match(places: pa.Table) -> pa.Table:
        asked.append(sorted((row["diaObjectId"], row["ra"]) for row in places.to_pylist()))
        return lists((1, 2, 2), (1, 2, 3))

    archive.renew_list_hits("watchlist_hits", 2, [1, 2, 700], match)
    assert asked == [[(1, 11.0), (2, 12.0)]]
    rows = ask(archive, "SELECT diaObjectId, wl_id, cone_id FROM watchlist_hits").to_pylist()
    assert sorted(tuple(row.values()) for row in rows) == [(1, 2, 2), (1, 2, 3), (1, 4, 1), (3, 2, 1)]
    with pytest.raises(ValueError, match="not of wl_id 2"):
        archive.renew_list_hits("watchlist_hits", 2, [1], lambda places: lists((1, 4, 1)))
    assert ask(archive, "SELECT count(*) AS n FROM watchlist_hits").to_pylist() == [{"n": 4}]
    assert archive.writers() == frozenset()


def test_places_of_objects(archive):
    random = np.random.default_rng(3)
    sky = [
        Packet(key, key * 10, 60_000.0, (Row(key * 10, 60_000.0),), ra=float(random.uniform(0, 360)),
               decl=float(random.uniform(-90, 90)))
        for key in range(1, 300)
    ]  # fmt: skip
    assert list(archive.object_places()) == []
    archive.write([batch_of(sky[:150])])
    archive.compact()
    archive.write([batch_of(sky[150:])])
    held = ask(archive, "SELECT diaObjectId, healpix29 FROM objects").to_pylist()
    cells = {row["diaObjectId"]: row["healpix29"] for row in held}
    places = {packet.diaObjectId: (packet.ra, packet.decl) for packet in sky}
    edges = np.unique(random.integers(0, 12 << 58, 400))
    some = edges[: len(edges) // 2 * 2].reshape(-1, 2)
    one = np.array([[cells[7], cells[7] + 1]])
    for ranges in (None, some, one, np.zeros((0, 2), np.int64), np.array([[0, 12 << 58]])):
        expected = {
            key: place
            for key, place in places.items()
            if ranges is None or any(low <= cells[key] < high for low, high in ranges)
        }
        batches = list(archive.object_places(ranges, 50))
        assert all(0 < batch.num_rows <= 2048 for batch in batches)
        rows = [row for batch in batches for row in batch.to_pylist()]
        assert len(rows) == len(expected)
        assert {row["diaObjectId"]: (row["ra"], row["decl"]) for row in rows} == expected


def test_writing_goes_on_while_places_are_read(archive):
    archive.write([batch_of([curve(2, key) for key in range(1, 60)])])
    reading = archive.object_places(batch_rows=10)
    rows = next(reading).num_rows
    archive._settle_bytes = 0
    archive.write([batch_of([curve(3, key) for key in range(1, 90)])])
    archive.compact()
    rows += sum(batch.num_rows for batch in reading)
    assert rows == 59  # as it was when reading began
    assert sum(batch.num_rows for batch in archive.object_places()) == 89


def test_an_archive_of_version_1_is_brought_up_to_date(tmp_path):
    """In which what is said of objects was in tables of one part."""
    with DuckDBArchive(tmp_path, threads=1) as archive:
        archive.write(
            [batch_of([curve(3)])], tables={"annotations": annotations((500, "a", "x"), (3, "b", "y"))}
        )
        connection = archive._database.writer
        before = ask(archive, "SELECT * FROM annotations ORDER BY ALL")
        for name in ("annotations", "area_hits", "classifications", "mma_hits", "sherlock_classifications",
                     "sherlock_crossmatches", "watchlist_hits"):  # fmt: skip
            connection.execute(f"DROP VIEW {name}")
            connection.execute(f"ALTER TABLE {name}_recent RENAME TO {name}")
            connection.execute(f"DROP TABLE {name}_sorted")
        connection.execute("UPDATE archive_layout SET version = 1")
        _migrations.migrate(connection)
        assert ask(archive, "SELECT * FROM annotations ORDER BY ALL") == before
        archive.compact()
        assert ask(archive, "SELECT * FROM annotations ORDER BY ALL") == before
        assert said_of(archive, 500) == {(500, "a", "x")}
        assert archive.check() == []
