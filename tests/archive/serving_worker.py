"""A process that has an archive open and serves it, until its input ends: serving_worker.py FOLDER."""

from __future__ import annotations

import sys

import pyarrow as pa
from packets_model import Packet, Row, batch_of

from lasair_broker.archive.duckdb import DuckDBArchive
from lasair_broker.schema import arrow_schema

OBJECTS = 50


def packets() -> list[Packet]:
    out = []
    for key in range(1, OBJECTS + 1):
        rows = tuple(Row(key * 1000 + n, 60_000.0 + n, float(n), "gri"[n % 3]) for n in range(1, 6))
        place = {"ra": 10.0 + key / 1000, "decl": -5.0}
        limits = (Row(0, 60_000.5, 2.0, "g"),)
        out.append(Packet(key, rows[-1].id, rows[-1].time, rows, rows[1:], limits, **place))
    return out


def main(folder: str) -> None:
    with DuckDBArchive(folder, threads=1) as archive:
        hits = [
            {"hitId": f"{n:03}", "filterId": 1, "filterVersion": 1, "diaObjectId": n} for n in range(1, 31)
        ]
        rejected = {"topic": "t", "partition": 0, "offset": 7, "arrivedMjdTai": 1.0, "reason": "torn"}
        archive.write(
            [batch_of(packets())],
            pa.Table.from_pylist([{**rejected, "message": b"x"}], schema=arrow_schema("rejected")),
            {("alerts", 0): OBJECTS},
            {"filter_hits": pa.Table.from_pylist(hits, schema=arrow_schema("filter_hits"))},
        )
        archive.serve()
        print("open", flush=True)
        for line in sys.stdin:
            if line == "write\n":
                archive.write([], None, {("alerts", 1): 1})
                print("written", flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
