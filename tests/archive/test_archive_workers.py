"""Several workers of a site on one PostgreSQL archive, all at once."""

from __future__ import annotations

import random
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pyarrow as pa
import pytest
from archive_places import Places, Server
from asking import ask
from packets_model import Model, Packet, Row, agree, batch_of

from lasair_broker.archive import Archive, ArchiveError
from lasair_broker.archive.postgresql import PostgreSQLArchive, _tables
from lasair_broker.schema import TABLES, arrow_schema

OBJECTS = 12
ALERTS = 8


@pytest.fixture
def site(server: Server, tmp_path: Path) -> Iterator[Places]:
    """A PostgreSQL archive that can be opened many times at once."""
    places = Places("postgresql", tmp_path, server)
    places.url()  # made before threads ask for it
    yield places
    places.close()


def curve(key: int, count: int) -> Packet:
    rows = tuple(Row(key * 1000 + n, 60_000.0 + n, float(n)) for n in range(1, count + 1))
    forced = tuple(Row(key * 1000 + 500 + n, 60_000.5 + n) for n in range(1, count + 1))
    return Packet(key, rows[-1].id, rows[-1].time, rows, forced, ra=count * 1e-5)


def all_at_once(work: list[Callable[[], None]]) -> None:
    with ThreadPoolExecutor(len(work)) as threads:
        for done in [threads.submit(each) for each in work]:
            done.result()


def test_workers_that_meet_the_same_objects(site: Places) -> None:
    """Whoever comes first: light curves are united, each alert is there once, the newest state stays."""
    packets = [curve(key, count) for key in range(1, OBJECTS + 1) for count in range(1, ALERTS + 1)]
    reports = []

    def worker(number: int) -> Callable[[], None]:
        mine = random.Random(number).sample(packets, len(packets))  # all of them, in an order of its own

        def work() -> None:
            with site() as archive:
                parts = [mine[first : first + 16] for first in range(0, len(mine), 16)]
                reports.extend(archive.write([batch_of(part)]) for part in parts)

        return work

    all_at_once([worker(number) for number in range(3)])
    model = Model()
    model.write(packets)
    with site() as archive:
        assert archive.check() == []
        agree(archive, model, range(1, OBJECTS + 1))
    assert sum(report.alerts for report in reports) == len(packets)
    assert sum(report.duplicates for report in reports) == 2 * len(packets)
    assert sum(report.new_objects for report in reports) == OBJECTS
    assert sum(report.new_rows["diaSources"] for report in reports) == OBJECTS * ALERTS


def hit(number: int) -> pa.Table:
    schema = arrow_schema("filter_hits")
    row = {"hitId": f"{number:04}", "filterId": 1, "filterVersion": 1, "diaObjectId": number}
    return pa.Table.from_pylist([{name: row.get(name) for name in schema.names}], schema)


def test_a_reader_misses_no_hit_of_workers_that_commit_at_once(site: Places) -> None:
    """Though hits come from all sides, one that reads on from the last it saw sees all, each once."""
    done = threading.Event()
    seen: list[str] = []

    def worker(number: int) -> Callable[[], None]:
        def work() -> None:
            with site() as archive:
                for n in range(25):
                    archive.write([], tables={"filter_hits": hit(100 * number + n)})

        return work

    def read() -> None:
        with site() as archive:
            after = (float("-inf"), "")
            while True:
                last = done.is_set()
                page = archive.hits_after(1, after, limit=7)
                for row in page.select(["committedMjdTai", "hitId"]).to_pylist():
                    after = (row["committedMjdTai"], row["hitId"])
                    seen.append(row["hitId"])
                if last and not page.num_rows:
                    return

    reader = threading.Thread(target=read)
    reader.start()
    all_at_once([worker(number) for number in range(4)])
    done.set()
    reader.join()
    assert sorted(seen) == [f"{100 * number + n:04}" for number in range(4) for n in range(25)]


def test_two_that_deliver_add_up(site: Places) -> None:
    with site() as archive:
        archive.write([], tables={"filter_hits": pa.concat_tables([hit(n) for n in range(30)])})
    names = ["hitId", "deliveredMjdTai", "deliveryAttempts", "deliveryError"]
    schema = pa.schema([arrow_schema("filter_hits").field(name) for name in names])

    def worker(seed: int) -> Callable[[], None]:
        def work() -> None:
            with site() as archive:
                for turn in range(5):
                    order = random.Random(10 * seed + turn).sample(range(30), 30)
                    rows = [dict(zip(names, (f"{n:04}", None, 1, "refused"), strict=True)) for n in order]
                    archive.note_deliveries(pa.Table.from_pylist(rows, schema))

        return work

    all_at_once([worker(1), worker(2)])
    with site() as archive:
        noted = ask(
            archive, "SELECT deliveryAttempts, count(*) AS n FROM filter_hits GROUP BY deliveryAttempts"
        )
    assert noted.to_pylist() == [{"deliveryAttempts": 10, "n": 30}]


