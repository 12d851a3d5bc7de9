"""The stage's output fits the schema, and every column of ours is in it."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from curve_batches import Curve, Point, batch_of
from hypothesis import given
from hypothesis import strategies as st

from lasair_broker.lightcurve import FeatureResources, enrich
from lasair_broker.lightcurve._arrow import columns_of
from lasair_broker.schema import arrow_schema, conform, table

OF_OTHERS = {"healpix29", "survey", "objectName", "tns_name", "timestamp", "validityStartMjdTai"} | {
    "ebv",
    "ebvErr",
    "ebvSource",
    "raErr",
    "decErr",
    "ra_dec_Cov",
    "possibleSolarSystem",
}


def test_every_feature_column_of_the_schema_is_computed_in_its_type() -> None:
    made = enrich(batch_of([Curve([Point(61000.0)])]), FeatureResources()).objects
    schema = arrow_schema("objects")
    assert set(made.column_names) == set(schema.names) - OF_OTHERS
    for field in made.schema:
        assert field.type == schema.field(field.name).type, field.name


def test_the_schema_accepts_the_output() -> None:
    made = enrich(batch_of([Curve([Point(61000.0)]), Curve()]), FeatureResources()).objects
    for name in ("healpix29", "survey"):
        made = made.append_column(name, pa.array([1, 2] if name == "healpix29" else ["lsst", "lsst"]))
    assert conform(made, "objects").num_rows == 2


def test_own_columns_are_no_more_than_the_archive_can_bear() -> None:
    names = [column.name for column in table("objects").columns]
    assert len(names) - names.index("u_snrMax") <= 155


@given(st.lists(st.floats(width=64), max_size=40), st.sampled_from([pa.float32(), pa.float64()]))
def test_packing_equals_arrow_s_own_conversion(values: list[float], kind: pa.DataType) -> None:
    block = np.array([values, values[::-1]])
    with np.errstate(over="ignore"):
        rounded = block.astype(kind.to_pandas_dtype())
    for (name, found), row in zip(columns_of(("a", "b"), block, kind), rounded, strict=True):
        expected = pa.array(row, mask=~np.isfinite(row))
        found.validate(full=True)
        assert found.equals(expected), name
        assert found.null_count == expected.null_count


def test_an_object_does_not_depend_on_its_batch() -> None:
    curves = [
        Curve([Point(61000.0 + 3 * k, "gri"[k % 3], 100.0 * (1 + (7 * k) % 11), 20.0) for k in range(n)])
        for n in range(0, 24, 3)
    ]
    together = enrich(batch_of(curves), FeatureResources()).objects.drop_columns(["diaObjectId"]).to_pylist()
    for row, curve in zip(together, curves, strict=True):
        alone = enrich(batch_of([curve]), FeatureResources()).objects.drop_columns(["diaObjectId"])
        assert alone.to_pylist() == [row]


def test_the_batch_given_is_not_changed() -> None:
    batch = batch_of([Curve([Point(61000.0)])])
    before = batch.objects
    assert enrich(batch, FeatureResources()) is not batch
    assert batch.objects is before
    assert batch.objects.num_columns == 3
