"""What is older than it is kept goes out of the packs; all else stays as it was."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import fastavro
import numpy as np
import pytest
from asking import ask
from typer.testing import CliRunner

from lasair_broker.archive import Archive, ArchiveCorruptError, Retention, copy_archive, tidy_archive
from lasair_broker.cli._app import app
from lasair_broker.packets import (
    AlertBatch,
    Cutout,
    SchemaStore,
    decode,
    decode_datums,
    mjd_tai_now,
    read_files,
)

IMAGES: tuple[Cutout, ...] = ("Difference", "Science", "Template")
LATER = 40.0
SOME = Retention(images={"lsst": 30}, alerts={})


@pytest.fixture(scope="module")
def batches(data: Path) -> list[AlertBatch]:
    """Alerts of both surveys."""
    paths = [*sorted(data.glob("lsst/wire_v10")), *sorted(data.glob("ztf/sn_ZTF21abiuvdk_v3_3.tar.xz"))]
    assert len(paths) == 2
    store = SchemaStore(folders=(data / "lsst/schemas",))
    return [batch for messages in read_files(paths) for batch in decode(messages, store)[0]]


@pytest.fixture
def filled(places: Any, batches: list[AlertBatch]) -> Iterator[Archive]:
    with places() as archive:
        archive.write(batches)
    with places() as archive:
        yield archive


def ids(archive: Archive, survey: str) -> list[int]:
    found = ask(archive, f"SELECT diaSourceId FROM alerts WHERE survey = '{survey}' ORDER BY diaSourceId")
    return found.column(0).to_pylist()


def images(archive: Archive, survey: str) -> list[bytes | None]:
    return [archive.cutout(key, which) for key in ids(archive, survey) for which in IMAGES]


def records(archive: Archive, survey: str) -> list[dict[str, Any]]:
    """The packets as another reader of Avro sees them."""
    found = []
    for key in ids(archive, survey):
        stored = archive.alert_bytes(key)
        assert stored is not None
        schema = fastavro.parse_schema(json.loads(stored[1]))
        found.append(fastavro.schemaless_reader(io.BytesIO(stored[0]), schema, None))
    return found


def bare(record: dict[str, Any]) -> dict[str, Any]:
    """A packet but for its images."""
    return {key: value for key, value in record.items() if not key.startswith("cutout")}


def same(left: list[dict[str, Any]], right: list[dict[str, Any]]) -> bool:
    """Whether packets are equal, where NaN is equal to NaN."""
    return list(map(repr, left)) == list(map(repr, right))


def tidy(archive: Archive, keep: Retention, later: float = LATER) -> Any:
    return tidy_archive(archive, keep, mjd_tai_now() + later)


def test_images_of_a_survey_go_and_all_else_stays(filled: Archive) -> None:
    packets, ztf_packets = records(filled, "lsst"), records(filled, "ztf")
    ztf_images = images(filled, "ztf")
    assert None not in images(filled, "lsst")
    before = filled.status().pack_bytes
    done = tidy(filled, SOME)
    assert (done.alerts, done.images, done.failed) == (0, len(packets), {})
    assert done.bytes == before - filled.status().pack_bytes > 0
    assert images(filled, "lsst") == [None] * (3 * len(packets))
    assert images(filled, "ztf") == ztf_images
    assert same(records(filled, "ztf"), ztf_packets)
    stripped = records(filled, "lsst")
    assert same([bare(packet) for packet in stripped], [bare(packet) for packet in packets])
    assert {packet[f"cutout{which}"] for packet in stripped for which in IMAGES} == {b""}
    assert filled.check() == []
    assert tidy(filled, SOME).images == 0


def test_a_packet_without_images_is_decoded_and_has_none(filled: Archive, places: Any) -> None:
    tidy(filled, SOME)
    with places("again") as again:
        for stored in filled.replay(diaSourceIds=ids(filled, "lsst")):
            batch, rejected = decode_datums(stored.payloads, stored.alerts, SchemaStore())
            assert batch is not None
            assert rejected.num_rows == 0
            again.write([batch])
        assert ids(again, "lsst") == ids(filled, "lsst")
        assert ask(again, "SELECT * FROM cutouts").num_rows == 0


def test_other_bytes_than_those_of_the_images_tell_another_alert(
    filled: Archive, batches: list[AlertBatch]
) -> None:
    """One byte changed anywhere outside of the images."""
    tidy(filled, SOME)
    lsst = next(batch for batch in batches if batch.survey == "lsst")
    datum = lsst.payloads.bytes(0)
    inside = np.zeros(len(datum), bool)
    for which in IMAGES:
        offset, length = (
            lsst.alerts.column(f"cutout{which}{what}")[0].as_py() for what in ("Offset", "Length")
        )
        inside[offset - 5 : offset + length] = True  # with its length
    outside = np.flatnonzero(~inside)
    places = np.random.default_rng(1).choice(outside[outside > 100], 6, replace=False).tolist()
    for place in places:
        changed = bytearray(datum)
        changed[place] ^= 1
        held = np.frombuffer(bytes(changed), np.uint8)
        payloads = replace(
            lsst.payloads,
            address=np.array([held.ctypes.data, *lsst.payloads.address[1:]]),
            owners=(lsst.payloads, held),
        )
        report = filled.write([replace(lsst, payloads=payloads)])
        assert report.alerts == 1, place


def test_nothing_is_done_too_early(filled: Archive) -> None:
    before = filled.packs().lengths
    for keep in (SOME, Retention(images={}, alerts={"ztf": 30}), Retention({}, {})):
        assert tidy(filled, keep, later=28).bytes == 0
    assert filled.packs().lengths == before


def test_packets_of_a_survey_go_and_their_rows_stay(filled: Archive) -> None:
    packets, kept = records(filled, "ztf"), images(filled, "ztf")
    count = len(ids(filled, "lsst"))
    curves = ask(filled, "SELECT * FROM diaSources ORDER BY diaSourceId")
    done = tidy(filled, Retention(images={}, alerts={"lsst": 30}))
    assert (done.alerts, done.images) == (count, count)
    assert len(ids(filled, "lsst")) == count
    assert all(filled.alert_bytes(key) is None for key in ids(filled, "lsst"))
    assert images(filled, "lsst") == [None] * (3 * count)
    assert same(records(filled, "ztf"), packets)
    assert images(filled, "ztf") == kept
    assert ask(filled, "SELECT * FROM diaSources ORDER BY diaSourceId").equals(curves)
    assert filled.check() == []
    both = tidy(filled, Retention(images={}, alerts={"lsst": 30, "ztf": 35}))
    assert both.alerts == len(packets)
    assert filled.packs().lengths == {}
    assert list(filled.replay()) == []
    assert filled.check() == []


@pytest.mark.parametrize("broken", ["move_alerts", "remove_packs"])
def test_broken_off_it_goes_on(filled: Archive, broken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the rows point to the new packs, or after, and before the old ones are removed."""
    expected = images(filled, "ztf")
    todo = getattr(filled, broken)

    def fail(*arguments: Any) -> None:
        if arguments[0]:  # at the start there is nothing to be removed
            raise KeyboardInterrupt
        todo(*arguments)

    monkeypatch.setattr(filled, broken, fail)
    with pytest.raises(KeyboardInterrupt):
        tidy(filled, SOME)
    monkeypatch.undo()
    assert not [finding for finding in filled.check() if finding.severity == "error"]
    tidy(filled, SOME)
    assert images(filled, "lsst") == [None] * (3 * len(ids(filled, "lsst")))
    assert images(filled, "ztf") == expected
    filled.compact(remove_unknown_packs=True)  # what was written and not pointed to
    assert filled.check() == []