def test_one_worker_leads(site: Places) -> None:
    with site() as other:
        with site() as first:
            assert first.leads("lists")
            assert first.leads("lists")
            assert not other.leads("lists")
            assert other.leads("annotations")
            assert not first.leads("annotations")
        assert other.leads("lists")


def test_a_server_that_was_restarted_is_found_again(site: Places) -> None:
    """All connections are cut off; each is made anew, and nothing of the batch in hand is lost or doubled."""
    with site() as archive:
        archive.write([batch_of([curve(1, 3)])], None, {("alerts", 0): 1})
        assert archive.object(1).num_rows == 1
        assert archive.leads("lists")
        cut_off(site)
        for read in (lambda: archive.object(1), lambda: archive.leads("lists")):
            attempts = [succeeds(read) for _ in range(2)]
            assert attempts[-1]
        attempts = [
            succeeds(lambda: archive.write([batch_of([curve(1, 5)])], None, {("alerts", 0): 2}))
            for _ in range(2)
        ]
        assert attempts[-1]
        model = Model()
        for count in (3, 5):
            model.write([curve(1, count)])
        agree(archive, model, [1])
        assert archive.positions() == {("alerts", 0): 2}
        assert not [finding for finding in archive.check() if finding.severity == "error"]


def cut_off(site: Places) -> None:
    with PostgreSQLArchive(site.url(), site.folder / "elsewhere") as other:
        other._committer.session.run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def succeeds(call: Callable[[], object]) -> bool:
    try:
        call()
    except ArchiveError:
        return False
    return True


def test_packs_that_another_worker_writes_to_are_not_unknown(site: Places) -> None:
    """Its first alerts are in a pack before its first commit is."""
    with site() as writer, site() as other:
        seen: list[dict[str, int]] = []
        reserve = writer._committer.packs.reserve

        def reserved(*arguments: object) -> object:
            place = reserve(*arguments)
            seen.append(other.unknown_packs())
            other.compact(remove_unknown_packs=True)
            return place

        writer._committer.packs.reserve = reserved
        writer.write([batch_of([curve(1, 3)])])
        assert seen == [{}]
        assert other.check() == []
        assert other.cutout(curve(1, 3).diaSourceId, "Science") == curve(1, 3).image("Science")


