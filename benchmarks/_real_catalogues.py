"""The test data's catalogues as the broker has them, for the benchmarks of the context stage."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from astropy.coordinates import SkyCoord
from astropy.table import Table
from pyarrow import csv

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
        # z_best_std is 0.3 z in every row, which is no error of either kind.
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


def _described(title: str, columns: list[str], **more: object) -> Description:
    source = {"source": "the test data", "licence": "see the test data", "citation": "see the test data"}
    return Description.model_validate({"title": title, **source, **more, "columns": {c: c for c in columns}})


def _trimmed(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.utf8_trim_whitespace(column.cast(pa.string()))


def _write(folder: Path, name: str, table: pa.Table, **more: object) -> None:
    good = pc.and_(pc.is_finite(table["ra"]), pc.less_equal(pc.abs(table["decl"]), 90.0))
    table = table.filter(pc.fill_null(good, False))
    write_catalogue(folder, name, table, _described(name, table.column_names, **more))


def variables(folder: Path, data: Path) -> None:
    """VSX and the GCVS."""
    t = pq.read_table(data / "catalogues" / "vsx.parquet")
    vsx = pa.table({"ra": t["RAJ2000"], "decl": t["DEJ2000"], "type": _trimmed(t["VType"])})
    _write(folder, "vsx", vsx, kind="variable")
    t = pq.read_table(data / "catalogues" / "gcvs.parquet")
    gcvs = pa.table({"ra": t["ra"], "decl": t["dec"], "type": _trimmed(t["VarType"])})
    _write(folder, "gcvs", gcvs, kind="variable")


def open_ngc(folder: Path, data: Path) -> None:
    """Large galaxies with their axes."""
    t = csv.read_csv(data / "catalogues" / "openngc.csv")
    minutes = pa.scalar(60.0)
    # Positions of this table are in radians.
    columns = {
        "ra": pa.array(np.degrees(t["ra"].to_numpy())),
        "decl": pa.array(np.degrees(t["dec"].to_numpy())),
        "name": t["name"],
        "type": t["type"],
        "mag_B": t["bmag"],
        "major_axis": pc.multiply(t["majax"].cast(pa.float64()), minutes),
        "minor_axis": pc.multiply(t["minax"].cast(pa.float64()), minutes),
        "position_angle": t["pa"],
        "redshift": t["redshift"],
    }
    _write(folder, "openngc", pa.table(columns), axes="isophote", kind="galaxy")


def cataclysmic_and_active(folder: Path, data: Path) -> None:
    """Cataclysmic and symbiotic stars, gamma-ray and high-synchrotron-peaked blazars."""
    t = pq.read_table(data / "catalogues" / "symbiotic_and_cv.parquet")
    place = SkyCoord(t["RA(J2000)"].to_pylist(), t["DEC(J2000)"].to_pylist(), unit=("hourangle", "deg"))
    columns = {"ra": place.ra.deg, "decl": place.dec.deg, "name": t["Name"], "type": t["source"]}
    _write(folder, "symbiotic_and_cv", pa.table(columns), kind="cv")
    t = csv.read_csv(data / "catalogues" / "magnetic_cv.csv", convert_options=csv.ConvertOptions(
        column_types={"RA(J2000)": pa.string(), "DEC(J2000)": pa.string()}))  # fmt: skip
    place = SkyCoord(t["RA(J2000)"].to_pylist(), t["DEC(J2000)"].to_pylist(), unit=("hourangle", "deg"))
    columns = {"ra": place.ra.deg, "decl": place.dec.deg, "name": t["Name"].cast(pa.string())}
    _write(folder, "magnetic_cv", pa.table(columns), kind="cv")
    lac = Table.read(data / "catalogues" / "4lac_dr3_highlat.fits")
    radio = [name for name in lac.colnames if name in ("RA_Counterpart", "DEC_Counterpart")]
    where = radio if len(radio) == 2 else ["RAJ2000", "DEJ2000"]
    columns = {
        "ra": np.asarray(lac[where[0]], np.float64),
        "decl": np.asarray(lac[where[1]], np.float64),
        "name": [str(name).strip() for name in lac["Source_Name"]],
    }
    _write(folder, "lac4", pa.table(columns), kind="agn")
    lines = (data / "catalogues" / "3hsp_blazars.csv").read_text().splitlines()
    fields = [[part.strip().strip('"') for part in line.split(" , ")] for line in lines[1:]]
    place = SkyCoord([f[3] for f in fields], [f[4] for f in fields], unit=("hourangle", "deg"))
    columns = {"ra": place.ra.deg, "decl": place.dec.deg, "name": [f[1] for f in fields]}
    _write(folder, "hsp3", pa.table(columns), kind="agn")
