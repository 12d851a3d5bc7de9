"""Where what is known of an object comes from: alerts, when they passed, and their bytes."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from typing import Any

import fastavro
import pyarrow as pa

from lasair_broker.packets.avro import write_container
from lasair_broker.query import ARCHIVE, parse
from lasair_broker.web.archive import archive
from lasair_broker.web.errors import NotFound

_LARGEST_ID = 2**63 - 1


def alerts_of(diaSourceIds: Sequence[int]) -> list[dict[str, Any]]:
    """The alerts of detections, newest first: columns of `alerts`, and as `schema` the name of the schema
    that the alert was written with.

    Those of an object are found by its detections: by them the archive has alerts in order.
    """
    found = _ask(
        "SELECT diaSourceId, midpointMjdTai, exposureEndMjdTai, arrivedMjdTai, decodedMjdTai, "
        "committedMjdTai, topic, schemaFingerprint, packLength FROM alerts",
        "diaSourceId",
        diaSourceIds,
    )
    alerts: list[dict[str, Any]] = found.sort_by([("arrivedMjdTai", "descending")]).to_pylist()
    used = {alert["schemaFingerprint"] for alert in alerts} - {None}
    schemas = _ask("SELECT fingerprint, json FROM avro_schemas", "fingerprint", sorted(used)).to_pylist()
    names = {row["fingerprint"]: _schema_name(row["json"]) for row in schemas}
    return [{**alert, "schema": names.get(alert["schemaFingerprint"])} for alert in alerts]


def with_images(diaSourceIds: Sequence[int]) -> set[int]:
    """Which of these detections have images."""
    found = _ask("SELECT diaSourceId FROM cutouts", "diaSourceId", diaSourceIds)
    return set(found["diaSourceId"].to_pylist())


def packet_avro(diaSourceId: int) -> bytes:
    """The newest alert of a detection as an Avro object container.

    Raises
    ------
    NotFound
        If its bytes are not kept.
    """
    datum, schema = _packet(diaSourceId)
    return write_container(json.loads(schema), [datum])


def packet_json(diaSourceId: int) -> Any:
    """The newest alert of a detection as a record, images left out; as `packet_avro`."""
    datum, schema = _packet(diaSourceId)
    record: Any = fastavro.schemaless_reader(io.BytesIO(datum), json.loads(schema), None)
    return _without_bytes(record)


def _packet(diaSourceId: int) -> tuple[bytes, str]:
    found = archive().alert_bytes(diaSourceId) if 0 < diaSourceId <= _LARGEST_ID else None
    if found is None:
        raise NotFound(f"there is no alert of detection {diaSourceId} whose bytes are kept")
    return found


def _ask(text: str, column: str, values: Sequence[int]) -> pa.Table:
    """The rows of a table, of which `text` names columns, whose `column` is one of these numbers."""
    listed = ", ".join(str(int(value)) for value in values) or "0"  # no number of anything is 0
    query = parse(f"{text} WHERE {column} IN ({listed})", ARCHIVE)
    return archive().query(query.render(archive().engine), max_rows=None)


def _schema_name(text: str) -> str:
    """The full name of a schema, lsst.v10_0.alert say."""
    schema = json.loads(text)
    return ".".join(part for part in (schema.get("namespace"), schema.get("name")) if part)


def _without_bytes(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_bytes(v) for k, v in value.items() if not isinstance(v, bytes)}
    if isinstance(value, list):
        return [_without_bytes(v) for v in value]
    if isinstance(value, float) and value != value:
        return None  # JSON has no NaN
    return value
