"""What becomes of messages: good, bad, mixed, doubled, late, and of odd content."""

from __future__ import annotations

import gzip
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from packet_builder import PacketBuilder, Row

from lasair_broker.packets import AlertBatch, Messages, SchemaStore, decode, decode_datums
from lasair_broker.schema import arrow_schema

AsMessages = Callable[[Sequence[bytes]], Messages]


@pytest.fixture(scope="module")
def build(schemas: SchemaStore) -> PacketBuilder:
    return PacketBuilder(schemas)


@pytest.fixture
def decode_all(schemas: SchemaStore, as_messages: AsMessages) -> Callable[[Sequence[bytes]], AlertBatch]:
    """Decodes messages that are all good and of one schema."""

    def run(values: Sequence[bytes]) -> AlertBatch:
        batches, rejected = decode(as_messages(values), schemas)
        assert rejected.num_rows == 0, rejected["reason"].to_pylist()
        assert len(batches) == 1
        return batches[0]

    return run


def test_no_messages(schemas: SchemaStore, as_messages: AsMessages) -> None:
    batches, rejected = decode(as_messages([]), schemas)
    assert batches == []
    assert rejected.schema == arrow_schema("rejected")
    assert rejected.num_rows == 0


def test_bad_messages_are_rejected_and_their_neighbours_unharmed(
    schemas: SchemaStore, as_messages: AsMessages, build: PacketBuilder
) -> None:
    good = [build.packet(7 + i, build.source(100 + i, 60000.0 + i)) for i in range(3)]
    bad = {
        "empty message": b"",
        "neither Confluent-framed": b'{"diaSourceId": 1}',
        "schema 77 is unknown": build.framed(good[0], 77),
        "the bytes end": build.framed(good[0])[:-9],
        "left over": build.framed(good[0]) + b"\x01",
        "holds 2 alerts": build.container(good[0], good[1]),
        "holds 0 alerts": build.container(),
        "object container": build.container(good[0])[:300],
        "gzip is incomplete": gzip.compress(build.framed(good[0]))[:-4],
        "corrupt gzip": b"\x1f\x8b" + bytes(40),
        "no position": build.framed(build.packet(9, build.source(1, 6e4, ra=math.nan))),
        "no position on the sky": build.framed(build.packet(9, build.source(1, 6e4, dec=90.5))),
        "impossible": build.framed(build.packet(9, build.source(1, 1e200))),
        "no time": build.framed(build.packet(9, build.source(1, math.inf))),
    }
    values: list[bytes] = [build.framed(good[0])]
    for value in bad.values():
        values += [value, build.framed(good[1])]
    values.append(build.framed(good[2]))
    batches, rejected = decode(as_messages(values), schemas)
    assert len(batches) == 1
    assert batches[0].alerts["diaSourceId"].to_pylist() == [100, *[101] * len(bad), 102]
    assert batches[0].objects["diaObjectId"].to_pylist() == [7, 8, 9]
    assert rejected["message"].to_pylist() == list(bad.values())
    for reason, words in zip(rejected["reason"].to_pylist(), bad, strict=True):
        assert words in reason
    assert rejected["offset"].to_pylist() == list(range(101, 101 + 2 * len(bad), 2))
    assert rejected["topic"].to_pylist() == ["night"] * len(bad)
    assert rejected["partition"].to_pylist() == [3] * len(bad)
    assert rejected["arrivedMjdTai"].to_pylist() == [61000.0 + (1 + 2 * i) / 1024 for i in range(len(bad))]


