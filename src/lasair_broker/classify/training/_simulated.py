"""Light curves of our own synthetic sky: the only ones for X-ray binaries, afterglows and some others."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from lasair_broker.classify._taxonomy import taxonomy
from lasair_broker.classify.training._curves import OBJECTS, LabelledCurves
from lasair_broker.packets import BANDS
from lasair_broker.packets.simulator import simulate_light_curves

__all__ = ["SOURCE", "simulated"]

SOURCE = "simulator"

_PHOTO_Z_ERROR = 0.03  # of 1 + z
_OUTLIERS = 0.1
_HOSTLESS = 0.15
_GALACTIC_WITH_HOST = 0.03  # stars before a galaxy that is taken for their host


def simulated(counts: Mapping[str, int], seed: int) -> LabelledCurves:
    """Objects of our synthetic sky, observed for a year as LSST would.

    Hosts' redshifts are photometric: an error of 0.03 (1 + z), one in ten wrong by up to a factor of two,
    none for 15 % (no host found); and 3 % of stars stand before a galaxy that is taken for their host.

    Parameters
    ----------
    counts
        How many of each class of the simulator (names of its `POPULATIONS`).
    seed
        Of all that is random.
    """
    drawn = simulate_light_curves(counts, seed)
    objects, points = (
        drawn.objects,
        drawn.points.sort_by([("id", "ascending"), ("midpointMjdTai", "ascending")]),
    )
    ids = objects["id"].to_numpy()
    offsets = np.searchsorted(points["id"].to_numpy(), np.append(ids, ids[-1] + 1)).astype(np.int64)
    rng = np.random.default_rng(seed)
    redshift, error = _photometric(objects["redshift"].to_numpy(zero_copy_only=False).astype(float), rng)
    labels = [taxonomy().node_of(SOURCE, name) for name in objects["class"].to_pylist()]
    table = {
        "name": [f"s{seed}-{number}" for number in ids.tolist()],
        "label": labels,
        "source": [SOURCE] * len(ids),
        "ra": objects["ra"],
        "decl": objects["decl"],
        "redshift": pa.array(redshift, from_pandas=True),
        "redshiftErr": pa.array(error, from_pandas=True),
        "ebv": objects["reddening"],
    }
    band = points["band"].to_numpy(zero_copy_only=False)
    return LabelledCurves(
        survey="lsst",
        objects=pa.table(table).cast(OBJECTS),
        offsets=offsets,
        time=points["midpointMjdTai"].to_numpy(),
        band=np.array([BANDS.index(name) for name in band], np.int8),
        flux=points["psfFlux"].to_numpy().astype(np.float64),
        error=points["psfFluxErr"].to_numpy().astype(np.float64),
        detected=points["detected"].to_numpy(zero_copy_only=False),
    )


def _photometric(truth: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    n = len(truth)
    wrong = rng.random(n) < _OUTLIERS
    by_chance = np.isnan(truth) & (rng.random(n) < _GALACTIC_WITH_HOST)
    z = np.where(by_chance, rng.lognormal(-1.5, 0.7, n), truth)
    error = _PHOTO_Z_ERROR * (1.0 + z) * rng.lognormal(0.0, 0.4, n)
    measured = np.where(wrong, z * rng.uniform(0.5, 2.0, n), z + error * rng.standard_normal(n))
    found = (measured > 0.001) & (by_chance | (rng.random(n) >= _HOSTLESS))
    return np.where(found, measured, np.nan), np.where(found, error, np.nan)
