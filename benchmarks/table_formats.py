"""What it takes to write a table as a file that somebody downloads.

python benchmarks/table_formats.py [--quick]

100,000 rows (--quick: 5,000) of eight columns, two of them texts, as VOTable (BINARY2) and as FITS. CPU
seconds, and the ratio to astropy's own writer of VOTables in BINARY2 in the same run.
"""

from __future__ import annotations

import argparse
import io
import time
from collections.abc import Callable

import numpy as np
import pyarrow as pa
from astropy.io.votable import from_table, writeto
from astropy.table import Table

from lasair_broker.web.api.fits import fits_table
from lasair_broker.web.api.votable import votable


def seconds(work: Callable[[], object], times: int = 3) -> float:
    """The least CPU time of some runs."""
    found = []
    for _ in range(times):
        began = time.process_time()
        work()
        found.append(time.process_time() - began)
    return min(found)


def invented(count: int) -> pa.Table:
    """Rows such as a query gives."""
    random = np.random.default_rng(4)
    flux = random.normal(1e4, 1e3, count).astype(np.float32)
    return pa.table(
        {
            "diaObjectId": random.integers(2**60, 2**61, count),
            "ra": random.uniform(0, 360, count),
            "decl": random.uniform(-90, 90, count),
            "nDiaSources": random.integers(1, 100, count).astype(np.int32),
            "g_psfFlux": pa.array(flux, mask=random.random(count) < 0.2),
            "r_psfFlux": pa.array(flux, mask=random.random(count) < 0.2),
            "objectName": [f"ZTF25{n:07d}" for n in range(count)],
            "classification": random.choice(["SN", "AGN", "ORPHAN", "VS"], count).tolist(),
        }
    )


def by_astropy(table: pa.Table) -> None:
    """The same table by astropy."""
    columns = {name: table[name].to_numpy() for name in table.column_names}
    for name in ("objectName", "classification"):
        columns[name] = np.array(table[name].to_pylist(), object)
    document = from_table(Table(columns))
    writeto(document, io.BytesIO(), tabledata_format="binary2")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    count = 5_000 if quick else 100_000
    table = invented(count)
    reference = seconds(lambda: by_astropy(table), 1)
    ours = seconds(lambda: b"".join(votable(table)))
    size = sum(map(len, votable(table)))
    print(
        f"VOTable, {count:,} rows: {ours:.3f} s, {size / 1e6:.1f} MB; astropy {reference / ours:.0f} × slower"
    )
    print(f"FITS, {count:,} rows: {seconds(lambda: fits_table(table)):.3f} s")


if __name__ == "__main__":
    main()