def test_mutated_messages_never_raise(
    schemas: SchemaStore, as_messages: AsMessages, data_folder: Path
) -> None:
    """Whatever the bytes, each message ends in one alert or one rejected row, and all tables can be made."""
    from test_real_packets import members

    wire = [gzip.decompress(f.read_bytes()) for f in sorted((data_folder / "lsst/wire_v10").glob("*.gz"))]
    seeds = [value for value in wire if len(value) < 200_000][:4]
    seeds += [f.read_bytes() for f in sorted((data_folder / "lsst/wire_fake").glob("*.avro"))]
    seeds += members(data_folder / "ztf/forced_v4_kowalski.tar.xz")[:3]
    seeds += members(data_folder / "lsst/sim_v7_4.tar.xz")[:2]
    random = np.random.default_rng(20261)
    for _ in range(8):
        values = []
        for seed in [seeds[i] for i in random.integers(0, len(seeds), 100)]:
            value = bytearray(seed)
            # Most hits go where the packet's own fields are, not into the cut-outs behind them.
            reach = len(value) if random.random() < 0.3 else min(len(value), 3000)
            start = len(value) - reach if seed.startswith(b"Obj") and random.random() < 0.5 else 0
            for place in random.integers(start, start + reach, random.integers(1, 6)):
                value[place] = random.integers(0, 256)
            values.append(bytes(value[: random.integers(1, len(value))] if random.random() < 0.1 else value))
        batches, rejected = decode(as_messages(values), schemas)
        offsets = rejected["offset"].to_pylist()
        for batch in batches:
            offsets += batch.alerts["offset"].to_pylist()
            for table in (batch.diaSources, batch.diaForcedSources, batch.diaNondetectionLimits):
                rows = table.take()
                for name in rows.schema.names:
                    assert (
                        not pa.types.is_floating(rows[name].type) or np.isfinite(rows[name].drop_null()).all()
                    )
                    table.numpy(name)
        assert sorted(offsets) == list(range(100, 200))


def test_an_unknown_schema_says_what_to_do(
    schemas: SchemaStore, as_messages: AsMessages, build: PacketBuilder
) -> None:
    value = build.framed(build.packet(1, build.source(1, 6e4)), 424242)
    _, rejected = decode(as_messages([value]), schemas)
    reason = rejected["reason"][0].as_py()
    for words in ("424242", "registry", "folder", "retry"):
        assert words in reason


def test_all_framings_of_one_packet_agree(
    build: PacketBuilder, decode_all: Callable[..., AlertBatch]
) -> None:
    packet = build.packet(5, build.source(50, 60000.5))
    expected = decode_all([build.framed(packet)])
    for value in (
        gzip.compress(build.framed(packet)),
        gzip.compress(build.framed(packet)[:400]) + gzip.compress(build.framed(packet)[400:]),
        build.container(packet),
        gzip.compress(build.container(packet)),
        build.container(packet, codec="deflate"),
        build.container(packet, codec="snappy"),
    ):
        batch = decode_all([value])
        assert batch.diaSources.take().equals(expected.diaSources.take())
        assert batch.objects.equals(expected.objects)
        assert batch.payloads.bytes(0) == build.datum(packet)
        assert batch.payloads.schema_fingerprint == expected.payloads.schema_fingerprint


def test_schemas_and_surveys_mixed(
    schemas: SchemaStore, as_messages: AsMessages, data_folder: Path, build: PacketBuilder
) -> None:
    from test_real_packets import members

    ztf = members(data_folder / "ztf/sn_ZTF21abiuvdk_v3_3.tar.xz")[:3]
    old = PacketBuilder(schemas, "9.0")
    lsst = [build.framed(build.packet(i, build.source(i, 6e4))) for i in range(1, 4)]
    older = [old.framed(old.packet(i, old.source(i, 6e4))) for i in range(4, 6)]
    values = [lsst[0], ztf[0], older[0], lsst[1], b"?", ztf[1], older[1], ztf[2], lsst[2]]
    batches, rejected = decode(as_messages(values), schemas)
    assert rejected["offset"].to_pylist() == [104]
    found = [(b.survey, b.alerts["offset"].to_pylist()) for b in batches]
    assert found == [("lsst", [100, 103, 108]), ("ztf", [101, 105, 107]), ("lsst", [102, 106])]


def test_an_alert_without_an_object_keeps_its_row(
    build: PacketBuilder, decode_all: Callable[..., AlertBatch]
) -> None:
    batch = decode_all([build.framed(build.packet(None, build.source(3, 6e4)))])
    assert batch.objects.num_rows == len(batch.diaSources) == batch.ssSources.num_rows == 0
    assert batch.alerts["diaSourceId"].to_pylist() == [3]
    assert batch.alerts["diaObjectId"].to_pylist() == batch.alerts["ssObjectId"].to_pylist() == [None]
    assert batch.diaSources.offsets.tolist() == [0]


def test_an_object_known_by_its_number_alone(
    build: PacketBuilder, decode_all: Callable[..., AlertBatch]
) -> None:
    """Its position is the mean of its detections, across the meridian too."""
    packet = build.packet(None, build.source(3, 60001.0, diaObjectId=12, ra=359.9999, dec=-10.0))
    packet["prvDiaSources"] = [build.source(2, 60000.0, diaObjectId=12, ra=0.0003, dec=-10.0002)]
    row = decode_all([build.framed(packet)]).objects.to_pylist()[0]
    assert row["diaObjectId"] == 12
    assert row["ra"] == pytest.approx(0.0001, abs=1e-8)
    assert row["decl"] == pytest.approx(-10.0001, abs=1e-8)


