"""Detections of a field as columns, and the ids that Rubin's pipeline would give them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lasair_broker.compiled import njit
from lasair_broker.packets.simulator._cadence import Visits, days_since_2010
from lasair_broker.packets.simulator._camera import pixel_on, project
from lasair_broker.packets.simulator._measure import position_error_arcsec, reliability
from lasair_broker.packets.simulator._random import normal

__all__ = [
    "ARTEFACT",
    "FIRST_BODY_COUNTER",
    "FIRST_ONE_OFF_COUNTER",
    "FORCED_COUNTER",
    "MOVING",
    "POINT",
    "RESIDUAL",
    "Detections",
    "source_ids",
]

POINT, RESIDUAL, ARTEFACT, MOVING = range(4)
"""Kinds of detection: a real change, a recurring residual, a one-off artefact, a solar-system body."""

# Within one detector of one visit an id counts in 19 bits; each kind of source has a part of that range.
FIRST_ONE_OFF_COUNTER = 1 << 17
FIRST_BODY_COUNTER = (1 << 17) + (1 << 16)
FORCED_COUNTER = 1 << 18

_CONTROLLER = 2  # the real camera at the real site


def source_ids(visit: Any, detector: Any, counter: Any) -> npt.NDArray[np.int64]:
    """Ids packed as Rubin packs them: controller, day (14 bits), sequence (15), detector (8), counter
    (19)."""
    day = days_since_2010(visit)
    high = ((_CONTROLLER << 14) + day) << 15 | (np.asarray(visit, np.int64) % 100_000)
    return np.asarray(
        (high << 8 | np.asarray(detector, np.int64)) << 19 | np.asarray(counter, np.int64), np.int64
    )


@njit(cache=True)
def _shift_and_score(
    key: Any,
    visit: Any,
    kind: Any,
    snr: Any,
    seeing: Any,
    ra: Any,
    decl: Any,
    score: Any,
) -> None:
    """Move true positions to measured ones, in place, and give each detection its reliability."""
    for i in range(len(key)):
        error = position_error_arcsec(seeing[visit[i]], snr[i]) / 3600.0
        ra[i] += error * normal(key[i] + np.uint64(101)) / np.cos(np.radians(decl[i]))
        decl[i] += error * normal(key[i] + np.uint64(103))
        ra[i] %= 360.0
        score[i] = reliability(snr[i], kind[i] == 0 or kind[i] == 3, key[i] + np.uint64(107))


@njit(cache=True)
def _pixels(
    visit: Any, detector: Any, ra: Any, decl: Any, ra0: Any, decl0: Any, rotation: Any, x: Any, y: Any
) -> None:
    """Pixel positions on the detectors."""
    for i in range(len(visit)):
        v = visit[i]
        xi, eta = project(ra[i], decl[i], ra0[v], decl0[v])
        x[i], y[i] = pixel_on(detector[i], xi, eta, rotation[v])


@dataclass(frozen=True, slots=True)
class Detections:
    """Detections as columns.

    Attributes
    ----------
    object_index
        The object in its field; for a moving body its row among the bodies; -1 for a one-off artefact.
    visit
        Column of the visit in the field's visits.
    counter, detector
        With the visit they make the id.
    kind
        POINT, RESIDUAL, ARTEFACT or MOVING.
    ra, decl
        As measured, degrees.
    x, y
        Pixel position on the detector.
    psf, err, science, template
        Difference flux, its error, flux on the science image and in the template, nJy.
    reliability
        0 to 1.
    key
        A 64-bit key of this detection.
    """

    object_index: npt.NDArray[np.int32]
    visit: npt.NDArray[np.int16]
    counter: npt.NDArray[np.int32]
    detector: npt.NDArray[np.int16]
    kind: npt.NDArray[np.int8]
    ra: npt.NDArray[np.float64]
    decl: npt.NDArray[np.float64]
    x: npt.NDArray[np.float32]
    y: npt.NDArray[np.float32]
    psf: npt.NDArray[np.float32]
    err: npt.NDArray[np.float32]
    science: npt.NDArray[np.float32]
    template: npt.NDArray[np.float32]
    reliability: npt.NDArray[np.float32]
    key: npt.NDArray[np.uint64]

    def __len__(self) -> int:
        return len(self.visit)

    @classmethod
    def measured(cls, *, visits: Visits, ra: Any, decl: Any, template: Any, **columns: Any) -> Detections:
        """Detections at true positions `ra`, `decl`, to which errors of measurement are added."""
        at_ra, at_decl = np.array(ra, np.float64), np.array(decl, np.float64)
        n = len(at_ra)
        score = np.empty(n, np.float32)
        snr = np.abs(columns["psf"] / columns["err"]).astype(np.float64)
        _shift_and_score(
            columns["key"], columns["visit"], columns["kind"], snr, visits.seeing, at_ra, at_decl, score
        )
        x, y = np.zeros(n, np.float32), np.zeros(n, np.float32)
        pointing = (visits.ra, visits.decl, visits.rotation)
        _pixels(columns["visit"], columns["detector"], at_ra, at_decl, *pointing, x, y)
        return cls(
            ra=at_ra,
            decl=at_decl,
            x=x,
            y=y,
            template=np.asarray(template, np.float32),
            reliability=score,
            **columns,
        )

    @staticmethod
    def joined(parts: list[Detections]) -> Detections:
        """Several sets, one after the other."""
        return Detections(
            **{name: np.concatenate([getattr(part, name) for part in parts]) for name in Detections.__slots__}
        )
