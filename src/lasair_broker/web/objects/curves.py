"""The light curve of an object as its chart takes it: columns, with what is needed to convert them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from lasair_broker.archive import LightCurve
from lasair_broker.lightcurve import LSST, ZTF
from lasair_broker.packets import BANDS
from lasair_broker.settings import load

FLAGS = (
    "centroid_flag",
    "psfFlux_flag",
    "psfFlux_flag_edge",
    "shape_flag",
    "trail_flag",
    "isDipole",
    "glint_trail",
    "pixelFlags_bad",
    "pixelFlags_crCenter",
    "pixelFlags_edge",
    "pixelFlags_nodataCenter",
    "pixelFlags_interpolatedCenter",
    "pixelFlags_saturatedCenter",
    "pixelFlags_suspectCenter",
    "pixelFlags_streakCenter",
)
"""What the survey says against a detection: bit i of `flags` in the chart's data is the i-th of these."""

_OF_ALL = ("midpointMjdTai", "band", "psfFlux", "psfFluxErr", "scienceFlux", "scienceFluxErr")
CURVE_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "diaSources": (
        *("diaSourceId", *_OF_ALL, "templateFlux", "reliability", "ra", "decl", "timeWithdrawnMjdTai"),
        *FLAGS,
    ),
    "diaForcedSources": ("diaForcedSourceId", *_OF_ALL, "timeWithdrawnMjdTai"),
    "diaNondetectionLimits": ("midpointMjdTai", "band", "limitingFlux"),
}
"""The columns that the chart needs of each table."""

_FITS = ("RiseRate", "FallRate", "PeakFlux", "PeakMJD")
FIT_COLUMNS = (
    *(f"BBB{name}" for name in _FITS),
    "BBBTemp",
    *(f"{band}_bazin{name}" for band in BANDS for name in _FITS),
)
"""The columns of `objects` from which the chart draws fits."""


def passbands(survey: str) -> dict[str, dict[str, float]]:
    """Wavelength (µm) and A/E(B-V) of each band that a survey has."""
    of = ZTF if survey == "ztf" else LSST
    return {
        band: {"wavelength": wavelength, "extinction": extinction}
        for band, wavelength, extinction in zip(BANDS, of.wavelength, of.extinction, strict=True)
        if wavelength == wavelength
    }


def chart_data(
    known: Mapping[str, Any],
    curve: LightCurve,
    redshift: float | None,
    distance: float | None,
    partners: list[dict[str, Any]],
    users: list[dict[str, Any]],
) -> bytes:
    """Everything that the chart draws, as JSON.

    Parameters
    ----------
    known
        Columns of `objects`: those of the page's head and `FIT_COLUMNS`.
    curve
        With `CURVE_COLUMNS`. Fluxes in nJy, times in MJD TAI.
    redshift, distance
        Of the object or its host; the best distance in Mpc.
    partners
        Other surveys' light curves of the object: name, survey, and what `columns_of` gives of each table.
    users
        Sets of points that users added.
    """
    where = load().context
    return orjson.dumps(
        {
            "diaObjectId": str(known["diaObjectId"]),
            "objectName": known["objectName"] or str(known["diaObjectId"]),
            "survey": known["survey"],
            "passbands": passbands(known["survey"]),
            "ebv": known["ebv"],
            "redshift": redshift,
            "distance": distance,
            "cosmology": {"hubble": where.hubble, "omegaMatter": where.omega_matter},
            "flagNames": FLAGS,
            "fits": {name: known[name] for name in FIT_COLUMNS},
            **curve_columns(curve),
            "partners": partners,
            "users": users,
        },
        option=orjson.OPT_SERIALIZE_NUMPY,
    )


def curve_columns(curve: LightCurve) -> dict[str, dict[str, Any]]:
    """The three tables of a light curve, without what the survey has withdrawn."""
    return {name: columns_of(getattr(curve, name)) for name in CURVE_COLUMNS}


def columns_of(table: pa.Table) -> dict[str, Any]:
    """The columns of a table for JSON: ids are text, as JavaScript would round them; NaN becomes null."""
    if "timeWithdrawnMjdTai" in table.column_names:
        table = table.filter(pc.is_null(table["timeWithdrawnMjdTai"])).drop_columns(["timeWithdrawnMjdTai"])
    flags = [name for name in FLAGS if name in table.column_names]
    found: dict[str, Any] = {}
    for name in table.column_names:
        if name in flags:
            continue
        column = table[name]
        if pa.types.is_int64(column.type):
            found[name] = column.cast(pa.string()).to_pylist()
        elif pa.types.is_floating(column.type):
            found[name] = np.ascontiguousarray(column.to_numpy())
        else:
            found[name] = column.to_pylist()
    if flags:
        found["flags"] = _bits(table, flags)
    return found


def _bits(table: pa.Table, flags: list[str]) -> npt.NDArray[np.int64]:
    bits = np.zeros(table.num_rows, np.int64)
    for name in flags:
        bits |= pc.fill_null(table[name], False).to_numpy().astype(np.int64) << FLAGS.index(name)
    return bits
