"""Whether the files of a catalogue are what was written, and fit each other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from lasair_broker.context.catalogues._catalogue import Catalogue, open_current
from lasair_broker.context.catalogues._layout import MOVING, PLAIN, digest, mapped_array
from lasair_broker.context.catalogues.errors import CatalogueError
from lasair_broker.sky import healpix29

__all__ = ["check_catalogue"]

_ROWS_AT_ONCE = 1 << 20


def check_catalogue(
    folder: str | Path, name: str, progress: Callable[[str, float], None] | None = None
) -> list[str]:
    """Read a whole catalogue and compare.

    Parameters
    ----------
    folder
        Of all catalogues.
    name
        Of the one to check.
    progress
        Told what is being done, and the share of the work that is done.

    Returns
    -------
    What is wrong, a line each; nothing if it is sound: every file has the size and digest it was written
    with, cells ascend, every position lies in its cell, and every part can be read and has its rows.
    """
    tell = progress or (lambda _doing, _share: None)
    try:
        catalogue = open_current(Path(folder) / name)
    except CatalogueError as error:
        return [str(error)]
    version = Path(folder) / name / f"v-{catalogue.version}"
    findings = []
    done, total = 0, sum(facts["bytes"] for facts in catalogue.details.files.values()) or 1
    for file, facts in catalogue.details.files.items():
        tell(f"{name}: checksums", 0.7 * done / total)
        found = digest([version / file])[file]
        if found != facts:
            findings.append(f"{version / file} is not what was written; import the catalogue again")
        done += facts["bytes"]
    return findings + _contents(catalogue, version, tell)


def _contents(catalogue: Catalogue, version: Path, tell: Callable[[str, float], None]) -> list[str]:
    findings = []
    moves = catalogue.description.moves
    cells = mapped_array(version / "cells", np.int64, in_order=True)
    positions = mapped_array(version / "positions", MOVING if moves else PLAIN, in_order=True)
    last = -1
    for first in range(0, len(cells), _ROWS_AT_ONCE):
        tell(f"{catalogue.name}: order and positions", 0.7 + 0.2 * first / len(cells))
        some = cells[first : first + _ROWS_AT_ONCE]
        at = positions[first : first + _ROWS_AT_ONCE]
        wrong = np.flatnonzero(np.diff(some, prepend=last) < 0)
        if len(wrong):
            findings.append(f"{version / 'cells'}: row {first + wrong[0]} is out of order")
        astray = np.flatnonzero(healpix29(at["ra"], at["decl"]) != some)
        if len(astray):
            row = first + int(astray[0])
            place = positions[row]
            findings.append(
                f"{version / 'positions'}: row {row}, ra={place['ra']}, decl={place['decl']}, lies in "
                "another cell than the file cells says"
            )
        last = int(some[-1])
    for part in catalogue.details.parts:
        tell(f"{catalogue.name}: parts", 0.9 + 0.1 * part.first / max(len(cells), 1))
        try:
            catalogue.take(np.array([part.first, part.first + part.rows - 1]))
        except CatalogueError as error:
            findings.append(str(error))
    return findings
