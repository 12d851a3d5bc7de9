"""How hits are written: nothing of what a filter selected is lost on the way."""

from __future__ import annotations

import io
import json
import math
from datetime import UTC, datetime
from typing import Any

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hits import parcel_of
from lasair_broker.packets import posix_micros_to_mjd_tai
from lasair_broker.stream.delivery import (
    Channel,
    LightCurve,
    Output,
    cursor_of,
    event_id,
    few_lines,
    utc_of,
)
from lasair_broker.stream.delivery._avro import avro_schema, avro_value
from lasair_broker.stream.delivery._json_schema import json_schema

text = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
value = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | text
)
content = st.dictionaries(text.filter(lambda name: name not in ("UTC", "alert")), value, max_size=6)


@given(st.lists(content, max_size=4))
def test_messages_hold_what_was_selected(contents: list[dict[str, Any]]) -> None:
    parcel = parcel_of(contents)
    for sent, message in zip(contents, parcel.messages(), strict=True):
        read = json.loads(message)
        assert read.pop("UTC").startswith("2025-11-21 05:59:")
        assert read == sent
        assert list(read) == list(sent)
        assert {k: type(v) for k, v in read.items()} == {k: type(v) for k, v in sent.items()}


@given(st.lists(content, min_size=1, max_size=4))
def test_envelopes_hold_it_too_and_say_ids_as_text(contents: list[dict[str, Any]]) -> None:
    parcel = parcel_of(contents, [b'{"diaSourcesList":[]}'] * len(contents))
    for number, envelope in enumerate(parcel.envelopes()):
        read = json.loads(envelope)
        assert read["content"] == contents[number]
        assert read["hitId"] == parcel.ids[number]
        assert int(read["diaObjectId"]) == parcel.diaObjectIds[number] > 2**53
        assert read["alert"] == {"diaSourcesList": []}
        assert b"\n" not in envelope, "an event's data is one line"


@given(st.lists(content, min_size=1, max_size=4))
def test_avro_holds_it_whatever_columns_are_called(contents: list[dict[str, Any]]) -> None:
    output = Output(1, 5, "f", Channel.KAFKA, (0.0, ""), avro=True)
    for values in contents:
        schema = avro_schema(output, 1, None, list(values))
        message = avro_value(schema, "h1", "2026-01-01 00:00:00", values, None)
        reader = fastavro.reader(io.BytesIO(message))
        (record,) = list(reader)
        fields = reader.writer_schema["fields"][2:]
        read = {field.get("doc", field["name"]): record[field["name"]] for field in fields}
        assert read == values
        assert avro_value(schema, "h1", "2026-01-01 00:00:00", values, None) == message


def test_json_schema_names_types_and_what_is_there() -> None:
    output = Output(1, 5, "f", Channel.KAFKA, (0.0, ""), light_curve=LightCurve.LITE)
    schema = json_schema(output, 2, None, ["diaObjectId", "ra"])
    assert schema["required"] == ["diaObjectId", "ra", "UTC", "alert"]


@given(st.datetimes(datetime(1973, 1, 2), datetime(2030, 1, 1)))
def test_utc_of_mjd_tai(moment: datetime) -> None:
    moment = moment.replace(tzinfo=UTC)
    mjd = float(posix_micros_to_mjd_tai(moment.timestamp() * 1e6))
    (found,) = utc_of([mjd])
    assert abs((found - moment).total_seconds()) < 1e-4


@given(st.floats(0, 99_999, allow_nan=False), st.from_regex(r"[a-f0-9]{0,64}", fullmatch=True))
def test_event_ids_lead_back_to_the_very_hit(mjd: float, hit: str) -> None:
    if mjd and mjd < 1e-4:
        mjd = 0.0  # no hit has been that long ago, and Python would write an exponent
    assert cursor_of(event_id((mjd, hit))) == (mjd, hit)


@pytest.mark.parametrize(
    "bad", ["", "x", "1", "nan/a", "1/" + "a" * 65, "1e5/a", "1/a\nb", "-1/a", "1.5/'; DROP"]
)
def test_what_is_no_event_id(bad: str) -> None:
    assert cursor_of(bad) is None


def test_words_for_people() -> None:
    lines = few_lines(parcel_of([{"diaObjectId": 1, "z": None, "ra": math.pi, "n": "a\nb"}] * 3), 2)
    first, _, more = lines.splitlines()
    assert first.endswith(": z –, ra 3.14159, n a b")
    assert more == "and 1 more"
