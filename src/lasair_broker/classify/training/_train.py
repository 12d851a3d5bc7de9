"""From labelled light curves to a model in a folder, the same for the same seed and data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from lasair_broker.classify._model import Head, Model, load_model, save_model
from lasair_broker.classify.training import _bts, _plasticc, _simulated, _supernova_catalog
from lasair_broker.classify.training._curves import LabelledCurves, joined
from lasair_broker.classify.training._fit import EARLY, Recipe, Samples, draw_ages, fit_head, samples_of
from lasair_broker.classify.training._nearer import as_ztf
from lasair_broker.classify.training._splits import held_out

__all__ = ["POPULATIONS", "RECIPES", "Data", "gather", "train"]

POPULATIONS: Mapping[str, int] = {
    "SN Ia": 400,
    "SN Ibc": 300,
    "SN II": 400,
    "SN IIn": 300,
    "SLSN": 200,
    "kilonova": 150,
    "GRB afterglow": 300,
    "orphan afterglow": 150,
    "TDE": 200,
    "AGN": 300,
    "XRB": 300,
    "CV": 400,
    "eruptive star": 300,
    "microlensing": 150,
    "variable star": 400,
}
"""How many objects of each class are simulated."""

_LSST = ("lsst", "elasticc")
RECIPES = (
    Recipe("lsst-early", _LSST, EARLY, 0.0, 10.0, (0.5, 1.5, 2.0), 130),
    Recipe("lsst-any", _LSST, None, 1.0, np.inf, (2.0, 5.0, 15.0, 50.0, 1e5, 1e6), 130),
    Recipe("ztf-any", ("ztf",), None, 0.0, np.inf, (2.0, 10.0, 30.0, 1e5, 1e6), 130),
)

_PROGRESS = Callable[[str, float], None]


@dataclass(frozen=True)
class Data:
    """Labelled light curves to learn from, by survey, and those held out, by data set."""

    lsst: LabelledCurves
    ztf: LabelledCurves
    held_out: Mapping[str, LabelledCurves] = field(default_factory=dict)


def gather(
    folder: Path, seed: int, progress: _PROGRESS, populations: Mapping[str, int] = POPULATIONS
) -> Data:
    """All labelled light curves that there are: simulated ones always, others if their files lie in `folder`.

    Raises
    ------
    FileNotFoundError
        If the folder has none of the files; the text names them.
    """
    progress("simulated light curves", 0.0)
    ours = _simulated.simulated(populations, seed)
    simulations = [ours]
    if all((folder / name).exists() for name in _plasticc.FILES):
        simulations.append(_plasticc.plasticc(folder))
    real = [
        read(folder)
        for files, read in (
            (_bts.FILES, _bts.bts),
            (_supernova_catalog.FILES, _supernova_catalog.supernova_catalog),
        )
        if all((folder / name).exists() for name in files)
    ]
    if len(simulations) + len(real) == 1:
        wanted = ", ".join((*_plasticc.FILES, *_bts.FILES, *_supernova_catalog.FILES))
        raise FileNotFoundError(
            f"{folder} has no labelled light curves; it may hold {wanted} (get some: lasair train --fetch)"
        )
    everything = joined(simulations)
    apart = held_out(everything)
    learnt = everything.take(np.flatnonzero(~apart))
    judged = {
        one.objects["source"][0].as_py(): one.take(np.flatnonzero(held_out(one))) for one in simulations
    }
    return Data(learnt, joined([as_ztf(learnt, seed), *real]), judged)


def train(
    folder: Path, out: Path, seed: int, progress: _PROGRESS, populations: Mapping[str, int] = POPULATIONS
) -> tuple[Model, Mapping[str, LabelledCurves]]:
    """Train all heads and write the model to `out`.

    Returns
    -------
    The model as read back from there, and the objects held out, by data set.
    """
    data = gather(folder, seed, progress, populations)
    heads: list[Head] = []
    samples: dict[int, Samples] = {}
    for number, recipe in enumerate(RECIPES):
        curves = data.ztf if "ztf" in recipe.surveys else data.lsst

        def within(doing: str, share: float, number: int = number) -> None:
            progress(doing, (number + share) / len(RECIPES))

        within(f"{recipe.name}: features", 0.0)
        if id(curves) not in samples:
            samples[id(curves)] = samples_of(curves, *draw_ages(len(curves), seed))
        heads.append(fit_head(recipe, samples[id(curves)], seed, within))
    about: dict[str, Any] = {
        "seed": seed,
        "data": {name: _contents(getattr(data, name)) for name in ("lsst", "ztf")},
    }
    save_model(out, "lasair", heads, about)
    return load_model(out), data.held_out


def _contents(curves: LabelledCurves) -> dict[str, dict[str, int]]:
    """How many objects of each class each data set has."""
    counts: dict[str, dict[str, int]] = {}
    sources = curves.objects["source"].to_pylist()
    for source, label in zip(sources, curves.labels.tolist(), strict=True):
        of_source = counts.setdefault(source, {})
        of_source[label] = of_source.get(label, 0) + 1
    return counts
