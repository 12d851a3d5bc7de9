"""Hits in the browser as they come: by whom, from where on, and without a gap."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from django.test import Client

from lasair_broker.archive import Archive, open_archive
from lasair_broker.packets import mjd_tai_now
from lasair_broker.schema import arrow_schema
from lasair_broker.stream.delivery import HitWatch, events
from lasair_broker.web.delivery.live import use
from lasair_broker.web.filters import outputs
from lasair_broker.web.filters import services as filters
from lasair_broker.web.filters.services import Wording


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    with open_archive(tmp_path / "archive") as opened:
        use(opened)
        yield opened
        use(None)


def write(archive: Archive, filter_id: int, numbers: range) -> None:
    schema = arrow_schema("filter_hits")
    known = {
        "hitId": [f"{filter_id}x{n:04}" for n in numbers],
        "filterId": [filter_id] * len(numbers),
        "filterVersion": [1] * len(numbers),
        "diaObjectId": [2**60 + n for n in numbers],
        "content": [json.dumps({"n": n}) for n in numbers],
        "arrivedMjdTai": [mjd_tai_now()] * len(numbers),
    }
    columns = [pa.array(known.get(field.name, [None] * len(numbers)), field.type) for field in schema]
    archive.write([], tables={"filter_hits": pa.table(columns, schema=schema)})


def read(stream: Iterator[bytes], count: int) -> list[tuple[str, dict[str, Any]]]:
    """The id and data of the next events of a stream."""
    found: list[tuple[str, dict[str, Any]]] = []
    for part in stream:
        if part.startswith(b"id: "):
            first, kind, data = part.decode().rstrip("\n").split("\n")
            assert kind == "event: hit"
            found.append((first.removeprefix("id: "), json.loads(data.removeprefix("data: "))))
        if len(found) == count:
            break
    return found


def test_events_go_on_where_they_broke_off(archive: Archive) -> None:
    write(archive, 5, range(700))
    write(archive, 6, range(3))
    watch = HitWatch(archive, seconds=0.01)
    first = read(events(archive, watch, 5, (0.0, "")), 10)
    place, last = first[-1]
    mjd, hit = place.split("/")
    rest = read(events(archive, watch, 5, (float(mjd), hit)), 690)
    assert hit == last["hitId"]
    assert [data["content"]["n"] for _, data in first + rest] == list(range(700))
    assert first[0][1]["diaObjectId"] == str(2**60), "as text, for browsers"
    stream = events(
        archive, watch, 5, (float(rest[-1][0].split("/")[0]), rest[-1][1]["hitId"]), heartbeat=0.05
    )
    assert next(stream) == b"retry: 3000\n\n"
    assert next(stream) == b": nothing new\n\n"
    write(archive, 5, range(700, 702))
    assert [data["content"]["n"] for _, data in read(stream, 2)] == [700, 701]


def test_only_who_sees_the_filter_gets_its_hits(archive: Archive, people: Any) -> None:
    made = filters.create(people.ann, "f", Wording(adql="SELECT diaObjectId FROM objects"))
    write(archive, made.pk, range(2))
    address = f"/filters/{made.pk}/hits/?after=0/"
    client = Client(SERVER_NAME="localhost")
    client.force_login(people.ann)
    assert client.get(address).status_code == 404, "there is no output to browsers yet"
    outputs.add(people.ann, made.pk, "browser")
    answer = client.get(address)
    assert answer.status_code == 200
    assert answer["Content-Type"] == "text/event-stream"
    assert [data["content"]["n"] for _, data in read(iter(answer), 2)] == [0, 1]
    place, _ = read(iter(client.get(address)), 1)[0]
    resumed = client.get(f"/filters/{made.pk}/hits/", headers={"Last-Event-ID": place})
    assert [data["content"]["n"] for _, data in read(iter(resumed), 1)] == [1]
    assert client.get(f"/filters/{made.pk}/hits/", headers={"Last-Event-ID": "x"}).status_code == 400
    client.force_login(people.bob)
    assert client.get(address).status_code == 404
    client.logout()
    assert client.get(address).status_code == 404
    assert client.post(address).status_code == 405
    filters.share(people.ann, made.pk, "public")
    assert client.get(address).status_code == 200
