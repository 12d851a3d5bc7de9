"""Supernovae of the Open Supernova Catalog with photometry in g, r and i (Guillochon et al. 2017)."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from astropy.coordinates import SkyCoord

from lasair_broker.classify._taxonomy import taxonomy
from lasair_broker.classify.training._curves import OBJECTS, LabelledCurves

__all__ = ["FILES", "SOURCE", "supernova_catalog"]

SOURCE = "open_supernova_catalog"
FILES = ("open_supernova_catalog.jsonl.gz",)

_BANDS = {"g": 1, "g'": 1, "r": 2, "r'": 2, "R": 2, "i": 3, "i'": 3}
_VEGA_TO_AB = {
    1: 0.0,
    2: 0.21,
    3: 0.4,
}  # of R and i-like bands given in Vega magnitudes (Blanton & Roweis 2007)
_FEWEST = 6
_MAG = 2.5 / np.log(10.0)


def supernova_catalog(folder: Path) -> LabelledCurves:
    """The supernovae in the file `FILES` of a folder that have a type and at least six points in g, r or i.

    Upper limits are left out; what is in Vega magnitudes is put into AB.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If a line is no JSON; with its number.
    """
    rows: list[dict[str, Any]] = []
    points: list[np.ndarray] = []
    with gzip.open(folder / FILES[0], "rt") as lines:
        for number, line in enumerate(lines, 1):
            try:
                told = json.loads(line)
            except json.JSONDecodeError as fault:
                raise ValueError(f"{folder / FILES[0]}, line {number}: {fault}") from fault
            label = _label(told)
            curve = _points(told.get("photometry", []))
            if label is not None and len(curve) >= _FEWEST:
                rows.append({"name": told["name"], "label": label, **_about(told)})
                points.append(curve)
    lengths = [len(curve) for curve in points]
    time, band, flux, error = np.concatenate(points).T
    return LabelledCurves(
        survey="ztf",
        objects=pa.Table.from_pylist([{**row, "source": SOURCE} for row in rows], schema=OBJECTS),
        offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        time=time.copy(),
        band=band.astype(np.int8),
        flux=flux.copy(),
        error=error.copy(),
        detected=np.ones(len(time), np.bool_),
    )


def _label(told: dict[str, Any]) -> str | None:
    tree = taxonomy()
    found = {tree.node_of("OpenSupernovaCatalog", label) for label in told.get("type", [])}
    found.discard(None)
    return found.pop() if len(found) == 1 else None  # types that contradict each other teach nothing


def _about(told: dict[str, Any]) -> dict[str, float | None]:
    place: dict[str, float | None] = {"ra": None, "decl": None}
    if told.get("ra") and told.get("dec"):
        try:
            at = SkyCoord(told["ra"][0], told["dec"][0], unit=("hourangle", "deg"))
            place = {"ra": float(at.ra.deg), "decl": float(at.dec.deg)}
        except ValueError:
            pass  # a position that nobody can read is none
    try:
        redshift = float(told["redshift"][0])
    except (KeyError, IndexError, ValueError):
        return place
    return {**place, "redshift": redshift, "redshiftErr": 0.001} if redshift > 0 else place


def _points(photometry: list[dict[str, Any]]) -> np.ndarray:
    """Rows of (MJD, band, flux, error) in order of time."""
    rows = []
    for point in photometry:
        band = _BANDS.get(point.get("band", ""))
        if band is None or point.get("upperlimit") or "e_magnitude" not in point or "magnitude" not in point:
            continue
        try:
            time, magnitude, error = (float(point[k]) for k in ("time", "magnitude", "e_magnitude"))
        except (KeyError, ValueError, TypeError):
            continue
        if point.get("system") == "Vega" or point.get("band") == "R":
            magnitude += _VEGA_TO_AB[band]
        if 30_000 < time < 70_000 and 5 < magnitude < 30 and 0 < error < 1:
            flux = 10.0 ** ((31.4 - magnitude) / 2.5)
            rows.append((time, band, flux, flux * max(error, 0.01) / _MAG))
    rows.sort()
    return np.array(rows, float).reshape(-1, 4)
