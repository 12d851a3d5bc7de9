"""Every real packet there is: the canonical tables against values worked out from fastavro's dictionaries."""

from __future__ import annotations

import datetime
import gzip
import io
import json
import math
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import fastavro
import numpy as np
import packet_oracle as oracle
import pyarrow as pa
import pytest

from lasair_broker.packets import AlertBatch, Messages, SchemaStore, decode, ztf_object_id
from lasair_broker.schema import arrow_schema
from lasair_broker.sky import healpix29

Row = dict[str, Any]
AsMessages = Callable[[Sequence[bytes]], Messages]

ARCHIVES = {
    "lsst/elasticc_stream.tar.xz": ("elasticc", 2845),
    "lsst/hsc_v9.tar.xz": ("lsst", 40),
    "lsst/lsstcam_v9.tar.xz": ("lsst", 55),
    "lsst/sim_v7_4.tar.xz": ("lsst", 30),
    "ztf/ztf_v3_2.tar.xz": ("ztf", 500),
    "ztf/sn_ZTF21abiuvdk_v3_3.tar.xz": ("ztf", 34),
    "ztf/forced_v4_boom.tar.xz": ("ztf", 36),
    "ztf/forced_v4_kowalski.tar.xz": ("ztf", 24),
}


def members(path: Path) -> list[bytes]:
    with tarfile.open(path) as archive:
        files = [archive.extractfile(entry) for entry in archive.getmembers() if entry.name.endswith(".avro")]
        return [file.read() for file in files if file is not None]


def container_records(value: bytes) -> tuple[str, list[Row]]:
    """The writer schema as JSON and the records of a container."""
    reader = fastavro.reader(io.BytesIO(value))
    records = [record for record in reader if isinstance(record, dict)]
    return reader.metadata["avro.schema"], records


def agree(expected: Any, got: Any, kind: pa.DataType, exact: bool) -> bool:
    if expected is None or got is None:
        return expected is None and got is None
    if pa.types.is_floating(kind):
        value = float(np.float32(expected)) if kind == pa.float32() else float(expected)
        if not math.isfinite(value):
            return False
        if exact:
            return value == got
        return math.isclose(value, got, rel_tol=1e-6 if kind == pa.float32() else 1e-14, abs_tol=2e-10)
    if pa.types.is_timestamp(kind) and isinstance(expected, int | float):
        expected = datetime.datetime.fromtimestamp(0, datetime.UTC) + datetime.timedelta(
            microseconds=expected
        )
    return bool(expected == got)


def assert_rows(
    expected: Sequence[Row], table: pa.Table, exact: bool, ignore: frozenset[str] = frozenset()
) -> None:
    got = table.to_pylist()
    assert len(got) == len(expected)
    for want, have in zip(expected, got, strict=True):
        for field in table.schema:
            if field.name in ignore:
                continue
            value, other = want.get(field.name), have[field.name]
            assert agree(value, other, field.type, exact), f"{field.name}: {value!r} became {other!r}"


def assert_batch(batch: AlertBatch, records: Sequence[Row], survey: str) -> None:
    """All tables of a batch against the packets it was made of, in their order."""
    exact = survey == "lsst" and "time_processed" not in records[0]["diaSource"]
    if survey == "ztf":
        oracle.prepare_ztf_times(records)
    parts = [oracle.PARTS[survey](record) for record in records]
    assert batch.survey == survey
    assert batch.alerts.num_rows == len(parts)
    objects: dict[int, list[Row]] = {}
    for part in parts:
        if part["object_id"]:
            objects.setdefault(part["object_id"], []).append(part)
    assert batch.objects["diaObjectId"].to_pylist() == sorted(objects)
    cells = dict(
        zip(batch.objects["diaObjectId"].to_pylist(), batch.objects["healpix29"].to_pylist(), strict=True)
    )
    for place, (object_id, its_parts) in enumerate(sorted(objects.items())):
        shared = {"survey": survey, "diaObjectId": object_id, "healpix29": cells[object_id]}
        assert_object(batch.objects.slice(place, 1), its_parts, shared, exact)
    for table, kind, identity in (
        (batch.diaSources, "history", "diaSourceId"),
        (batch.diaForcedSources, "forced", "diaForcedSourceId"),
        (batch.diaNondetectionLimits, "limits", None),
    ):
        want, offsets = [], [0]
        for object_id, its_parts in sorted(objects.items()):
            shared = {"survey": survey, "diaObjectId": object_id, "healpix29": cells[object_id]}
            want += [{**row, **shared} for row in oracle.united(its_parts, kind, identity)]
            offsets.append(len(want))
        assert table.offsets.tolist() == offsets
        assert_rows(want, table.take(), exact)
    assert_alerts(batch, parts, cells)
    assert_solar_system(batch, records, parts, survey, exact)


