"""Moving house: what is copied is the same, whichever engine it comes from and goes to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from archive_places import Places, Server
from asking import ask
from hypothesis import given, settings
from hypothesis import strategies as st
from packets_model import Model, Packet, Row, agree, batch_of
from typer.testing import CliRunner

from lasair_broker.archive import Archive, ArchiveError, _copy, copy_archive
from lasair_broker.archive._copy import digest
from lasair_broker.cli import app
from lasair_broker.schema import TABLES

IMAGES = ("Difference", "Science", "Template")


@pytest.fixture
def house(server: Server, tmp_path: Path) -> Iterator[dict[str, Places]]:
    """Archives of both engines."""
    both = {
        "duckdb": Places("duckdb", tmp_path / "duckdb", None),
        "postgresql": Places("postgresql", tmp_path / "postgresql", server),
    }
    yield both
    for places in both.values():
        places.close()


def sky(count: int, alerts: int) -> list[Packet]:
    random = np.random.default_rng(8)
    out = []
    for key in range(1, count + 1):
        rows = tuple(
            Row(key * 1000 + n, 60_000.0 + 90 * n, n - 2.5, "gri"[n % 3]) for n in range(1, alerts + 1)
        )
        rows = (replace(rows[0], withdrawn=60_900.0), *rows[1:])
        limits = tuple(Row(0, row.time + 0.25, 3.0, "g") for row in rows[:2])
        place = {"ra": float(random.uniform(0, 360)), "decl": float(random.uniform(-90, 90))}
        out.append(Packet(key, rows[-1].id, rows[-1].time, rows, rows[1:], limits, **place))
    return out


def filled(archive: Archive) -> Model:
    model = Model()
    for alerts in (3, 5):
        packets = sky(60, alerts)
        model.write(packets)
        archive.write([batch_of(packets)], None, {("alerts", 0): 60 * alerts})
    bodies = [Packet(None, 10**7 + n, 60_000.0 + n, ssObjectId=5 + n % 3) for n in range(7)]
    archive.write([batch_of(bodies)], tables={
        "annotations": pa.table({"diaObjectId": [1, 2], "topic": ["a", ""], "classification": [None, "ü"]}),
        "filter_hits": pa.table({
            "hitId": ["x"], "filterId": [1], "filterVersion": pa.array([1], pa.int32()), "diaObjectId": [3],
        }),
    })  # fmt: skip
    archive.write([], rejected=pa.table({
        "topic": ["t"], "partition": pa.array([0], pa.int32()), "offset": [4], "arrivedMjdTai": [6e4],
        "reason": ["torn"], "message": [b"\0\1"],
    }))  # fmt: skip
    return model


@pytest.mark.parametrize(("source", "target"), list(product(["duckdb", "postgresql"], repeat=2)))
def test_a_copy_is_the_same_and_goes_on(house: dict[str, Places], source: str, target: str) -> None:
    with house[source]("source") as theirs:
        model = filled(theirs)
        seen: list[float] = []
        with house[target]("target") as ours:
            copied = copy_archive(theirs, ours, lambda what, share: seen.append(share))
            assert seen == sorted(seen)
            assert seen[-1] == 1.0
            assert copied.rows["diaSources"] == 300
            for name in TABLES:
                left, right = (ask(each, f"SELECT * FROM {name} ORDER BY ALL") for each in (theirs, ours))
                assert left == right, name
            assert ours.check() == []
        with house[target]("target") as ours:
            # It is an archive like any other: it goes on, and so does the copying of it.
            again = copy_archive(theirs, ours)
            assert (again.pack_bytes, again.already) == (0, sum(again.rows.values()))
            packets = sky(60, 6)
            model.write(packets)
            assert ours.write([batch_of(packets)]).new_rows["diaSources"] == 60
            agree(ours, model, range(1, 61, 7))
            for packet in (packets[0], sky(60, 5)[9]):
                for which in IMAGES:
                    assert ours.cutout(packet.diaSourceId, which) == packet.image(which)
            assert not [finding for finding in ours.check() if finding.severity == "error"]


def test_broken_off_it_goes_on_where_it_was(
    house: dict[str, Places], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_copy, "_WHOLE_ROWS", 100)
    monkeypatch.setattr(_copy, "_ORDER", 0)

    class Stop(Exception):  # noqa: N818 - an interruption, no error
        pass

    with house["duckdb"]("source") as theirs, house["postgresql"]("target") as ours:
        filled(theirs)
        done: list[str] = []

        def stop(what: str, share: float) -> None:
            done.append(what)
            if done.count("diaForcedSources") == 6:
                raise Stop

        with pytest.raises(Stop):
            copy_archive(theirs, ours, stop)
        assert ours.positions() == {}  # so that nobody takes it for whole
        copied = copy_archive(theirs, ours)
        assert 0 < copied.already < sum(copied.rows.values())
        assert ours.positions() == theirs.positions()
        assert ours.check() == []


def test_what_is_there_already_is_not_written_over(house: dict[str, Places]) -> None:
    with house["duckdb"]("source") as theirs, house["duckdb"]("target") as ours:
        filled(theirs)
        ours.write([batch_of(sky(1, 1))])
        before = ask(ours, "SELECT * FROM objects")
        with pytest.raises(ArchiveError, match="alerts of its own"):
            copy_archive(theirs, ours)
        assert ask(ours, "SELECT * FROM objects") == before
        assert ours.check() == []


def test_a_pack_that_lost_its_end_is_told(house: dict[str, Places]) -> None:
    with house["duckdb"]("source") as theirs, house["postgresql"]("target") as ours:
        filled(theirs)
        (pack,) = (house["duckdb"].folder / "source").rglob("*.pack")
        with pack.open("r+b") as file:
            file.truncate(4096)
        with pytest.raises(ArchiveError, match="ends before byte"):
            copy_archive(theirs, ours)
        assert ours.positions() == {}


def test_the_command(house: dict[str, Places]) -> None:
    with house["duckdb"]("source") as theirs:
        filled(theirs)
    packs = str(house["postgresql"].folder / "target" / "packs")
    arguments = ["archive", "copy", house["duckdb"].url("source"), house["postgresql"].url("target")]
    for words in ("are the same in both archives", "rows were there already"):
        done = CliRunner().invoke(app, [*arguments, "--packs", packs])
        assert done.exit_code == 0, done.output
        assert words in " ".join(done.output.split())
    with house["postgresql"]("target") as ours:
        assert ours.object(7).num_rows == 1
    for wrong, words in ((["nowhere", "x"], "no archive at nowhere"), (["x", "x"], "same archive twice")):
        done = CliRunner().invoke(app, ["archive", "copy", *wrong])
        assert done.exit_code == 1
        assert words in " ".join(done.output.split())


def test_an_archive_is_made(
    house: dict[str, Places], server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LASAIR_ARCHIVE__PACKS", str(tmp_path / "packs"))
    folder = str(tmp_path / "made")
    for where in (folder, house["postgresql"].url("made")):
        done = CliRunner().invoke(app, ["archive", "init", "--archive", where])
        assert done.exit_code == 0, done.output
        assert "The archive is ready" in done.output
    for where in (folder, house["postgresql"].url("made")):
        done = CliRunner().invoke(app, ["archive", "init", "--distributed", "--archive", where])
        assert done.exit_code == 1


_value = st.one_of(st.none(), st.integers(-3, 3))
_text = st.one_of(st.none(), st.text(max_size=4))
_row = st.tuples(_value, st.one_of(st.none(), st.floats(width=32, allow_nan=False)), _text, _text)


@settings(deadline=None)
@given(st.lists(_row, max_size=6), st.randoms(), st.data())
def test_a_digest_is_of_the_rows_in_any_order(
    rows: list[tuple[object, ...]], order: object, data: st.DataObject
) -> None:
    kinds = [pa.int32(), pa.float32(), pa.string(), pa.string()]

    def table(some: list[tuple[object, ...]]) -> pa.Table:
        columns = [pa.array([row[n] for row in some], kind) for n, kind in enumerate(kinds)]
        return pa.Table.from_arrays(columns, names=list("abcd"))

    shuffled = data.draw(st.permutations(rows))
    cut = data.draw(st.integers(0, len(rows)))
    pieces = pa.concat_tables([table(shuffled[:cut]), table(shuffled[cut:])])
    assert digest(pieces) == digest(table(rows))
    other = data.draw(st.lists(_row, min_size=len(rows), max_size=len(rows)))
    if sorted(map(repr, other)) != sorted(map(repr, rows)):
        assert digest(table(other)) != digest(table(rows))
