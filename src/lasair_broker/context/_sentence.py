"""The verdict in words, and why: always of the very match that gave the class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["description", "joined", "number", "summary"]

Float64 = npt.NDArray[np.float64]

_RELATION = ("", "is the same source as", "probably belongs to", "may belong to")


def number(values: Float64, pattern: str) -> pa.Array:
    """Numbers as text by a %-pattern, NULL for NaN."""
    known = np.isfinite(values)
    text = np.char.mod(pattern, np.where(known, values, 0.0))
    return pa.array(text.tolist(), pa.string(), mask=~known)


def joined(*parts: pa.Array | str) -> pa.Array:
    """Texts one after the other; NULL if one of them is."""
    return pc.binary_join_element_wise(*parts, "", null_handling="emit_null")


def _or_empty(text: pa.Array) -> pa.Array:
    return pc.fill_null(text, "")


def description(
    relation: npt.NDArray[np.int8],
    kind: Sequence[str],
    name: pa.Array,
    catalogue: pa.Array,
    arcsec: Float64,
    north: Float64,
    east: Float64,
    magnitude: Float64,
    band: pa.Array,
    redshift: Float64,
    distance: Float64,
    kpc: Float64,
) -> pa.Array:
    """One sentence or two for each match.

    `north` and `east` are of the catalogue source less the object, as in the tables; the sentence says where
    the object lies, seen from the source.
    """
    belongs = pa.array([_RELATION[r] for r in relation.tolist()], pa.string())
    what = _or_empty(joined(" of ", band, " ", number(magnitude, "%.1f"), " mag"))
    named = _or_empty(joined(" ", name))
    first = joined(
        "The object ", belongs, " the ", pa.array(kind, pa.string()), named, what, " in ", catalogue, "."
    )
    latitude, longitude = np.where(north > 0.0, "S", "N"), np.where(east > 0.0, "W", "E")
    way = joined(
        " It lies ", number(arcsec, "%.2f"), "″ from it (", number(np.abs(north), "%.2f"), "″ ",
        pa.array(latitude.tolist(), pa.string()), ", ", number(np.abs(east), "%.2f"), "″ ",
        pa.array(longitude.tolist(), pa.string()), ")",
    )  # fmt: skip
    across = _or_empty(joined(", ", number(kpc, "%.1f"), " kpc in projection"))
    at = _or_empty(joined(" Its redshift is ", number(redshift, "%.4f"), "."))
    with np.errstate(invalid="ignore", divide="ignore"):
        modulus = 5.0 * np.log10(distance) + 25.0
    far = _or_empty(joined(" Its distance modulus is ", number(modulus, "%.2f"), " mag."))
    return joined(first, _or_empty(way), across, ".", at, far)


def summary(
    reliability: npt.NDArray[np.int8], name: pa.Array, catalogue: pa.Array, arcsec: Float64
) -> pa.Array:
    """The verdict in a few words."""
    words = pa.array([("", "is", "in", "near")[r] for r in reliability.tolist()], pa.string())
    return joined(
        words,
        " ",
        pc.coalesce(name, pa.scalar("a source")),
        " in ",
        catalogue,
        ", ",
        number(arcsec, "%.1f"),
        "″ away",
    )
