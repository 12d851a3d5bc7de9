"""Schemas and values of any shape: decoded as fastavro does, encoded as fastavro does."""

from __future__ import annotations

import json
from typing import Any

import fastavro
from avro_oracle import fastavro_read, fastavro_write, same
from avro_strategies import schemas_with_values
from fastavro.schema import fingerprint, to_parsing_canonical_form
from hypothesis import HealthCheck, given, settings

from lasair_broker.packets.avro import Codec

unhurried = settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)


@unhurried
@given(schemas_with_values())
def test_decodes_and_encodes_as_fastavro(example: tuple[Any, list[Any]]) -> None:
    schema, values = example
    datums = fastavro_write(schema, values)
    codec = Codec(json.dumps(schema))
    decoded = codec.decode_values(datums)
    assert not decoded.error.any(), [decoded.reason(row) for row in range(len(values))]
    expected = fastavro_read(schema, datums)
    assert same(list(decoded.records()), expected)
    assert all(same(decoded.record(row), value) for row, value in enumerate(expected))
    assert codec.encode(decoded) == datums
    assert decoded.length.tolist() == [len(datum) for datum in datums]


@unhurried
@given(schemas_with_values())
def test_fingerprint_is_the_standard_one(example: tuple[Any, list[Any]]) -> None:
    schema, _ = example
    text = to_parsing_canonical_form(fastavro.parse_schema(schema))
    standard = bytes.fromhex(fingerprint(text, "CRC-64-AVRO"))
    assert Codec(schema).fingerprint == int.from_bytes(standard, "little", signed=True)


@settings(unhurried, max_examples=100)
@given(schemas_with_values())
def test_a_cut_datum_is_an_error_and_spoils_no_other(example: tuple[Any, list[Any]]) -> None:
    schema, values = example
    whole = fastavro_write(schema, values)
    codec = Codec(schema)
    for datum in whole[:2]:
        mixed = [part for cut in range(len(datum)) for part in (datum[:cut], datum)]
        decoded = codec.decode_values(mixed)
        assert decoded.error[::2].all()
        assert not decoded.error[1::2].any()
        wanted = fastavro_read(schema, [datum])[0]
        for row, value in enumerate(decoded.records()):
            assert same(value, wanted if row % 2 else None)
