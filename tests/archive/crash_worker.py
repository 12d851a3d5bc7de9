"""A process that writes to an archive until it is killed: crash_worker.py FOLDER|URL PACKS [compact]."""

from __future__ import annotations

import sys

from packets_model import Packet, Row, batch_of

from lasair_broker.archive import Archive
from lasair_broker.archive.duckdb import DuckDBArchive
from lasair_broker.archive.postgresql import PostgreSQLArchive

OBJECTS = 40


def packets(number: int) -> list[Packet]:
    """The packets of batch `number`: every object seen once more, with its history of the last five
    batches."""
    out = []
    for key in range(1, OBJECTS + 1):
        rows = [Row(key * 100_000 + n, 60_000.0 + n, float(n)) for n in range(max(1, number - 5), number + 2)]
        forced = [Row(key * 100_000 + 50_000 + n, 60_000.5 + n) for n in range(1, number + 2)]
        out.append(
            Packet(key, rows[-1].id, rows[-1].time, tuple(rows), tuple(forced[-20:]), ra=number * 1e-5)
        )
    return out


def opened(where: str, packs: str) -> Archive:
    if "://" in where:
        return PostgreSQLArchive(where, packs, pack_bytes=1 << 20)
    return DuckDBArchive(where, threads=1, pack_bytes=1 << 20, settle_bytes=1 << 18)


def main(where: str, packs: str, compact: bool) -> None:
    with opened(where, packs) as archive:
        number = archive.positions().get(("alerts", 0), 0)
        print("open", flush=True)
        while True:
            archive.write([batch_of(packets(number))], None, {("alerts", 0): number + 1})
            number += 1
            print(number, flush=True)
            if compact and number % 3 == 0:
                archive.compact()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:] == ["compact"])
