"""The model card: what a model was learnt from, how good it is, and where it fails."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from lasair_broker.classify._model import DESCRIPTION, Model
from lasair_broker.classify._taxonomy import UNKNOWN, taxonomy
from lasair_broker.classify.training._curves import LabelledCurves
from lasair_broker.classify.training._evaluate import (
    MERGED,
    flips,
    merged_probabilities,
    probabilities_at,
    scores_of,
    truth_of,
)

__all__ = ["AGES", "LICENCES", "evaluate", "write_card"]

AGES = (1.0, 2.0, 10.0, np.inf)

LICENCES: Mapping[str, str] = {
    "plasticc": "PLAsTiCC training set (simulated), as the package snmachine carries it, BSD-3-Clause",
    "simulator": "Lasair's own synthetic sky (simulated), BSD-3-Clause",
    "ztf_bts": "ZTF Bright Transient Survey (real), light curves of HSE-LAMBDA/light_curve_approx, MIT",
    "open_supernova_catalog": "Open Supernova Catalog (real), astrocatalogs, no licence stated",
}
SIMULATED = ("plasticc", "simulator")

_LEAVES = {leaf: (leaf,) for leaf in taxonomy().leaves if leaf != UNKNOWN}
_CLASSES: Mapping[str, Mapping[str, tuple[str, ...]]] = {"plasticc": MERGED, "simulator": _LEAVES}


def evaluate(model: Model, held_out: Mapping[str, LabelledCurves]) -> dict[str, Any]:
    """Figures on the objects held out of each simulated set, at ages of 1, 2 and 10 days and of all."""
    found: dict[str, Any] = {}
    for source, curves in held_out.items():
        classes = _CLASSES[source]
        truth = truth_of(curves.labels.tolist(), classes)
        of_source = {}
        for age in AGES:
            merged = merged_probabilities(probabilities_at(model, curves, age), classes)
            of_source[_age(age)] = asdict(scores_of(merged, truth, list(classes)))
        changes = flips(model, curves, (0.1, 1.0, 2.0, 5.0, 10.0, 30.0, 100.0))
        found[source] = {
            "ages": of_source,
            "flips": float(changes.mean()),
            "stable": float((changes == 0).mean()),
        }
    return found


def _age(age: float) -> str:
    return "all" if np.isinf(age) else f"{age:g} d"


def write_card(folder: Path, figures: Mapping[str, Any], seconds: float) -> None:
    """Write `card.json` and `card.md` beside the model in `folder`."""
    told = json.loads((folder / DESCRIPTION).read_text())
    (folder / "card.json").write_text(
        json.dumps({"version": told["version"], "figures": figures}, indent=1) + "\n"
    )
    (folder / "card.md").write_text("\n".join(_lines(told, figures, seconds)) + "\n")


def _lines(told: Mapping[str, Any], figures: Mapping[str, Any], seconds: float) -> list[str]:
    about = told["about"]
    lines = [
        f"# Model {told['name']}, version {told['version']}",
        "",
        f"Made by `lasair train --seed {about['seed']}` in {seconds / 60:.0f} minutes. "
        "Gradient-boosted trees on the features that the stream computes, calibrated by age of the light "
        "curve; `unknown` comes from an open-set score.",
        "",
        "## Data",
        "",
        *(f"- {LICENCES[source]}" for source in _sources(about)),
        "",
        "30 % of the simulated objects, by a hash of their names, were never learnt from. An object is in "
        "one split only.",
        "",
        "| class | " + " | ".join(f"objects from {source}" for source in _sources(about)) + " | rests on |",
        "|---|" + "---|" * (len(_sources(about)) + 1),
        *_class_rows(about),
        "",
        "Classes that rest on simulations only are as good as these: their probabilities are not tested on "
        "real objects.",
        "",
    ]
    for source, of_source in figures.items():
        lines += [f"## Held-out objects of {source}", ""]
        lines += [
            "| age | objects | accuracy | macro F1 | macro AUC | macro precision | calibration error |",
            "|---|---|---|---|---|---|---|",
        ]
        for age, scores in of_source["ages"].items():
            row = (
                scores[k]
                for k in ("accuracy", "macro_f1", "macro_auc", "macro_precision", "calibration_error")
            )
            lines.append(
                f"| {age} | {scores['number']} | " + " | ".join(f"{value:.3f}" for value in row) + " |"
            )
        lines += [
            "",
            "| class | "
            + " | ".join(f"AUC {age}" for age in of_source["ages"])
            + " | precision, recall (all) |",
        ]
        lines += ["|---|" + "---|" * (len(of_source["ages"]) + 1)]
        for name in of_source["ages"]["all"]["auc"]:
            cells = [f"{scores['auc'].get(name, float('nan')):.3f}" for scores in of_source["ages"].values()]
            whole = of_source["ages"]["all"]
            lines.append(
                f"| {name} | "
                + " | ".join(cells)
                + f" | {whole['precision'][name]:.2f}, {whole['recall'][name]:.2f} |"
            )
        lines += [
            "",
            f"From 0.1 to 100 days the most probable class changes {of_source['flips']:.2f} times on "
            "average; "
            f"for {of_source['stable']:.0%} of the objects never.",
            "",
        ]
    lines += [
        "## Known failures",
        "",
        "- A tidal disruption is hard to tell from a supernova in its first days: only the context stage "
        "knows how near a galaxy's nucleus it is.",
        "- Light curves of PLAsTiCC are of the depth and cadence planned in 2018; real LSST data differ.",
        "- The head for ZTF has learnt supernovae, novae and tidal disruptions from real light curves, all "
        "other classes from simulations brought nearer.",
        "- Artefacts are not a class: use `reliability`.",
    ]
    return lines


def _sources(about: Mapping[str, Any]) -> list[str]:
    return sorted({source for of_survey in about["data"].values() for source in of_survey})


def _class_rows(about: Mapping[str, Any]) -> list[str]:
    rows = []
    for leaf in _LEAVES:
        counts = {
            s: max(of.get(s, {}).get(leaf, 0) for of in about["data"].values()) for s in _sources(about)
        }
        real = any(number for source, number in counts.items() if source not in SIMULATED)
        rests = (
            "real and simulated objects"
            if real
            else "**simulations only**"
            if any(counts.values())
            else "nothing"
        )
        rows.append(
            f"| {leaf} | "
            + " | ".join(f"{number:,}" if number else "" for number in counts.values())
            + f" | {rests} |"
        )
    return rows
