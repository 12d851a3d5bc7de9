"""The training set of PLAsTiCC: simulated LSST light curves of fourteen classes (Kessler et al. 2019)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lasair_broker.classify._taxonomy import taxonomy
from lasair_broker.classify.training._curves import OBJECTS, LabelledCurves

__all__ = ["FILES", "SOURCE", "plasticc"]

SOURCE = "plasticc"
FILES = ("plasticc_train_objects.parquet", "plasticc_train_lightcurves.parquet")

_TO_NJY = 10.0 ** ((31.4 - 27.5) / 2.5)  # PLAsTiCC's fluxes have the zero point 27.5


def plasticc(folder: Path) -> LabelledCurves:
    """The light curves in the two files `FILES` of a folder.

    Host redshifts are photometric, with their errors; a photometric redshift of 0 means that there is no
    host, and becomes NULL.

    Raises
    ------
    OSError
        If a file cannot be read.
    ValueError
        If a class is not in the taxonomy.
    """
    objects = pq.read_table(folder / FILES[0]).sort_by("object_id")
    points = pq.read_table(folder / FILES[1]).sort_by([("object_id", "ascending"), ("mjd", "ascending")])
    ids = objects["object_id"].to_numpy()
    offsets = np.searchsorted(points["object_id"].to_numpy(), np.append(ids, ids[-1] + 1)).astype(np.int64)
    redshift = objects["hostgal_photoz"].to_numpy()
    without = redshift <= 0.0
    codes = [str(code) for code in objects["true_target"].to_pylist()]
    table = {
        "name": [str(number) for number in ids.tolist()],
        "label": [_label(code) for code in codes],
        "source": [SOURCE] * len(ids),
        "ra": objects["ra"],
        "decl": objects["decl"],
        "redshift": pa.array(redshift, mask=without),
        "redshiftErr": pa.array(objects["hostgal_photoz_err"].to_numpy(), mask=without),
        "ebv": objects["mwebv"],
    }
    return LabelledCurves(
        survey="lsst",
        objects=pa.table(table).cast(OBJECTS),
        offsets=offsets,
        time=points["mjd"].to_numpy().astype(np.float64),
        band=points["passband"].to_numpy().astype(np.int8),
        flux=points["flux"].to_numpy().astype(np.float64) * _TO_NJY,
        error=points["flux_err"].to_numpy().astype(np.float64) * _TO_NJY,
        detected=points["detected_bool"].to_numpy().astype(np.bool_),
    )


def _label(code: str) -> str:
    found = taxonomy().node_of("PLAsTiCC", code)
    if found is None:
        raise ValueError(f"PLAsTiCC's class {code} stands for none of ours")
    return found
