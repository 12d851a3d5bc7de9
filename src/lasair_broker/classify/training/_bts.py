"""Light curves of ZTF's Bright Transient Survey, with types from spectra (Fremling et al. 2020)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
from astropy.coordinates import SkyCoord

from lasair_broker.classify._taxonomy import UNKNOWN, taxonomy
from lasair_broker.classify.training._curves import OBJECTS, LabelledCurves

__all__ = ["FILES", "SOURCE", "bts"]

SOURCE = "ztf_bts"
FILES = ("ztf_bts_labels.csv", "ztf_bts_lightcurves.parquet")

_BANDS = {"g": 1, "R": 2, "r": 2, "i": 3}
_SPECTROSCOPIC_ERROR = 0.001
_A_V_TO_EBV = 1.0 / 3.1
_MAG = 2.5 / np.log(10.0)


def bts(folder: Path) -> LabelledCurves:
    """The light curves in the two files `FILES` of a folder; objects whose type is in no class
    that can be learnt are left out.

    Raises
    ------
    OSError
        If a file cannot be read.
    """
    labels = pyarrow.csv.read_csv(folder / FILES[0])
    tree = taxonomy()
    rows = {
        name: row
        for name, row in zip(labels["ZTFID"].to_pylist(), labels.to_pylist(), strict=True)
        if tree.node_of("BTS", row["type"]) not in (None, UNKNOWN)
    }
    points = pq.read_table(
        folder / FILES[1], columns=["ztf_name", "ant_mjd", "ant_passband", "ant_mag", "ant_magerr"]
    )
    names = np.array(points["ztf_name"].to_pylist())
    magnitude, error = (
        points[c].to_numpy(zero_copy_only=False).astype(float) for c in ("ant_mag", "ant_magerr")
    )
    band = np.array([_BANDS.get(word, -1) for word in points["ant_passband"].to_pylist()], np.int8)
    time = points["ant_mjd"].to_numpy(zero_copy_only=False).astype(float)
    good = np.isfinite(magnitude) & (error > 0.0) & (band >= 0) & np.isin(names, list(rows))
    order = np.flatnonzero(good)[np.lexsort((time[good], names[good]))]
    kept, offsets = np.unique(names[order], return_index=True)
    mine = [rows[name] for name in kept.tolist()]
    place = SkyCoord([r["RA"] for r in mine], [r["Dec"] for r in mine], unit=("hourangle", "deg"))
    flux = 10.0 ** ((31.4 - magnitude[order]) / 2.5)
    table = {
        "name": [r["IAUID"] or name for r, name in zip(mine, kept.tolist(), strict=True)],
        "label": [tree.node_of("BTS", r["type"]) for r in mine],
        "source": [SOURCE] * len(mine),
        "ra": place.ra.deg,
        "decl": place.dec.deg,
        "redshift": [_number(r["redshift"]) for r in mine],
        "redshiftErr": [None if _number(r["redshift"]) is None else _SPECTROSCOPIC_ERROR for r in mine],
        "ebv": [None if a_v is None else a_v * _A_V_TO_EBV for a_v in (_number(r["A_V"]) for r in mine)],
    }
    return LabelledCurves(
        survey="ztf",
        objects=pa.table(table).cast(OBJECTS),
        offsets=np.append(offsets, len(order)).astype(np.int64),
        time=time[order],
        band=band[order],
        flux=flux,
        error=flux * error[order] / _MAG,
        detected=np.ones(len(order), np.bool_),
    )


def _number(value: object) -> float | None:
    try:
        number = float(value)  # type: ignore[arg-type]  # text or a number, as the column has been read
    except (TypeError, ValueError):
        return None
    return number if np.isfinite(number) else None
