"""Catalogue sources near the objects of a batch, of all catalogues, as columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["MAGNITUDES", "Candidates", "columns_needed"]

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

MAGNITUDES = ("R", "r", "G", "V", "g", "B", "I", "i", "z", "J", "H", "K", "Ks", "U", "u", "y", "Y", "W1", "")
"""Bands in the order in which one is chosen to describe a source; the last stands for none."""

_ISOPHOTE_OVER_HALF_LIGHT = 1.84
"""Radius of the isophote of 25 mag per square arcsec over the half-light radius, for an exponential disc
with a central surface brightness of 21.65 (Freeman 1970, ApJ 160, 811)."""

_SPECTROSCOPIC = ("spec", "spectroscopic", "s")
_PHOTOMETRIC = ("phot", "photometric", "p")
_UNSURE = 0.005
"""A redshift of unknown origin with an error of more than this times 1 + z is taken to be photometric."""

_BASE = (
    "ra", "decl", "name", "type", "redshift", "redshift_error", "redshift_kind", "photoz", "photoz_error",
    "distance", "distance_error", "major_axis", "minor_axis", "position_angle", "pmra", "pmra_error", "pmdec",
    "pmdec_error", "parallax", "parallax_error",
)  # fmt: skip


def columns_needed(available: Sequence[str]) -> list[str]:
    """The columns of a catalogue from which candidates are made, of those it has."""
    magnitudes = [
        name for band in MAGNITUDES[:-1] for name in (f"mag_{band}", f"mag_{band}_error") if name in available
    ]
    return [*(name for name in _BASE if name in available), *magnitudes]


@dataclass(frozen=True)
class Candidates:
    """Pairs of an object and a catalogue source near it, one element each. NaN is "not known".

    Attributes
    ----------
    position
        Row of the object in its batch.
    catalogue
        Index into the names of the catalogues.
    row
        Of that catalogue.
    arcsec
        Separation, with the source's proper motion to the object's time where the catalogue has it.
    ra, decl
        Of the source, degrees, at the catalogue's epoch.
    magnitude, magnitude_error, band
        In the preferred one of its bands (index into `MAGNITUDES`).
    redshift, redshift_error
        Spectroscopic.
    photoz, photoz_error
        Photometric.
    distance, distance_error
        Not from a redshift, Mpc.
    semi_major, axis_ratio, position_angle
        Of the galaxy's D25 ellipse or its equivalent: arcsec, ratio, degrees from north through east.
    moves
        Its proper motion or parallax shows that it is a star.
    name, type
        As the catalogue has them.
    """

    position: Int64
    catalogue: npt.NDArray[np.int16]
    row: Int64
    arcsec: Float64
    ra: Float64
    decl: Float64
    magnitude: Float64
    magnitude_error: Float64
    band: npt.NDArray[np.int8]
    redshift: Float64
    redshift_error: Float64
    photoz: Float64
    photoz_error: Float64
    distance: Float64
    distance_error: Float64
    semi_major: Float64
    axis_ratio: Float64
    position_angle: Float64
    moves: npt.NDArray[np.bool_]
    name: pa.Array
    type: pa.Array

    def __len__(self) -> int:
        return len(self.position)

    def take(self, rows: npt.NDArray[Any]) -> Candidates:
        """Some of them, by their numbers or a mask."""
        if rows.dtype == np.bool_:
            rows = np.flatnonzero(rows)
        parts = {}
        for field in fields(self):
            values = getattr(self, field.name)
            parts[field.name] = values.take(pa.array(rows)) if isinstance(values, pa.Array) else values[rows]
        return Candidates(**parts)

    @staticmethod
    def joined(parts: Sequence[Candidates]) -> Candidates:
        """Those of several catalogues, one after the other."""
        if not parts:
            return Candidates.of(
                np.zeros(0, np.int64), 0, np.zeros(0, np.int64), np.zeros(0), pa.table({}), None
            )
        if len(parts) == 1:
            return parts[0]
        columns = {}
        for field in fields(Candidates):
            values = [getattr(part, field.name) for part in parts]
            columns[field.name] = (
                pa.concat_arrays(values) if isinstance(values[0], pa.Array) else np.concatenate(values)
            )
        return Candidates(**columns)

    @staticmethod
    def of(
        position: Int64,
        catalogue: int,
        row: Int64,
        arcsec: Float64,
        found: pa.Table,
        axes: str | None = None,
        motion: float = 5.0,
    ) -> Candidates:
        """Candidates from the rows of one catalogue.

        `axes` is what its description says of `major_axis`; a motion or parallax of `motion` standard errors
        shows a star.
        """
        n = len(position)
        values = {
            name: _floats(found, name, n) for name in _BASE if name not in ("name", "type", "redshift_kind")
        }
        spec, spec_error, photoz, photoz_error = _redshifts(values, _text(found, "redshift_kind", n))
        magnitude, magnitude_error, band = _magnitudes(found, n)
        semi_major = 0.5 * values["major_axis"]
        if axes == "error":  # the region in which the source lies says nothing of its size
            semi_major = np.full(n, np.nan)
        elif axes == "half_light":
            semi_major = semi_major * _ISOPHOTE_OVER_HALF_LIGHT
        with np.errstate(invalid="ignore", divide="ignore"):
            errors = np.hypot(values["pmra"] / values["pmra_error"], values["pmdec"] / values["pmdec_error"])
            moves = (errors > motion) | (values["parallax"] > motion * values["parallax_error"])
            ratio = values["minor_axis"] / values["major_axis"]
        return Candidates(
            position=position,
            catalogue=np.full(n, catalogue, np.int16),
            row=row,
            arcsec=arcsec,
            ra=values["ra"],
            decl=values["decl"],
            magnitude=magnitude,
            magnitude_error=magnitude_error,
            band=band,
            redshift=spec,
            redshift_error=spec_error,
            photoz=photoz,
            photoz_error=photoz_error,
            distance=_positive(values["distance"]),
            distance_error=values["distance_error"],
            semi_major=_positive(semi_major),
            axis_ratio=ratio,
            position_angle=values["position_angle"],
            moves=moves,
            name=_text(found, "name", n),
            type=_text(found, "type", n),
        )


def _positive(values: Float64) -> Float64:
    return np.where(values > 0.0, values, np.nan)


def _redshifts(values: Mapping[str, Float64], kind: pa.Array) -> tuple[Float64, Float64, Float64, Float64]:
    """Spectroscopic and photometric redshifts with their errors; a redshift below 0 or of 0 is none."""
    z, error = _positive(values["redshift"]), values["redshift_error"]
    word = pc.utf8_lower(pc.utf8_trim_whitespace(kind))
    told_spec, told_phot = (
        pc.is_in(word, value_set=pa.array(words)).to_numpy(zero_copy_only=False)
        for words in (_SPECTROSCOPIC, _PHOTOMETRIC)
    )
    with np.errstate(invalid="ignore"):
        photometric = told_phot | (~told_spec & (error > _UNSURE * (1.0 + z)))
    beside = _positive(values["photoz"])
    photoz = np.where(photometric & np.isnan(beside), z, beside)
    photoz_error = np.where(photometric & np.isnan(beside), error, values["photoz_error"])
    return np.where(photometric, np.nan, z), np.where(photometric, np.nan, error), photoz, photoz_error


def _magnitudes(found: pa.Table, n: int) -> tuple[Float64, Float64, npt.NDArray[np.int8]]:
    magnitude, error = np.full(n, np.nan), np.full(n, np.nan)
    band = np.full(n, len(MAGNITUDES) - 1, np.int8)
    for code, name in enumerate(MAGNITUDES[:-1]):
        if f"mag_{name}" in found.column_names:
            here = _floats(found, f"mag_{name}", n)
            new = np.isnan(magnitude) & np.isfinite(here)
            magnitude[new], band[new] = here[new], code
            error[new] = _floats(found, f"mag_{name}_error", n)[new]
    return magnitude, error, band


def _floats(found: pa.Table, name: str, n: int) -> Float64:
    """A column as doubles with NaN for NULL, or all NaN if it is not there."""
    if name not in found.column_names:
        return np.full(n, np.nan)
    values: Float64 = found.column(name).cast(pa.float64()).to_numpy(zero_copy_only=False)
    return values.copy() if not values.flags.writeable else values


def _text(found: pa.Table, name: str, n: int) -> pa.Array:
    if name not in found.column_names:
        return pa.nulls(n, pa.string())
    column = found.column(name).cast(pa.string())
    combined = column.combine_chunks()
    return combined if isinstance(combined, pa.Array) else pa.concat_arrays(combined.chunks)
