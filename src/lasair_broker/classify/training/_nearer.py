"""LSST-like light curves as a shallower survey in fewer bands would see objects of the kind, nearer to us."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from lasair_broker.classify._features import distance_modulus
from lasair_broker.classify.training._curves import LabelledCurves

__all__ = ["as_ztf"]

_BANDS = (1, 2, 3)
_BRIGHTER = (1.5, 4.5)  # mag
_REDSHIFTS = np.geomspace(1e-4, 6.0, 4000)
_KEPT_FORCED = 0.5


def as_ztf(curves: LabelledCurves, seed: int) -> LabelledCurves:
    """The light curves in g, r and i, brighter by 1.5 to 4.5 mag, at the redshifts that make them so.

    Signal to noise stays what it was. Half of the objects keep their forced photometry, since ZTF's packets
    have it only since schema 4.
    """
    rng = np.random.default_rng(seed)
    number = len(curves)
    brighter = rng.uniform(*_BRIGHTER, number)
    of_point = np.repeat(np.arange(number), np.diff(curves.offsets))
    kept = np.isin(curves.band, _BANDS) & (curves.detected | (rng.random(number) < _KEPT_FORCED)[of_point])
    factor = 10.0 ** (0.4 * brighter[of_point])
    z = curves.objects["redshift"].to_numpy(zero_copy_only=False).astype(float)
    wanted = distance_modulus(z) - brighter
    nearer = np.interp(wanted, distance_modulus(_REDSHIFTS), _REDSHIFTS, left=np.nan)
    objects = curves.objects.set_column(
        curves.objects.schema.get_field_index("redshift"), "redshift", pa.array(nearer, from_pandas=True)
    )
    counts = np.bincount(of_point[kept], minlength=number)
    return LabelledCurves(
        "ztf",
        objects,
        np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        curves.time[kept],
        curves.band[kept],
        (curves.flux * factor)[kept],
        (curves.error * factor)[kept],
        curves.detected[kept],
    )
