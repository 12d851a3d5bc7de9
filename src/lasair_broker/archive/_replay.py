"""Stored alerts, to be decoded again."""

# Names in statements are the schema's own, values are numbers or parameters:
# ruff: noqa: S608

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa

from lasair_broker.packets import Payloads
from lasair_broker.schema import quoted

from ._reading import Reading, column_list
from .errors import ArchiveCorruptError
from .packs import PackReader
from .records import Stored

__all__ = ["choose", "replay", "schemas"]


def choose(
    reading: Reading,
    diaSourceIds: Sequence[int] | None,
    diaObjectIds: Sequence[int] | None,
    midpointMjdTai: tuple[float, float] | None,
    arrivedMjdTai: tuple[float, float] | None,
    newest: bool,
) -> pa.Table:
    """The rows of `alerts` wanted, in order of arrival."""
    conditions = ["pack IS NOT NULL"]
    for name, limits in (("midpointMjdTai", midpointMjdTai), ("arrivedMjdTai", arrivedMjdTai)):
        if limits is not None:
            low, high = (f"CAST('{float(limit)!r}' AS double precision)" for limit in limits)
            conditions.append(f"{quoted(name)} >= {low} AND {quoted(name)} < {high}")
    for name, ids in (("diaSourceId", diaSourceIds), ("diaObjectId", diaObjectIds)):
        if ids is not None:
            listed = ", ".join(str(int(number)) for number in ids)
            conditions.append(f"{quoted(name)} IN ({listed})" if listed else "FALSE")
    source = "alerts"
    if newest:
        conditions.append('"diaObjectId" IS NOT NULL')
        source = (
            '(SELECT *, row_number() OVER (PARTITION BY "diaObjectId" ORDER BY "midpointMjdTai" DESC, '
            '"arrivedMjdTai" DESC, pack DESC, "packOffset" DESC) AS age '
            f"FROM alerts WHERE {' AND '.join(conditions)}) a"
        )
        conditions = ["age = 1"]
    return reading.table(
        f"SELECT {column_list('alerts')} FROM {source} WHERE {' AND '.join(conditions)} "
        'ORDER BY "arrivedMjdTai", pack, "packOffset"'
    )


def schemas(reading: Reading) -> dict[int, str]:
    """The writer schemas by their fingerprints."""
    rows = reading.table("SELECT fingerprint, json FROM avro_schemas").to_pylist()
    return {row["fingerprint"]: row["json"] for row in rows}


def replay(
    chosen: pa.Table, writer_schemas: Mapping[int, str], reader: PackReader, batch_alerts: int
) -> Iterator[Stored]:
    """Batches of the chosen alerts: one after the other as they arrived, each of one writer schema and
    pack."""
    fingerprint = chosen.column("schemaFingerprint").to_numpy()
    packs = chosen.column("pack").combine_chunks().dictionary_encode()
    pack_of = packs.indices.to_numpy()
    ends = np.flatnonzero((np.diff(fingerprint) != 0) | (np.diff(pack_of) != 0)) + 1
    for start, stop in zip([0, *ends], [*ends, chosen.num_rows], strict=True):
        for first in range(start, stop, batch_alerts):
            rows = chosen.slice(first, min(batch_alerts, stop - first))
            memory = reader.map(packs.dictionary[int(pack_of[first])].as_py())
            offset = rows.column("packOffset").to_numpy()
            length = rows.column("packLength").to_numpy().astype(np.int64)
            if int((offset + length).max()) > len(memory):
                raise ArchiveCorruptError(f"pack {rows.column('pack')[0]} has lost its end")
            key = int(fingerprint[first])
            if key not in writer_schemas:
                raise ArchiveCorruptError(f"the schema with fingerprint {key} is not in the archive")
            payloads = Payloads(memory.ctypes.data + offset, length, (memory,), key, writer_schemas[key])
            yield Stored(payloads, rows, chosen.num_rows - first - rows.num_rows)