def test_a_pack_that_is_damaged_is_left_and_told(filled: Archive, places: Any) -> None:
    (path,) = (places.folder / "archive").rglob("*.pack")
    with path.open("r+b") as file:
        file.seek(filled.status().pack_bytes // 2)
        file.write(b"no alert has this")
    done = tidy(filled, SOME)
    assert set(done.failed) == {path.name}
    assert "not what was written" in done.failed[path.name]
    assert path.exists()


def test_what_a_tidied_archive_has_can_be_copied(filled: Archive, places: Any) -> None:
    tidy(filled, SOME)
    with places("copy") as copy:
        copy_archive(filled, copy)
        assert same(records(copy, "lsst"), records(filled, "lsst"))
        assert copy.check() == []


def test_alerts_that_come_again_are_known_without_their_images(
    filled: Archive, places: Any, batches: list[AlertBatch]
) -> None:
    tidy(filled, SOME)
    filled.close()
    with places() as archive:  # as in another night, which has a pack of its own
        before = archive.status()
        report = archive.write(batches)
        assert (report.alerts, report.duplicates) == (0, before.tables["alerts"].rows)
        assert archive.status().pack_bytes == before.pack_bytes
        assert set(images(archive, "lsst")) == {None}
        assert None not in images(archive, "ztf")
        assert archive.check() == []


def test_the_command(places: Any, batches: list[AlertBatch], monkeypatch: pytest.MonkeyPatch) -> None:
    with places() as archive:
        archive.write(batches)
    monkeypatch.setenv("LASAIR_ARCHIVE__PACKS", str(places.folder / "archive" / "packs"))
    monkeypatch.setenv("LASAIR_ARCHIVE__KEEP_IMAGES_DAYS", '{"lsst": 30, "ztf": 30.5}')
    monkeypatch.setattr("lasair_broker.cli._archive.mjd_tai_now", lambda: mjd_tai_now() + LATER)
    done = CliRunner().invoke(app, ["archive", "tidy", "--archive", places.url()])
    assert done.exit_code == 0, done.output
    assert "lost their images" in done.output
    with places() as archive:
        assert ask(archive, "SELECT * FROM cutouts").num_rows == 0
        assert archive.check() == []
    monkeypatch.setenv("LASAIR_ARCHIVE__KEEP_IMAGES_DAYS", '{"atlas": 30}')
    done = CliRunner().invoke(app, ["archive", "tidy", "--archive", places.url()])
    assert done.exit_code != 0


def test_an_image_that_is_not_where_it_should_be(filled: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is cut where the packet does not say that an image of that length lies."""
    monkeypatch.setattr("lasair_broker.archive._tidy._avro_long", lambda size: b"??")
    done = tidy(filled, SOME)
    assert all("has no image of" in reason for reason in done.failed.values())
    assert len(done.failed) == 1
    assert None not in images(filled, "lsst")
    with pytest.raises(ArchiveCorruptError):
        filled.packs().place.reader().read("raw-00001-000001.pack", 0, 1)
