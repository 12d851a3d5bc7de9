"""Catalogues of made-up sources, and what the context stage says of positions near them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import yaml

from lasair_broker.context import ContextLoader, classify
from lasair_broker.context.catalogues import COLUMNS, Description, write_catalogue

RULES: dict[str, Any] = {
    "name": "of the tests",
    "views": {
        "stars": {"catalogue": "stars", "kind": "star"},
        "fast stars": {"catalogue": "stars", "kind": "star", "where": "hypot(pmra, pmdec) > 100"},
        "bright stars": {"catalogue": "stars", "kind": "bright star", "where": "mag_G < 16"},
        "galaxies": {"catalogue": "galaxies", "kind": "galaxy"},
        "other galaxies": {"catalogue": "other_galaxies", "kind": "galaxy"},
        "AGN": {"catalogue": "agn", "kind": "AGN"},
        "CVs": {"catalogue": "cvs", "kind": "cataclysmic variable"},
        "unclear": {"catalogue": "unclear", "kind": "source"},
    },
    "searches": {
        "stars": {"view": "stars", "radius": 1.5, "synonym": "VS"},
        "fast stars": {"view": "fast stars", "radius": 3.0, "synonym": "HPMS", "synonym_radius": 3.0},
        "bright stars": {"view": "bright stars", "radius": 20.0, "association": "BS", "halo": True},
        "galaxies": {
            "view": "galaxies",
            "radius": 1800.0,
            "synonym": "NT",
            "association": "SN",
            "host": True,
            "physical": 50.0,
        },
        "other galaxies": {
            "view": "other galaxies",
            "radius": 60.0,
            "synonym": "NT",
            "association": "SN",
            "host": True,
        },
        "AGN": {"view": "AGN", "radius": 3.0, "synonym": "AGN", "synonym_radius": 3.0},
        "CVs": {"view": "CVs", "radius": 2.5, "synonym": "CV", "synonym_radius": 2.5},
        "unclear": {"view": "unclear", "radius": 1.5, "association": "UNCLEAR"},
    },
}

_AXES = {"galaxies": "isophote", "other_galaxies": "isophote"}
_QUALITY = {"galaxies": 2.0, "stars": 3.0}


def shifted(ra: float, decl: float, east: float = 0.0, north: float = 0.0) -> tuple[float, float]:
    """A position so many arcseconds away; good to a microarcsecond within a degree or so of the equator."""
    from astropy import units as u
    from astropy.coordinates import SkyCoord

    moved = SkyCoord(ra, decl, unit="deg").spherical_offsets_by(east * u.arcsec, north * u.arcsec)
    return float(moved.ra.deg), float(moved.dec.deg)


def catalogue(folder: Path, name: str, rows: Sequence[Mapping[str, Any]], epoch: float = 2000.0) -> None:
    """Write a catalogue with these rows; a column that a row does not name is NULL there."""
    names = list(dict.fromkeys(["ra", "decl", "name", *(key for row in rows for key in row)]))
    kinds = {n: COLUMNS[n].type if n in COLUMNS else pa.float32() for n in names}
    table = pa.table({n: pa.array([row.get(n) for row in rows], kinds[n]) for n in names})
    description = Description(
        title=name,
        source="made up",
        licence="none",
        citation="none",
        quality=_QUALITY.get(name, 1.0),
        epoch=epoch,
        axes=_AXES.get(name),
        columns={n: n for n in names},
    )
    write_catalogue(folder, name, table, description)


def loader(folder: Path, rules: Mapping[str, Any] = RULES) -> ContextLoader:
    """Resources with the catalogues in a folder, by the rules of the tests."""
    path = folder.parent / "rules.yaml"
    path.write_text(yaml.safe_dump(dict(rules)))
    return ContextLoader(folder, path)


def verdicts(
    folder: Path, positions: Sequence[tuple[float, float]], mjd: float | None = None
) -> list[dict[str, Any]]:
    """What is said of positions, as dictionaries."""
    ra, decl = zip(*positions, strict=True)
    said, _ = classify(ra, decl, mjd, loader(folder).current())
    rows: list[dict[str, Any]] = said.to_pylist()
    return rows
