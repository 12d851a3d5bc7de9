"""Hits for tests of delivery, written as the stream writes them."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from typing import Any

import orjson
import pyarrow as pa

from lasair_broker.archive import Archive
from lasair_broker.packets import mjd_tai_now
from lasair_broker.schema import arrow_schema
from lasair_broker.stream.delivery import Parcel

FIRST_OBJECT = 2**53 + 1
"""A diaObjectId that a double cannot hold."""


def hit_rows(filter_id: int, numbers: Sequence[int], contents: Sequence[str] | None = None) -> pa.Table:
    """Rows of `filter_hits`, one for each number, of distinct objects."""
    schema = arrow_schema("filter_hits")
    now = mjd_tai_now()
    objects = [FIRST_OBJECT + number for number in numbers]
    if contents is None:
        contents = [
            orjson.dumps(
                {"diaObjectId": o, "ra": n / 7, "decl": None, "nDiaSources": n, "objectName": "ñ"}
            ).decode()
            for n, o in zip(numbers, objects, strict=True)
        ]
    known = {
        "hitId": [hashlib.sha256(f"{filter_id} {n}".encode()).hexdigest()[:32] for n in numbers],
        "filterId": [filter_id] * len(numbers),
        "filterVersion": [1] * len(numbers),
        "diaObjectId": objects,
        "diaSourceId": [10 * o for o in range(len(numbers))],
        "trigger": ["alert"] * len(numbers),
        "content": list(contents),
        "exposureEndMjdTai": [now - 60 / 86400] * len(numbers),
        "arrivedMjdTai": [now] * len(numbers),
    }
    columns = [pa.array(known.get(field.name, [None] * len(numbers)), field.type) for field in schema]
    return pa.table(columns, schema=schema)


def write_hits(archive: Archive, filter_id: int, numbers: Sequence[int]) -> list[str]:
    """Commit hits of a filter; returns their ids."""
    rows = hit_rows(filter_id, numbers)
    archive.write([], tables={"filter_hits": rows})
    return list(rows.column("hitId").to_pylist())


def parcel_of(contents: list[dict[str, Any]], alerts: list[bytes] | None = None) -> Parcel:
    """Hits with these contents, found a second apart."""
    rows = hit_rows(5, range(len(contents)), [orjson.dumps(c).decode() for c in contents])
    times = pa.array([61000.25 + n / 86400 for n in range(len(contents))])
    place = rows.schema.get_field_index("committedMjdTai")
    return Parcel(rows.set_column(place, "committedMjdTai", times), alerts or [])


def wait_for(what: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait until something is so, and fail if that takes far too long."""
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)