def waits_for_a_lock(site: Places) -> bool:
    with psycopg.connect(site.url()) as connection:
        found = connection.execute(
            "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return found.fetchone() is not None


def test_alerts_that_a_frozen_worker_is_still_writing_are_stored_once(site: Places) -> None:
    """Its partition has gone to another, who waits for it, though no object tells them of each other."""
    bodies = [Packet(None, number, 60_000.0 + number, ssObjectId=number) for number in range(1, 6)]
    with site() as frozen, site() as other, ThreadPoolExecutor(2) as threads:
        frozen.write([batch_of([curve(1, 3)])], None, {("alerts", 0): 1})
        run = frozen._committer.session.run
        reached, go_on = threading.Event(), threading.Event()

        def stop_at_positions(sql: str, parameters: Sequence[object] = ()) -> None:
            if sql.startswith("INSERT INTO stream_positions"):  # the last before the commit
                reached.set()
                assert go_on.wait(60)
            run(sql, parameters)

        frozen._committer.session.run = stop_at_positions
        write = [batch_of(bodies, first_offset=1)], None, {("alerts", 0): 6}
        first = threads.submit(frozen.write, *write)
        assert reached.wait(60)
        second = threads.submit(other.write, *write)
        while not (waits_for_a_lock(site) or second.done()):
            time.sleep(0.02)
        go_on.set()
        assert (first.result(60).alerts, second.result(60).duplicates) == (5, 5)
        assert other.status().tables["alerts"].rows == 6
        assert other.positions() == {("alerts", 0): 6}


def test_a_worker_that_was_frozen_moves_no_position_back(site: Places) -> None:
    """It awakes when another has long stored more of its partition, also one that had no position yet."""
    with site() as frozen, site() as other:
        for topic in ("alerts", "others"):
            other.write([batch_of([curve(1, 4)])], None, {(topic, 0): 40})
            report = frozen.write([batch_of([curve(1, 3)])], None, {(topic, 0): 30, (topic, 1): 5})
            assert report.new_rows["diaSources"] == 0
            found = frozen.positions()
            assert (found[topic, 0], found[topic, 1]) == (40, 5)


def test_a_night_in_another_year_gets_a_partition(site: Places) -> None:
    with site() as archive:
        for number, mjd in enumerate((59_999.0, 60_400.5, 61_000.0, 5.0, 2e6), 1):
            rows = (Row(number * 10, mjd),)
            archive.write([batch_of([Packet(number, number * 10, mjd, rows)])])
        where = ask(archive, "SELECT tableoid::regclass::text AS part, midpointMjdTai FROM diaSources")
        found = {row["midpointMjdTai"]: row["part"].strip('"') for row in where.to_pylist()}
        assert found[5.0] == found[2e6] == "diaSources_other"
        assert len({found[mjd] for mjd in (59_999.0, 60_400.5, 61_000.0)}) == 3
        for number in range(1, 6):
            assert archive.light_curve(number).diaSources.num_rows == 1
        assert archive.check() == []


def test_states_are_replaced_where_they_stand(site: Places) -> None:
    """No index is touched by a newer state (heap-only tuples), as no column that changes has one."""
    archive: Archive
    with site() as archive:
        for count in range(1, 8):
            archive.write([batch_of([curve(key, count) for key in range(1, 60)])])
        archive.close()
    with site() as archive:
        (row,) = ask(
            archive,
            "SELECT sum(n_tup_upd)::int AS updated, sum(n_tup_hot_upd)::int AS hot "
            "FROM pg_stat_user_tables WHERE relname = 'objects'",
        ).to_pylist()
    assert row["updated"] == 6 * 59
    assert row["hot"] >= 0.9 * row["updated"]


def test_tables_are_spread_so_that_an_object_is_on_one_server() -> None:
    statements = dict(
        re.fullmatch(r"SELECT (create_\w+)\('archive\.\"(\w+)\"'(.*)\)", statement).group(2, 0)  # type: ignore[union-attr]
        for statement in _tables.distribution()
    )
    assert statements.keys() == TABLES.keys()
    assert statements["objects"] == """SELECT create_distributed_table('archive."objects"', 'diaObjectId')"""
    assert statements["diaSources"].endswith("""'diaObjectId', colocate_with => 'archive."objects"')""")
    assert statements["crossmatch_tns"] == """SELECT create_reference_table('archive."crossmatch_tns"')"""
    for name, statement in statements.items():
        found = re.search(r", '(\w+)'", statement)
        if found:  # Citus wants the column in every key, and a value in each row
            key = _tables.key_of(name)
            assert not key or found[1] in key
            assert not TABLES[name].column(found[1]).nullable


def test_without_citus_it_is_said(server: Server, tmp_path: Path) -> None:
    name = server.database()
    with PostgreSQLArchive(server.url(name), tmp_path) as archive:
        archive._committer.session.run("DROP SCHEMA archive CASCADE")
    with pytest.raises(ArchiveError, match="no Citus"):
        PostgreSQLArchive(server.url(name), tmp_path, distributed=True)
    with PostgreSQLArchive(server.url(name), tmp_path) as archive:
        assert archive.check() == []
    with pytest.raises(ArchiveError, match="there already"):
        PostgreSQLArchive(server.url(name), tmp_path, distributed=True)
    server.drop(name)


def test_text_that_postgresql_cannot_hold_stops_nobody(site: Places) -> None:
    said = pa.table({"diaObjectId": [1], "topic": ["t\0x"], "explanation": ["whole"]})
    with site() as archive:
        archive.write([], tables={"annotations": said})
        (row,) = archive.rows_of_objects("annotations", [1], ["topic", "explanation"]).to_pylist()
    assert row == {"topic": "t\ufffdx", "explanation": "whole"}


def test_a_reader_that_stops_halfway_leaves_nothing_behind(site: Places) -> None:
    with site() as archive:
        archive.write([batch_of([curve(key, 1) for key in range(1, 300)])])
        for _ in range(3):
            reading = archive.object_places(batch_rows=10)
            assert next(reading).num_rows == 10
            reading.close()
            assert archive.object(7).num_rows == 1
        assert sum(rows.num_rows for rows in archive.object_places()) == 299
