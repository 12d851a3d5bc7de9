"""Matches positions with a catalogue of which a file is cut off right after it was looked at.

``python cut_file_worker.py FOLDER [survive]``: with "survive" it says what is wrong and ends well, else it is
killed.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from made_up_sky import catalogue

from lasair_broker.context.catalogues import Catalogue, CatalogueError, CatalogueSet, survive_cut_files


class Cut(Catalogue):
    """A catalogue that somebody else writes into."""

    looks = 0

    def _be_whole(self) -> None:
        super()._be_whole()
        self.looks += 1
        if self.looks == 1:
            for name in ("cells", "positions"):
                path = self._folder / name
                path.chmod(0o644)
                os.truncate(path, 4096)


def main(folder: Path, survive: bool) -> None:
    random = np.random.default_rng(1)
    ra, decl = random.uniform(0.0, 360.0, 5000), random.uniform(-80.0, 80.0, 5000)
    catalogue(folder, "stars", [{"ra": a, "decl": b, "name": "x"} for a, b in zip(ra, decl, strict=True)])
    if survive:
        survive_cut_files()
        survive_cut_files()  # once more does nothing
    found = Cut(CatalogueSet.open(folder)["stars"]._folder)
    try:
        found.match(ra, decl, 2.0)
    except CatalogueError as error:
        print(error)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:] == ["survive"])
