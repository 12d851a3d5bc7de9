"""Matches replaced outside a batch of alerts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import pyarrow as pa
import pytest
from asking import ask
from hypothesis import given, settings
from hypothesis import strategies as st

from lasair_broker.archive import Archive, Rematch
from lasair_broker.schema import SchemaError, arrow_schema

Pair = tuple[int, int]


def hits(pairs: Mapping[Pair, float]) -> pa.Table:
    rows = [
        {"diaObjectId": key, "mw_id": event, "separationArcsec": arcsec}
        for (key, event), arcsec in pairs.items()
    ]
    schema = arrow_schema("event_hits")
    return pa.Table.from_pylist([{name: row.get(name) for name in schema.names} for row in rows], schema)


def held(archive: Archive) -> dict[Pair, float]:
    rows = ask(archive, "SELECT diaObjectId, mw_id, separationArcsec FROM event_hits")
    return {(row["diaObjectId"], row["mw_id"]): row["separationArcsec"] for row in rows.to_pylist()}


_pairs = st.dictionaries(
    st.tuples(st.integers(1, 5), st.integers(1, 4)), st.floats(0, 9, width=16), max_size=8
)
_steps = st.lists(
    st.tuples(st.sampled_from(["diaObjectId", "mw_id"]), st.sets(st.integers(1, 5)), _pairs), max_size=4
)


@settings(max_examples=25, deadline=None)
@given(first=_pairs, steps=_steps)
def test_rows_of_the_values_named_are_replaced_and_no_others(
    archive_for_many: Archive,
    first: dict[Pair, float],
    steps: Sequence[tuple[str, set[int], dict[Pair, float]]],
) -> None:
    archive = archive_for_many
    every = list(range(1, 6))
    archive.rematch({"event_hits": Rematch("diaObjectId", every, hits(first))})
    model = dict(first)
    for column, values, pairs in steps:
        place = ("diaObjectId", "mw_id").index(column)
        new = {pair: arcsec for pair, arcsec in pairs.items() if pair[place] in values}
        archive.rematch({"event_hits": Rematch(column, sorted(values), hits(new))})
        model = {pair: arcsec for pair, arcsec in model.items() if pair[place] not in values} | new
        assert held(archive) == model


@pytest.fixture(scope="module")
def archive_for_many(lasting_places: Callable[[], Archive]) -> Archive:
    return lasting_places()


def test_all_or_nothing(archive: Archive) -> None:
    positions = {("lasair events", 0): 7}
    archive.rematch({"event_hits": Rematch("mw_id", [1], hits({(1, 1): 0.5}))}, positions=positions)
    wrong = pa.table({"chore": ["events"], "status": ["ok"]})
    with pytest.raises(SchemaError):
        archive.rematch(
            {"event_hits": Rematch("mw_id", [1], hits({}))}, {"chores": wrong}, {("lasair events", 0): 8}
        )
    assert held(archive) == {(1, 1): 0.5}
    assert archive.positions() == positions
    chores = pa.table({"chore": ["events"], "state": ["ok"]})
    archive.rematch(
        {"event_hits": Rematch("mw_id", [1], hits({}))}, {"chores": chores}, {("lasair events", 0): 8}
    )
    assert held(archive) == {}
    assert archive.positions() == {("lasair events", 0): 8}
    assert archive.query("SELECT chore, state FROM chores").to_pylist() == [
        {"chore": "events", "state": "ok"}
    ]


def test_what_cannot_be_meant_is_refused(archive: Archive) -> None:
    with pytest.raises(ValueError, match="another mw_id"):
        archive.rematch({"event_hits": Rematch("mw_id", [2], hits({(1, 1): 0.5}))})
    with pytest.raises(ValueError, match="not of the key"):
        archive.rematch({"event_hits": Rematch("kind", [2], hits({}))})
    with pytest.raises(ValueError, match="no matches"):
        archive.rematch({"external_events": Rematch("mw_id", [2], hits({}))})
    assert held(archive) == {}
