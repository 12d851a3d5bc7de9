"""LSST packets made from the schema alone: nullable fields null, others zero, unless told otherwise."""

from __future__ import annotations

import io
from typing import Any

import fastavro

from lasair_broker.packets import SchemaStore

Row = dict[str, Any]

ZERO: Row = {
    "int": 0,
    "long": 0,
    "float": 0.0,
    "double": 0.0,
    "boolean": False,
    "string": "",
    "bytes": b"",
    "null": None,
}


class PacketBuilder:
    """Builds and writes packets of one version."""

    def __init__(self, schemas: SchemaStore, version: str = "11.1") -> None:
        self.schema_json = schemas.lsst(version)
        self.schema = fastavro.parse_schema(self.schema_json)
        major, minor = version.split(".")
        self.schema_id = 100 * int(major) + int(minor)
        self._named: Row = {}
        self._learn(self.schema)

    def _learn(self, kind: Any) -> None:
        if isinstance(kind, list):
            for branch in kind:
                self._learn(branch)
        elif isinstance(kind, dict) and kind["type"] == "record":
            self._named[kind["name"]] = kind
            for member in kind["fields"]:
                self._learn(member["type"])
        elif isinstance(kind, dict):
            self._learn(kind.get("items"))

    def _blank(self, kind: Any) -> Any:
        if isinstance(kind, list):
            return self._blank(kind[0])
        if isinstance(kind, dict):
            if kind["type"] == "record":
                return {member["name"]: self._blank(member["type"]) for member in kind["fields"]}
            return self._blank(kind["type"])
        return self._blank(self._named[kind]) if kind in self._named else ZERO[kind]

    def record(self, name: str, **values: Any) -> Row:
        """A record such as "diaSource" with some of its values."""
        full = next(full for full in self._named if full.endswith(f".{name}"))
        unknown = set(values) - {member["name"] for member in self._named[full]["fields"]}
        assert not unknown, unknown
        return {**self._blank(self._named[full]), **values}

    def source(self, identity: int, time: float, **values: Any) -> Row:
        place = {"ra": 150.0, "dec": 2.0, "band": "r", "psfFlux": 100.0, "psfFluxErr": 10.0}
        return self.record(
            "diaSource", **{"diaSourceId": identity, "midpointMjdTai": time, **place, **values}
        )

    def packet(self, object_id: int | None, source: Row, **values: Any) -> Row:
        summary = None
        if object_id is not None:
            source = {**source, "diaObjectId": object_id}
            summary = self.record("diaObject", diaObjectId=object_id, ra=150.0, dec=2.0)
        own = {"diaSource": source, "diaObject": summary}
        identity = {"diaSourceId": source["diaSourceId"]} if self.schema_id >= 800 else {"alertId": 1}
        blank = self._blank(self.schema)
        return {**blank, **own, **identity, **values}

    def datum(self, packet: Row) -> bytes:
        out = io.BytesIO()
        fastavro.schemaless_writer(out, self.schema, packet)
        return out.getvalue()

    def framed(self, packet: Row, schema_id: int | None = None) -> bytes:
        number = self.schema_id if schema_id is None else schema_id
        return b"\x00" + number.to_bytes(4, "big") + self.datum(packet)

    def container(self, *packets: Row, codec: str = "null") -> bytes:
        out = io.BytesIO()
        fastavro.writer(out, self.schema, packets, codec=codec)
        return out.getvalue()
