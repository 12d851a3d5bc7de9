"""Transients that the Transient Name Server (TNS) knows, from its public list imported as catalogue `tns`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from lasair_broker.context._sources import CatalogueLike
from lasair_broker.schema import conform
from lasair_broker.sky import healpix29, htm16

__all__ = ["TNS", "TNS_RADIUS_ARCSEC", "KnownTransients", "crossmatch_rows", "known_transients"]

Float64 = npt.NDArray[np.float64]

TNS = "tns"
"""Name of the catalogue."""

TNS_RADIUS_ARCSEC = 3.0
"""As Lasair has always matched TNS."""


@dataclass(frozen=True)
class KnownTransients:
    """What TNS knows at n positions.

    Attributes
    ----------
    name
        Name without prefix of the nearest transient, NULL for none.
    redshift
        Of that transient, NaN if it has none.
    rows
        Rows of table `crossmatch_tns`: every transient that was matched, once.
    """

    name: pa.Array
    redshift: Float64
    rows: pa.Table


def known_transients(catalogue: CatalogueLike | None, ra: Float64, decl: Float64) -> KnownTransients:
    """The transients of TNS at positions (degrees): the nearest within 3″ of each.

    Raises
    ------
    CatalogueError
        If the catalogue cannot be read.
    """
    n = len(ra)
    if catalogue is None:
        return KnownTransients(
            pa.nulls(n, pa.string()), np.full(n, np.nan), conform(pa.table({}), "crossmatch_tns")
        )
    found = catalogue.match(ra, decl, TNS_RADIUS_ARCSEC, k=1)
    row, which = np.unique(found.row, return_inverse=True)
    wanted = (
        "ra",
        "decl",
        "name",
        "type",
        "redshift",
        "prefix",
        "discovered",
        "discovery_magnitude",
        "internal_names",
    )
    table = catalogue.take(row, [name for name in wanted if name in catalogue.schema.names])
    place = np.full(n, -1, np.int64)
    place[found.position] = which
    rows = pa.array(place, mask=place < 0)
    z = _column(table, "redshift", pa.float64()).take(rows).to_numpy(zero_copy_only=False)
    names = _column(table, "name", pa.string())
    return KnownTransients(names.take(rows), np.where(z > 0.0, z, np.nan), crossmatch_rows(table))


def _column(table: pa.Table, name: str, kind: pa.DataType) -> pa.Array:
    if name not in table.column_names:
        return pa.nulls(table.num_rows, kind)
    return pa.concat_arrays(table.column(name).cast(kind).chunks or [pa.array([], kind)])


def crossmatch_rows(table: pa.Table) -> pa.Table:
    """Rows of `crossmatch_tns` from columns of the catalogue (`ra`, `decl`, `name`, and what else there
    is)."""
    names = _column(table, "name", pa.string())
    ra, decl = (_column(table, name, pa.float64()).to_numpy(zero_copy_only=False) for name in ("ra", "decl"))
    text = _column(table, "discovered", pa.string())
    # "2023-05-19 17:27:15", with or without the time of day and fractions of a second.
    whole = pc.utf8_slice_codeunits(pc.binary_join_element_wise(text, " 00:00:00", ""), 0, 19)
    date = pc.strptime(whole, format="%Y-%m-%d %H:%M:%S", unit="us", error_is_null=True)
    columns: dict[str, Any] = {
        "ra": ra,
        "decl": decl,
        "tns_name": names,
        "tns_prefix": _column(table, "prefix", pa.string()),
        "disc_mag": _column(table, "discovery_magnitude", pa.float64()),
        "type": _column(table, "type", pa.string()),
        "z": _column(table, "redshift", pa.float64()),
        "disc_int_name": _column(table, "internal_names", pa.string()),
        "disc_date": pc.assume_timezone(date, "UTC"),
        "htm16": htm16(ra, decl),
        "healpix29": healpix29(ra, decl),
    }
    named = pc.is_valid(names)
    return conform(pa.table(columns).filter(named), "crossmatch_tns")