def test_solar_system_detections(build: PacketBuilder, decode_all: Callable[..., AlertBatch]) -> None:
    asteroid = build.packet(None, build.source(1, 6e4, ssObjectId=900, ra=10.0, dec=-5.0))
    asteroid["ssSource"] = build.record("ssSource", diaSourceId=1, ssObjectId=900, designation="2011 AB")
    asteroid["mpc_orbits"] = build.record("mpc_orbits", designation="2011 AB", a=2.5)
    again = build.packet(None, build.source(2, 6e4 + 1, ssObjectId=900, ra=10.2, dec=-5.0))
    again["mpc_orbits"] = build.record("mpc_orbits", designation="2011 AB", a=2.6)
    nameless = build.packet(None, build.source(7, 6e4 + 2, ssObjectId=903))
    nameless["mpc_orbits"] = build.record("mpc_orbits", designation="")
    # The number of an object beside a body's, without the object's record, is not an object.
    passing = build.packet(None, build.source(4, 6e4, ssObjectId=901, diaObjectId=77))
    both = build.packet(78, build.source(5, 6e4, ssObjectId=902))
    star = build.packet(79, build.source(6, 6e4, ssObjectId=0))
    batch = decode_all([build.framed(p) for p in (again, asteroid, passing, both, star, both, nameless)])
    assert batch.objects["diaObjectId"].to_pylist() == [78, 79]
    bodies = batch.ssSources.to_pylist()
    assert [(b["diaSourceId"], b["ssObjectId"], b["diaObjectId"]) for b in bodies] == [
        (2, 900, None),
        (1, 900, None),
        (4, 901, None),
        (5, 902, 78),
        (7, 903, None),
    ]
    assert bodies[1]["designation"] == "2011 AB"
    assert bodies[1]["decl"] == -5.0
    # The orbit is the one of the newest detection, though it came first.
    assert [(o["designation"], o["a"]) for o in batch.mpc_orbits.to_pylist()] == [("2011 AB", 2.6)]
    assert batch.alerts["ssObjectId"].to_pylist() == [900, 900, 901, 902, None, 902, 903]
    assert batch.alerts["diaObjectId"].to_pylist() == [None, None, None, 78, 79, 78, None]


def test_bodies_of_version_7(schemas: SchemaStore, decode_all: Callable[..., AlertBatch]) -> None:
    build = PacketBuilder(schemas, "7.4")
    packet = build.packet(None, build.source(1, 6e4))
    packet["ssObject"] = build.record(
        "ssObject", ssObjectId=31, numObs=12, MOID=0.25, g_Ndata=5, arc=math.inf
    )
    batch = decode_all([build.framed(packet)])
    body = batch.ssObjects.to_pylist()[0]
    wanted = {"ssObjectId": 31, "nObs": 12, "MOIDEarth": 0.25, "g_nObsUsed": 5, "arc": None}
    assert wanted.items() <= body.items()
    assert batch.ssSources["ssObjectId"].to_pylist() == [31]


def test_orbits_of_version_9_get_a_readable_designation(
    schemas: SchemaStore, decode_all: Callable[..., AlertBatch]
) -> None:
    build = PacketBuilder(schemas, "9.0")
    packet = build.packet(None, build.source(1, 6e4, ssObjectId=31))
    packet["MPCORB"] = build.record("MPCORB", mpcDesignation="K08D13Y", incl=3.0, t_p=59813.1)
    orbit = decode_all([build.framed(packet)]).mpc_orbits.to_pylist()[0]
    assert orbit["designation"] == "2008 DY13"
    assert orbit["packed_primary_provisional_designation"] == "K08D13Y"
    assert (orbit["i"], orbit["peri_time"]) == (3.0, 59813.1)


def light_curve(batch: AlertBatch, *names: str) -> list[tuple[object, ...]]:
    table = batch.diaSources.take(None, names)
    return list(zip(*[table[name].to_pylist() for name in names], strict=True))


