"""How good the class probabilities are, and what they cost.

The shipped model on the objects of PLAsTiCC and of our own simulations that it was not trained on, at 1, 2
and 10 days and with all of their light curves; five types of real supernovae of ZTF's BTS by
cross-validation; kilonovae within 30 days; the time of an alert, beside LightGBM's own evaluation of the same
trees.

    python benchmarks/classify.py FOLDER [--quick] [--part simulations|time|real]

FOLDER holds the labelled light curves that `lasair train` takes. The stability of the most probable class is
told with the simulations.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import lightgbm as lgb
import numpy as np

from lasair_broker import lightcurve
from lasair_broker.classify import Model, classify, load_priors, shipped_model
from lasair_broker.classify._features import features
from lasair_broker.classify.training import _plasticc, _simulated, _train
from lasair_broker.classify.training._bts import bts
from lasair_broker.classify.training._card import AGES
from lasair_broker.classify.training._curves import LabelledCurves
from lasair_broker.classify.training._evaluate import (
    MERGED,
    flips,
    merged_probabilities,
    probabilities_at,
    scores_of,
    truth_of,
)
from lasair_broker.classify.training._real import SUPERNOVAE, cross_validated
from lasair_broker.classify.training._splits import held_out
from lasair_broker.classify.training._supernova_catalog import supernova_catalog
from lasair_broker.lightcurve import FeatureResources

TOP = {"transient": ("transient",), "AGN": ("AGN",), "galactic": ("galactic",)}
AIMS = {1.0: 0.955, 2.0: 0.96, 10.0: 0.975, np.inf: 0.995}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="labelled light curves")
    parser.add_argument("--quick", action="store_true", help="no cross-validation")
    parser.add_argument("--part", choices=("simulations", "time", "real"), help="only this; without, all")
    options = parser.parse_args()
    start = time.perf_counter()
    model = shipped_model()
    print(f"model {model.name}, version {model.version}, read in {time.perf_counter() - start:.2f} s")
    if options.part != "real":
        ours = _simulated.simulated(_train.POPULATIONS, 1)
        ours = ours.take(np.flatnonzero(held_out(ours)))
    if options.part in (None, "simulations"):
        _simulations(options.folder, model, ours)
    if options.part in (None, "time"):
        _time(model, ours)
    if options.part == "real" or (options.part is None and not options.quick):
        _real(options.folder)


def _simulations(folder: Path, model: Model, ours: LabelledCurves) -> None:
    plasticc = _plasticc.plasticc(folder)
    plasticc = plasticc.take(np.flatnonzero(held_out(plasticc)))
    truth = truth_of(plasticc.labels.tolist(), MERGED)
    print(f"\nPLAsTiCC, {len(plasticc)} objects held out, seven classes")
    for age in AGES:
        nodes = probabilities_at(model, plasticc, age)
        scores = scores_of(merged_probabilities(nodes, MERGED), truth, list(MERGED))
        each = ", ".join(f"{name} {auc:.3f}" for name, auc in scores.auc.items())
        print(
            f"  {age:4g} d: macro AUC {scores.macro_auc:.4f} (aim {AIMS[age]}), calibration error "
            f"{scores.calibration_error:.3f} (aim 0.02), accuracy {scores.accuracy:.3f}, "
            f"macro F1 {scores.macro_f1:.3f}\n        {each}"
        )
    for name, curves in (("PLAsTiCC", plasticc), ("our simulations", ours)):
        nodes = probabilities_at(model, curves, 1.0)
        top = scores_of(merged_probabilities(nodes, TOP), truth_of(curves.labels.tolist(), TOP), list(TOP))
        print(f"top level at one day, {name}: macro precision {top.macro_precision:.3f} (aim 0.96)")
        for age in (10.0, 29.0):
            _kilonovae(
                age, name, curves.labels == "kilonova", probabilities_at(model, curves, age)["kilonova"]
            )
        changes = flips(model, curves, (0.1, 1.0, 2.0, 5.0, 10.0, 30.0, 100.0))
        print(
            f"{name}: the top class changes {changes.mean():.2f} times from 0.1 to 100 d, "
            f"never for {(changes == 0).mean():.0%}"
        )


def _kilonovae(age: float, name: str, truth: np.ndarray, probability: np.ndarray) -> None:
    for least in (0.15, 0.5):
        said = probability > least
        right = (said & truth).sum()
        print(
            f"kilonovae at {age:g} d, {name}: precision {right / max(said.sum(), 1):.2f}, recall "
            f"{right / max(truth.sum(), 1):.2f} of {truth.sum()} above {least} (aim 0.75 each)"
        )


def _real(folder: Path) -> None:
    judged, beside = bts(folder), [supernova_catalog(folder)]
    for distances, aim in ((False, "0.61 and 0.83"), (True, "0.71 and 0.88")):
        found = [cross_validated(judged, beside, distances=distances, seed=seed) for seed in (1, 2, 3)]
        scores = [scores_of(p, truth, list(SUPERNOVAE)) for p, truth in found]
        f1, accuracy = ([getattr(s, what) for s in scores] for what in ("macro_f1", "accuracy"))
        print(
            f"BTS, {scores[0].number} real supernovae, five types, {'with' if distances else 'without'} "
            f"redshift: macro F1 {np.mean(f1):.3f} ± {np.std(f1):.3f}, "
            f"accuracy {np.mean(accuracy):.3f} (aim {aim})"
        )


def _time(model: Model, curves: LabelledCurves) -> None:
    cut = curves.take(np.arange(2000) % len(curves)).up_to(np.full(2000, 30.0))
    batch = lightcurve.enrich(cut.batch(), FeatureResources())
    rows, priors = features(batch), load_priors()
    classify(model, "lsst", rows, priors)
    begin = time.process_time()
    rows = features(batch)
    middle = time.process_time()
    classify(model, "lsst", rows, priors)
    end = time.process_time()
    head = model.heads[1]
    booster = lgb.Booster(model_str=head.text)
    booster.predict(rows[:10], num_threads=1)
    start = time.process_time()
    booster.predict(rows, num_threads=1)
    reference = time.process_time() - start
    start = time.process_time()
    head.trees.predict(rows)
    trees = time.process_time() - start
    n = len(rows)
    print(
        f"{1e6 * (end - begin) / n:.0f} us CPU an alert (aim 200): "
        f"features {1e6 * (middle - begin) / n:.0f}, "
        f"probabilities {1e6 * (end - middle) / n:.0f}, of which trees {1e6 * trees / n:.0f} "
        f"({reference / trees:.1f} x LightGBM)"
    )


if __name__ == "__main__":
    main()
