"""Hosts of real transients, from the import of a real catalogue to the verdict."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from lasair_broker.context import ContextLoader, classify
from lasair_broker.context.catalogues import CatalogueSet, Description, add_catalogue
from lasair_broker.sky import separation_arcsec

GLADE = {
    "title": "GLADE+",
    "source": "the test data",
    "licence": "MIT",
    "citation": "Dalya et al. 2022",
    "axes": "isophote",
    "columns": {
        "ra": "RAJ2000",
        "decl": "DEJ2000",
        "name": "HyperLEDA",
        "mag_B": "Bmag",
        "major_axis": "6 * 10 ** logd25Hyp",
        "minor_axis": "6 * 10 ** (logd25Hyp - coalesce(logr25Hyp, 0))",
        "position_angle": "PAHyp",
        "redshift": "z_best",
        "redshift_kind": "where(f_dL == 3, 'spec', 'phot')",
    },
}


@pytest.mark.slow
def test_the_hosts_of_known_transients(tmp_path: Path) -> None:
    """At least 99.4 per cent, as the best rule has on a table of this kind; the benchmark has the details."""
    data = (
        Path(os.environ.get("LASAIR_TEST_DATA") or Path(__file__).parents[3] / "shared" / "data")
        / "catalogues"
    )
    add_catalogue(tmp_path, "glade_plus", str(data / "glade_plus.parquet"), Description.model_validate(GLADE))
    table = pq.read_table(data / "known_transients.parquet")
    names = ("ra_deg", "dec_deg", "host_ra_deg", "host_dec_deg")
    ra, decl, host_ra, host_decl = (table.column(name).to_numpy(zero_copy_only=False) for name in names)
    some = np.isfinite(ra + decl + host_ra + host_decl)
    some &= separation_arcsec(ra, decl, host_ra, host_decl) < 300.0
    ra, decl, host_ra, host_decl = (values[some] for values in (ra, decl, host_ra, host_decl))
    glade = CatalogueSet.open(tmp_path)["glade_plus"]
    truth = glade.match(host_ra, host_decl, 5.0, k=1)
    assert len(truth) > 1000
    ra, decl = ra[truth.position], decl[truth.position]
    said, matches = classify(ra, decl, None, ContextLoader(tmp_path).current())
    best = matches.filter(np.asarray(matches.column("rank")) == 1)
    place = np.full((2, len(ra)), np.nan)
    place[:, best.column("diaObjectId").to_numpy()] = best.column("raDeg"), best.column("decDeg")
    true_ra, true_decl = (c.to_numpy() for c in glade.take(truth.row, ["ra", "decl"]).columns)
    right = separation_arcsec(*place, true_ra, true_decl) < 0.1
    hosted = np.isin(said.column("classification").to_pylist(), ["SN", "NT"])
    # Those of an improbable host are not said to have one; of the others nearly all are right.
    assert hosted.mean() > 0.97
    assert right[hosted].mean() >= 0.994