def test_doubled_and_late_packets_of_one_object(
    build: PacketBuilder, decode_all: Callable[..., AlertBatch]
) -> None:
    def alert(number: int, history: list[int]) -> Row:
        packet = build.packet(1, build.source(number, 60000.0 + number, psfFlux=float(number)))
        packet["prvDiaSources"] = [build.source(n, 60000.0 + n, diaObjectId=1) for n in history]
        packet["diaObject"] = {**packet["diaObject"], "nDiaSources": number, "ra": 150.0 + number / 3600}
        return packet

    newest, older = alert(5, [1, 3, 4]), alert(4, [1, 2, 3])
    for order in ([newest, older, newest], [older, newest], [newest, newest, older, older]):
        batch = decode_all([build.framed(p) for p in order])
        assert batch.alerts.num_rows == len(order)
        assert light_curve(batch, "diaSourceId", "midpointMjdTai") == [(n, 60000.0 + n) for n in range(1, 6)]
        # Own detections (flux = number) win over their copies in histories (flux = 100).
        assert light_curve(batch, "psfFlux") == [(100.0,), (100.0,), (100.0,), (4.0,), (5.0,)]
        row = batch.objects.to_pylist()[0]
        assert row["nDiaSources"] == 5
        assert row["ra"] == 150.0 + 5 / 3600
        assert (row["firstDiaSourceMjdTai"], row["lastDiaSourceMjdTai"]) == (60001.0, 60005.0)


def test_a_withdrawn_source_stays_and_is_marked(
    build: PacketBuilder, decode_all: Callable[..., AlertBatch]
) -> None:
    first = build.packet(1, build.source(1, 60001.0))
    second = build.packet(1, build.source(2, 60002.0))
    second["prvDiaSources"] = [build.source(1, 60001.0, timeWithdrawnMjdTai=60001.5)]
    third = build.packet(1, build.source(3, 60003.0))
    third["prvDiaSources"] = [build.source(1, 60001.0, timeProcessedMjdTai=60002.9), build.source(2, 60002.0)]
    for order in ([first, second, third], [third, second, first], [second, first, third]):
        batch = decode_all([build.framed(p) for p in order])
        assert light_curve(batch, "diaSourceId", "timeWithdrawnMjdTai") == [
            (1, 60001.5),
            (2, None),
            (3, None),
        ]
        row = batch.objects.to_pylist()[0]
        assert (row["firstDiaSourceMjdTai"], row["lastDiaSourceMjdTai"]) == (60002.0, 60003.0)


def test_of_two_processings_the_later_is_kept(
    build: PacketBuilder, decode_all: Callable[..., AlertBatch]
) -> None:
    def alert(number: int, flux: float, processed: float) -> Row:
        packet = build.packet(1, build.source(number, 60000.0 + number, timeProcessedMjdTai=60000.0))
        again = {"diaObjectId": 1, "psfFlux": flux, "timeProcessedMjdTai": processed}
        packet["prvDiaForcedSources"] = [
            build.record("diaForcedSource", diaForcedSourceId=9, midpointMjdTai=60000.0, **again)
        ]
        return packet

    for order in (
        [alert(1, 5.0, 60000.1), alert(2, 6.0, 60000.2)],
        [alert(2, 6.0, 60000.2), alert(1, 5.0, 60000.1)],
    ):
        batch = decode_all([build.framed(p) for p in order])
        assert batch.diaForcedSources.column("psfFlux").to_pylist() == [6.0]


def test_upper_limits_of_version_7(schemas: SchemaStore, decode_all: Callable[..., AlertBatch]) -> None:
    build = PacketBuilder(schemas, "7.4")

    def limit(time: float, band: str, noise: float) -> Row:
        return build.record(
            "diaNondetectionLimit", ccdVisitId=1, midpointMjdTai=time, band=band, diaNoise=noise
        )

    one = build.packet(1, build.source(1, 60001.0))
    one["prvDiaNondetectionLimits"] = [limit(60000.0, "r", 10.0), limit(60000.0, "g", 11.0)]
    two = build.packet(1, build.source(2, 60002.0))
    two["prvDiaNondetectionLimits"] = [limit(60000.0, "g", 12.0), limit(59999.0, "y", math.nan)]
    batch = decode_all([build.framed(one), build.framed(two)])
    rows = batch.diaNondetectionLimits.take().to_pylist()
    assert [(r["midpointMjdTai"], r["band"], r["diaNoise"], r["limitingFlux"]) for r in rows] == [
        (59999.0, "y", None, None),
        (60000.0, "g", 12.0, 60.0),
        (60000.0, "r", 10.0, 50.0),
    ]