def assert_object(table: pa.Table, parts: list[Row], shared: Row, exact: bool) -> None:
    newest = max(
        enumerate(parts),
        key=lambda pair: (
            pair[1]["source"]["midpointMjdTai"],
            pair[1]["object"].get("validityStartMjdTai") or -math.inf,
            pair[0],
        ),
    )[1]
    rows = oracle.united(parts, "history", "diaSourceId")
    standing = [row for row in rows if row.get("timeWithdrawnMjdTai") is None]
    stated = newest["object"]
    position = (stated["ra"], stated["decl"]) if stated.get("ra") is not None else oracle.mean_position(rows)
    want = {**stated, **shared, "objectName": newest["object_name"]}
    want["firstDiaSourceMjdTai"] = stated.get("firstDiaSourceMjdTai") or standing[0]["midpointMjdTai"]
    want["lastDiaSourceMjdTai"] = stated.get("lastDiaSourceMjdTai") or standing[-1]["midpointMjdTai"]
    want["nDiaSources"] = len(standing) if stated.get("nDiaSources") is None else stated["nDiaSources"]
    got = table.to_pylist()[0]
    assert abs(got["ra"] - position[0]) < 1e-9
    assert abs(got["decl"] - position[1]) < 1e-9
    assert got["healpix29"] == healpix29(got["ra"], got["decl"])
    assert_rows([want], table, exact, frozenset({"ra", "decl"}))
    # Everything the packet says that the table has a column for has come along.
    missing = {name for name, value in want.items() if value is not None} - set(table.schema.names)
    assert not missing


def assert_alerts(batch: AlertBatch, parts: list[Row], cells: dict[int, int]) -> None:
    own_cells = healpix29([p["source"]["ra"] for p in parts], [p["source"]["decl"] for p in parts]).tolist()
    for row, (part, got, own) in enumerate(zip(parts, batch.alerts.to_pylist(), own_cells, strict=True)):
        source = part["source"]
        assert got["diaSourceId"] == source["diaSourceId"]
        assert got["midpointMjdTai"] == pytest.approx(source["midpointMjdTai"], abs=1e-9, rel=0)
        assert got["diaObjectId"] == part["object_id"]
        assert got["ssObjectId"] == (part["ss_object"] or None)
        assert got["healpix29"] == cells.get(part["object_id"], own)
        assert got["schemaFingerprint"] == batch.payloads.schema_fingerprint
        assert got["decodedMjdTai"] > 60000
        datum = batch.payloads.bytes(row)
        for which, image in part["cutouts"].items():
            start, length = got[f"cutout{which}Offset"], got[f"cutout{which}Length"]
            assert (None if start is None else datum[start : start + length]) == image


def assert_solar_system(
    batch: AlertBatch, records: Sequence[Row], parts: list[Row], survey: str, exact: bool
) -> None:
    wanted, orbits, bodies = [], {}, {}
    for part in parts:
        if part["body"] is None:
            continue
        source = part["source"]
        own = {
            "survey": survey,
            "diaObjectId": part["object_id"],
            "ssObjectId": part["ss_object"],
            "healpix29": int(healpix29(source["ra"], source["decl"])),
        }
        wanted.append({**part["body"], **source, **own})
        if part["orbit"] is not None:
            orbits[part["orbit"]["packed_primary_provisional_designation"]] = part["orbit"]
        if part.get("summary_of_body"):
            bodies[part["ss_object"]] = part["summary_of_body"]
    assert_rows(wanted, batch.ssSources, exact)
    assert_rows([bodies[key] for key in sorted(bodies)], batch.ssObjects.sort_by("ssObjectId"), exact)
    assert batch.mpc_orbits.schema == arrow_schema("mpc_orbits")
    packed = "packed_primary_provisional_designation"
    want = sorted(orbits.values(), key=lambda orbit: str(orbit[packed]))
    # Version 9 has the packed designation only; how it is unpacked has tests of its own.
    unpacked = (
        {"designation", "unpacked_primary_provisional_designation"} if "MPCORB" in records[0] else set()
    )
    assert_rows(want, batch.mpc_orbits.sort_by(packed), exact, frozenset(unpacked))


@pytest.mark.parametrize("name", ARCHIVES)
def test_archives_of_containers(
    name: str, data_folder: Path, schemas: SchemaStore, as_messages: AsMessages
) -> None:
    survey, count = ARCHIVES[name]
    values = members(data_folder / name)
    batches, rejected = decode(as_messages(values), schemas)
    records: dict[str, list[Row]] = {}
    strangers = []
    for value in values:
        written, its_records = container_records(value)
        if json.loads(written)["name"] in ("desirt.alert", "askap.alert"):
            strangers.append(value)
            continue
        records.setdefault(written, []).extend(its_records)
    assert sum(len(group) for group in records.values()) == count
    assert rejected["message"].to_pylist() == strangers
    assert len(batches) == len(records)
    for batch, group in zip(batches, records.values(), strict=True):
        assert_batch(batch, group, survey)


