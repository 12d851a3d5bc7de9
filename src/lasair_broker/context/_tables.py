"""The verdict as rows of `sherlock_classifications` and `sherlock_crossmatches`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from lasair_broker.context._associate import Associations
from lasair_broker.context._candidates import MAGNITUDES
from lasair_broker.context._galaxies import tangent_offset
from lasair_broker.context._redshift import KINDS
from lasair_broker.context._rules import CLASSES
from lasair_broker.context._sentence import description, joined, number, summary
from lasair_broker.context._sources import Found, Sources
from lasair_broker.context._verdict import DISTANCE_FLAGS, ORPHAN, Verdict
from lasair_broker.schema import conform

__all__ = ["ANNOTATOR", "classifications", "crossmatches"]

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

ANNOTATOR = "lasair-broker context 1"

_WITH_REDSHIFT = ("NT", "SN", "AGN", ORPHAN)
"""Classes of objects that a redshift makes sense for."""


def crossmatches(
    ids: pa.Array,
    ra: Float64,
    decl: Float64,
    found: Found,
    said: Associations,
    verdict: Verdict,
    sources: Sources,
) -> pa.Table:
    """Rows of `sherlock_crossmatches`: every match of the objects `ids` at these positions, best first."""
    r, c = verdict.ranked, found.candidates
    member = r.member
    east, north = tangent_offset(c.ra[member], c.decl[member], ra[r.position], decl[r.position])
    search = said.search[member]
    columns: dict[str, Any] = {
        "diaObjectId": ids.take(pa.array(r.position)),
        "rank": pa.array(r.rank.astype(np.int32)),
        "association_type": _words(CLASSES, said.code[member]),
        "catalogue_table_name": _names_of_groups(found, said, r.group, member, sources.names),
        "catalogue_object_id": c.name.take(pa.array(member)),
        "catalogue_object_type": _words([sources.kind(k) for k in range(len(sources.searches))], search),
        "raDeg": c.ra[member],
        "decDeg": c.decl[member],
        "separationArcsec": c.arcsec[member],
        "northSeparationArcsec": north,
        "eastSeparationArcsec": east,
        "physical_separation_kpc": r.kpc,
        "direct_distance": r.distance,
        "distance": r.redshift_distance,
        "best_distance": r.best_distance,
        "best_distance_err": r.best_distance_error,
        "best_distance_flag": _words(DISTANCE_FLAGS, r.best_distance_flag),
        "best_distance_source": _words(
            sources.names,
            np.where(r.best_distance_member >= 0, c.catalogue[r.best_distance_member], -1)
            if len(c)
            else np.zeros(0),
        ),
        "z": r.redshift,
        "photoZ": r.photoz,
        "photoZErr": r.photoz_error,
        "Mag": r.magnitude,
        "MagFilter": _words(MAGNITUDES[:-1], np.where(np.isfinite(r.magnitude), r.band, -1)),
        "MagErr": r.magnitude_error,
        "classificationReliability": pa.array(said.reliability[member].astype(np.int32)),
        "major_axis_arcsec": r.semi_major,
        "rankScore": r.score,
        "searchName": _words([name for name, _ in sources.searches], search),
        "ddlr": said.ddlr[member],
        "hostProbability": np.where(said.host[member] > 0.0, said.host[member], np.nan),
    }
    return conform(
        pa.table({name: _column(values) for name, values in columns.items()}), "sherlock_crossmatches"
    )


def classifications(
    ids: pa.Array, matches: pa.Table, found: Found, said: Associations, verdict: Verdict, sources: Sources
) -> pa.Table:
    """Rows of `sherlock_classifications`, one for each of the objects `ids`; `matches` is what they
    matched."""
    n, first = len(ids), verdict.first
    rows = pa.array(first, mask=first < 0)
    leading = matches.take(rows)  # NULL rows for orphans
    columns: dict[str, Any] = {
        name: leading.column(name)
        for name in matches.column_names
        if name not in ("diaObjectId", "rank", "searchName", "ddlr", "hostProbability")
    }
    code = verdict.code
    columns["diaObjectId"] = ids
    columns["classification"] = _words((*CLASSES, ORPHAN), np.where(code < 0, len(CLASSES), code))
    columns["annotator"] = pa.array([ANNOTATOR] * n, pa.string())
    columns["configuration"] = pa.array([sources.digest] * n, pa.string())
    columns |= _words_of_verdict(matches, verdict, found, said, sources)
    columns |= _hosts(found, said, verdict, sources)
    return conform(
        pa.table({name: _column(values) for name, values in columns.items()}), "sherlock_classifications"
    )


def _hosts(found: Found, said: Associations, verdict: Verdict, sources: Sources) -> dict[str, Any]:
    """Columns on hosts and redshift: of objects that may have a host only."""
    c, n = found.candidates, len(verdict.code)
    classes = np.array([*CLASSES, ORPHAN])[verdict.code]  # -1 is the last: an orphan
    some = np.isin(classes, _WITH_REDSHIFT)
    m = verdict.mixture
    out: dict[str, Any] = {
        "hostProbability": np.where(some, verdict.host_probability, np.nan),
        "hostlessProbability": np.where(some, said.none, np.nan),
        "ddlr": _of_members(said.ddlr, verdict.host_member, some),
        "secondHostProbability": np.where(some, verdict.second_probability, np.nan),
        "secondHostDdlr": _of_members(said.ddlr, verdict.second_member, some),
        "secondHostSeparationArcsec": _of_members(c.arcsec, verdict.second_member, some),
        "redshift": np.where(some, m.mean, np.nan),
        "redshiftErr": np.where(some, m.error, np.nan),
        "redshiftP16": np.where(some, m.p16, np.nan),
        "redshiftP50": np.where(some, m.p50, np.nan),
        "redshiftP84": np.where(some, m.p84, np.nan),
        "redshiftKind": _words(KINDS, np.where(some & np.isfinite(m.mean), verdict.redshift_kind, -1)),
    }
    for prefix, member in (("host", verdict.host_member), ("secondHost", verdict.second_member)):
        rows = pa.array(member, mask=(member < 0) | ~some)
        out[f"{prefix}Id"] = c.name.take(rows) if len(c) else pa.nulls(n, pa.string())
        number_of = np.where((member >= 0) & some, c.catalogue[member], -1) if len(c) else np.full(n, -1)
        out[f"{prefix}Catalogue"] = _words(sources.names, number_of)
    return out


def _words_of_verdict(
    matches: pa.Table, verdict: Verdict, found: Found, said: Associations, sources: Sources
) -> dict[str, Any]:
    """Description, summary and reasons."""
    r, first, c = verdict.ranked, verdict.first, found.candidates
    lead = first[first >= 0]
    member = r.member[lead]
    told = matches.take(pa.array(lead))
    catalogue = told.column("catalogue_table_name").combine_chunks()
    name = told.column("catalogue_object_id").combine_chunks()
    kinds = told.column("catalogue_object_type").to_pylist()
    north, east = (
        told.column(f"{way}SeparationArcsec").to_numpy().astype(np.float64) for way in ("north", "east")
    )
    redshift = np.where(np.isfinite(r.redshift[lead]), r.redshift[lead], r.photoz[lead])
    band = told.column("MagFilter").combine_chunks()
    # A host that is one of several possibilities only "may" be the one.
    unsure = (said.host[member] > 0.0) & (said.host[member] < 0.5) & (said.reliability[member] == 2)
    relation = np.where(unsure, 3, said.reliability[member]).astype(np.int8)
    sentences = description(
        relation, kinds, name, catalogue, c.arcsec[member], north, east, r.magnitude[lead],
        band, redshift, r.best_distance[lead], r.kpc[lead],
    )  # fmt: skip
    short = summary(said.reliability[member], name, catalogue, c.arcsec[member])
    back = pa.array(np.cumsum(first >= 0) - 1, mask=first < 0)
    no_host = pc.fill_null(number(said.none, "%.3f"), "1")
    why = joined(
        "search “",
        told.column("searchName").combine_chunks(),
        "” within ",
        number(c.arcsec[member], "%.2f"),
        "″",
    ).take(back)
    # What is only listed has no say, but it is there.
    listed = np.isin(np.arange(len(first)), r.position)

    def nothing(empty: str, beside: str) -> pa.Array:
        return pa.array(np.where(listed, beside, empty).tolist(), pa.string())

    reasons = pc.coalesce(
        why, nothing("no search found a source", "what searches found is only listed and has no say")
    )
    host = joined(
        "; host with probability ", number(verdict.host_probability, "%.3f"), ", none with ", no_host
    )
    reasons = joined(reasons, pc.fill_null(host, ""))
    for mask, note in (
        (said.nucleus, "; a star at the core of a galaxy was taken for its nucleus"),
        (said.fragment, "; a piece of a larger galaxy was left out"),
    ):
        there = np.isin(np.arange(len(first)), c.position[mask])
        reasons = joined(reasons, pa.array(np.where(there, note, "").tolist(), pa.string()))
    return {
        "description": pc.coalesce(
            sentences.take(back),
            nothing(
                "No source in the catalogues lies so near that it may be related.",
                "The sources near it, which are listed as cross-matches, do not tell what it is.",
            ),
        ),
        "summary": pc.coalesce(
            short.take(back), nothing("no catalogue source nearby", "only cross-matches nearby")
        ),
        "reasons": reasons,
    }


def _of_members(values: Float64, member: Int64, some: npt.NDArray[np.bool_]) -> Float64:
    if not len(values):
        return np.full(len(member), np.nan)
    return np.where((member >= 0) & some, values[member], np.nan)


def _names_of_groups(
    found: Found, said: Associations, group: Int64, member: Int64, names: Sequence[str]
) -> pa.Array:
    """Catalogues of each group joined by a slash, that of the member that speaks for it first."""
    c = found.candidates
    if not len(group):
        return pa.array([], pa.string())
    held = np.zeros((len(said.groups), len(names)), np.bool_)
    held[said.groups.of, c.catalogue] = True
    bits = held[group] @ (1 << np.arange(len(names), dtype=np.int64))
    first = c.catalogue[member].astype(np.int64)
    pairs, back = np.unique(np.stack([first, bits]), axis=1, return_inverse=True)
    told = [
        "/".join([names[one], *(name for k, name in enumerate(names) if k != one and which >> k & 1)])
        for one, which in pairs.T.tolist()
    ]
    return pa.array(told, pa.string()).take(pa.array(back.ravel()))


def _words(words: Sequence[str], codes: npt.NDArray[Any]) -> pa.Array:
    """Words by their index, NULL for -1."""
    codes = np.asarray(codes, np.int64)
    return pa.array(list(words), pa.string()).take(pa.array(codes, mask=codes < 0))


def _column(values: Any) -> Any:
    """Numbers as Arrow has them, NULL for NaN."""
    return pa.array(values, from_pandas=True) if isinstance(values, np.ndarray) else values