def test_what_is_not_finite_is_null(build: PacketBuilder, decode_all: Callable[..., AlertBatch]) -> None:
    values = [math.nan, math.inf, -math.inf, 3.0e38, None]
    packets = [build.packet(i + 1, build.source(i, 6e4, psfFlux=flux)) for i, flux in enumerate(values)]
    batch = decode_all([build.framed(p) for p in packets])
    column = batch.diaSources.column("psfFlux").to_pylist()
    assert column[:3] == [None, None, None]
    assert column[3] == pytest.approx(3.0e38)
    assert column[4] is None
    kernel = batch.diaSources.numpy("psfFlux")
    assert np.isnan(kernel[[0, 1, 2, 4]]).all()


def test_the_end_of_the_exposure(build: PacketBuilder, decode_all: Callable[..., AlertBatch]) -> None:
    packets = [
        build.packet(1, build.source(1, 6e4, exposureTime=30.0)),
        build.packet(2, build.source(2, 6e4)),
    ]
    batch = decode_all([build.framed(p) for p in packets])
    ends = batch.alerts["exposureEndMjdTai"].to_pylist()
    assert ends[0] == pytest.approx(6e4 + 15 / 86400, abs=1e-10)
    assert ends[1] is None


def test_a_history_row_without_time_or_place_is_left_out(
    build: PacketBuilder, decode_all: Callable[..., AlertBatch]
) -> None:
    packet = build.packet(1, build.source(9, 60001.0))
    packet["prvDiaSources"] = [
        build.source(1, math.nan),
        build.source(2, 60000.0, ra=math.nan),
        build.source(3, 60000.5),
    ]
    assert light_curve(decode_all([build.framed(packet)]), "diaSourceId") == [(3,), (9,)]


def test_datums_are_decoded_again(
    schemas: SchemaStore, build: PacketBuilder, decode_all: Callable[..., AlertBatch]
) -> None:
    packets = [build.packet(i, build.source(i, 60000.0 + i)) for i in (3, 1, 2)]
    first = decode_all([build.framed(p) for p in packets])
    again, rejected = decode_datums(first.payloads, first.alerts, schemas)
    assert again is not None
    assert rejected.num_rows == 0
    assert again.objects.equals(first.objects)
    assert again.diaSources.take().equals(first.diaSources.take())
    own_time = [name for name in first.alerts.schema.names if name != "decodedMjdTai"]
    assert again.alerts.select(own_time).equals(first.alerts.select(own_time))


def test_a_datum_gone_bad_is_rejected_when_decoded_again(
    schemas: SchemaStore, build: PacketBuilder, decode_all: Callable[..., AlertBatch]
) -> None:
    from dataclasses import replace

    first = decode_all([build.framed(build.packet(i, build.source(i, 6e4))) for i in (1, 2)])
    cut = replace(first.payloads, length=first.payloads.length - np.array([0, 3]))
    again, rejected = decode_datums(cut, first.alerts, schemas)
    assert again is not None
    assert again.alerts["offset"].to_pylist() == [100]
    assert rejected["offset"].to_pylist() == [101]
    assert rejected["message"].to_pylist() == [first.payloads.bytes(1)[:-3]]


def test_batches_keep_their_messages_alive(
    schemas: SchemaStore, as_messages: AsMessages, build: PacketBuilder
) -> None:
    import gc

    values = [build.framed(build.packet(i + 1, build.source(i + 1, 6e4, band="y"))) for i in range(200)]
    batches, _ = decode(as_messages(values), schemas)
    wanted = build.datum(build.packet(77, build.source(77, 6e4, band="y")))
    del values
    gc.collect()
    clutter = [bytes([i % 251]) * 3000 for i in range(2000)]
    assert batches[0].payloads.bytes(76) == wanted
    assert batches[0].diaSources.column("band").to_pylist() == ["y"] * 200
    assert clutter


def test_tables_have_canonical_types(build: PacketBuilder, decode_all: Callable[..., AlertBatch]) -> None:
    batch = decode_all([build.framed(build.packet(1, build.source(1, 6e4)))])
    assert batch.diaSources.take().schema.types == arrow_schema("diaSources").types
    assert batch.ssSources.schema == arrow_schema("ssSources")
    for table, name in ((batch.objects, "objects"), (batch.alerts, "alerts")):
        schema = arrow_schema(name)
        for field in table.schema:
            if field.name in schema.names:
                assert field.type == schema.field(field.name).type
    assert set(batch.alerts.schema.names) - set(arrow_schema("alerts").names) == {
        f"cutout{which}{what}"
        for which in ("Difference", "Science", "Template")
        for what in ("Offset", "Length")
    }
    assert isinstance(batch.objects, pa.Table)