def test_confluent_framed_gzipped_packets(
    data_folder: Path, schemas: SchemaStore, as_messages: AsMessages
) -> None:
    files = sorted((data_folder / "lsst/wire_v10").glob("*.avro.gz"))
    values = [file.read_bytes() for file in files]
    written = fastavro.parse_schema(schemas.lsst("10.0"))
    batches, rejected = decode(as_messages(values), schemas)
    records = [fastavro.schemaless_reader(io.BytesIO(gzip.decompress(v)[5:]), written, None) for v in values]
    assert rejected.num_rows == 0
    assert len(batches) == 1
    assert_batch(batches[0], records, "lsst")  # type: ignore[arg-type]
    alerts = batches[0].alerts
    assert alerts["topic"].to_pylist() == ["night"] * 8
    assert alerts["partition"].to_pylist() == [3] * 8
    assert alerts["offset"].to_pylist() == list(range(100, 108))
    assert alerts["arrivedMjdTai"].to_pylist() == [61000.0 + i / 1024 for i in range(8)]


@pytest.mark.parametrize("version", ["7.0", "7.1", "7.2", "7.3", "7.4", "8.0", "9.0", "10.0", "11.0", "11.1"])
def test_every_version_of_lsst_schema(
    version: str, data_folder: Path, schemas: SchemaStore, as_messages: AsMessages
) -> None:
    value = (data_folder / f"lsst/wire_fake/lsst.v{version.replace('.', '_')}.avro").read_bytes()
    record = fastavro.schemaless_reader(
        io.BytesIO(value[5:]), fastavro.parse_schema(schemas.lsst(version)), None
    )
    batches, rejected = decode(as_messages([value]), schemas)
    assert rejected.num_rows == 0
    assert_batch(batches[0], [record], "lsst")  # type: ignore[list-item]


def test_a_container_of_spark(data_folder: Path, schemas: SchemaStore, as_messages: AsMessages) -> None:
    """Every field nullable, structs of nulls for null, fields of another broker beside the packet's."""
    value = (data_folder / "lsst/ddf_v10.avro").read_bytes()
    with io.BytesIO(value) as file:
        reader = fastavro.reader(file)
        written = reader.writer_schema
        records = [record for record in reader if isinstance(record, dict)]
    assert written is not None
    singles = []
    for record in records:
        out = io.BytesIO()
        fastavro.writer(out, written, [record])  # type: ignore[arg-type]
        singles.append(out.getvalue())
    batches, rejected = decode(as_messages(singles), schemas)
    assert rejected.num_rows == 0
    assert len(batches) == 1
    assert batches[0].ssSources.num_rows == 2
    assert_batch(batches[0], records, "lsst")


def test_elasticc_fluxes_have_lsst_depth(
    data_folder: Path, schemas: SchemaStore, as_messages: AsMessages
) -> None:
    """The zero point shows in the noise: single LSST visits reach about magnitude 23 to 25 at 5 sigma."""
    batches, _ = decode(as_messages(members(data_folder / "lsst/elasticc_stream.tar.xz")), schemas)
    noise = batches[0].diaSources.numpy("psfFluxErr")
    flux = batches[0].diaSources.numpy("psfFlux")
    faint = np.abs(flux) < 20 * noise
    depth = 31.4 - 2.5 * np.log10(5 * np.nanmedian(noise[faint]))
    assert 22.5 < depth < 25.0


def test_ztf_forced_photometry_agrees_with_detections(
    data_folder: Path, schemas: SchemaStore, as_messages: AsMessages
) -> None:
    """The same exposure measured twice, by two pipelines, with two zero points."""
    batches, _ = decode(as_messages(members(data_folder / "ztf/forced_v4_boom.tar.xz")), schemas)
    ratios = []
    for batch in batches:
        sources, forced = batch.diaSources, batch.diaForcedSources
        for place in range(batch.objects.num_rows):
            s = slice(sources.offsets[place], sources.offsets[place + 1])
            f = slice(forced.offsets[place], forced.offsets[place + 1])
            for time, flux in zip(
                sources.numpy("midpointMjdTai")[s], sources.numpy("psfFlux")[s], strict=True
            ):
                same = np.abs(forced.numpy("midpointMjdTai")[f] - time) < 1e-7
                ratios.extend((forced.numpy("psfFlux")[f][same] / flux).tolist())
    ratios = [ratio for ratio in ratios if math.isfinite(ratio)]
    assert len(ratios) > 50
    assert 0.9 < float(np.median(ratios)) < 1.1


def test_ztf_names_are_not_numbers_of_lsst(data_folder: Path, schemas: SchemaStore) -> None:
    values = members(data_folder / "ztf/sn_ZTF21abiuvdk_v3_3.tar.xz")
    assert ztf_object_id(["ZTF21abiuvdk"])[0] == oracle.ztf_number("ZTF21abiuvdk")
    assert container_records(values[0])[1][0]["objectId"] == "ZTF21abiuvdk"
