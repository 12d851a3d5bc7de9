"""The stage: batches in, columns and tables out, whatever becomes of the catalogues."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from made_up_sky import catalogue, loader, shifted

from lasair_broker import context, lightcurve
from lasair_broker.context import ContextLoader, classify
from lasair_broker.lightcurve import FeatureResources
from lasair_broker.packets import BANDS, AlertBatch, Payloads, SourceColumns, SourceTable
from lasair_broker.schema import arrow_schema, conform

GALAXY = {"name": "host", "mag_B": 15.0, "major_axis": 60.0, "minor_axis": 50.0, "position_angle": 10.0,
          "redshift": 0.02, "redshift_error": 1e-4, "redshift_kind": "spec"}  # fmt: skip


def batch_of(positions: list[tuple[float, float]], bodies: list[int] | None = None) -> AlertBatch:
    """A batch with an alert and an object for each position; `bodies` are their ssObjectIds, 0 for none."""
    n = len(positions)
    ids = pa.array(range(1, n + 1), pa.int64())
    ra, decl = (pa.array(v, pa.float64()) for v in zip(*positions, strict=True)) if n else ([], [])
    objects = pa.table(
        {"diaObjectId": ids, "ra": pa.array(ra, pa.float64()), "decl": pa.array(decl, pa.float64())}
    )
    alerts = pa.table(
        {
            "diaObjectId": ids,
            "midpointMjdTai": pa.array([61000.0] * n),
            "ssObjectId": pa.array([b or None for b in bodies or [0] * n], pa.int64()),
        }
    )
    no_sources = {
        name: SourceTable(arrow_schema(name), (), np.zeros(0, np.int64), np.zeros(n + 1, np.int64))
        for name in ("diaSources", "diaForcedSources", "diaNondetectionLimits")
    }
    empty = np.zeros(0, np.int64)
    return AlertBatch(
        survey="lsst",
        alerts=alerts,
        objects=objects,
        **no_sources,
        ssSources=arrow_schema("ssSources").empty_table(),
        ssObjects=arrow_schema("ssObjects").empty_table(),
        mpc_orbits=arrow_schema("mpc_orbits").empty_table(),
        payloads=Payloads(empty, empty, (), 0, ""),
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "catalogues"
    ra, decl = shifted(30.0, 10.0, east=12.0)
    catalogue(folder, "galaxies", [{"ra": ra, "decl": decl, **GALAXY}])
    catalogue(folder, "stars", [{"ra": 31.0, "decl": 10.0, "name": "a star", "mag_G": 17.0}])
    return folder


PLACES = [(30.0, 10.0), (31.0, 10.0), (32.0, 10.0)]


def test_a_batch(folder: Path) -> None:
    out = context.enrich(batch_of(PLACES), loader(folder).current())
    said = out.tables["sherlock_classifications"]
    assert said.schema == arrow_schema("sherlock_classifications")
    assert said.column("classification").to_pylist() == ["SN", "VS", "ORPHAN"]
    assert said.column("diaObjectId").to_pylist() == [1, 2, 3]
    matches = out.tables["sherlock_crossmatches"]
    assert matches.schema == arrow_schema("sherlock_crossmatches")
    assert matches.column("diaObjectId").to_pylist() == [1, 2]
    first = said.to_pylist()[0]
    # North and east are of the catalogue less the object, as Sherlock has them.
    assert first["eastSeparationArcsec"] == pytest.approx(12.0, abs=1e-3)
    assert "12.00″ W" in first["description"]
    assert first["best_distance_flag"] == "sz"
    assert first["best_distance"] == pytest.approx(86.97, rel=1e-3)
    assert first["physical_separation_kpc"] == pytest.approx(12.0 * 0.4053, rel=2e-3)
    assert out.objects.column("ebv").null_count == 0
    assert set(out.objects.column("ebvSource").to_pylist()) == {"compact SFD98 sample"}
    conform(said, "sherlock_classifications")


def test_no_value_is_nan(folder: Path) -> None:
    out = context.enrich(batch_of([*PLACES, (float("nan"), 10.0)]), loader(folder).current())
    tables = [out.objects.drop_columns(["ra"]), *out.tables.values()]
    for table in tables:
        for name in table.column_names:
            if pa.types.is_floating(table.schema.field(name).type):
                values = table.column(name).drop_null().to_numpy()
                assert np.isfinite(values).all(), name
    assert out.objects.column("ebv").to_pylist()[-1] is None


def test_the_order_of_a_batch_changes_nothing(folder: Path) -> None:
    rng = np.random.default_rng(3)
    base = [shifted(30.0, 10.0, *offset) for offset in rng.normal(0.0, 20.0, (60, 2))]
    resources = loader(folder).current()
    said, matches = classify(*np.array(base).T, None, resources)
    order = rng.permutation(60)
    again, _ = classify(*np.array(base)[order].T, None, resources)
    drop = ["diaObjectId"]
    assert again.drop_columns(drop).equals(said.take(pa.array(order)).drop_columns(drop))
    alone = [classify([ra], [decl], None, resources)[0].drop_columns(drop) for ra, decl in base[:5]]
    assert pa.concat_tables(alone).equals(said.slice(0, 5).drop_columns(drop))
    ranks = matches.column("rank").to_numpy()
    assert (ranks >= 1).all()


def test_an_empty_batch(folder: Path) -> None:
    out = context.enrich(batch_of([]), loader(folder).current())
    assert out.tables["sherlock_classifications"].num_rows == 0
    assert out.objects.num_rows == 0


def test_bodies_of_the_solar_system_are_not_classified(folder: Path) -> None:
    out = context.enrich(batch_of(PLACES, [0, 77, 0]), loader(folder).current())
    assert out.tables["sherlock_classifications"].column("diaObjectId").to_pylist() == [1, 3]


def test_without_catalogues_there_is_only_dust(tmp_path: Path) -> None:
    opened = ContextLoader(tmp_path / "none")
    out = context.enrich(batch_of(PLACES), opened.current())
    assert not out.tables
    assert out.objects.column("ebv").null_count == 0
    assert "no catalogues" in opened.problems[-1]


def test_an_object_is_classified_anew_by_its_newer_position(folder: Path) -> None:
    resources = loader(folder).current()
    moved = [shifted(31.0, 10.0, east=3.0), (31.0, 10.0)]
    classes = [
        context.enrich(batch_of([place]), resources)
        .tables["sherlock_classifications"]["classification"][0]
        .as_py()
        for place in moved
    ]
    assert classes == ["ORPHAN", "VS"]


def test_a_catalogue_is_swapped_under_a_running_stage(folder: Path) -> None:
    opened = loader(folder)
    before = context.enrich(batch_of(PLACES), opened.current()).tables["sherlock_classifications"]
    assert opened.current() is opened.current()
    catalogue(folder, "cvs", [{"ra": 32.0, "decl": 10.0, "name": "a nova"}])
    after = context.enrich(batch_of(PLACES), opened.current()).tables["sherlock_classifications"]
    assert before.column("classification").to_pylist()[2] == "ORPHAN"
    assert after.column("classification").to_pylist()[2] == "CV"
    assert before.column("configuration")[0] != after.column("configuration")[0]


def test_a_catalogue_that_vanishes_is_left_out_and_told(folder: Path) -> None:
    opened = loader(folder)
    shutil.rmtree(folder / "stars")
    said = context.enrich(batch_of(PLACES), opened.current()).tables["sherlock_classifications"]
    assert said.column("classification").to_pylist() == ["SN", "ORPHAN", "ORPHAN"]
    assert any("stars" in problem for problem in opened.problems)
    catalogue(folder, "stars", [{"ra": 31.0, "decl": 10.0, "name": "a star", "mag_G": 17.0}])
    said = context.enrich(batch_of(PLACES), opened.current()).tables["sherlock_classifications"]
    assert said.column("classification").to_pylist() == ["SN", "VS", "ORPHAN"]
    assert not opened.problems


def test_a_damaged_catalogue_is_left_out_and_told(folder: Path) -> None:
    opened = loader(folder)
    for part in (folder / "stars").rglob("part-*.arrow"):
        cut = part.read_bytes()[:40]
        part.unlink()
        part.write_bytes(cut)
    said = context.enrich(batch_of(PLACES), opened.current()).tables["sherlock_classifications"]
    assert said.column("classification").to_pylist() == ["SN", "ORPHAN", "ORPHAN"]
    opened.current()
    assert any("stars" in problem for problem in opened.problems)


def test_two_galaxies_of_different_catalogues_are_one_source(folder: Path) -> None:
    ra, decl = shifted(30.0, 10.0, east=12.5)
    more = {"name": "the same", "mag_r": 14.0, "major_axis": 55.0, "minor_axis": 45.0, "photoz": 0.03}
    catalogue(folder, "other_galaxies", [{"ra": ra, "decl": decl, **more}])
    out = context.enrich(batch_of(PLACES[:1]), loader(folder).current())
    (row,) = out.tables["sherlock_crossmatches"].to_pylist()
    assert row["catalogue_table_name"] == "galaxies/other_galaxies"
    assert row["z"] == pytest.approx(0.02)
    assert row["photoZ"] == pytest.approx(0.03)
    assert (row["Mag"], row["MagFilter"]) == (14.0, "r")


def test_positions_without_an_object(folder: Path) -> None:
    said, _ = classify([31.0], [10.0], 61000.0, loader(folder).current())
    assert said.column("classification").to_pylist() == ["VS"]
    with pytest.raises(context.ContextError, match="no catalogues"):
        classify([31.0], [10.0], None, replace(loader(folder).current(), sources=None))


def test_absolute_magnitudes_know_dust_distance_and_their_error(folder: Path) -> None:
    """What the context finds reaches the features: M = m - A - mu + 2.5 log10(1 + z)."""
    resources = loader(folder).current()
    batch = batch_of(PLACES[:1])
    values = {"midpointMjdTai": 61000.0, "psfFlux": 10000.0, "psfFluxErr": 100.0}
    schema = arrow_schema("diaSources")
    columns = {name: np.array([v], schema.field(name).type.to_pandas_dtype()) for name, v in values.items()}
    valid = {name: np.ones(1, np.bool_) for name in columns}
    point = SourceColumns(1, columns | {"band": np.array([2], np.int8)}, valid, {"band": BANDS})
    detections = SourceTable(schema, (point,), np.arange(1), np.array([0, 1]))
    batch = replace(batch, diaSources=detections)
    out = lightcurve.enrich(context.enrich(batch, resources), FeatureResources())
    (row,) = out.objects.to_pylist()
    ebv = row["ebv"]
    modulus = 5.0 * np.log10(86.97) + 25.0
    expected = 31.4 - 2.5 * np.log10(10000.0) - 2.273 * ebv - modulus + 2.5 * np.log10(1.02)
    assert row["absMag"] == pytest.approx(expected, abs=0.01)
    # 300 km/s of peculiar velocity at 6,000 km/s are 0.11 mag, and the flux has an error of 0.011 mag.
    assert row["absMagErr"] == pytest.approx(np.hypot(0.1086, 0.0109), rel=0.03)


def test_a_catalogue_damaged_from_the_start_is_left_out_too(folder: Path) -> None:
    for part in (folder / "galaxies").rglob("part-*.arrow"):
        cut = part.read_bytes()[:40]
        part.unlink()
        part.write_bytes(cut)
    opened = loader(folder)  # looks through the galaxies for large ones
    said = context.enrich(batch_of(PLACES), opened.current()).tables["sherlock_classifications"]
    assert said.column("classification").to_pylist() == ["ORPHAN", "VS", "ORPHAN"]
    assert any("galaxies" in problem for problem in opened.problems)


def test_what_was_computed_of_other_catalogues_is_kept(folder: Path) -> None:
    opened = loader(folder)
    before = opened.current().sources
    catalogue(folder, "cvs", [{"ra": 32.0, "decl": 10.0, "name": "a nova"}])
    after = opened.current().sources
    assert before is not None
    assert after is not None
    assert before is not after
    wide = [{s.catalogue.name: s.wide for s in sources._sources}["galaxies"] for sources in (before, after)]
    assert wide[0] is wide[1]
    # The galaxy reaches 120 arcsec, four light radii, which is wider than the common radius of 30.
    said, _ = classify(*[[v] for v in shifted(30.0, 10.0, east=-40.0)], None, opened.current())
    assert said.column("ddlr")[0].as_py() == pytest.approx(2.0, abs=0.3)
