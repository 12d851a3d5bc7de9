"""Real alerts in the archive: what is read back is what was sent."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest
from asking import ask

from lasair_broker.packets import AlertBatch, Messages, SchemaStore, decode, decode_datums, read_files
from lasair_broker.schema import arrow_schema

CURVES = {
    "diaSources": ["diaObjectId", "midpointMjdTai", "diaSourceId"],
    "diaForcedSources": ["diaObjectId", "midpointMjdTai", "diaForcedSourceId"],
    "diaNondetectionLimits": ["diaObjectId", "midpointMjdTai", "band"],
}
SETS = [
    ["lsst/wire_v10"],
    ["lsst/ddf_v10.avro", "lsst/ddf_v10.parquet"],
    ["lsst/lsstcam_v9.tar.xz", "lsst/sso_v9.tar.gz"],
    ["ztf/sn_ZTF21abiuvdk_v3_3.tar.xz", "ztf/forced_v4_*.tar.xz"],
]


@pytest.fixture(scope="module")
def schemas(data: Path) -> SchemaStore:
    return SchemaStore(folders=(data / "lsst/schemas",))


def files(data: Path, names: list[str]) -> list[Path]:
    found = [path for name in names for path in sorted(data.glob(name))]
    assert len(found) >= len(names)
    return found


def batches_of(paths: list[Path], schemas: SchemaStore, size: int = 2000) -> list[AlertBatch]:
    out = []
    for messages in read_files(paths, batch_messages=size):
        batches, rejected = decode(messages, schemas)
        # Beside ZTF's packets lie a few of other telescopes.
        assert all("fields of any survey" in reason for reason in rejected.column("reason").to_pylist())
        out += batches
    return out


def ordered(rows: pa.Table, name: str) -> pa.Table:
    return rows.sort_by([(key, "ascending") for key in CURVES[name]])


@pytest.mark.parametrize("names", SETS, ids=lambda names: Path(names[0]).stem)
def test_light_curves_read_back_equal_what_was_sent(places, data, schemas, names):
    batches = batches_of(files(data, names), schemas)
    with places() as archive:
        for batch in batches:
            archive.write([batch])
        assert archive.check() == []
        newest = {
            row["diaObjectId"]: row
            for batch in sorted(batches, key=lambda b: b.alerts.column("midpointMjdTai")[0].as_py())
            for row in batch.objects.select(["diaObjectId", "healpix29"]).to_pylist()
        }
        curves = archive.light_curves(list(newest))
        for name in CURVES:
            sent = pa.concat_tables([getattr(batch, name).take() for batch in batches])
            held = getattr(curves, name)
            # Each column of each row, except the cell, which stays that of the object's first packet.
            columns = [column for column in arrow_schema(name).names if column != "healpix29"]
            sent_rows = {
                tuple(row[key] for key in CURVES[name]): row for row in sent.select(columns).to_pylist()
            }
            held_rows = {
                tuple(row[key] for key in CURVES[name]): row for row in held.select(columns).to_pylist()
            }
            assert len(held_rows) == len(held)
            assert held_rows.keys() == sent_rows.keys()
            if len(sent) == len(held_rows):
                assert held_rows == sent_rows
            cells = set(
                zip(held.column("diaObjectId").to_pylist(), held.column("healpix29").to_pylist(), strict=True)
            )
            assert len({key for key, _ in cells}) == len(cells)
        before = archive.status()
        for batch in reversed(batches):
            report = archive.write([batch])
            assert report.alerts == 0
            assert sum(report.new_rows.values()) == 0
        after = archive.status()
        assert {n: t.rows for n, t in after.tables.items()} == {n: t.rows for n, t in before.tables.items()}
        assert after.pack_bytes == before.pack_bytes


@pytest.mark.parametrize("names", SETS, ids=lambda names: Path(names[0]).stem)
def test_images_and_datums_are_those_of_the_packets(places, data, schemas, names):
    batches = batches_of(files(data, names), schemas)
    with places() as archive:
        archive.write(batches)
        datums: dict[int, list[bytes]] = {}
        for batch in batches:
            for n, key in enumerate(batch.alerts.column("diaSourceId").to_pylist()):
                datums.setdefault(key, []).append(batch.payloads.bytes(n))
        images = 0
        for batch in batches:
            for n, row in enumerate(batch.alerts.to_pylist()[:20]):
                # Some alerts came from two brokers, in two versions of their schema; the later one is given.
                held, schema_json = archive.alert_bytes(row["diaSourceId"])
                assert held in datums[row["diaSourceId"]]
                assert json.loads(schema_json)["name"] == json.loads(batch.payloads.schema_json)["name"]
                for which in ("Difference", "Science", "Template"):
                    image = archive.cutout(row["diaSourceId"], which)
                    offset, length = row[f"cutout{which}Offset"], row[f"cutout{which}Length"]
                    assert (image is None) == (offset is None)
                    if image is not None:
                        images += 1
                        assert image.startswith(b"SIMPLE  =")
                        stored = batch.payloads.bytes(n)[offset : offset + length]
                        assert stored == image or stored.startswith(b"\x1f\x8b")
        assert images > 0
        some = batches[0].alerts.column("diaSourceId")[0].as_py()
        assert archive.cutout_png(some, "Science").startswith(b"\x89PNG")


def test_replay_decodes_to_the_same_batches(places, data, schemas):
    (batch,) = batches_of([data / "lsst/wire_v10"], schemas)
    with places() as archive:
        archive.write([batch])
        (stored,) = archive.replay()
        again, rejected = decode_datums(stored.payloads, stored.alerts, schemas)
        assert rejected.num_rows == 0
        assert again is not None
        for name in CURVES:
            assert ordered(getattr(again, name).take(), name) == ordered(getattr(batch, name).take(), name)
        assert again.payloads.schema_fingerprint == batch.payloads.schema_fingerprint


def one_by_one(messages: Messages) -> list[Messages]:
    return [
        Messages(
            messages.values[n : n + 1],
            messages.topics,
            messages.topic[n : n + 1],
            messages.partition[n : n + 1],
            messages.offset[n : n + 1],
            messages.arrivedMjdTai[n : n + 1],
        )
        for n in range(len(messages))
    ]


def test_a_supernova_in_any_order(places, data, schemas):
    """Its 34 alerts all at once, one by one as they came, and backwards give the same light curve."""
    (messages,) = read_files([data / "ztf/sn_ZTF21abiuvdk_v3_3.tar.xz"])
    single = [decode(message, schemas)[0] for message in one_by_one(messages)]
    single.sort(key=lambda batches: batches[0].alerts.column("midpointMjdTai")[0].as_py())
    ways = {"at once": [decode(messages, schemas)[0]], "as they came": single, "backwards": single[::-1]}
    found = {}
    for way, writes in ways.items():
        with places(way) as archive:
            for batches in writes:
                archive.write(batches)
            assert archive.check() == []
            (key,) = ask(archive, "SELECT diaObjectId FROM objects").column(0).to_pylist()
            curve = archive.light_curve(key)
            found[way] = (
                curve.diaSources.column("diaSourceId").to_pylist(),
                curve.diaNondetectionLimits.select(["midpointMjdTai", "band"]).to_pylist(),
                archive.object(key).column("lastDiaSourceMjdTai").to_pylist(),
                ask(archive, "SELECT count(*) FROM alerts").column(0).to_pylist(),
            )
    assert found["at once"] == found["as they came"] == found["backwards"]
    assert len(found["at once"][0]) >= 34


def test_a_stream_of_simulated_alerts_in_small_batches(places, data, schemas):
    """ELAsTiCC: 253 objects over months; every write brings only what is new, and nothing is missing at the
    end."""
    with places(settle_bytes=1 << 22) as archive:
        rows = dict.fromkeys(CURVES, 0)
        compared = alerts = 0
        sources: set[tuple[int, int]] = set()
        for messages in read_files([data / "lsst/elasticc_stream.tar.xz"], batch_messages=400):
            batches, rejected = decode(messages, schemas)
            assert rejected.num_rows == 0
            report = archive.write(batches)
            alerts += report.alerts + report.duplicates
            compared += report.compared_objects
            for name in rows:
                rows[name] += report.new_rows[name]
            for batch in batches:
                pairs = batch.diaSources.take(None, ["diaObjectId", "diaSourceId"])
                sources.update(zip(*(column.to_pylist() for column in pairs.columns), strict=True))
        status = archive.status()
        assert {name: status.tables[name].rows for name in rows} == rows
        assert alerts == 2845
        assert rows["diaSources"] == len(sources)
        held = ask(archive, "SELECT diaObjectId, diaSourceId FROM diaSources", max_rows=None)
        assert sources == set(zip(*(column.to_pylist() for column in held.columns), strict=True))
        assert archive.check() == []
