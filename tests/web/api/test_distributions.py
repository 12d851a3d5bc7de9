"""How the values of columns are distributed, against counting one by one."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from django.test import Client
from hypothesis import given, settings
from hypothesis import strategies as st

from lasair_broker.archive import Archive
from lasair_broker.web.distributions import distribution, distribution_of
from lasair_broker.web.errors import NotFound


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.one_of(st.none(), st.floats(), st.floats(-1e-3, 1e3), st.just(7.0)), max_size=60).map(
        lambda values: pa.chunked_array([pa.array(values, pa.float64())])
    )
)
def test_numbers_are_counted_once(values: pa.ChunkedArray) -> None:
    found = distribution_of(values)
    given = values.to_pylist()
    finite = sorted(value for value in given if value is not None and math.isfinite(value))
    assert found.rows == len(given)
    assert found.missing == given.count(None)
    assert sum(each.count for each in found.bins) + found.outside == len(finite)
    for number, each in enumerate(found.bins):
        last = number == len(found.bins) - 1
        assert each.count == sum(
            each.low <= value < each.high or (last and value == each.high) for value in finite
        )
    if finite:
        assert (found.least, found.most) == (finite[0], finite[-1])
        assert found.median == finite[(len(finite) - 1) // 2]


def test_bins_suit_the_values() -> None:
    few = distribution_of(pa.chunked_array([[3, 1, 1, None, 5]]))
    assert [(each.low, each.count) for each in few.bins] == [(1, 2), (2, 0), (3, 1), (4, 0), (5, 1)]
    wide = distribution_of(pa.chunked_array([np.geomspace(1.0, 1e6, 500)]))
    assert wide.logarithmic
    assert wide.bins[1].high / wide.bins[1].low == pytest.approx(wide.bins[5].high / wide.bins[5].low)
    words = distribution_of(pa.chunked_array([["b", "a", "b", None]]))
    assert [(each.low, each.count) for each in words.bins] == [("b", 2), ("a", 1)]
    assert (words.missing, words.least) == (1, None)
    assert distribution_of(pa.chunked_array([[True, True, False]])).bins[0].low == "true"
    assert distribution_of(pa.chunked_array([[4.0, 4.0]])).bins[0].count == 2
    assert distribution_of(pa.chunked_array([[2**62, 2**61 + 1]])).bins[-1].count == 1


def test_of_the_archive(archive: Archive, people: Any) -> None:
    held = archive.query('SELECT "nDiaSources" FROM objects', max_rows=None)["nDiaSources"].to_pylist()
    found = distribution("objects", "nDiaSources")
    assert (found.rows, found.least, found.most) == (len(held), min(held), max(held))
    page = Client().get("/schema/objects/nDiaSources/")
    assert page.status_code == 200
    assert "rows were looked at" in page.content.decode()
    part = Client().get("/schema/objects/objectName/", headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in part
    for address in ("objects/nonsense", "accounts_user/email", "object_ledger/rows"):
        assert Client().get(f"/schema/{address}/").status_code == 404
    with pytest.raises(NotFound):
        distribution("objects", "1; DROP TABLE objects")
