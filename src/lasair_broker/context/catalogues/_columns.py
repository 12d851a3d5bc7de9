"""The columns that every catalogue is mapped to."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pyarrow as pa

__all__ = ["COLUMNS", "Column", "column_of"]


@dataclass(frozen=True)
class Column:
    """A canonical column.

    Attributes
    ----------
    name
        As in tables of matches.
    type
        float64, float32 or string.
    unit
        As astropy writes it; empty for text and pure numbers. Other units are converted when a catalogue is
        imported.
    description
        For people.
    """

    name: str
    type: pa.DataType
    unit: str
    description: str


_DOUBLE, _SINGLE, _TEXT = pa.float64(), pa.float32(), pa.string()

COLUMNS: dict[str, Column] = {
    column.name: column
    for column in (
        Column("ra", _DOUBLE, "deg", "right ascension at the epoch, ICRS, 0 ≤ ra < 360"),
        Column("decl", _DOUBLE, "deg", "declination at the epoch, ICRS"),
        Column("position_error", _SINGLE, "arcsec", "one-sigma error of the position, per coordinate"),
        Column("epoch", _DOUBLE, "yr", "Julian year of the position"),
        Column("pmra", _SINGLE, "mas / yr", "proper motion in right ascension, times cos(decl)"),
        Column("pmra_error", _SINGLE, "mas / yr", "its one-sigma error"),
        Column("pmdec", _SINGLE, "mas / yr", "proper motion in declination"),
        Column("pmdec_error", _SINGLE, "mas / yr", "its one-sigma error"),
        Column("parallax", _SINGLE, "mas", "annual parallax"),
        Column("parallax_error", _SINGLE, "mas", "its one-sigma error"),
        Column("name", _TEXT, "", "the source's name or identifier in the catalogue"),
        Column("type", _TEXT, "", "what the catalogue says the source is, in its own words"),
        Column("redshift", _DOUBLE, "", "the catalogue's best redshift, heliocentric"),
        Column("redshift_error", _SINGLE, "", "its one-sigma error"),
        Column("redshift_kind", _TEXT, "", "spec, phot, or the catalogue's own word for where it is from"),
        Column("photoz", _DOUBLE, "", "photometric redshift, where the catalogue has it beside another"),
        Column("photoz_error", _SINGLE, "", "its one-sigma error"),
        Column("distance", _DOUBLE, "Mpc", "distance that does not come from a redshift"),
        Column("distance_error", _SINGLE, "Mpc", "its one-sigma error"),
        Column("major_axis", _SINGLE, "arcsec", "whole major axis; what it encloses, the description says"),
        Column("minor_axis", _SINGLE, "arcsec", "whole minor axis"),
        Column("position_angle", _SINGLE, "deg", "of the major axis, from north through east"),
    )
}

_MAGNITUDE = re.compile(r"mag_[A-Za-z0-9]+(_error)?")


def column_of(name: str) -> Column | None:
    """The canonical column of a name, ``mag_<band>`` and ``mag_<band>_error`` included; None if none is."""
    found = COLUMNS.get(name)
    if found is None and _MAGNITUDE.fullmatch(name):
        band = name.split("_")[1]
        what = "one-sigma error of the magnitude" if name.endswith("_error") else "magnitude"
        return Column(name, _SINGLE, "mag", f"{what} in {band}, in the catalogue's own system")
    return found
