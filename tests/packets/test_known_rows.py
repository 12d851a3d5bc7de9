"""Light curves united with rows known besides: against a plain union of dictionaries."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from lasair_broker.packets import AlertBatch, Payloads, SourceColumns, SourceTable, with_known
from lasair_broker.schema import arrow_schema

IDS = np.array([3, 5, 8], np.int64)

_row = st.tuples(st.sampled_from([3, 5, 8, 9]), st.integers(1, 6), st.booleans())
_rows = st.lists(_row, max_size=12, unique_by=lambda row: row[:2])
_alerted = st.sets(st.tuples(st.sampled_from([3, 5, 8]), st.integers(1, 6)), max_size=6)


def rows_of(rows: list[tuple[int, int, bool]], flux: float) -> list[dict[str, Any]]:
    """Detection n of an object is at time n // 2, so that some share one."""
    return [
        {"diaObjectId": key, "diaSourceId": key * 100 + n, "midpointMjdTai": 60_000.0 + n // 2,
         "psfFlux": flux, "band": "gr"[n % 2], "timeWithdrawnMjdTai": 61_000.0 if withdrawn else None,
         "ra": 10.0 + n, "decl": float(n)}
        for key, n, withdrawn in rows
    ]  # fmt: skip


def table_of(rows: list[dict[str, Any]]) -> pa.Table:
    names = list(rows_of([(3, 1, False)], 0.0)[0])
    schema = pa.schema([arrow_schema("diaSources").field(name) for name in names])
    return pa.Table.from_pylist(rows, schema=schema)


def batch_of(rows: list[dict[str, Any]], alerted: Sequence[int] = ()) -> AlertBatch:
    ordered = sorted(rows, key=lambda row: (row["diaObjectId"], row["midpointMjdTai"], row["diaSourceId"]))
    keys = [row["diaObjectId"] for row in ordered]
    values = {
        name: np.array([row[name] for row in ordered])
        for name in ("diaSourceId", "midpointMjdTai", "psfFlux", "ra", "decl")
    }
    values["band"] = np.array(["gr".index(row["band"]) for row in ordered], np.int32)
    withdrawn = [row["timeWithdrawnMjdTai"] for row in ordered]
    values["timeWithdrawnMjdTai"] = np.array([at or 0.0 for at in withdrawn])
    valid = {"timeWithdrawnMjdTai": np.array([at is not None for at in withdrawn], bool)}
    part = SourceColumns(len(ordered), values, valid, {"band": ("g", "r")})
    offsets = np.searchsorted(keys, [*IDS, 100])
    sources = SourceTable(arrow_schema("diaSources"), (part,), np.arange(len(ordered)), offsets)
    empty = {
        name: arrow_schema(name).empty_table() for name in ("alerts", "ssSources", "ssObjects", "mpc_orbits")
    }
    empty["alerts"] = pa.table({"diaSourceId": pa.array(alerted, pa.int64())})
    objects = pa.table({
        "diaObjectId": IDS, "ra": np.full(3, -1.0), "decl": np.full(3, -1.0),
        "nDiaSources": pa.array([7, 7, 7], pa.int32()),
    })  # fmt: skip
    none = np.zeros(0, np.int64)
    unplaced = np.array([True, True, False])
    unstated = {"ra": unplaced, "decl": unplaced, "nDiaSources": ~unplaced}
    return AlertBatch(
        survey="ztf", objects=objects, diaSources=sources.with_per_object({"diaObjectId": IDS}),
        diaForcedSources=SourceTable.empty(arrow_schema("diaForcedSources"), 3),
        diaNondetectionLimits=SourceTable.empty(arrow_schema("diaNondetectionLimits"), 3),
        payloads=Payloads(none, none, (), 0, ""), unstated=unstated,
        **empty,
    )  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(_rows, _rows, _alerted)
def test_rows_of_packets_and_rows_known_besides(own, known, alerted):
    original = {key * 100 + n for key, n in alerted}
    own = [row for row in own if row[0] != 9]
    mine, other = rows_of(own, 1.0), rows_of(known, 2.0)
    sent = batch_of(mine, sorted(original))
    batch = with_known(sent, {"diaSources": table_of(other)})

    newest: dict[int, float] = {}
    for row in mine:
        newest[row["diaObjectId"]] = max(newest.get(row["diaObjectId"], 0.0), row["midpointMjdTai"])
    united = {(row["diaObjectId"], row["diaSourceId"]): row for row in mine}
    for row in other:
        name = row["diaObjectId"], row["diaSourceId"]
        if row["diaObjectId"] not in IDS or row["midpointMjdTai"] > newest.get(row["diaObjectId"], np.inf):
            continue
        own_rank = 0 if row["diaSourceId"] in original else 2
        if name not in united or (row["timeWithdrawnMjdTai"] is None, 1) < (
            united[name]["timeWithdrawnMjdTai"] is None,
            own_rank,
        ):
            united[name] = row
    expected = sorted(
        united.values(), key=lambda row: (row["diaObjectId"], row["midpointMjdTai"], row["diaSourceId"])
    )
    found = batch.diaSources
    assert found.take(None, list(expected[0]) if expected else ["ra"]).to_pylist() == (
        expected if expected else []
    )
    assert found.offsets.tolist() == [
        sum(row["diaObjectId"] < key for row in expected) for key in [*IDS.tolist(), 100]
    ]
    assert found.sent.take(None, ["diaSourceId", "psfFlux"]).equals(
        sent.diaSources.take(None, ["diaSourceId", "psfFlux"])
    )
    moved = found.with_per_object({"healpix29": IDS * 2})
    assert moved.numpy("healpix29").tolist() == [2 * row["diaObjectId"] for row in expected]
    assert moved.sent.numpy("healpix29").tolist() == [
        2 * row["diaObjectId"] for row in sorted(mine, key=lambda r: r["diaObjectId"])
    ]
    if batch is sent:
        return
    # What the survey does not state follows from all rows.
    for number, key in enumerate(IDS.tolist()):
        curve = [row for row in expected if row["diaObjectId"] == key]
        state = batch.objects.slice(number, 1).to_pylist()[0]
        standing = [row for row in curve if row["timeWithdrawnMjdTai"] is None]
        assert state["nDiaSources"] == (7 if number < 2 else len(standing))
        if number == 2:
            assert (state["ra"], state["decl"]) == (-1.0, -1.0)
        elif len({row["ra"] for row in curve}) == 1:
            assert np.allclose((state["ra"], state["decl"]), (curve[0]["ra"], curve[0]["decl"]))
        elif curve:
            assert min(row["ra"] for row in curve) - 0.1 < state["ra"] < max(row["ra"] for row in curve) + 0.1


def test_nothing_known_changes_nothing():
    batch = batch_of(rows_of(list(itertools.product([3, 5], [1, 2], [False])), 1.0))
    assert with_known(batch, {}) is batch
    assert with_known(batch, {"diaSources": table_of([])}) is batch
