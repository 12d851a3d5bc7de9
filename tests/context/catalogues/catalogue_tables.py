"""Small catalogues, made for tests."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from lasair_broker.context.catalogues import Description

Float64 = npt.NDArray[np.float64]


def description(**more: Any) -> Description:
    """A description with position, name and one magnitude; `more` adds to it."""
    columns = {"ra": "ra", "decl": "dec", "name": "name", "mag_g": "g"} | more.pop("columns", {})
    facts = {"title": "Test", "source": "made up", "licence": "CC0", "citation": "nobody"}
    return Description.model_validate(facts | {"columns": columns} | more)


def moving_description(**more: Any) -> Description:
    """The same with proper motions, positions at 2016.0."""
    return description(columns={"pmra": "pmra", "pmdec": "pmdec"}, epoch=2016.0, **more)


def table(ra: npt.ArrayLike, decl: npt.ArrayLike, **more: Any) -> pa.Table:
    """Rows at positions, named by their number."""
    lon = np.asarray(ra, np.float64)
    columns = {
        "ra": lon,
        "decl": np.asarray(decl, np.float64),
        "name": [f"source {i}" for i in range(len(lon))],
        "mag_g": np.arange(len(lon), dtype=np.float32),
    }
    return pa.table(columns | more)


def sphere(rng: np.random.Generator, n: int) -> tuple[Float64, Float64]:
    """Positions scattered evenly over the sky, degrees."""
    return rng.uniform(0.0, 360.0, n), np.degrees(np.arcsin(rng.uniform(-1.0, 1.0, n)))
