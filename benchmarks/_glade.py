"""The test data's catalogues as the broker has them, for the benchmarks of the context stage."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lasair_broker.context.catalogues import Description, write_catalogue


def glade_plus(folder: Path, data: Path) -> None:
    """GLADE+ as a catalogue in `folder`; a galaxy's name is its row, so that it can be told apart."""
    t = pq.read_table(data / "catalogues" / "glade_plus.parquet")
    log_diameter, log_ratio = (
        t.column(c).to_numpy(zero_copy_only=False).astype(np.float64) for c in ("logd25Hyp", "logr25Hyp")
    )
    # Diameters are log10 of tenths of an arcminute. f_dL = 3 marks a spectroscopic redshift.
    major = 6.0 * 10.0**log_diameter
    spectroscopic = t.column("f_dL").to_numpy() == 3
    columns = {
        "name": pa.array(np.arange(t.num_rows)).cast(pa.string()),
        "ra": t["RAJ2000"],
        "decl": t["DEJ2000"],
        "mag_B": t["Bmag"],
        "major_axis": pa.array(major),
        "minor_axis": pa.array(major * 10.0 ** -np.nan_to_num(log_ratio)),
        "position_angle": t["PAHyp"],
        "redshift": t["z_best"],
        "redshift_error": t["z_best_std"],
        "redshift_kind": pa.array(np.where(spectroscopic, "spec", "phot")),
    }
    description = Description(
        title="GLADE+",
        source="the test data",
        licence="MIT",
        citation="Dalya et al. 2022, MNRAS 514, 1403",
        axes="isophote",
        quality=2.0,
        kind="galaxy",
        columns={name: name for name in columns},
    )
    write_catalogue(folder, "glade_plus", pa.table(columns), description)
